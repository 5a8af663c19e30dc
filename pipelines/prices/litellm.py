"""Step 7, LiteLLM's price map as a second opinion: never priced with, only compared with what the other sources state.

The file is `model_prices_and_context_window.json` of https://github.com/BerriAI/litellm (MIT). It knows no dates: what
it states holds for all time.
"""

import hashlib
import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import polars as pl

from pipelines.errors import UserError
from pipelines.prices.litellm_entry import EXACT, Price, stated_prices
from transforms.schemas import PRICE_BOOK, PRICE_REFS
from transforms.shapes.providers import provider_id_of

PACKAGED = "model_prices_and_context_window_backup.json"
FIX = "give LiteLLM's model_prices_and_context_window.json with --litellm"
EXAMPLE = "sample_spec"  # the key of the entry that explains the fields
PICO = Decimal(10**12)
# A part of a key that tells where a call was served: "bedrock/us-east-1/...", "azure/eu/..."
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d|us|eu|apac|global|us-gov")
VERTEX = "vertex_ai"
SESSION = "code_interpreter_cost_per_session"
# A second platform of a provider: it answers for the provider where the first has no such model.
SECOND = ("azure_ai", "bedrock_mantle", VERTEX)

ANY = ""  # any of the regions that keys name; a ref has no such region

Index = dict[tuple[str | None, str, str | None], list[tuple[str, dict]]]


def find_price_map(path: Path | None) -> Path | None:
    """`path` where it is given, else the file inside an installed litellm (which is not imported: that takes seconds
    and asks the network), else None. UserError where the given file cannot be read or is no such file."""
    if path is not None:
        _read(path)
        return path
    found = importlib.util.find_spec("litellm")
    folders = (found and found.submodule_search_locations) or ()
    return next((file for folder in folders if (file := Path(folder) / PACKAGED).is_file()), None)


def litellm_rates(refs: pl.DataFrame, path: Path) -> pl.DataFrame:
    """PRICE_BOOK rows of each of `refs` (PRICE_REFS) as the price map at `path` states them, for all time.

    Names are matched as they are (in any case, with and without the provider in front), never by their beginning. A
    model that the map does not know, or a class or tier that it has no price of, has no rows; a field that is no
    price, and a context that is not covered, has a row without a rate and a note. `source` is "litellm" and the
    beginning of the file's SHA-256. UserError where the file cannot be read or is no price map.
    """
    entries, digest = _read(path)
    index, source = _index(entries), f"litellm {digest[:8]}"
    rows = [row for ref in refs.iter_rows(named=True) for row in _rows(index, ref, source)]
    return pl.DataFrame(rows, schema=PRICE_BOOK, orient="row")


def _read(path: Path) -> tuple[dict[str, dict], str]:
    """(the entries that name a provider, SHA-256 of the file)."""
    try:
        content = path.read_bytes()
        document = json.loads(content, parse_float=Decimal)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {FIX}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); {FIX}") from None
    except ArithmeticError:
        raise UserError(f"{path}: a number in it is beyond all bounds; {FIX}") from None
    entries = {key: entry for key, entry in _items(document) if key != EXAMPLE}
    if not entries:
        raise UserError(f"{path}: no entry has a litellm_provider, so it is not a price map of LiteLLM; {FIX}")
    return entries, hashlib.sha256(content).hexdigest()


def _items(document: object) -> Iterator[tuple[str, dict]]:
    for key, entry in document.items() if isinstance(document, dict) else ():
        if isinstance(entry, dict) and isinstance(entry.get("litellm_provider"), str):
            yield key, entry


def _index(entries: dict[str, dict]) -> Index:
    """The entries that answer to (provider, name, region of the key); under no provider to the whole key alone."""
    index: Index = defaultdict(list)
    for key, entry in entries.items():
        aliases = entry.get("aliases")
        names = [key, *(aliases if isinstance(aliases, list) else ())]
        told = {
            place for name in names if isinstance(name, str) for place in _places(name.lower(), _provider_id(entry))
        }
        for place in told:
            index[place].append((key, entry))
    return index


def _places(name: str, provider: str | None) -> Iterator[tuple[str | None, str, str | None]]:
    yield from ((None, name, None), (provider, name, None))
    prefix, _, rest = name.partition("/")
    if rest and _prefix_id(prefix) == provider:
        region, _, model = rest.partition("/")
        if model and REGION.fullmatch(region):
            yield from ((provider, model, region), (provider, model, ANY))
        else:
            yield provider, rest, None


def _provider_id(entry: dict) -> str | None:
    """The provider of an entry; LiteLLM tells the kinds of models that Vertex serves apart ("vertex_ai-xai_models")."""
    return _prefix_id(entry["litellm_provider"].lower())


def _prefix_id(name: str) -> str | None:
    platform, _, kind = name.partition("-")
    return provider_id_of(platform if kind and platform in (VERTEX, "fireworks_ai") else name)


def _find(index: Index, ref: dict) -> tuple[list[tuple[str, dict]], tuple[str, ...]]:
    """((key, entry) pairs that answer to the ref, the first is the one that prices it; notes on how it was found)."""
    provider, model = provider_id_of(ref["provider"]), ref["model"] or ""
    region = (ref["region"] or "").lower() or None
    names = [(provider, model.lower())]
    prefix, _, rest = model.lower().partition("/")
    prefix_id = provider_id_of(prefix)
    if rest and provider in (None, prefix_id):
        names.append((prefix_id, rest))
    for of_provider, name in names:
        for place in (region, None):
            if found := index.get((of_provider, name, place)):
                is_elsewhere = place != region and (of_provider, name, ANY) in index
                notes = (f"no price of {region}",) if is_elsewhere else ()
                return sorted(found, key=lambda pair: _preference(*pair, model, region)), notes
    return [], ()


def _preference(key: str, entry: dict, model: str, region: str | None) -> tuple:
    """Orders the entries that answer to a ref: its model is the whole key, provider and all; the name is written alike;
    the provider's first platform, but Google's Vertex where the log tells a place; the provider is in front, which is
    how LiteLLM looks a name up first."""
    platform, is_prefixed = entry["litellm_provider"], "/" in key
    is_second = platform.startswith(SECOND)
    if _provider_id(entry) == "google" and region is not None:
        is_second = not is_second
    is_whole = is_prefixed and key.lower() == model.lower()
    return not is_whole, not key.endswith(model), is_second, not is_prefixed, key


def _rows(index: Index, ref: dict, source: str) -> Iterator[dict]:
    found, notes = _find(index, ref)
    if not found:
        return
    key, entry = found[0]
    fees = _fees_of_provider(index, entry)
    prices = list(stated_prices(fees | entry, ref))
    others = [other for other, rival in found[1:] if list(stated_prices(fees | rival, ref)) != prices]
    notes += (f"{key}, not {', '.join(others)}",) if others else ()
    link = entry.get("source")
    own = {name: ref[name] for name in PRICE_REFS} | {
        "valid_from": None, "valid_to": None, "recorded_at": None, "superseded_at": None,
        "source": source, "source_url": link if isinstance(link, str) else None,
    }  # fmt: skip
    for price in prices:
        yield own | _stated(price, notes)


def _fees_of_provider(index: Index, entry: dict) -> dict:
    """The price of a code interpreter's container, which LiteLLM keeps once for each provider ("openai/container")."""
    container = index.get((_provider_id(entry), "container", None))
    return {name: value for name, value in container[0][1].items() if name == SESSION} if container else {}


def _stated(price: Price, notes: tuple[str, ...]) -> dict:
    rate, status, notes = None, "exact", (*notes, *price.notes)
    if price.is_context_unmatched:
        status = "context_unmatched"
    if price.usd is not None:
        exact = EXACT.multiply(price.usd, PICO)
        rate = int(exact.to_integral_value(ROUND_HALF_EVEN))
        notes += () if rate == exact else ("rounded to 1e-12",)
        status = "free" if rate == exact == 0 else "exact"
    return {
        "token_class": price.token_class, "context_above": price.context_above, "week_second_from": price.window[0],
        "week_second_to": price.window[1], "rate_pico": rate, "price_status": status, "note": "; ".join(notes) or None,
    }  # fmt: skip

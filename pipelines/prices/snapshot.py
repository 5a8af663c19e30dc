"""The model-prices snapshot as data: the dated prices of a model in a mode, as far as they can be believed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from importlib.resources import files
from itertools import groupby
from operator import itemgetter

from pipelines.errors import UserError
from transforms.prices.grid import spans
from transforms.shapes.providers import provider_id_of

SCHEMA = 1  # of the snapshot: what the keys mean

# Providers (genai-prices ids) that sell their own models -> the lab of the snapshot. A cloud is none of them: its
# prices are its own, and those of Bedrock in the snapshot changed when regional premiums were noticed, not when they
# began.
LABS = {
    **{name: name for name in ("anthropic", "cursor", "deepseek", "google", "meta", "minimax", "mistral")},
    **{name: name for name in ("moonshotai", "openai", "perplexity", "zai")},
    "x-ai": "xai",
}
# Of whom the longer-lived cache write that the snapshot prices lives one hour (at OpenAI it is twelve).
WRITES_OF_AN_HOUR = ("anthropic", "moonshotai")
# The snapshot's price -> the classes it is the price of.
CLASSES = {
    "input": ("input",),
    "output": ("output",),
    "cache_read": ("cache_read",),
    "cache_write": ("cache_write_5m", "cache_write_other"),
}
DOCUMENTED = "documented"
CENT = Decimal("0.01")


@dataclass(frozen=True)
class Price:
    """What holds from `start` (None: since ever) until the next Price of the same model and mode."""

    start: datetime | None
    tiers: dict[str, tuple]  # class -> ((context_above, USD per million tokens), ...); a class without a price: absent
    recorded_at: datetime | None  # when the snapshot's authors first saw the price
    basis: str | None  # how `start` was found: "documented", "models.dev commit", "first observed"
    url: str | None


def load() -> tuple[dict, str]:
    """(the installed package's snapshot, "model-prices <version>"); its own cache and the network are not asked."""
    source = f"model-prices {version('model-prices')}"
    snapshot = json.loads(files("model_prices").joinpath("snapshot.json").read_bytes(), parse_float=Decimal)
    if snapshot.get("schema") != SCHEMA:
        fact = f"its snapshot has schema {snapshot.get('schema')}, which is not {SCHEMA}"
        raise UserError(f"{source}: {fact}; install the version that constraints.txt names")
    return snapshot, source


def found(snapshot: dict, provider: str | None, model: str | None) -> tuple[str, str] | None:
    """(lab, model id) of the model that its own provider sells under exactly this name, an alias or its lab name.

    Nothing is taken off a name except the provider in front of it ("openai/gpt-5.6"), for a dated or suffixed form may
    have another price.
    """
    provider_id, name = _asked(provider_id_of(provider), (model or "").strip().lower())
    lab = LABS.get(provider_id)
    if lab is None:
        return None
    ids = {known.lower(): known for known in snapshot["prices"][lab]}
    alias_lab, _, alias = snapshot["aliases"]["models"].get(name, "").partition("/")
    bases = {base.lower(): served for base, served in snapshot["bases"].get(lab, {}).items()}
    own = ids.get(name) or (alias if alias_lab == lab else None) or bases.get(name)
    return (lab, own) if own in snapshot["prices"][lab] else None


def _asked(provider_id: str | None, name: str) -> tuple[str | None, str]:
    """Whom to ask for which model: a name may begin with its provider's, and with a gateway's before that."""
    while "/" in name:
        prefix, _, rest = name.partition("/")
        prefix_id = provider_id_of(prefix)
        if provider_id and prefix_id not in (provider_id, None):
            break
        provider_id, name = provider_id or prefix_id, rest
    return provider_id, name


def prices(snapshot: dict, lab: str, model: str, mode: str) -> list[Price]:
    """The prices of a model in a mode, in order, the first since ever; empty where it has none in that mode.

    Three things are not taken as the snapshot has them. A price that was corrected for the very instant at which it
    was recorded never held. A zero that is not documented may be a gap in models.dev, so it is no price. And where a
    later record only completes an earlier one (it adds a tier, moves a tier's edge, gives 0.125 for 0.13) and
    documents no change, it held before too.
    """
    read = [_price(record, lab) for record in snapshot["prices"][lab][model].get(mode, [])]
    held, begin = [], None
    for price, after in spans([*read, None]):
        corrected_at_once = after is not None and price.recorded_at is not None and after.start <= price.recorded_at
        if not corrected_at_once:  # else what follows begins where this one would have
            held.append(replace(price, start=begin))
            begin = after and after.start
    return _completed(held)


def _price(record: dict, lab: str) -> Price:
    start, rates = _instant(record["start"]), record["rates"]
    if rates is None:
        return Price(start, {}, None, None, None)
    is_zero = not any(Decimal(rates[key]) for key in CLASSES if rates.get(key) is not None)
    is_gap = is_zero and rates["valid_from_basis"] != DOCUMENTED
    tiers = {} if is_gap else dict(_tiers(rates, lab))
    return Price(start, tiers, _instant(rates["valid_from"]), rates["valid_from_basis"], rates["source"])


def _instant(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text)


def _tiers(rates: dict, lab: str) -> Iterator[tuple[str, tuple]]:
    """Each class with its prices by the context above which they hold, of the whole request."""
    steps = [{"above": 0, **rates}, *sorted(rates.get("tiers", ()), key=lambda tier: tier["above"])]
    for key, classes in CLASSES.items():
        stated = ((step["above"], Decimal(step[key])) for step in steps if step.get(key) is not None)
        tiers = tuple(next(same) for _, same in groupby(stated, key=itemgetter(1)))  # a tier that changes nothing: none
        for token_class in classes if tiers else ():
            yield token_class, tiers
        multiple = rates.get("cache_write_1h_multiple")
        if key == "input" and multiple is not None and lab in WRITES_OF_AN_HOUR:
            yield "cache_write_1h", tuple((above, price * Decimal(multiple)) for above, price in tiers)


def _completed(prices: list[Price]) -> list[Price]:
    """`prices` with what a later one only completes told as fully from the start."""
    whole = prices[-1:]
    for price in reversed(prices[:-1]):
        later = whole[0]
        fuller = {
            token_class: later.tiers[token_class]
            for token_class, tiers in price.tiers.items()
            if later.basis != DOCUMENTED and _completes(later.tiers.get(token_class, ()), tiers)
        }
        whole.insert(0, replace(price, tiers=price.tiers | fuller))
    return whole


def _completes(later: tuple, earlier: tuple) -> bool:
    pairs = zip(earlier, later, strict=False)
    return len(earlier) <= len(later) and all(_is_same(before, after) for (_, before), (_, after) in pairs)


def _is_same(price: Decimal, other: Decimal) -> bool:
    """Whether the two are equal, or one is the other rounded to the cent, as a pricing page may show it."""
    # below ten cents a rounded price and a changed one look alike
    is_rounded = min(price, other) >= 10 * CENT and (_cents(price) == other or _cents(other) == price)
    return price == other or is_rounded


def _cents(price: Decimal) -> Decimal:
    return price.quantize(CENT, ROUND_HALF_UP)

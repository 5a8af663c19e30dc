"""Step 7, prices as they were: the dated rates of the model-prices snapshot, where it is better than the catalogue."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby

import polars as pl

from pipelines.prices import hours, snapshot
from pipelines.prices.catalogue import STANDARD_TIERS
from pipelines.prices.catalogue_names import status_as_same
from transforms.prices.grid import merged, spans
from transforms.schemas import PRICE_BOOK

# From here on genai-prices dates its prices itself and has prices for batches, most from 2026-10-14; before, it knows
# most prices only as they are now and no batch at half price.
CATALOGUE_IS_DATED_FROM = datetime(2026, 10, 15, tzinfo=UTC)
# What genai-prices cannot express (weekdays and holidays at DeepSeek) or does not have (ultrafast; a batch of most
# Grok models) is taken from here at all times: (lab, mode), None for any.
AT_ALL_TIMES = (("deepseek", None), ("openai", "ultrafast"), ("xai", "batch"))

# The snapshot has one price for each direction, which is not how these are billed (tokens of each modality apart).
OTHER_MODALITIES = re.compile("image|banana|omni|audio|voxtral|tts|live|realtime|transcribe|translate")
# Standard prices that changed in models.dev and not, as far as anyone can tell, at the provider then.
DOUBTED = {
    ("google", "gemini-2.5-flash-preview-09-2025"),  # for three weeks it had its predecessor's price
    ("minimax", "MiniMax-M2.5-highspeed"),  # one of many cache prices that were set right on the same day
    ("minimax", "MiniMax-M3"),  # three prices within three weeks
    ("mistral", "ministral-3b-latest"), ("mistral", "ministral-8b-latest"),  # went to the 2512 models long before
    ("mistral", "mistral-medium-latest"),  # to another model and back within a day; genai-prices dates it itself
}  # fmt: skip

# A batch's cache reads at OpenAI's models before GPT-5 and at Gemini 3.5 Flash-Lite: the snapshot halves them like the
# rest, which the other catalogues do not confirm.
DOUBTED_BATCH_CACHE = re.compile(r"gpt-[34]|o\d|codex-mini-latest|gemini-3\.5-flash-lite|gemini-flash-lite-latest")

DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
MODES = ("batch", "flex", "fast", "ultrafast")
DATINGS = {  # how the snapshot found a date -> what is told of it
    snapshot.DOCUMENTED: None,
    "models.dev commit": "dated by a models.dev commit",
    "first observed": "dated when first observed",
}
PICO = 10**6  # USD per million tokens -> pico-USD per token


def history_rates(refs: pl.DataFrame) -> pl.DataFrame:
    """PRICE_BOOK rows of those of `refs` (PRICE_REFS) whose dated prices model-prices knows better than genai-prices.

    Source: the snapshot in the installed package (https://github.com/wakamex/model-prices). No network, no clock.
    Only for a model's own provider, under exactly its name. Of a standard price only the classes whose price changed
    are stated, of a batch, flex or fast price all; until CATALOGUE_IS_DATED_FROM, and for AT_ALL_TIMES without end.
    A mode has no rows before it had a price. The snapshot's mode `thinking` is left out: no ref tells whether a request
    was made in it, and none of these providers has it. `recorded_at` and `superseded_at` are null here.
    """
    data, source = snapshot.load()
    rows = [row for ref in refs.iter_rows(named=True) for row in _ref_rows(data, ref, source)]
    return pl.DataFrame(rows, schema=PRICE_BOOK, orient="row")


def _ref_rows(data: dict, ref: dict, source: str) -> Iterator[dict]:
    found, status = _found(data, ref)
    mode = found and _mode(ref, found[0])
    if mode is None or OTHER_MODALITIES.search(found[1].lower()):
        return
    lab, model = found
    prices = snapshot.prices(data, lab, model, mode)
    is_endless = any(lab == at_all and only in (None, mode) for at_all, only in AT_ALL_TIMES)
    until = None if is_endless else CATALOGUE_IS_DATED_FROM
    classes = sorted({token_class for price in prices for token_class in price.tiers})
    if mode == "standard" and not is_endless:
        changed = [name for name in classes if _has_changed(prices, name, until)]
        classes = [] if found in DOUBTED else changed
    if mode == "batch" and DOUBTED_BATCH_CACHE.match(model):
        classes = [name for name in classes if name != "cache_read"]
    for token_class in classes:
        for row in _class_rows(data["schedules"], lab, model, prices, token_class, until):
            row |= {"token_class": token_class, "source": source}
            row["price_status"] = status if row["rate_pico"] else "free"
            yield dict.fromkeys(PRICE_BOOK) | {**ref, **row}


def _found(data: dict, ref: dict) -> tuple[tuple[str, str] | None, str]:
    """((lab, model id) or None, price_status): by exactly the name, else without its date.

    OpenAI answers with dated names and prices most of them alike; a dated name is taken for the other one where
    genai-prices takes it for the same model.
    """
    model = ref["model"] or ""
    undated = DATE.sub("", model)
    found = snapshot.found(data, ref["provider"], model)
    if found is None and undated != model and (status := status_as_same(ref["provider"], model, undated)):
        return snapshot.found(data, ref["provider"], undated), status
    return found, "exact"


def _mode(ref: dict, lab: str) -> str | None:
    """The snapshot's name of what was asked for; None: a service tier that it knows nothing of.

    OpenAI sells one thing as service tier fast and priority (genai-prices prices both alike).
    """
    tier = (ref["service_tier"] or "").strip().lower() or None
    if ref["is_batch"] or tier == "batch":
        return "batch"
    if tier in STANDARD_TIERS:
        return "standard"
    tier = "fast" if (lab, tier) == ("openai", "priority") else tier
    return tier if tier in MODES else None


def _has_changed(prices: list[snapshot.Price], token_class: str, until: datetime) -> bool:
    before = [price for price in prices if price.start is None or price.start < until]
    return len({price.tiers[token_class] for price in before if token_class in price.tiers}) > 1


def _class_rows(
    schedules: dict, lab: str, model: str, prices: list, token_class: str, until: datetime | None
) -> Iterator[dict]:
    """The rows of one class: cut where its price or the lab's hours change, merged where they do not."""
    eras = list(_eras(schedules, lab, model, prices, token_class, until))
    for (windows, hours_note), same in groupby(eras, key=lambda era: era[2:4]):
        same = list(same)
        start, price, end = same[0][0], same[0][4], same[-1][1]
        notes = [_dating(price, start), hours_note]
        for week_from, week_to, tiers in windows:
            for above, rate, rounding in tiers:
                yield {
                    "context_above": above, "week_second_from": week_from, "week_second_to": week_to,
                    "valid_from": start, "valid_to": end, "rate_pico": rate,
                    "source_url": price.url,
                    "note": "; ".join(note for note in (rounding, *notes) if note) or None,
                }  # fmt: skip


def _eras(
    schedules: dict, lab: str, model: str, prices: list, token_class: str, until: datetime | None
) -> Iterator[tuple]:
    """(start, end, ((week second from, to, tiers), ...), note of the hours, price) without a cut in between."""
    starts = {price.start for price in prices} | hours.edges(schedules, lab)
    instants = sorted(at for at in starts if at is not None and (until is None or at < until))
    for start, end in spans([None, *instants, until]):
        price = [price for price in prices if price.start is None or (start and price.start <= start)][-1]
        factors, note = hours.factors(schedules, lab, model, start)
        tiers = price.tiers.get(token_class, ())
        windows = [(week_from, week_to, tuple(_scaled(tiers, factor))) for week_from, week_to, factor in factors]
        yield start, end, tuple(merged(windows)), note, price


def _scaled(tiers: tuple[tuple[int, Decimal], ...], factor: Decimal) -> Iterator[tuple]:
    """(context_above, pico-USD per token, note) of prices in USD per million tokens."""
    for above, usd in tiers:
        exact = usd * factor * PICO
        rate = int(exact.to_integral_value(ROUND_HALF_EVEN))
        yield above, rate, None if rate == exact else "rounded to 1e-12"


def _dating(price: snapshot.Price, start: datetime | None) -> str | None:
    """How sure the start of a row is, where it is not documented."""
    if price.recorded_at is None or start != price.start:
        return None
    if start is None or start < price.recorded_at:
        return f"first recorded {price.recorded_at:%Y-%m-%d}, held for before"
    return DATINGS.get(price.basis, price.basis)

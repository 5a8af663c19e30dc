"""Step 7, prices as the genai-prices catalogue states them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl

from pipelines.prices.catalogue_names import find_model, match_status
from transforms.prices.grid import merged, spans
from transforms.schemas import PRICE_BOOK, PRICE_REFS, WEEK_SECONDS

# What prices a class in genai-prices: its own price key, for a timed write else that of all writes.
PRICE_KEYS = {
    "input": ("input_mtok",),
    "cache_read": ("cache_read_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok"),
    "cache_write_other": ("cache_write_mtok",),
    "output": ("output_mtok",),
    "input_audio": ("input_audio_mtok",),
    "input_image": ("input_image_mtok",),
    "input_video": ("input_video_mtok",),
    "cache_read_audio": ("cache_audio_read_mtok",),
    "output_audio": ("output_audio_mtok",),
    "output_image": ("output_image_mtok",),
    "reasoning": ("output_reasoning_mtok",),
    "request": ("requests_kcount",),
    "web_search": ("web_searches_kcount",),
    "file_search": ("storage_searches_kcount",),
}
PICO_PER_UNIT = {"mtok": 10**6, "kcount": 10**9}  # 1e12 pico-USD over the units that a catalogue price is for
STANDARD_TIERS = (None, "default", "standard", "auto", "on_demand")  # a service tier that asks for no price of its own
DAY_SECONDS = 86_400


def catalogue_rates(refs: pl.DataFrame) -> pl.DataFrame:
    """PRICE_BOOK rows of each of `refs` (PRICE_REFS) as the installed genai-prices snapshot states them, for all time.

    No network, no clock. A model that the catalogue does not know, or knows without any price, has no rows: it is
    unpriced, not free. `recorded_at` and `superseded_at` are null here, `revise` fills them in.
    """
    from genai_prices import __version__  # costs 0.1 s, so only when prices are asked for
    from genai_prices.data_snapshot import get_snapshot

    snapshot, source = get_snapshot(), f"genai-prices {__version__}"
    rows = [row for ref in refs.iter_rows(named=True) for row in _catalogue_rows(snapshot, ref, source)]
    return pl.DataFrame(rows, schema=PRICE_BOOK, orient="row")


def _catalogue_rows(snapshot, ref: dict, source: str) -> Iterator[dict]:
    found = find_model(snapshot, ref["provider"], ref["model"])
    if found is None:
        return
    provider, model, name = found
    is_own = any(model is own for own in provider.models)
    status = match_status(model, name) if is_own else "fallback_provider"
    owner = provider if is_own else next(p for p in snapshot.providers if any(model is own for own in p.models))
    # genai-prices applies a request's context only to a provider's own models
    context = _price_context(ref) if is_own else {}
    cells = list(_cells(model, context, ref, status))
    own = {name: ref[name] for name in PRICE_REFS} | {"source": source}
    own["source_url"] = (owner.pricing_urls or [None])[0]
    for token_class in PRICE_KEYS:
        dated = [(start, end, tuple(merged(_of_class(windows, token_class)))) for start, end, windows in cells]
        for start, end, windows in merged(dated):
            for day_from, day_to, tiers in windows:
                for above, rate, rate_status, note in tiers or ():
                    for week_from, week_to in _weekly(day_from, day_to):
                        yield own | {
                            "token_class": token_class, "context_above": above, "week_second_from": week_from,
                            "week_second_to": week_to, "valid_from": start, "valid_to": end, "rate_pico": rate,
                            "price_status": rate_status, "note": note,
                        }  # fmt: skip


def _weekly(day_from: int, day_to: int) -> list[tuple[int, int]]:
    """A window of each day as windows of the week."""
    if (day_from, day_to) == (0, DAY_SECONDS):
        return [(0, WEEK_SECONDS)]
    return [(start + day_from, start + day_to) for start in range(0, WEEK_SECONDS, DAY_SECONDS)]


def _of_class(windows: list, token_class: str) -> list:
    return [(start, end, by_class and by_class[token_class]) for start, end, by_class in windows]


def _price_context(ref: dict) -> dict[str, str]:
    """What the ref says, in the words of genai-prices' price variants (their values are lower case)."""
    tier = (ref["service_tier"] or "").lower()
    context = {"service_tier": tier, "speed": tier} if tier else {}
    if ref["is_batch"] or tier == "batch":
        context["processing"] = "batch"
    if ref["region"]:
        context["route"] = ref["region"].lower()
    return context


def _cells(model, context: dict, ref: dict, status: str) -> Iterator[tuple]:
    """(valid_from, valid_to, windows) of a model; windows: [(second from, second to, tiers by class or None)]."""
    conditions = list(model.prices) if isinstance(model.prices, list) else []
    conditions += (model.price_variants or []) if context else []
    constraints = [condition.constraint for condition in conditions]
    days = sorted({c.start_date for c in constraints if hasattr(c, "start_date")})
    edges = {_utc_second(at) for c in constraints if hasattr(c, "start_time") for at in (c.start_time, c.end_time)}
    day_edges = sorted({0, DAY_SECONDS, *edges})
    for start, end in spans([None, *days, None]):
        midnight = datetime.combine(start or date(1970, 1, 1), time(), UTC)
        windows = []
        for day_from, day_to in spans(day_edges):
            at = midnight + timedelta(seconds=day_from)
            missing = _not_in_catalogue(model, context, ref, at)
            rates = _rates(model.get_prices(at, context or None), status, missing)
            windows.append((day_from, day_to, rates))
        yield midnight if start else None, datetime.combine(end, time(), UTC) if end else None, windows


def _utc_second(at: time) -> int:
    offset = at.utcoffset() or timedelta()
    return (at.hour * 3600 + at.minute * 60 + at.second - int(offset.total_seconds())) % DAY_SECONDS


def _not_in_catalogue(model, context: dict, ref: dict, at: datetime) -> str | None:
    """A note where the call was a batch or of a special tier and genai-prices has no price for that."""
    tier = (ref["service_tier"] or "").lower() or None
    asked = {"batch": {"processing"}} if ref["is_batch"] or tier == "batch" else {}
    asked |= {tier: {"service_tier", "speed"}} if tier not in (*STANDARD_TIERS, "batch") else {}
    met = [variant.when.keys() for variant in model.price_variants or () if _is_met(variant, context, at)]
    # a batch of a special tier has a price where one price is for both
    is_told = any(all(keys & found for keys in asked.values()) for found in met)
    return f"standard rate (no {' and '.join(asked)} price)" if asked and not is_told else None


def _is_met(variant, context: dict, at: datetime) -> bool:
    is_asked = all(context.get(key) == value for key, value in variant.when.items())
    return is_asked and (variant.constraint is None or variant.constraint.active(at))


def _rates(prices, status: str, note: str | None) -> dict[str, tuple] | None:
    """(context_above, rate_pico, price_status, note) tiers by token class; None: the model carries no price at all."""
    tiers = {name: _tiers(prices, _price_key(prices, keys)) for name, keys in PRICE_KEYS.items()}
    known = [price for by_context in tiers.values() for price in by_context.values()]
    if not known:
        return None
    # who is priced is the greater doubt: of another's price, or another model's, the tier bounds nothing
    status = "free" if not any(known) else "context_unmatched" if note and status == "exact" else status
    return {
        name: tuple(
            (above, *_integer_rate(price, status, [note, _stand_in(prices, name)]))
            for above, price in by_context.items()
        )
        for name, by_context in tiers.items()
    }


def _price_key(prices, keys: tuple[str, ...]) -> str:
    """The first of `keys` that has a price, else the last of them."""
    return next((key for key in keys if getattr(prices, key) is not None), keys[-1])


def _stand_in(prices, token_class: str) -> str | None:
    """A note where the catalogue has one price for writes of any lifetime."""
    keys = PRICE_KEYS[token_class]
    return None if _price_key(prices, keys) == keys[0] else "as cache_write"


def _tiers(prices, key: str) -> dict[int, Decimal]:
    """Pico-USD per unit by the context above which it holds; none where there is no price."""
    price, scale = getattr(prices, key), PICO_PER_UNIT[key.rsplit("_", 1)[1]]
    if price is None:
        return {}
    if isinstance(price, Decimal):
        return {0: price * scale}
    return {0: price.base * scale, **{tier.start: tier.price * scale for tier in price.tiers}}


def _integer_rate(price: Decimal, status: str, notes: list[str | None]) -> tuple[int, str, str | None]:
    rate = int(price.to_integral_value(ROUND_HALF_EVEN))
    notes = notes if rate == price else [*notes, "rounded to 1e-12"]
    return rate, status, "; ".join(note for note in notes if note) or None

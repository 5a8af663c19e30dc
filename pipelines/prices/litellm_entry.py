"""Step 7, what one entry of LiteLLM's price map states for one price ref, before anything is rounded.

Field names and how they combine follow LiteLLM's own cost calculation, see
https://docs.litellm.ai/docs/provider_registration/add_model_pricing
"""

import re
from collections.abc import Iterator
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from pipelines.prices.litellm_hours import UNREADABLE_HOURS, off_peak_windows
from transforms.schemas import WEEK_SECONDS

TOKEN_FIELDS = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "cache_write_other": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
    "input_audio": "input_cost_per_audio_token",
    "input_image": "input_cost_per_image_token",
    "input_video": "input_cost_per_video_token",
    "cache_read_audio": "cache_read_input_audio_token_cost",
    "output_audio": "output_cost_per_audio_token",
    "output_image": "output_cost_per_image_token",
    "reasoning": "output_cost_per_reasoning_token",
}
# The price of one unit, and for how many units it is stated.
FEE_FIELDS = {
    "request": ("input_cost_per_request", 1),
    "file_search": ("file_search_cost_per_1k_calls", 1000),
    "code_session": ("code_interpreter_cost_per_session", 1),
}
SEARCH_SIZES = ("search_context_size_low", "search_context_size_medium", "search_context_size_high")
STANDARD_TIERS = (None, "default", "standard", "auto", "on_demand")  # a service tier that asks for no price of its own
TIER_SUFFIXES = {
    **dict.fromkeys(STANDARD_TIERS, ""),
    **{tier: f"_{tier}" for tier in ("flex", "priority", "ultrafast", "balanced")},
    "batch": "_batches",
    "fast": "_priority",  # two names of one tier of OpenAI; that of Anthropic is a multiplier, see stated_prices
}
ALWAYS = ((0, WEEK_SECONDS),)
DEAREST = 1000  # USD for a token: above it is no price, as in a price file
# Prices are multiplied in full: the usual 28 digits would round once before the one rounding.
EXACT = Context(prec=500, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN)


class Price(NamedTuple):
    """USD for one unit of `token_class`, None: known to have no rate that can be told, for the reason in `notes`."""

    token_class: str
    context_above: int
    window: tuple[int, int]  # seconds of the UTC week, half-open
    usd: Decimal | None
    notes: tuple[str, ...]
    is_context_unmatched: bool = False


def stated_prices(entry: dict, ref: dict) -> Iterator[Price]:
    """What `entry` states for `ref` (PRICE_REFS): one Price for each class, context and window of the week."""
    tier = "batch" if ref["is_batch"] else (ref["service_tier"] or "").lower() or None
    specific = entry.get("provider_specific_entry")
    specific = specific if isinstance(specific, dict) else {}
    factors = list(_regional_factors(entry, specific, (ref["region"] or "").lower()))
    suffix = TIER_SUFFIXES.get(tier)
    if tier == "fast" and tier in specific:
        suffix = ""
        factors.append((tier, specific[tier]))
    if suffix is not None:  # of a tier that LiteLLM has no word for nothing is stated
        for price in _token_prices(entry, suffix):
            yield _multiplied(price, factors)
    yield from _fees(entry)


def number(value: object) -> Decimal | None:
    """A price as it is written; None for what is none: a text, a truth value, NaN, a negative or absurd number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if 0 <= value < DEAREST else None


def _regional_factors(entry: dict, specific: dict, region: str) -> Iterator[tuple[str, object]]:
    """(region, multiplier) of each uplift that the region meets."""
    if region in specific and region != "fast":
        yield region, specific[region]
    if region and f"regional_processing_uplift_multiplier_{region}" in entry:
        yield region, entry[f"regional_processing_uplift_multiplier_{region}"]
    if region not in ("", "global") and "regional_endpoint_uplift_multiplier" in entry:
        yield region, entry["regional_endpoint_uplift_multiplier"]


def _multiplied(price: Price, factors: list[tuple[str, object]]) -> Price:
    for name, value in factors:
        factor = number(value)
        if factor is None:
            return price._replace(usd=None, notes=(f"the multiplier for {name} is no number",))
        if price.usd is not None:
            usd, note = number(EXACT.multiply(price.usd, factor)), f"x {factor} for {name}"
            price = price._replace(usd=usd, notes=(*price.notes, note if usd is not None else f"{note} is no price"))
    return price


def _token_prices(entry: dict, suffix: str) -> Iterator[Price]:
    cheaper = _off_peak(entry) if not suffix else {}
    off_peak, peak = off_peak_windows(cheaper) if cheaper else ((), ALWAYS)
    for token_class, field in TOKEN_FIELDS.items():
        steps = _ranges(entry, field + suffix) or _steps(entry, field, suffix)
        has_hours = cheaper.get(field) is not None
        if has_hours and off_peak is None:
            steps = {0: (None, UNREADABLE_HOURS)} if steps else {}
        for above, (value, told) in steps.items():
            for window in peak if has_hours and peak is not None else ALWAYS:
                yield _price(token_class, above, window, value, told)
        # within its hours the one rate stands for every context
        for window in off_peak if has_hours and off_peak is not None else ():
            yield _price(token_class, 0, window, cheaper[field], f"off_peak_pricing.{field}")


def _off_peak(entry: dict) -> dict:
    """The off-peak prices and hours; what is no table is one whose hours cannot be told, of every class."""
    schedule = entry.get("off_peak_pricing") or {}
    return schedule if isinstance(schedule, dict) else dict.fromkeys(TOKEN_FIELDS.values(), schedule)


def _price(token_class: str, above: int, window: tuple[int, int], value: object, told: str) -> Price:
    """`told`: the field's name, or where it has no value why."""
    usd = number(value)
    if value is None:
        return Price(token_class, above, window, None, (told,), is_context_unmatched=above > 0)
    return Price(token_class, above, window, usd, () if usd is not None else (f"{told} is no price",))


def _steps(entry: dict, field: str, suffix: str) -> dict[int, tuple[object, str]]:
    """(value, name) by context_above from `field` and its `_above_<N>k_tokens` forms, of one service tier."""
    base = entry.get(field + suffix)
    steps: dict[int, tuple[object, str]] = {} if base is None else {0: (base, field + suffix)}
    # xAI alone counts from N tokens on, the others from above N
    less = 1 if entry["litellm_provider"] == "xai" else 0
    pattern = re.compile(rf"{field}_above_([1-9]\d{{0,8}})k_tokens({suffix})?")
    for name, value in entry.items():
        if value is None or "_above_" not in name or not (found := pattern.fullmatch(name)):
            continue
        above = int(found[1]) * 1000 - less
        if (found[2] or "") == suffix:
            steps[above] = value, name
        elif base is not None:  # the standard price has a step there that the tier's own has not
            steps.setdefault(above, (None, f"no {suffix[1:]} price above {found[1]}000 input tokens"))
    return steps


def _ranges(entry: dict, field: str) -> dict[int, tuple[object, str]]:
    """(value, name) by context_above from `tiered_pricing`: the range that the whole input falls into prices the call,
    https://www.alibabacloud.com/help/en/model-studio/model-pricing"""
    ranges = entry.get("tiered_pricing")
    ranges = [tier for tier in ranges if isinstance(tier, dict)] if isinstance(ranges, list) else []
    steps: dict[int, tuple[object, str]] = {}
    for tier in ranges:
        if tier.get(field) is None:
            continue
        bounds = tier.get("range")
        bounds = bounds if isinstance(bounds, list) and len(bounds) == 2 else [None, None]
        start, end = map(_whole, bounds)
        if start is None or end is None or end <= start:
            return {0: (None, "a range of tiered_pricing cannot be read")}
        steps[start] = tier[field], f"tiered_pricing.{field}"
        steps.setdefault(end, (None, f"no price above {end} input tokens"))
    return steps


def _whole(value: object) -> int | None:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 10**15 and value == int(value) else None


def _fees(entry: dict) -> Iterator[Price]:
    for token_class, (field, units) in FEE_FIELDS.items():
        if entry.get(field) is not None:
            price = _price(token_class, 0, ALWAYS[0], entry[field], field)
            yield price if price.usd is None else price._replace(usd=EXACT.divide(price.usd, Decimal(units)))
    searches = entry.get("search_context_cost_per_query")
    if not isinstance(searches, dict):
        return
    by_size = [number(searches.get(size)) for size in SEARCH_SIZES]
    # a log tells how many searches there were and not how large: one price only where the size does not matter
    is_one = None not in by_size and len(set(by_size)) == 1
    told = ", ".join(f"{size.rsplit('_', 1)[1]} {searches.get(size)}" for size in SEARCH_SIZES)
    note = () if is_one else (f"by the size of the search context: {told}",)
    yield Price("web_search", 0, ALWAYS[0], by_size[0] if is_one else None, note)

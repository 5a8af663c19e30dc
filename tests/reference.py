"""Pricing and adding up as plain Python says it: slow, without frames, one call and one rule at a time.

The laws compare the pipeline with this. Money is Fraction of a USD, exact. Calls are dicts with the columns of
schemas.LEDGER and call_id; price rows are dicts with those of schemas.PRICE_BOOK, rules with those of PRICE_RULES.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

PICO = Fraction(1, 10**12)
REF = ("provider", "model", "service_tier", "region", "is_batch")
CACHE_CLASSES = ("cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
PARTS = {  # class -> (the class that it is part of, its column in the ledger)
    "input_audio": ("input", "input_audio_tokens"),
    "input_image": ("input", "input_image_tokens"),
    "input_video": ("input", "input_video_tokens"),
    "cache_read_audio": ("cache_read", "cache_read_audio_tokens"),
    "output_audio": ("output", "output_audio_tokens"),
    "output_image": ("output", "output_image_tokens"),
    "reasoning": ("output", "reasoning_tokens"),
}
COUNTS = ("web_search", "file_search", "code_session")
CLASSES = ("input", *CACHE_CLASSES, "output", *PARTS, "request", *COUNTS)
END_OF_TIME = datetime(9999, 12, 1, tzinfo=UTC)
DOUBT = ("free", "exact", "prefix_match", "fallback_provider", "context_unmatched")


# One call


def usage(call: dict, rates: dict[str, int | None]) -> dict[str, int]:
    """Units of each class; they do not overlap. A part that the log does not tell of, or that has no rate of its own,
    is its main class."""
    units = {name: call[f"{name}_tokens"] or 0 for name in CACHE_CLASSES}
    units["input"] = call["input_tokens"] - sum(units.values())
    units["output"] = call["output_tokens"]
    for name, (whole, column) in PARTS.items():
        units[name] = 0 if rates.get(name) is None else uncached(call, name, call.get(column) or 0)
        units[whole] -= units[name]
    units["request"] = 0 if rates.get("request") is None else 1
    return units | {name: call.get(f"{name}_count") or 0 for name in COUNTS}


def uncached(call: dict, name: str, count: int) -> int:
    """Of a part of the input what was not cached; where that is not told, no more than of the input as a whole."""
    cached = sum(call[f"{cache}_tokens"] or 0 for cache in CACHE_CLASSES)
    if name == "input_audio" and call.get("cache_read_audio_tokens") is not None:
        return max(count - call["cache_read_audio_tokens"], 0)
    if name in ("input_audio", "input_image", "input_video") and cached:
        return min(count, max(call["input_tokens"] - cached, 0))
    return count


def price(call: dict, book: list[dict], rules: list[dict] = ()) -> tuple[Fraction | None, str]:
    """(cost in USD, price_status) of one call; the cost is None where it is unknown, and the status says why."""
    if call["status"] in ("cache_hit", "refused"):
        return Fraction(0), "not_billed"
    if call["input_tokens"] is None or call["output_tokens"] is None:
        return None, "usage_unknown"
    if usage(call, {})["input"] < 0:
        return None, "inconsistent_usage"
    rates, status = card(call, book, rules)
    if any(count < 0 for count in usage(call, rates).values()):
        return None, "inconsistent_usage"
    if status == "unknown_model":
        return None, status
    units = usage(call, rates)
    if any(units[name] > 0 and rates[name] is None for name in units):
        return None, "class_unpriced"
    return sum((units[name] * rates[name] * PICO for name in units if units[name] > 0), Fraction(0)), status


def card(call: dict, book: list[dict], rules: list[dict] = ()) -> tuple[dict[str, int | None], str]:
    """Pico-USD per unit of each class for this call, and how sure it is: as unsure as the least sure of its rates."""
    if call["called_at"] is None:
        # The newest prices, where no hour of the week changes them.
        ends = {row["week_second_to"] for row in [*book, *rules]} - {7 * 86_400}
        edges = {row["week_second_from"] for row in [*book, *rules]} | ends | {0}
        monday = END_OF_TIME - timedelta(days=END_OF_TIME.weekday())
        cards = [card(call | {"called_at": monday + timedelta(seconds=edge)}, book, rules) for edge in edges]
        return cards[0] if all(other == cards[0] for other in cards) else ({}, "unknown_model")
    found = {name: answer for name in CLASSES if (answer := rate(call, name, book, rules))}
    if not found:
        return {}, "unknown_model"
    rates = dict.fromkeys(CLASSES) | {name: rate_pico for name, (rate_pico, _) in found.items()}
    if not {"input", *CACHE_CLASSES, "output"} & found.keys():
        return rates, "unknown_model"  # a fee is no price of a model
    of_tokens = [found[name] for name in CLASSES if name in found and name not in ("request", *COUNTS)]
    told = [status for rate_pico, status in of_tokens if rate_pico is not None]
    return rates, max(told or [status for _, status in of_tokens], key=DOUBT.index)


def rate(call: dict, token_class: str, book: list[dict], rules: list[dict]) -> tuple[int | None, str] | None:
    """(pico-USD per unit, status): a price of the contract, of a correction or of a catalogue, times the multipliers of
    the layers above it."""
    meant = [rule for rule in rules if is_meant(rule, call)]
    base, layer, classes = None, 0, {token_class, None}
    for name in (token_class, "input") if token_class in CACHE_CLASSES else (token_class,):
        for number, source in ((2, "contract"), (1, "correction")):
            prices = [rule for rule in meant if rule["source"] == source and rule["rate_pico"] is not None]
            if base is None and (offers := in_force(prices, call, name)):
                best = max(offers, key=specificity)
                base, layer = (best["rate_pico"], "exact" if best["rate_pico"] else "free"), number
        believed = [row for row in book if row["superseded_at"] is None]
        listed = in_force([row for row in believed if all(row[key] == call[key] for key in REF)], call, name)
        if base is None and listed:
            best = max(listed, key=lambda row: row["context_above"])
            base = best["rate_pico"], best["price_status"]
        if base is not None:
            classes |= {name}
            break
    if base is None or base[0] is None:
        return base
    rate_pico, status = base
    for number, source in ((1, "correction"), (2, "contract")):
        factors = [rule for rule in meant if rule["source"] == source and rule["multiplier_nano"] is not None]
        offers = [rule for name in classes for rule in in_force(factors, call, name)]
        if offers and layer < number:
            rate_pico = round(rate_pico * Fraction(max(offers, key=specificity)["multiplier_nano"], 10**9))
            status = status if rate_pico else "free"
    return rate_pico, status


def is_meant(row: dict, call: dict) -> bool:
    """Whether a rule speaks of the call: None is any, `*` in a model is any text, case does not matter."""
    pattern = ".*".join(re.escape(part) for part in (row["model"] or "*").split("*"))
    if not re.fullmatch(pattern, call["model"] or "", re.IGNORECASE | re.DOTALL):
        return False
    said = [(row[name], call[name]) for name in REF if name != "model" and row[name] is not None]
    return all(theirs is not None and str(ours).lower() == str(theirs).lower() for ours, theirs in said)


def specificity(row: dict) -> tuple:
    """Of two rules that speak of a call the greater holds."""
    model, named = row["model"] or "*", [row[name] is not None for name in REF]
    since = row["valid_from"].timestamp() if row["valid_from"] else float("-inf")
    is_windowed = (row["week_second_from"], row["week_second_to"]) != (0, 604_800)
    condition = row["token_class"] is not None, row["context_above"], is_windowed, since
    return "*" not in model, len(model), sum(named), named, model.lower(), *condition


def in_force(rows: list[dict], call: dict, token_class: str | None) -> list[dict]:
    """The rows of a class that hold at the call's instant, second of the week (UTC) and number of input tokens."""
    at = call["called_at"]
    second = at.weekday() * 86_400 + at.hour * 3600 + at.minute * 60 + at.second
    return [
        row
        for row in rows
        if row["token_class"] == token_class
        and (row["valid_from"] is None or row["valid_from"] <= at)
        and (row["valid_to"] is None or at < row["valid_to"])
        and row["week_second_from"] <= second < row["week_second_to"]
        and (row["context_above"] == 0 or call["input_tokens"] > row["context_above"])
    ]


# Many calls


def total(costs: list[Fraction | None]) -> Fraction | None:
    """Sum of the known costs; None where none is known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known, Fraction(0)) if known else None


def cost_by(calls: list[dict], *names: str) -> dict[tuple, tuple[Fraction | None, int]]:
    """(cost, calls without a cost) by the values of columns `names`; every call has its `cost` from `price`."""
    groups = defaultdict(list)
    for call in calls:
        groups[tuple(call[name] for name in names)].append(call["cost"])
    return {key: (total(costs), sum(cost is None for cost in costs)) for key, costs in groups.items()}


def latest_outcomes(calls: list[dict], outcomes: list[dict]) -> dict[tuple[str, str], dict]:
    """The latest telling by (action_id, outcome); a subject is an action, else a response, else a call."""
    actions = {call["action_id"]: call["action_id"] for call in calls}
    responses = {call["response_id"]: call["action_id"] for call in calls if call["response_id"] is not None}
    call_ids = {call["call_id"]: call["action_id"] for call in calls}
    latest = {}
    for telling in outcomes:
        subject = telling["subject_id"]
        action_id = actions.get(subject) or responses.get(subject) or call_ids.get(subject)
        if action_id is None:
            continue
        key = action_id, telling["outcome"]
        if key not in latest or _told(telling) > _told(latest[key]):
            latest[key] = telling
    return latest


def _told(telling: dict) -> tuple:
    """Later is more; at one instant a success is more than a failure, and that more than nothing; then the value."""
    at, success, value = telling["occurred_at"], telling["is_success"], telling["value_pico"]
    known = (-1 if success is None else int(success), float("-inf") if value is None else value)
    return at.timestamp() if at else float("-inf"), *known


def cost_per_outcome(calls: list[dict], outcomes: list[dict], outcome: str, **where: str | None) -> dict:
    """Row of `cost_per_outcome` for one outcome name and the calls whose columns have the values of `where`.

    The group holds the actions of those features in which the outcome is ever told. What failed counts: cost per
    outcome is the cost of all labelled actions over the successes.
    """
    latest = {action_id: row for (action_id, name), row in latest_outcomes(calls, outcomes).items() if name == outcome}
    features = {call["feature"] for call in calls if call["action_id"] in latest}
    group = [call for call in calls if call["feature"] in features]
    group = [call for call in group if all(call[name] == value for name, value in where.items())]
    is_success = {call["action_id"]: latest.get(call["action_id"], {}).get("is_success") for call in group}
    labelled = [call for call in group if is_success[call["action_id"]] is not None]
    labelled_cost = total([call["cost"] for call in labelled])
    success_count = sum(success is True for success in is_success.values())
    return {
        "cost": total([call["cost"] for call in group]),
        "action_count": len(is_success),
        "labelled_count": len({call["action_id"] for call in labelled}),
        "success_count": success_count,
        "labelled_cost": labelled_cost,
        "failed_cost": total([call["cost"] for call in labelled if is_success[call["action_id"]] is False]),
        "cost_per_outcome": labelled_cost / success_count if success_count and labelled_cost is not None else None,
        "unpriced_call_count": sum(call["cost"] is None for call in group),
    }

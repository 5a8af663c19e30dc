"""Pricing and adding up as plain Python says it: slow, without frames, one call and one rule at a time.

The laws compare the pipeline with this. Money is Fraction of a USD, exact. Calls are dicts with the columns of
schemas.LEDGER and call_id; price rows are dicts with those of schemas.PRICE_BOOK; null is None.
"""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

PICO = Fraction(1, 10**12)
REF = ("provider", "model", "service_tier", "region", "is_batch")
CACHE_CLASSES = ("cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)
DOUBT = ("free", "exact", "prefix_match", "fallback_provider")


# One call


def usage(call: dict) -> dict[str, int]:
    """Units of each token class; they do not overlap. A part that the log does not tell of is plain input."""
    units = {name: call[f"{name}_tokens"] or 0 for name in CACHE_CLASSES}
    units["input"] = call["input_tokens"] - sum(units.values())
    units["output"] = call["output_tokens"]
    units["web_search"] = call["web_search_count"] or 0
    return units


def price(call: dict, book: list[dict]) -> tuple[Fraction | None, str]:
    """(cost in USD, price_status) of one call; the cost is None where it is unknown, and the status says why."""
    if call["status"] in ("cache_hit", "refused"):
        return Fraction(0), "not_billed"
    if call["input_tokens"] is None or call["output_tokens"] is None:
        return None, "usage_unknown"
    units = usage(call)
    if units["input"] < 0:
        return None, "inconsistent_usage"
    rates, status = card(call, book)
    if status == "unknown_model":
        return None, status
    if any(units[name] > 0 and rates[name] is None for name in units):
        return None, "class_unpriced"
    return sum((units[name] * rates[name] * PICO for name in units if units[name] > 0), Fraction(0)), status


def card(call: dict, book: list[dict]) -> tuple[dict[str, int | None], str]:
    """Pico-USD per unit of each class for this call, and how sure it is: as unsure as the least sure of its rates."""
    if call["called_at"] is None:
        # The newest prices, where no hour of the day changes them.
        edges = {row["day_second_from"] for row in book}
        cards = [card(call | {"called_at": END_OF_TIME + timedelta(seconds=edge)}, book) for edge in edges | {0}]
        return cards[0] if all(other == cards[0] for other in cards) else ({}, "unknown_model")
    rows = {name: rate_row(call, name, book) for name in ("input", *CACHE_CLASSES, "output", "web_search")}
    found = [row for row in rows.values() if row]
    if not found:
        return {}, "unknown_model"
    priced = [row for row in found if row["rate_pico"] is not None] or found
    rates = {name: row["rate_pico"] if row else None for name, row in rows.items()}
    return rates, max((row["price_status"] for row in priced), key=DOUBT.index)


def rate_row(call: dict, token_class: str, book: list[dict]) -> dict | None:
    """The row of the price book that holds for the call: the user's contract before the catalogue."""
    believed = [row for row in book if row["superseded_at"] is None]
    listed = [row for row in believed if row["source"] != "contract" and all(row[name] == call[name] for name in REF)]
    deals = [row for row in believed if row["source"] == "contract" and is_meant(row, call)]
    if offers := in_force(deals, call, token_class):
        return max(offers, key=specificity)
    offers = in_force(listed, call, token_class)
    as_listed = max(offers, key=lambda row: row["context_above"], default=None)
    if token_class in CACHE_CLASSES and (as_listed is None or ", as input" in as_listed["source"]):
        # nobody has a price of this class: cached input is input, and the contract says what that costs
        return max(in_force(deals, call, "input"), key=specificity, default=as_listed)
    return as_listed


def is_meant(row: dict, call: dict) -> bool:
    """Whether a contract row speaks of the call: None is any, `*` in a model is any text, case does not matter."""
    pattern = ".*".join(re.escape(part) for part in row["model"].split("*"))
    if call["model"] is None or not re.fullmatch(pattern, call["model"], re.IGNORECASE | re.DOTALL):
        return False
    said = [(row[name], call[name]) for name in REF if name != "model" and row[name] is not None]
    return all(theirs is not None and str(ours).lower() == str(theirs).lower() for ours, theirs in said)


def specificity(row: dict) -> tuple:
    """Of two contract rows that speak of a call the greater holds."""
    model, named = row["model"], [row[name] is not None for name in REF]
    since = row["valid_from"].timestamp() if row["valid_from"] else float("-inf")
    return "*" not in model, len(model), sum(named), named, model.lower(), row["context_above"], since


def in_force(rows: list[dict], call: dict, token_class: str) -> list[dict]:
    """The rows of a class that hold at the call's instant, second of the day (UTC) and number of input tokens."""
    at = call["called_at"]
    second = at.hour * 3600 + at.minute * 60 + at.second
    return [
        row
        for row in rows
        if row["token_class"] == token_class
        and (row["valid_from"] is None or row["valid_from"] <= at)
        and (row["valid_to"] is None or at < row["valid_to"])
        and row["day_second_from"] <= second < row["day_second_to"]
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

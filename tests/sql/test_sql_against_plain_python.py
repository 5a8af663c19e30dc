"""The models against loops over the same rows: random small ledgers, exact equality of money and counts."""

from collections import defaultdict
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import warehouse
from tests.sql import builders

CARDS = [
    {"model": "model-a", "context_up_to": 50},
    {"model": "model-a", "context_above": 50, "input_rate": 3, "output_rate": 7},
    {"model": "model-b", "cache_read_rate": None, "input_rate": 11},
]
SCENARIOS = {"actual": "1", "-30%": "7/10", "odd": "22/7"}

tokens = st.one_of(st.none(), st.integers(0, 100))
calls = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["model-a", "model-b", "model-c"]),
        "action_id": st.sampled_from(["one", "two", "three", "four"]),
        "feature": st.sampled_from([None, "triage", "reply"]),
        "user_id": st.sampled_from([None, "ana", "ben"]),
        "customer_id": st.sampled_from([None, "books"]),
        "status": st.sampled_from(["success", "error", "refused", "cache_hit"]),
        "input_tokens": tokens,
        "cache_read_tokens": tokens,
        "output_tokens": tokens,
    }
)
tellings = st.fixed_dictionaries(
    {
        "subject_id": st.sampled_from(["one", "two", "three", "response-1"]),
        "outcome": st.sampled_from(["resolved", "rated"]),
        "is_success": st.sampled_from([True, False, None]),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(calls, max_size=12), st.lists(tellings, max_size=6))
def test_models_equal_loops(ledger, outcomes):
    given_rows = {"ledger": ledger, "outcomes": outcomes, "rate_cards": CARDS, "scenarios": SCENARIOS}
    with builders.catalogue(given_rows) as connection:
        warehouse.run_checks(connection)
        found = {
            name: rows_of(connection, name) for name in ("unit_economics", "scenario_comparison", "cost_per_outcome")
        }
    success = success_by_action(ledger, outcomes)
    assert found["unit_economics"] == economics(ledger, success)
    assert found["scenario_comparison"] == comparison(ledger)
    assert found["cost_per_outcome"] == per_outcome(ledger, success)


def rows_of(connection, name):
    columns = {
        "unit_economics": "dimension, name, action_count, call_count, labelled_count, success_count, cost_usd",
        "scenario_comparison": "feature, user_id, scenario, cost_usd",
        "cost_per_outcome": "feature, user_id, action_count, labelled_count, success_count, failed_cost_usd",
    }[name]
    where = "outcome is null" if name == "cost_per_outcome" else "true"
    rows = warehouse.frame_of(connection, f"select {columns} from {name} where {where}").rows()
    return {row[:-1]: None if row[-1] is None else Fraction(row[-1]) for row in rows}


def cost_usd(call, factor="1"):
    """Exact USD of a call, or None; rates in whole pico, and atto under a scenario, as the house keeps them."""
    if call["status"] in ("cache_hit", "refused"):
        return Fraction(0)
    input_tokens, output_tokens, cached = call["input_tokens"], call["output_tokens"], call["cache_read_tokens"] or 0
    if input_tokens is None or output_tokens is None or cached > input_tokens or call["model"] == "model-c":
        return None
    number = 2 if call["model"] == "model-b" else int(input_tokens > 50)
    card = builders.rate_card(number, **CARDS[number])
    total = Fraction(0)
    for quantity, name in ((input_tokens - cached, "input"), (cached, "cache_read"), (output_tokens, "output")):
        rate = card[f"{name}_rate"]
        if quantity and rate is None:
            return None
        total += quantity * int((rate or 0) * 10**6 * Fraction(factor))
    return total / 10**18


def total_usd(costs):
    known = [cost for cost in costs if cost is not None]
    return sum(known, Fraction(0)) if known else None


def success_by_action(ledger, outcomes):
    """The latest telling of each action decides; without instants success goes before failure, that before unknown."""
    actions = {call["action_id"] for call in ledger}
    latest = {}
    for telling in outcomes:
        subject = telling["subject_id"]
        if subject == "response-1" and ledger:
            subject = ledger[0]["action_id"]
        if subject in actions:
            latest[subject] = max(latest.get(subject), telling["is_success"], key=[None, False, True].index)
    return latest


def economics(ledger, success):
    groups = defaultdict(list)
    for call in ledger:
        names = {
            "all": "all",
            "feature": call["feature"] or "unattributed",
            "user": call["user_id"] or "unattributed",
            "customer": call["customer_id"] or "unattributed",
            "model": f"openai/{call['model']}",
            "day": "2026-03-01",
        }
        for key in names.items():
            groups[key].append(call)
    found = {}
    for key, calls_of_key in groups.items():
        counts = (*action_counts(calls_of_key, success), total_usd(map(cost_usd, calls_of_key)))
        found[(*key, counts[0], len(calls_of_key), *counts[1:-1])] = counts[-1]
    return found


def action_counts(some_calls, success):
    actions = {call["action_id"] for call in some_calls}
    told = [success[action] for action in actions if success.get(action) is not None]
    return len(actions), len(told), sum(told)


def levels(ledger):
    groups = defaultdict(list)
    for call in ledger:
        feature, user = call["feature"] or "unattributed", call["user_id"] or "unattributed"
        for key in ((feature, user), (feature, None), (None, user), (None, None)):
            groups[key].append(call)
    return groups


def comparison(ledger):
    return {
        (*key, scenario): total_usd(cost_usd(call, factor) for call in some_calls)
        for key, some_calls in levels(ledger).items()
        for scenario, factor in SCENARIOS.items()
    }


def per_outcome(ledger, success):
    found = {}
    for key, some_calls in levels(ledger).items():
        failed = [cost_usd(call) for call in some_calls if success.get(call["action_id"]) is False]
        found[(*key, *action_counts(some_calls, success))] = total_usd(failed)
    return found

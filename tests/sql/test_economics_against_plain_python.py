"""Unit economics, concentration and retention against loops over the same calls: random small ledgers, money exact."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil, sqrt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import warehouse
from tests.sql import builders
from tests.sql.test_sql_against_plain_python import success_by_action, tellings, total_usd

CARDS = [{}, {"model": "model-b", "input_rate": 5_000_000}]
LIST = [
    {"book": "list", "input_rate": 3_000_000, "output_rate": 12_000_000, "cache_read_rate": 300_000},
    {"book": "list", "input_rate": None, "output_rate": None, "cache_read_rate": None, "price_status": None},
]
USD = 10**12
QUANTILES = (Fraction(1, 2), Fraction(9, 10), Fraction(99, 100))
FAILED = ("error", "refused")
NAMES = ("unit_economics", "concentration_curve", "concentration", "spend_retention")

tokens = st.one_of(st.none(), st.integers(0, 2000))
calls = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["model-a", "model-b", "model-c"]),
        "action_id": st.sampled_from(["one", "two", "three", "four", "five", "six"]),
        "feature": st.sampled_from([None, "triage", "reply"]),
        "user_id": st.sampled_from([None, "ana", "ben", "cy"]),
        "status": st.sampled_from(["success", "success", "error", "refused"]),
        "input_tokens": tokens,
        "output_tokens": tokens,
        "reasoning_tokens": st.sampled_from([None, 0]),
        "days": st.integers(0, 100),
    }
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(calls, max_size=20), st.lists(tellings, max_size=8), st.booleans())
def test_economics_equal_loops(drawn, outcomes, has_list):
    ledger = [dated(number, call) for number, call in enumerate(drawn)]
    rows = {"ledger": ledger, "outcomes": outcomes, "rate_cards": CARDS, "book_rates": LIST if has_list else []}
    with builders.catalogue(rows, *NAMES) as connection:
        found = {
            name: warehouse.frame_of(connection, f"select * from {question}").to_dicts()
            for name, question in {
                "unit_economics": "unit_economics",
                "curve": "concentration_curve('user')",
                "concentration": "concentration('user')",
                "retention": "spend_retention('user')",
            }.items()
        }
    check_economics(found["unit_economics"], ledger, success_by_action(ledger, outcomes), has_list)
    check_concentration(found["curve"], found["concentration"], ledger)
    check_retention(found["retention"], ledger)


def dated(number, call):
    days = call["days"]
    rest = {name: value for name, value in call.items() if name != "days"}
    return rest | {"called_at": datetime(2026, 3, 10, tzinfo=UTC) + timedelta(days=days, seconds=number)}


def cost_pico(call, input_rate=None, output_rate=None):
    """Pico-USD of a call, or None; at other rates where given."""
    if call["status"] == "refused":
        return 0
    if None in (call["input_tokens"], call["output_tokens"]) or call["model"] == "model-c":
        return None
    own = 2_000_000 if call["model"] == "model-a" else 5_000_000
    return call["input_tokens"] * (input_rate or own) + call["output_tokens"] * (output_rate or 10_000_000)


def list_pico(call, has_list):
    cost = cost_pico(call)
    if not has_list or call["status"] == "refused" or cost is None:
        return cost
    return cost_pico(call, 3_000_000, 12_000_000) if call["model"] == "model-a" else None


def rows_by_name(ledger):
    groups = defaultdict(list)
    for call in ledger:
        groups["all", "all"].append(call)
        groups["feature", call["feature"] or "unattributed"].append(call)
        groups["user", call["user_id"] or "unattributed"].append(call)
        groups["model", f"openai/{call['model']}"].append(call)
        groups["customer", "unattributed"].append(call)
        groups["day", str(call["called_at"].date())].append(call)
    return groups


def check_economics(found, ledger, success, has_list):
    groups = rows_by_name(ledger)
    retried = retries(ledger)
    assert {(row["dimension"], row["name"]) for row in found} == set(groups)
    for row in found:
        some_calls = groups[row["dimension"], row["name"]]
        for column, expected in figures(some_calls, success, has_list, retried).items():
            assert same(row[column], expected), (row["dimension"], row["name"], column, row[column], expected)
    for column in (
        "cost_usd",
        "list_cost_usd",
        "failed_cost_usd",
        "error_cost_usd",
        "retry_cost_usd",
        "retry_call_count",
    ):
        sums = defaultdict(int)
        for row in found:
            sums[row["dimension"]] += row[column] or 0
        assert len(set(sums.values())) <= 1, (column, sums)


def same(found, expected):
    """Exact for money and counts, near for estimates and shares."""
    if expected is None or found is None:
        return found is expected
    if isinstance(found, float):
        return found == pytest.approx(float(expected), rel=1e-6, abs=1e-15)
    return Fraction(found) == expected


def retries(ledger):
    """The calls, by identity, whose forerunner of the same model in the same action failed."""
    again, before = set(), {}
    for call in sorted(ledger, key=lambda call: call["called_at"]):
        key = call["action_id"], call["model"]
        if before.get(key) in FAILED:
            again.add(id(call))
        before[key] = call["status"]
    return again


def figures(some_calls, success, has_list, retried):
    actions = defaultdict(list)
    for call in some_calls:
        actions[call["action_id"]].append(call)
    costs = {action: whole(map(cost_pico, of)) for action, of in actions.items()}
    used = [whole(map(tokens_of, of)) for of in actions.values()]
    used = [tokens for tokens in used if tokens is not None]
    costed = {action: cost for action, cost in costs.items() if cost is not None}
    labelled = [action for action in actions if success.get(action) is not None]
    pairs = [(costed[action], int(success[action])) for action in labelled if action in costed]
    users = {call["user_id"] for call in some_calls} - {None}
    of_users = sum(any(call["user_id"] for call in of) for of in actions.values())
    failures = [call for call in some_calls if success.get(call["action_id"]) is False]
    again = [call for call in some_calls if id(call) in retried]
    errors = [call for call in some_calls if call["status"] in FAILED]
    wins = sum(success[action] for action in labelled)
    low, high = interval(pairs)
    return {
        "action_count": len(actions),
        "actions_per_user": over(of_users, len(users)),
        "calls_per_action": Fraction(len(some_calls), len(actions)),
        "tokens_per_action": over(sum(used), len(used)),
        **percentiles("tokens_per_action", used, 1),
        "costed_action_count": len(costed),
        **percentiles("cost_per_action_usd", list(costed.values()), USD),
        **percentiles("cost_per_success_usd", [cost for cost, is_won in pairs if is_won], USD),
        "labelled_share": Fraction(len(labelled), len(actions)),
        "success_share": over(wins, len(labelled)),
        "sampled_count": len(pairs),
        "low_cost_per_outcome_usd": low,
        "high_cost_per_outcome_usd": high,
        "failed_cost_usd": None if not labelled else known_sum(failures, cost_pico),
        "error_cost_usd": known_sum(errors, cost_pico),
        "retry_call_count": len(again),
        "retry_cost_usd": known_sum(again, cost_pico),
        **price_figures(some_calls, has_list),
    }


def price_figures(some_calls, has_list):
    cost = total_usd(map(cost_pico, some_calls))
    attributed = [call for call in some_calls if call["feature"] and cost_pico(call)]
    told = [call for call in some_calls if call["status"] != "refused" and list_pico(call, has_list) is not None]
    unlisted = [call for call in some_calls if cost_pico(call) is not None and list_pico(call, has_list) is None]
    listed = total_usd(list_pico(call, has_list) for call in told)
    listed_tokens = sum(map(tokens_of, told))
    return {
        "list_cost_usd": known_sum(some_calls, lambda call: list_pico(call, has_list)),
        "unlisted_call_count": len(unlisted),
        "list_cost_per_million_tokens_usd": (
            Fraction(round(Fraction(listed * 10**6, listed_tokens)), USD) if listed_tokens else None
        ),
        "known_feature_cost_share": over(sum(map(cost_pico, attributed)), cost) if cost else None,
    }


def tokens_of(call):
    if None in (call["input_tokens"], call["output_tokens"]):
        return 0 if call["status"] == "refused" else None
    return call["input_tokens"] + call["output_tokens"]


def whole(parts):
    parts = list(parts)
    return None if None in parts else sum(parts)


def known_sum(some_calls, price):
    """USD; nothing costs a known zero, calls of unknown cost an unknown one."""
    if not some_calls:
        return Fraction(0)
    pico = total_usd(map(price, some_calls))
    return None if pico is None else pico / USD


def over(part, divisor):
    return Fraction(part) / Fraction(divisor) if divisor else None


def percentiles(column, values, unit):
    """The least value that so many of all are not above."""
    values = sorted(values)
    return {
        f"p{int(share * 100)}_{column}": Fraction(values[ceil(share * len(values)) - 1], unit) if values else None
        for share in QUANTILES
    }


def interval(pairs):
    """The ratios r for which the mean of cost - r * success is within t standard errors of zero, in USD: bounded where
    that holds of neither end of the line. Found from the roots of the quadratic in exact fractions."""
    count = len(pairs)
    if count < 2:
        return None, None
    one, other = (Fraction(sum(column), count) for column in zip(*pairs, strict=True))
    spread = [
        sum((a - one) * (a - one) for a, _ in pairs),
        sum((a - one) * (b - other) for a, b in pairs),
        sum((b - other) * (b - other) for _, b in pairs),
    ]
    squared = Fraction(t_quantile(count - 1)) ** 2 / (count * (count - 1))
    a, b, c = other**2 - squared * spread[2], one * other - squared * spread[1], one**2 - squared * spread[0]
    if a <= 0:
        return None, None
    root = sqrt(max(b * b - a * c, 0))
    return max((float(b) - root) / float(a), 0) / USD, (float(b) + root) / float(a) / USD


def t_quantile(freedom):
    """Student's quantile by Cornish-Fisher's expansion around the normal one; the first two are closed forms."""
    z = 1.959963984540054
    if freedom == 1:
        return 12.706204736432095
    if freedom == 2:
        return 4.302652729696142
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))


def check_concentration(curve, concentration, ledger):
    groups = defaultdict(list)
    for call in ledger:
        groups[call["user_id"]].append(call)
    costs = {name: total_usd(map(cost_pico, of)) for name, of in groups.items()}
    known = sorted((cost, name) for name, cost in costs.items() if name is not None and cost is not None)
    assert {(row["name"], row["cost_pico"]) for row in curve} == {(name, cost) for cost, name in known}
    assert [row["cost_pico"] for row in curve] == [cost for cost, _ in reversed(known)]
    values, total = [cost for cost, _ in known], sum(cost for cost, _ in known)
    (row,) = concentration
    assert row["name_count"] == len(values)
    if not total:
        assert (row["gini_index"], row["hhi_index"], row["top_1_share"]) == (None, None, None)
        return
    # Gini as half the mean difference of all pairs over the mean.
    differences = sum(abs(one - other) for one in values for other in values)
    assert same(row["gini_index"], differences / (2 * len(values) * total))
    assert same(row["hhi_index"], sum(Fraction(value, total) ** 2 for value in values))
    assert same(row["top_1_share"], Fraction(max(values), total))
    assert same(row["top_5_share"], 1)
    assert [same(line["cumulative_share"], sum(values[-n:]) / total) for n, line in enumerate(curve, 1)].count(0) == 0
    most = next(n for n in range(1, len(values) + 1) if 5 * sum(values[-n:]) >= 4 * total)
    assert row["names_for_80_percent_count"] == most


def check_retention(found, ledger):
    spend, unknown = defaultdict(int), set()
    for call in ledger:
        key = call["user_id"], (call["called_at"].year, call["called_at"].month)
        spend[key] += cost_pico(call) or 0
        if cost_pico(call) is None:
            unknown.add(key)
    last = max((call["called_at"].month for call in ledger), default=0)
    cohorts = defaultdict(set)
    for name in {"ana", "ben", "cy"}:
        paid = [month for (who, (_, month)), cost in spend.items() if who == name and cost > 0]
        if paid:
            cohorts[min(paid)].add(name)
    expected = {}
    for first, names in cohorts.items():
        for month in range(first, last + 1):
            base = {name: spend[name, (2026, first)] for name in names}
            then = {name: spend.get((name, (2026, month)), 0) for name in names}
            gone = {name for name in names if not then[name] and (name, (2026, month)) not in unknown}
            expected[first, month] = (
                *(len(names), len(names) - len(gone), sum(then.values())),
                *(sum(min(base[name], then[name]) for name in names), sum(base[name] for name in gone)),
            )
    told = {
        (row["cohort_month"].month, row["month"].month): (
            *(row["name_count"], row["active_count"], Fraction(row["spend_usd"]) * USD),
            *(Fraction(row["kept_spend_usd"]) * USD, Fraction(row["churned_usd"]) * USD),
        )
        for row in found
    }
    assert told == expected
    for row in found:
        left = row["base_spend_usd"] + row["expansion_usd"] - row["contraction_usd"] - row["churned_usd"]
        assert left == row["spend_usd"]

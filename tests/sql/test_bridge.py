"""The bridges against fractions in plain Python, on random pairs of periods of random ledgers."""

import random
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from pipelines import warehouse, warehouse_models
from tests import bridge_reference
from tests.sql import builders

DAYS = 12
START = datetime(2026, 3, 1, tzinfo=UTC)
LATER, LATEST = (START + timedelta(days=days, hours=6) for days in (4, 8))
CARDS = [
    {"model": "dear", "valid_to": LATER, "context_up_to": 900},
    {"model": "dear", "valid_to": LATER, "context_above": 900, "input_rate": 4_000_001},
    # dearer, then cheaper; reasoning has a price of its own only at the end
    {"model": "dear", "valid_from": LATER, "valid_to": LATEST, "input_rate": 3_333_333, "output_rate": 11_000_007},
    {"model": "dear", "valid_from": LATEST, "input_rate": 999_999, "reasoning_rate": 70_000_003},
    {"model": "cheap", "input_rate": 150_000, "cache_read_rate": None, "output_rate": 600_001},
    {"model": "cheap", "service_tier": "flex", "input_rate": 75_000, "output_rate": 300_001, "is_batch": True},
    {"model": "by request", "request_rate": 5 * 10**9, "input_rate": 7, "web_search_rate": 10**10},
    {"model": "free", "valid_to": LATEST, "input_rate": 0, "cache_read_rate": 0, "output_rate": 0},
    {"model": "free", "valid_from": LATEST, "input_rate": 1, "output_rate": 2},
]
MODELS = ["dear", "dear", "cheap", "by request", "free", "unknown"]
EFFECTS = [f"{name}_usd" for name in (*bridge_reference.EFFECTS, "new", "gone")]
OUTCOME_EFFECTS = [f"{name}_usd" for name in bridge_reference.OUTCOME_EFFECTS]


def random_call(dice: random.Random) -> dict:
    model = dice.choice(MODELS)
    tier = {"service_tier": "flex", "is_batch": True} if model == "cheap" and dice.random() < 0.5 else {}
    told = dice.choice([0, 1, dice.randrange(2000), dice.randrange(10**12)])
    output = dice.choice([0, dice.randrange(300), None if dice.random() < 0.2 else 7])
    return tier | {
        "model": model,
        "called_at": None if dice.random() < 0.02 else START + timedelta(hours=dice.randrange(24 * DAYS)),
        "feature": dice.choice([None, "triage", "reply", "rare" if dice.random() < 0.1 else "triage"]),
        "user_id": dice.choice([None, "ana", "ben", "cem"]),
        "customer_id": dice.choice([None, "books"]),
        "action_id": f"action-{dice.randrange(60)}",
        "status": dice.choice(["success"] * 8 + ["error", "refused", "cache_hit"]),
        "input_tokens": told,
        "cache_read_tokens": dice.choice([None, told // 3]),
        "output_tokens": output,
        "reasoning_tokens": output and dice.choice([None, output // 2]),
        "web_search_count": dice.choice([None, 3]) if model == "by request" else None,
    }


def random_periods(dice: random.Random) -> tuple[date, date, date, date]:
    """Any two: they may be alike, overlap, stand in any order, and lie beyond the log."""
    found = []
    for _ in range(2):
        first = START.date() + timedelta(days=dice.randrange(DAYS + 1))
        found += [first, first + timedelta(days=dice.choice([0, 0, 1, 3, 6]))]
    return tuple(found)


def ledger_of(seed: int) -> tuple[list[dict], list[dict], list[dict]]:
    """Calls with what they used, rate cards, outcomes."""
    dice = random.Random(seed)
    cards = [builders.rate_card(number, **card) for number, card in enumerate(CARDS, start=1)]
    calls = [builders.ledger_row(number, **random_call(dice)) for number in range(1, 151)]
    outcomes = [{"subject_id": f"action-{number}", "is_success": dice.choice([True, True, False, None])}
                for number in dice.sample(range(60), 40)]  # fmt: skip
    return [call | {"used": bridge_reference.priced(call, cards)} for call in calls], cards, outcomes


def answers(seed: int, macro: str, pairs: list[tuple]) -> tuple[dict, list[dict], dict]:
    """Rows of a bridge by number of the pair; the calls; success by action."""
    calls, cards, outcomes = ledger_of(seed)
    ledger = [{name: value for name, value in call.items() if name != "used"} for call in calls]
    with builders.catalogue({"ledger": ledger, "rate_cards": cards, "outcomes": outcomes}, macro) as connection:
        connection.execute("create table pairs (number int, a date, b date, c date, d date, dimension varchar)")
        connection.executemany(
            "insert into pairs values (?, ?, ?, ?, ?, ?)", [(number, *pair) for number, pair in enumerate(pairs)]
        )
        asked = f"{macro}(pairs.a, pairs.b, pairs.c, pairs.d, dimension := pairs.dimension)"
        rows = warehouse.frame_of(connection, f"select number, told.* from pairs, lateral (from {asked}) as told")
    found = {}
    for row in rows.to_dicts():
        found.setdefault(row["number"], []).append(row)
    return found, calls, {row["subject_id"]: row["is_success"] for row in outcomes}


def pairs_of(seed: int, count: int) -> list[tuple]:
    dice = random.Random(-seed)
    return [(*random_periods(dice), dice.choice(["all", "feature", "user", "customer", "model"])) for _ in range(count)]


def pico(usd):
    return None if usd is None else Fraction(usd) * 10**12


@pytest.mark.parametrize("seed", range(1, 5))
def test_effects_add_up_to_the_change_on_random_pairs_of_periods(seed):
    pairs = pairs_of(seed, 250)
    found, calls, success = answers(seed, "bridge", pairs)
    seen = set()
    for number, (*days, dimension) in enumerate(pairs):
        expected = bridge_reference.periods_by_name(calls, tuple(days), dimension, success)
        rows = {(row["dimension"], row["name"]): row for row in found.get(number, [])}
        total = rows.pop(("all", "all")) if dimension != "all" and expected else None
        assert {name for _, name in rows} == set(expected)
        for row in rows.values():
            check_row(row, *expected[row["name"]])
            seen |= {column for column in EFFECTS if row[column]}
        if total:
            for column in ("from_cost_usd", "to_cost_usd", "change_usd", *EFFECTS):
                told = [row[column] for row in rows.values() if row[column] is not None]
                assert total[column] == (sum(told) if told else None)
            for column in ("from_unpriced_call_count", "to_unpriced_call_count"):
                assert total[column] == sum(row[column] for row in rows.values())
    assert seen == set(EFFECTS)


def check_row(row, first, second):
    effects = [row[column] for column in EFFECTS]
    assert pico(row["from_cost_usd"]) == (first.cost if first.calls else 0)
    assert pico(row["to_cost_usd"]) == (second.cost if second.calls else 0)
    assert (row["from_unpriced_call_count"], row["to_unpriced_call_count"]) == (first.unpriced, second.unpriced)
    exact = list(bridge_reference.bridge(first, second).values())
    assert [effect is None for effect in effects] == [effect is None for effect in exact]
    if None in effects:
        assert row["change_usd"] is None
        return
    # to the last digit: the effects, the change, and the two costs
    assert pico(sum(effects)) == pico(row["change_usd"]) == second.known_cost - first.known_cost
    # each of the two values between which an effect lies is rounded once
    assert all(abs(pico(found) - true) <= 1 for found, true in zip(effects, exact, strict=True))


def test_absurd_counts_and_prices_neither_overflow_nor_lose_a_digit():
    """A single call may tell any 64-bit count."""
    cards = [
        builders.rate_card(1, input_rate=10**9, output_rate=10**9, valid_to=START + timedelta(days=1)),
        builders.rate_card(2, input_rate=10**9 - 1, output_rate=3, valid_from=START + timedelta(days=1)),
        builders.rate_card(3, model="model-b", input_rate=10**9, output_rate=7),
    ]
    later = START + timedelta(days=1)
    calls = [
        builders.ledger_row(1, called_at=START, input_tokens=7, output_tokens=4),
        builders.ledger_row(2, called_at=later, input_tokens=9 * 10**17 + 1, output_tokens=10**16 + 1),
        builders.ledger_row(3, called_at=later, input_tokens=9 * 10**17, output_tokens=1, model="model-b"),
        *(builders.ledger_row(number, called_at=later, input_tokens=1) for number in range(4, 50)),
    ]
    days = (START.date(), START.date(), later.date(), later.date())
    reverse = days[2:] + days[:2]
    with builders.catalogue({"ledger": calls, "rate_cards": cards}, "bridge") as connection:
        for pair in (days, reverse):
            asked = ", ".join(f"date '{day}'" for day in pair)
            (row,) = warehouse.frame_of(connection, f"from bridge({asked}, dimension := 'all')").to_dicts()
            used = [call | {"used": bridge_reference.priced(call, cards)} for call in calls]
            check_row(row, *bridge_reference.periods_by_name(used, pair, "all", {})["all"])


@pytest.mark.parametrize("name", ["bridge_steps", "bridge", "outcome_bridge", "period_economics"])
def test_header_tells_every_column(name):
    days = ", ".join(["'2026-03-01'"] * (2 if name == "period_economics" else 4))
    with builders.catalogue({"ledger": [{}], "outcomes": [{}]}, name) as connection:
        columns = warehouse.frame_of(connection, f"from {name}({days})").columns
        with pytest.raises(warehouse.ERRORS, match="no such dimension: day; choose all, feature"):
            connection.execute(f"from {name}({days}, dimension := 'day')").fetchall()
    assert list(warehouse_models.model_header(name)[1]) == columns


@pytest.mark.parametrize("seed", range(5, 9))
def test_effects_on_cost_per_outcome_add_up_to_its_change(seed):
    pairs = pairs_of(seed, 250)
    found, calls, success = answers(seed, "outcome_bridge", pairs)
    labelled = [call for call in calls if success.get(call["action_id"]) is not None]
    told = 0
    for number, (*days, dimension) in enumerate(pairs):
        expected = {
            (by, name): pair
            for by in {"all", dimension}
            for name, pair in bridge_reference.periods_by_name(labelled, tuple(days), by, success).items()
        }
        rows = {(row["dimension"], row["name"]): row for row in found.get(number, [])}
        assert rows.keys() == expected.keys()
        for key, row in rows.items():
            first, second = expected[key]
            effects = [row[column] for column in OUTCOME_EFFECTS]
            exact = list(bridge_reference.outcome_bridge(first, second).values())
            assert [effect is None for effect in effects] == [effect is None for effect in exact]
            assert (row["from_success_count"], row["to_success_count"]) == (first.successes, second.successes)
            if None in effects:
                assert row["change_usd"] is None
                continue
            told += 1
            assert sum(effects) == row["change_usd"]
            assert row["change_usd"] == row["to_cost_per_outcome_usd"] - row["from_cost_per_outcome_usd"]
            # a value is rounded to a pico-USD, divided, and rounded again
            assert all(abs(pico(one) - true) <= 2 for one, true in zip(effects, exact, strict=True))
    assert told > 100

"""Laws of the whole walk, from log lines to published tables, on random logs; and agreement with plain Python."""

import csv
import json
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import stages
from pipelines.settings import Settings
from tests import reference

PROVIDER, MODELS = "lab", ("small", "large", "unpriced")
GROUPINGS = ("feature", "user_id", "customer_id", "model", "day", "action_id", "source_file", "price_status")

tokens = st.none() | st.integers(0, 3000)
calls = st.fixed_dictionaries(
    {
        "called_at": st.sampled_from(
            ["2026-10-31T23:59:59.999999Z", "2026-11-01T00:00:00Z", "2026-11-05T12:00:00+02:00"]
        ),
        "provider": st.just(PROVIDER),
        "model": st.sampled_from(MODELS),
        "input_tokens": tokens,
        "output_tokens": tokens,
        "call_id": st.none() | st.sampled_from(["c-1", "c-2", "c-3"]),
        "feature": st.sampled_from(["triage", "reply", None]),
        "user_id": st.sampled_from(["ana", "bo", None]),
        "customer_id": st.sampled_from(["north", None]),
        "action_id": st.sampled_from(["a-1", "a-2", "a-3", None]),
        "status": st.sampled_from(["success", "error", "refused", "cache_hit"]),
    },
    optional={
        "cache_read_tokens": st.integers(0, 100),
        "cache_write_1h_tokens": st.integers(0, 100),
        "service_tier": st.sampled_from(["flex", "priority"]),
        "recorded_cost_usd": st.sampled_from([0.01, 0.02]),
        "outcome": st.sampled_from(["right", "short"]),
        "is_success": st.booleans(),
        "value_usd": st.sampled_from([0, 1.5]),
    },
)
outcomes = st.lists(
    st.fixed_dictionaries(
        {
            "action_id": st.sampled_from(["a-1", "a-2", "a-9"]),
            "outcome": st.sampled_from(["right", "short"]),
            "is_success": st.booleans(),
            "occurred_at": st.sampled_from([None, "2026-11-06T00:00:00Z", "2026-11-07T00:00:00Z"]),
        },
        optional={"value_usd": st.sampled_from([0, 1.5])},
    ),
    max_size=5,
)
# up to 6 decimals of USD per million tokens: 1e-12 USD per token
rates = st.integers(0, 10**8).map(lambda millionths: f"{millionths // 10**6}.{millionths % 10**6:06}")
price_rows = st.lists(
    st.tuples(
        st.sampled_from(MODELS[:2]),
        st.sampled_from(["input", "output", "cache_read"]),
        rates,
        st.sampled_from(["2026-01-01", "2026-11-01T00:00:00Z"]),
    ),
    max_size=6,
    unique_by=lambda row: (row[0], row[1], row[3]),
)

end_to_end = settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class World:
    """A folder with logs and a price file, and what the pipeline makes of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(data=folder / "data")

    def run(self, logs: list[list[dict]], told: list[dict] = (), prices: list[tuple] = (), **changes: Any) -> "World":
        paths = [self.write(f"log-{number}.jsonl", log) for number, log in enumerate(logs)]
        outcome_files = [self.write("outcomes.jsonl", told)] if told else []
        self.settings = Settings(
            logs=tuple(map(str, paths)), outcomes=tuple(outcome_files), prices=self.write_prices(prices),
            data=self.folder / "data", **changes,
        )  # fmt: skip
        return self.again()

    def again(self) -> "World":
        stages.ingest(self.settings)
        stages.build(self.settings)
        return self

    def write(self, name: str, records: list[dict]) -> Path:
        path = self.folder / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    def write_prices(self, rows: list[tuple]) -> Path:
        path = self.folder / "prices.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["provider", "model", "token_class", "usd_per_million", "valid_from"])
            writer.writerows((PROVIDER, *row) for row in rows)
        return path

    def ask(self, query: str) -> list[dict]:
        return stages.query(self.settings, query).to_dicts()

    def figures(self, table: str, *leave_out: str) -> list[tuple]:
        rows = self.ask(f"select * from {table}")
        return sorted((tuple(v for k, v in row.items() if k not in leave_out) for row in rows), key=repr)


@pytest.fixture
def world(tmp_path_factory):
    return lambda: World(tmp_path_factory.mktemp("world"))


def small_call(**fields: Any) -> dict:
    call = {"called_at": "2026-11-05T12:00:00Z", "provider": PROVIDER, "model": "small"}
    return call | {"input_tokens": 10, "output_tokens": 1} | fields


def exact(amount: Any) -> Fraction | None:
    return None if amount is None else Fraction(amount)


@end_to_end
@given(st.lists(calls, min_size=1, max_size=10), outcomes, price_rows)
def test_every_call_costs_what_plain_python_says_and_every_grouping_adds_up(world, log, told, prices):
    world = world().run([log], told, prices)
    rows = world.ask("select * from calls")
    book = world.ask("select * from source.price_book")
    for row in rows:
        cost, status = reference.price(row, book)
        assert (exact(row["cost_usd"]), row["price_status"]) == (cost, status)
        row["cost"] = cost
    for name in GROUPINGS:
        asked = world.ask(
            f"select {name} as name, sum(cost_usd) as cost, count(*) filter (cost_usd is null) as unknown "
            "from calls group by all"
        )
        assert {(row["name"],): (exact(row["cost"]), row["unknown"]) for row in asked} == reference.cost_by(rows, name)
    everything = reference.total([row["cost"] for row in rows])
    for table in ("tokens_per_action", "cost_per_outcome", "scenario_comparison"):
        where = "feature is null and user_id is null"
        where += {"cost_per_outcome": " and outcome is null", "scenario_comparison": " and scenario = 'actual'"}.get(
            table, ""
        )
        (total,) = world.ask(f"select cost_usd from {table} where {where}")
        assert exact(total["cost_usd"]) == everything
    assert_outcomes_agree(world, rows)


def assert_outcomes_agree(world, rows):
    tellings = world.ask("select * from source.outcomes")
    asked = world.ask(
        "select * from cost_per_outcome where outcome is not null and feature is not null and user_id is null"
    )
    for row in asked:
        feature = None if row["feature"] == "unattributed" else row["feature"]
        plain = reference.cost_per_outcome(rows, tellings, row["outcome"], feature=feature)
        counts = ("action_count", "labelled_count", "success_count", "unpriced_call_count")
        assert {name: row[name] for name in counts} == {name: plain[name] for name in counts}
        assert exact(row["labelled_cost_usd"]) == plain["labelled_cost"]
        assert exact(row["failed_cost_usd"]) == plain["failed_cost"]
        if plain["cost_per_outcome"] is None:
            assert row["cost_per_outcome_usd"] is None
        else:
            assert abs(exact(row["cost_per_outcome_usd"]) - plain["cost_per_outcome"]) <= reference.PICO / 2


@end_to_end
@given(st.lists(calls, min_size=1, max_size=10), outcomes, price_rows, st.randoms(use_true_random=False))
def test_neither_the_order_of_lines_nor_how_they_are_split_nor_a_second_run_changes_a_figure(
    world, log, told, prices, order
):
    world, other = world().run([log], told, prices), world()
    before = figures_of(world)
    assert figures_of(world.again()) == before
    mixed = order.sample(log, len(log))
    cut = order.randint(0, len(mixed))
    parts = [part for part in (mixed[:cut], mixed[cut:]) if part]
    if len(parts) == 2 and parts[0] == parts[1]:
        return  # two files with the same bytes are copies of one
    told = order.sample(told, len(told))
    if order.randint(0, 1):
        other.run(parts[:1], told, prices)  # a run before, in which the rest is not there yet
    # an id-less call without an action is its own action, named by its line: its name may differ, its figures may not
    assert figures_of(other.run(parts, told, prices)) == before


def figures_of(world: World) -> list[list[tuple]]:
    tables = ("tokens_per_action", "scenario_comparison", "cost_per_outcome")
    named_by_line = "action_id", "content_id", "line_number"
    outcomes = "select * exclude (content_id, line_number, subject_id, action_id), "
    outcomes += "case when not starts_with(action_id, 'call-') then action_id end as action_id from outcomes"
    told = sorted((tuple(row.values()) for row in world.ask(outcomes)), key=repr)
    calls = world.ask(f"select * exclude ({', '.join(named_by_line)}, call_id, source_file, part) from calls")
    return [
        *(world.figures(table) for table in tables),
        told,
        sorted((tuple(row.values()) for row in calls), key=repr),
    ]


@end_to_end
@given(st.lists(calls, min_size=1, max_size=8), price_rows)
def test_the_empty_scenario_is_actual_and_costs_follow_prices(world, log, prices):
    world = world().run([log], prices=prices, scenarios=("0%", "+100%", "-30%"))
    by_scenario = defaultdict(dict)
    for row in world.ask("select feature, user_id, scenario, cost_usd from scenario_comparison"):
        by_scenario[row["scenario"]][row["feature"], row["user_id"]] = exact(row["cost_usd"])
    actual = by_scenario["actual"]
    assert by_scenario["0%"] == actual
    assert by_scenario["+100%"] == {key: cost and cost * 2 for key, cost in actual.items()}
    assert by_scenario["-30%"] == {key: cost and cost * 7 / 10 for key, cost in actual.items()}


def test_double_the_rates_in_the_price_file_is_double_the_cost(world):
    log = [small_call(input_tokens=n, output_tokens=n) for n in range(1, 9)]
    rates = [("small", "input", "0.123457", "2026-01-01"), ("small", "output", "3", "2026-01-01")]
    twice = [("small", "input", "0.246914", "2026-01-01"), ("small", "output", "6", "2026-01-01")]
    once, double = world().run([log], prices=rates), world().run([log], prices=twice)
    query = "select cost_usd from calls order by line_number"
    assert [row["cost_usd"] * 2 for row in once.ask(query)] == [row["cost_usd"] for row in double.ask(query)]


def test_outcomes_may_come_before_or_after_the_calls(world):
    log = [small_call(feature="triage", action_id=f"a-{n}") for n in range(4)]
    told = [{"action_id": f"a-{n}", "outcome": "right", "is_success": n % 2 == 0} for n in range(3)]
    prices = [("small", "input", "1", "2026-01-01"), ("small", "output", "1", "2026-01-01")]
    together, late, early = world().run([log], told, prices), world().run([log], (), prices), world()
    early.settings = Settings(outcomes=(early.write("outcomes.jsonl", told),), data=early.folder / "data")
    early.again()
    early.run([log], told, prices)
    late.run([log], told, prices)
    figures = together.figures("cost_per_outcome")
    assert len(figures) > 4
    assert late.figures("cost_per_outcome") == early.figures("cost_per_outcome") == figures


def test_a_price_learned_later_prices_what_was_unpriced(world):
    log = [
        {
            "called_at": "2026-11-05T12:00:00Z",
            "provider": PROVIDER,
            "model": "small",
            "input_tokens": 10,
            "output_tokens": 1,
        }
    ]
    world = world().run([log])
    assert [row["price_status"] for row in world.ask("select price_status from calls")] == ["unknown_model"]
    world.run([log], prices=[("small", "input", "1", "2026-01-01"), ("small", "output", "1", "2026-01-01")])
    (row,) = world.ask("select price_status, cost_usd from calls")
    assert (row["price_status"], exact(row["cost_usd"])) == ("exact", Fraction(11, 10**6))

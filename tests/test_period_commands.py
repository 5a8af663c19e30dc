"""`tokenspread bridge` and `compare` as a user has them, over the sample logs and a log of what they do not have."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import cli, periods, stages
from pipelines.errors import UserError
from pipelines.report.bridge import EFFECTS
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl
from tests.pipelines.test_warehouse import older_client
from tests.test_cli import tokenspread

SAMPLES = Path(__file__).parent.parent / "sample_logs" / "support_desk"
PRICES = """\
,lab-1,input,10,
,lab-1,output,10,
,lab-1,input,20,2026-10-02
,lab-1,output,20,2026-10-02
"""


def call(number: int, day: str | None, **told: object) -> dict:
    usage = {
        "call_id": f"own-{number}",
        "provider": "openai",
        "model": "lab-1",
        "input_tokens": 90,
        "output_tokens": 10,
    }
    return usage | {"called_at": day and f"{day}T12:00:00Z", "feature": "lab", "user_id": "ana"} | told


OWN = [
    call(1, "2026-10-01", outcome="done", is_success=True),
    # twice the price; twice the tokens in twice the calls, for one of them has no price
    call(2, "2026-10-02", input_tokens=180, output_tokens=20, outcome="done", is_success=True),
    call(3, "2026-10-01", feature="gone\x1b[31m"),
    call(4, "2026-10-02", model="nobody-prices-this"),
    call(5, None),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("periods")
    (folder / "own.jsonl").write_bytes(jsonl(OWN))
    (folder / "prices.csv").write_text((SAMPLES / "prices.csv").read_text() + PRICES)
    settings = Settings(
        logs=(str(SAMPLES), str(folder / "own.jsonl")), prices=folder / "prices.csv", data=folder / "data",
        outcomes=(SAMPLES / "outcomes.jsonl",), revenue=SAMPLES / "revenue.csv", scenarios=("-30%", "+50%"),
    )  # fmt: skip
    stages.ingest(settings)
    stages.build(settings)
    return folder / "data"


def asked(data: Path, *arguments: str) -> str:
    """What the command prints, in this process."""
    done = CliRunner().invoke(cli.app, [*arguments, "--data", str(data)], standalone_mode=False)
    assert done.exception is None, done.exception
    return done.stdout


def mistake(data: Path, *arguments: str) -> str:
    done = CliRunner().invoke(cli.app, [*arguments, "--data", str(data)], standalone_mode=False)
    assert isinstance(done.exception, UserError)
    return str(done.exception)


def test_bridge_tells_in_words_and_a_table_what_changed_the_cost(data):
    told = asked(data, "bridge", "2026-10-01", "2026-10-02")
    lines = [line.rstrip() for line in told.splitlines()]
    assert lines[:13] == [
        "from        2026-10-01 to 2026-10-01 (UTC, 1 day)",
        "to          2026-10-02 to 2026-10-02 (UTC, 1 day)",
        "undated     1 call without a date: in no period",
        "unpriced    0 calls, then 1 call: on top of what is marked +",
        "",
        "cost: 0.002 USD, then 0.004 USD: +0.002 USD (+100.0%)",
        "  price:            +0.002 USD (+100.0%)",
        "  actions per user: +0.001 USD (+50.0%)",
        "  gone:             -0.001 USD (-50.0%)",
        "",
        "What changed the cost, by feature (USD)",
        "                                     actions/",
        "               from      to  change      user   price    gone",
    ]
    assert "lab           0.001  0.004+  +0.003    +0.001  +0.002    0.00" in lines
    assert r"gone\x1b[31m  0.001    0.00  -0.001      0.00    0.00  -0.001" in lines
    # the actions of which an outcome is known: one each day
    assert "cost per outcome: 0.001 USD, then 0.004 USD: +0.003 USD (+300.0%)" in lines
    assert "  price:            +0.002 USD (+200.0%)" in lines


@pytest.mark.parametrize("by", periods.DIMENSIONS)
@pytest.mark.parametrize("pair", [("2026-10", "2026-11"), ("2026-11-20..2026-11-21", "2026-11-21")])
def test_bridge_in_json_adds_up_by_each_grouping(data, pair, by):
    figures = json.loads(asked(data, "bridge", *pair, "--by", by, "--json"))
    rows, total = figures["cost"]["rows"], figures["cost"]["total"]
    effects = [name for name in EFFECTS if name in total]
    assert len(effects) == 9 and isinstance(total["price_usd"], str)  # exact: a JSON number would be read as a float
    for row in [*rows, total]:
        if row["change_usd"] is not None:
            assert sum(Decimal(row[name]) for name in effects) == Decimal(row["change_usd"])
    if by != "all":
        for name in ("from_cost_usd", "to_cost_usd", "change_usd", *effects):
            assert sum(Decimal(row[name]) for row in rows if row[name] is not None) == Decimal(total[name])
    each = figures["cost_per_outcome"]
    for row in [*each["rows"], each["total"]]:
        if row["change_usd"] is not None:
            assert sum(Decimal(row[name]) for name in EFFECTS if name in row) == Decimal(row["change_usd"])


def test_bridge_says_how_much_of_a_period_the_log_spans_and_what_both_share(data):
    told = asked(data, "bridge", "2026-11", "2026-11-20..2026-11-21")
    assert "from        2026-11-01 to 2026-11-30 (UTC, the log spans 21 of 30 days)" in told
    assert "overlap     2 days: in both" in told
    # November has no other calls
    assert "cost: 0.1966 USD, then 0.1966 USD: 0.00 USD (+0.0%)" in told
    assert "no calls in either of the two" in asked(data, "bridge", "2026-10-10", "2026-10-11..2026-10-12")


def test_bridge_to_a_scenario_tells_its_parts_apart(data):
    scenario = "replace=* with=openai/gpt-5-nano output_ratio=1.5; -10% provider=openai; activity=+20%"
    figures = json.loads(asked(data, "bridge", "--scenario", scenario, "--by", "model", "--json"))
    effects = ("activity_usd", "model_mix_usd", "tokens_per_call_usd", "price_usd")
    for row in [*figures["cost"]["rows"], figures["cost"]["total"]]:
        if row["change_usd"] is not None and row["from_cost_usd"] is not None:
            assert sum(Decimal(row[name]) for name in effects) == Decimal(row["change_usd"])
    total = {name: Decimal(figures["cost"]["total"][name]) for name in (*effects, "from_cost_usd", "to_cost_usd")}
    assert total["activity_usd"] == total["from_cost_usd"] / 5
    assert total["price_usd"] == -total["to_cost_usd"] / 9
    assert total["tokens_per_call_usd"] > 0


def test_bridge_to_a_scenario_has_the_actual_cost_and_the_change(data):
    figures = json.loads(asked(data, "bridge", "--scenario", "-30%", "--by", "day", "--json"))
    rows, total = figures["cost"]["rows"], figures["cost"]["total"]
    assert {row["name"] for row in rows} == {"2026-10-01", "2026-10-02", "2026-11-20", "2026-11-21", "unknown"}
    for row in [*rows, total]:
        assert Decimal(row["to_cost_usd"]) == Decimal(row["from_cost_usd"]) * 7 / 10
        assert Decimal(row["change_usd"]) == Decimal(row["to_cost_usd"]) - Decimal(row["from_cost_usd"])
    assert sum(Decimal(row["change_usd"]) for row in rows) == Decimal(total["change_usd"])
    told = asked(data, "bridge", "--scenario", "-30%")
    assert re.search(r"^lab +0.007\+ +0.0049\+ +-0.0021 +-0.0021$", told, re.M)
    assert "unpriced    17 calls, then 17 calls: on top of what is marked +" in told


def test_compare_shows_two_periods_and_the_difference(data):
    told = [line.rstrip() for line in asked(data, "compare", "2026-10-01", "2026-10-02").splitlines()]
    assert told[:2] == [
        "A           2026-10-01 to 2026-10-01 (UTC, 1 day)",
        "B           2026-10-02 to 2026-10-02 (UTC, 1 day)",
    ]
    figures = json.loads(asked(data, "compare", "2026-10-01", "2026-10-02", "--json"))
    (lab,) = (row for row in figures["rows"] if row["name"] == "lab")
    assert lab["first"] | {"cost_usd": Decimal(lab["first"]["cost_usd"])} == {
        "user_count": 1, "action_count": 1, "calls_per_action": 1.0, "tokens_per_action": 100.0,
        "cost_usd": Decimal("0.001"), "cost_per_action_usd": "0.001000000000", "success_share": 1.0,
        "cost_per_outcome_usd": "0.001000000000", "margin_usd": None, "unpriced_call_count": 0,
    }  # fmt: skip
    assert (lab["second"]["action_count"], lab["second"]["tokens_per_action"]) == (2, 150.0)
    assert lab["difference"]["cost_usd"] == "0.003000000000" and lab["change_share"]["cost_usd"] == 3.0
    (gone,) = (row for row in figures["rows"] if row["name"].startswith("gone"))
    assert gone["second"]["cost_usd"] == "0" and gone["second"]["cost_per_action_usd"] is None
    assert gone["difference"]["cost_per_action_usd"] is None
    shown = "\n".join(told)
    assert "  cost (USD)           0.001  0.004+       +0.003  +300.0%" in shown
    assert r"gone\x1b[31m" in shown and "margin" not in shown
    assert "+ calls without a price come on top: 0 in A, 1 in B" in shown


def test_compare_takes_scenarios_by_name_with_their_margins(data):
    figures = json.loads(asked(data, "compare", "actual", "-30%", "--json"))
    total, published = figures["total"], "select * from scenario_by_dimension where dimension = 'all'"
    rows = {row["scenario"]: row for row in stages.query(Settings(data=data), published).to_dicts()}
    for side, scenario in (("first", "actual"), ("second", "-30%")):
        assert figures[side]["scenario"] == scenario
        for name in ("cost_usd", "cost_per_action_usd", "cost_per_outcome_usd", "margin_usd"):
            assert Decimal(total[side][name]) == rows[scenario][name]
    assert total["change_share"]["cost_usd"] == pytest.approx(-0.3)
    told = asked(data, "compare", "-30%", "2026-11-20..2026-11-21", "--by", "model")
    assert told.startswith("A           -30%, all calls of the log\nB           2026-11-20")
    assert "margin (USD)" in told


def test_the_older_client_can_ask_too(data):
    days = "'2026-10-01', '2026-10-01', '2026-10-02', '2026-10-02'"
    where = "where dimension = 'all'"
    link = data / "warehouse.duckdb"
    assert older_client(link, f"select price_usd from bridge({days}) {where}") == ["0.002000000000"]
    assert older_client(link, f"select price_usd from outcome_bridge({days}) {where}") == ["0.002000000000"]
    told = older_client(link, f"select cost_usd from period_economics('2026-10-01', '2026-10-01') {where}")
    assert told == ["0.002000000000"]


MISTAKES = {
    "one period": (("bridge", "2026-11"), "name two periods, or a scenario with --scenario"),
    "both": (("bridge", "2026-11", "2026-10", "--scenario", "-30%"), "name two periods, or a scenario"),
    "before the log": (("bridge", "2026-09", "2026-11"), "2026-09: outside the log, which is from 2026-10-01 to 2026-"),
    "after the log": (("compare", "2026-11", "2026-11-22"), "2026-11-22: outside the log"),
    "no day": (("bridge", "2026-02-30", "2026-11"), "2026-02-30: no period; write 2026-03-01..2026-03-31, a month"),
    "backwards": (("bridge", "2026-11-21..2026-11-20", "2026-11"), "2026-11-21..2026-11-20: ends before it begins"),
    "three days": (("compare", "2026-11", "2026-11-20..2026-11-21..2026-11-22"), "no period"),
    "no scenario": (("bridge", "--scenario", "hike"), "'hike' is not defined, nor is it a change such as -30%"),
    "neither": (("compare", "actual", "hike"), "hike: neither a published scenario (actual, -30%, +50%) nor a period"),
    "grouping": (("bridge", "2026-10", "2026-11", "--by", "week"), "--by week: no such grouping; choose one of all"),
    "grouping of a day": (("compare", "2026-10", "2026-11", "--by", "day"), "--by day: no such grouping"),
    "grouping of a scenario": (("bridge", "--scenario", "-30%", "--by", "week"), "customer, model, day"),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "fact"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_the_fix(data, arguments, fact):
    assert fact in mistake(data, *arguments)


def test_a_mistake_is_one_line_and_exit_code_1(data, tmp_path):
    done = tokenspread("bridge", "'; drop table calls", "2026-11", "--data", data, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "nothing is published yet" in mistake(tmp_path, "compare", "actual", "-30%")


def test_a_log_without_dates_has_no_periods(tmp_path):
    (tmp_path / "own.jsonl").write_bytes(jsonl([call(1, None)]))
    settings = Settings(logs=(str(tmp_path / "own.jsonl"),), data=tmp_path / "data", scenarios=("-30%",))
    stages.ingest(settings)
    stages.build(settings)
    assert "no call of the log has a date" in mistake(tmp_path / "data", "bridge", "2026-10", "2026-11")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2026-02", (date(2026, 2, 1), date(2026, 2, 28))),
        ("2026-12", (date(2026, 12, 1), date(2026, 12, 31))),
        ("2024-02..2024-03-05", (date(2024, 2, 1), date(2024, 3, 5))),
        ("9999-12", (date(9999, 12, 1), date(9999, 12, 31))),
        ("2026-03-01", (date(2026, 3, 1), date(2026, 3, 1))),
    ],
)
def test_a_period_is_a_day_a_month_or_from_one_to_another(text, days):
    period = periods.period_of(text)
    assert (period.first_day, period.last_day) == days

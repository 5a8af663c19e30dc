"""Reports of a part of the calls: parts add up to the whole, and each says what a ledger of its calls alone says."""

import io
import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from pipelines import scenario_desk, selection, stages
from pipelines.errors import UserError
from pipelines.report import repriced, terminal
from pipelines.report.figures import report_figures, repriced_figures
from pipelines.selection import Selection
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl
from tests.test_cli import tokenspread

PRICES = """\
kind,provider,model,multiplier,above_usd_per_month,usd_per_month,valid_from
volume_tier,openai,*,0.5,0.01,,
commitment,anthropic,*,,,5,2026-10-01
"""
REVENUE = """\
period_start,period_end,feature,user_id,customer_id,outcome,revenue_usd,revenue_per_success_usd
2026-10-01,2026-11-01,triage,,,,1.00,
2026-10-01,2026-10-04,triage,,,,0.25,
2026-10-01,2026-11-01,,ana,,,0.50,
,,reply,,,done,,0.01
"""
FEATURES = ("triage", "reply", None)
MODELS = [("openai", "gpt-5"), ("openai", "gpt-5-2025-08-07"), ("anthropic", "claude-haiku-4-5"), ("labs", "unpriced")]
# the only telling of what action-0 led to
LATE = {"call_id": "late", "called_at": "2026-10-05T00:10:00Z", "outcome": "done", "is_success": True}


def call(number: int, **told: object) -> dict:
    provider, model = MODELS[number % 4]
    return {
        "call_id": f"own-{number}", "called_at": f"2026-10-{1 + number % 6:02}T12:30:00Z", "provider": provider,
        "model": model, "feature": FEATURES[number % 3], "user_id": ("ana", "ben", "'; drop\x1b")[number // 2 % 3],
        "action_id": f"action-{number // 2}", "customer_id": ("north", None)[number // 3 % 2],
        "environment": ("production", "test")[number % 5 == 0], "input_tokens": 1000 + 37 * (number % 11),
        "output_tokens": 100 + 13 * (number % 7), "outcome": "done" if number // 2 % 3 else None,
        "is_success": number // 2 % 7 != 0 if number // 2 % 3 else None,
    } | told  # fmt: skip


LOG = [*map(call, range(48)), call(0) | LATE]
DIMENSIONS = {"feature": "feature", "user": "user_id", "customer": "customer_id", "model": "model"}


def built(folder: Path, log: Iterable[dict], **told: object) -> Settings:
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_bytes(jsonl(log))
    settings = Settings(data=folder / "data", logs=(str(folder / "log.jsonl"),), **told)
    stages.ingest(settings)
    stages.build(settings)
    return settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("selected")
    (folder / "revenue.csv").write_text(REVENUE)
    return built(folder, LOG, revenue=folder / "revenue.csv")


def figures(settings: Settings, selected: Selection = Selection(), by: str = "feature") -> dict:  # noqa: B008
    with selection.asked(settings, selected, *terminal.MODELS) as (ask, part):
        return report_figures(ask, by) | {"selection": part}


def named(rows: list[dict]) -> dict[str, dict]:
    return {row["name"]: row for row in rows}


def without_revenue(row: dict) -> dict:
    return {name: value for name, value in row.items() if name not in ("name", "dimension", "sensitivity", "exposure")}


@pytest.mark.parametrize("by", DIMENSIONS)
def test_a_part_of_one_name_says_what_the_whole_says_of_that_name_and_the_parts_add_up(settings, by):
    whole = figures(settings, by=by)
    parts = {row["name"]: figures(settings, Selection(where=((by, row["name"]),)), by) for row in whole["rows"]}
    assert len(parts) > 1
    for row in whole["rows"]:
        part = parts[row["name"]]
        assert [one["name"] for one in part["rows"]] == [row["name"]]
        # what is told of a name of one dimension is told of all the calls of that name
        assert without_revenue(part["rows"][0]) == without_revenue(row), row["name"]
    for column in ("call_count", "input_tokens", "output_tokens", "cost_usd", "unpriced_call_count"):
        told = [part["total"][column] for part in parts.values()]
        assert sum(value for value in told if value is not None) == whole["total"][column], column


def test_all_days_of_the_log_are_the_whole(settings):
    whole, part = figures(settings), figures(settings, Selection(date(2026, 10, 1), date(2026, 10, 6)))
    assert part.pop("selection")["call_count"] == len(LOG)
    assert whole.pop("selection") is None
    assert part == whole


@pytest.mark.parametrize(
    ("selected", "belongs"),
    [
        (Selection(date(2026, 10, 2), date(2026, 10, 4)), lambda row: "10-02" <= row["called_at"][5:10] <= "10-04"),
        (Selection(where=(("feature", "triage"), ("feature", "reply"), ("environment", "test"))),
         lambda row: row["feature"] in ("triage", "reply") and row["environment"] == "test"),
        (Selection(until=date(2026, 10, 5), where=(("user", "'; drop\x1b"),)),
         lambda row: row["user_id"] == "'; drop\x1b" and row["called_at"][:10] <= "2026-10-05"),
        (Selection(where=(("model", "claude*"), ("model", "labs/unpriced"))),
         lambda row: row["provider"] in ("anthropic", "labs")),
    ],
)  # fmt: skip
def test_a_part_says_what_a_ledger_of_its_calls_alone_says(tmp_path, selected, belongs):
    log = LOG[:-1]  # each call tells what its action led to: no telling is outside
    settings, apart = built(tmp_path / "all", log), built(tmp_path / "some", [row for row in log if belongs(row)])
    told = ("total", "rows", "unpriced", "unknown", "price_certainty")
    for by in ("feature", "day", "model"):
        part, alone = figures(settings, selected, by), figures(apart, by=by)
        assert part["selection"]["call_count"] == alone["total"]["call_count"] > 0
        assert part["selection"]["of_call_count"] == len(log)
        for key in told:
            assert json.dumps(part[key], default=str) == json.dumps(alone[key], default=str), (by, key)


def test_scenarios_of_a_part_are_those_of_the_whole(tmp_path, settings):
    chosen = scenario_desk.chosen(settings, ["-30%", "activity=-100% top_users=1", "+10% provider=openai"], None)
    with scenario_desk.asked(chosen, settings, *repriced.MODELS) as ask:
        whole = repriced_figures(ask, "feature")
    costs: dict[str, list] = {}
    for row in whole["rows"]:
        where = Selection(where=(("feature", row["name"]),))
        with scenario_desk.asked_of(where, chosen, settings, *repriced.MODELS) as (ask, part):
            one = repriced_figures(ask, "feature")
        assert part["call_count"] == row["call_count"]
        assert one["rows"][0]["scenarios"] == row["scenarios"]
        for scenario in one["total"]["scenarios"]:
            costs.setdefault(scenario["scenario"], []).append(scenario["cost_usd"])
    assert {name: sum(filter(None, some)) for name, some in costs.items()} == {
        scenario["scenario"]: scenario["cost_usd"] for scenario in whole["total"]["scenarios"]
    }


def test_what_a_contract_comes_to_is_of_all_calls_and_a_part_bears_its_part(tmp_path):
    (tmp_path / "prices.csv").write_text(PRICES)
    settings = built(tmp_path, LOG, prices=tmp_path / "prices.csv")
    whole = named(figures(settings)["rows"])
    assert any(row["scenarios"][0]["cost_apart_usd"] for row in whole.values())
    chosen = scenario_desk.chosen(settings, ["-30%"], None)
    with scenario_desk.asked(chosen, settings, *repriced.MODELS) as ask:
        again = named(repriced_figures(ask, "feature")["rows"])
    for name, row in whole.items():
        selected = Selection(where=(("feature", name),))
        part = figures(settings, selected)
        assert part["rows"][0]["scenarios"] == row["scenarios"]
        assert part["total"]["scenarios"][0]["cost_apart_usd"] == row["scenarios"][0]["cost_apart_usd"]
        with scenario_desk.asked_of(selected, chosen, settings, *repriced.MODELS) as (ask, _):
            assert repriced_figures(ask, "feature")["rows"][0]["scenarios"] == again[name]["scenarios"]
    apart = figures(settings, Selection(where=(("environment", "test"),)))
    assert apart["selection"]["are_terms_left_out"] and not apart["total"]["scenarios"][0]["cost_apart_usd"]


def test_revenue_that_is_for_more_than_the_part_is_left_out_and_told(settings):
    part = figures(
        settings, Selection(since=date(2026, 10, 1), until=date(2026, 10, 3), where=(("feature", "triage"),))
    )
    assert str(part["total"]["scenarios"][0]["revenue_usd"]) == "0.250000000000"
    assert part["selection"]["left_out_revenue_count"] == 2  # of triage and the month, of ana
    part = figures(settings, Selection(where=(("model", "openai/gpt-5"),)))
    assert part["total"]["scenarios"][0]["revenue_usd"] is None
    assert part["selection"]["left_out_revenue_count"] == 4


def test_an_action_counts_in_each_part_that_has_calls_of_it_and_keeps_its_outcome(settings):
    before, after = (
        figures(settings, Selection(*days)) for days in ((None, date(2026, 10, 1)), (date(2026, 10, 5), None))
    )
    actions = {n // 2 for n in range(0, 48, 6)}, {0, *(n // 2 for n in range(48) if n % 6 > 3)}
    assert [before["total"]["action_count"], after["total"]["action_count"]] == list(map(len, actions))
    # of action-0 the later call tells
    assert before["total"]["labelled_count"] == len({0, *(n for n in actions[0] if n % 3)})


def test_an_outcome_is_its_actions_wherever_it_was_told_of(tmp_path):
    silent = {"outcome": None, "is_success": None, "action_id": "one"}
    log = [call(0, **silent), call(1, **silent, called_at="2026-10-05T00:10:00Z")]
    (tmp_path / "outcomes.jsonl").write_bytes(jsonl([{"subject_id": "own-1", "outcome": "done", "is_success": True}]))
    settings = built(tmp_path, log, outcomes=(tmp_path / "outcomes.jsonl",))
    before = figures(settings, Selection(until=date(2026, 10, 2)))
    assert (before["total"]["call_count"], before["total"]["success_count"]) == (1, 1)
    assert before["about"]["unmatched_outcome_count"] == 0


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (["--where", "feature=tria"], "no call has that feature; the nearest are triage"),
        (["--where", "model=gpt-6"], "no call has that model"),
        (["--where", "user=zoe"], "there are"),
        (["--where", "shape=x"], "keys are feature, user"),
        (["--where", "reply"], "write KEY=VALUE"),
        (["--since", "2026-10-05", "--until", "2026-10-02"], "swap them"),
        (["--since", "october"], "no date"),
        (["--since", "2027-01-01"], "the log has 2026-10-01 to 2026-10-06"),
        (["--json", "--csv"], "--json and --csv: a report has one format"),
    ],
)
def test_what_selects_nothing_says_what_there_is(settings, options, fact):
    told = tokenspread("report", *options, "--data", settings.data, cwd=settings.data)
    assert told.returncode == 1
    assert fact in told.stderr.replace("\n", " ")
    assert "\x1b" not in told.stderr and "Traceback" not in told.stderr


def test_undated_calls_are_in_no_selection_of_days(tmp_path):
    settings = built(tmp_path, [*map(call, range(6)), call(6) | {"called_at": None}])
    part = figures(settings, Selection(since=date(2026, 10, 1)))["selection"]
    assert (part["call_count"], part["undated_call_count"]) == (6, 1)
    stream = io.StringIO()
    with selection.asked(settings, Selection(since=date(2026, 10, 1)), *terminal.MODELS) as (ask, told):
        terminal.write(ask, "feature", "text", stream, told)
    assert "undated     1 call without a time: in no selection of days" in stream.getvalue()


def test_a_hashed_user_is_named_by_name_or_by_hash(tmp_path, settings):
    hashed = built(tmp_path, LOG, hash_users=True, user_key="k" * 32)
    whole = figures(settings, Selection(where=(("user", "ana"),)))["total"]
    part = figures(hashed, Selection(where=(("user", "ana"),)), "user")
    name = part["rows"][0]["name"]
    assert name.startswith("u_") and part["total"]["call_count"] == whole["call_count"]
    keyless = Settings(data=hashed.data)
    assert figures(keyless, Selection(where=(("user", name),)))["total"]["call_count"] == whole["call_count"]
    with pytest.raises(UserError, match="users are kept under hashes here"):
        figures(keyless, Selection(where=(("user", "ana"),)))


def test_a_published_table_that_is_not_asked_for_is_not_that_of_the_whole(settings):
    with selection.asked(settings, Selection(since=date(2026, 10, 6)), "unit_economics") as (ask, _):
        with pytest.raises(Exception, match="scenario_comparison does not exist"):
            ask("from scenario_comparison")
        assert ask("select count(*)::bigint as n from calls").item() == 8

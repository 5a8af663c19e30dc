"""Logs and outcome files that the user describes. The two mappings below read recordings; they are worked examples."""

import tomllib
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from tests.builders import SHARED, lines, lines_of
from transforms.schemas import CALLS, OUTCOMES, conform
from transforms.shapes.fields import STATUS_FAULT
from transforms.shapes.mapping import outcomes_from, shape_from

DATA = SHARED / "data"
needs_shared = pytest.mark.skipif(
    not DATA.is_dir(), reason="../shared is absent: its recordings are not part of the project"
)

EXAMPLES = tomllib.loads("""
# A tool's analytics: events of many kinds, of which one tells of a call.
[log.aider]
match = { event = "*", properties = "*" }    # every record of this log has both
calls_where = { event = "message_send" }     # records of other events tell of no call
null_values = ["None"]                       # what the tool writes where it has no model
provider_from_model_prefix = true            # "anthropic/claude-3-5-haiku-20241022"

[log.aider.fields]
called_at = { path = "time", unit = "unix_s" }
model = "properties.main_model"
input_tokens = "properties.prompt_tokens"
output_tokens = "properties.completion_tokens"
recorded_cost_usd = "properties.cost"
user_id = "user_id"
feature = "properties.edit_format"

# Runs of a coding agent: one record for each run, with an object that has the usage of each model.
[log.agent_runs]
match = { ticket = "*", area = "*", exit_code = "*" }
open = "modelUsage"                          # each of its entries is a call; a run that was killed has none of them:
                                             # one call whose usage is unknown, and that has cost money all the same
input_includes_cache = false                 # inputTokens is the uncached rest

[log.agent_runs.fields]
model = ["$key", "model"]                    # the entry's key; a killed run has the model that it was given
response_id = "session_id"                   # of the run; each of its calls gets its key added
input_tokens = ".inputTokens"                # "." is inside the opened entry
cache_read_tokens = ".cacheReadInputTokens"
cache_write_other_tokens = ".cacheCreationInputTokens"
output_tokens = ".outputTokens"
web_search_count = ".webSearchRequests"
recorded_cost_usd = ".costUSD"
action_id = "ticket"
feature = "area"

# What became of the tickets that those runs worked on.
[outcomes.tickets]
match = { ticket = "*", state = "*" }

[outcomes.tickets.fields]
subject_id = "ticket"                        # the calls' action_id
outcome = { const = "merged" }
is_success = { path = "state", equals = "done" }
""")


@needs_shared
def test_a_log_of_events() -> None:
    shape = shape_from("aider", EXAMPLES["log"]["aider"])
    told = shape.calls(lines_of(DATA / "aider_analytics" / "aider_analytics_union.jsonl", shape.fields))
    calls = told.filter(pl.col("verdict").is_null())
    assert told.height == 39_572
    assert calls.height == 5_563
    assert set(told["verdict"].drop_nulls()) == {"other"}
    assert round(calls["recorded_cost_pico"].cast(pl.Int128).sum(), -10) == 10_182_700_000_000_000
    assert calls["input_tokens"].sum() == 73_020_005
    assert calls["output_tokens"].sum() == 2_956_951
    assert calls["model"].null_count() == 22
    assert calls.group_by("feature").len().filter(pl.col("feature") == "diff")["len"].to_list() == [2_899]
    assert calls["called_at"].null_count() == 0
    assert {"google", "x-ai", "fireworks", "aws"} <= set(calls["provider"].drop_nulls())


@needs_shared
def test_a_log_that_has_several_calls_in_a_line() -> None:
    shape = shape_from("agent_runs", EXAMPLES["log"]["agent_runs"])
    calls = shape.calls(lines_of(DATA / "scriptorium_tickets" / "agent_runs.jsonl", shape.fields))
    assert calls["verdict"].null_count() == calls.height == 145
    assert calls["line_number"].n_unique() == 131
    unknown = calls.filter(pl.col("input_tokens").is_null())
    assert unknown.height == 9
    assert unknown["model"].null_count() == 0
    assert unknown["output_tokens"].null_count() == unknown["response_id"].null_count() == 9
    assert round(calls["recorded_cost_pico"].sum() / 1e12, 4) == 146.8766
    assert calls["response_id"].drop_nulls().n_unique() == 136
    assert calls["called_at"].null_count() == 145
    assert calls["feature"].n_unique() == 20


@needs_shared
def test_a_file_of_outcomes() -> None:
    shape = outcomes_from("tickets", EXAMPLES["outcomes"]["tickets"])
    told = shape.calls(lines_of(DATA / "scriptorium_tickets" / "tickets.jsonl", shape.fields))
    assert told["verdict"].null_count() == told.height == 96
    assert told["is_success"].sum() == 92
    assert set(told["outcome"]) == {"merged"}


FIELDS = {"input_tokens": "in", "output_tokens": "out"}


def read(table: dict[str, Any], *records: dict[str, Any]) -> list[dict[str, Any]]:
    """What a mapping makes of records, without the columns that are null or that it did not ask for."""
    shape = shape_from("mine", {"match": {"in": "*"}, **table})
    calls = conform(shape.calls(lines(records, shape.fields)), CALLS)
    asked = ["verdict", *(set(table["fields"]) & set(calls.columns)), "recorded_cost_pico", "value_pico"]
    return [{name: row[name] for name in asked if row[name] is not None} for row in calls.to_dicts()]


def test_counts_that_leave_their_parts_out() -> None:
    fields = {**FIELDS, "cache_read_tokens": "read", "cache_write_1h_tokens": "written", "reasoning_tokens": "thought"}
    table = {"fields": fields, "input_includes_cache": False, "output_includes_reasoning": False}
    full, bare, unknown = read(
        table,
        {"in": 1, "out": 2, "read": 10, "written": 100, "thought": 5},
        {"in": 1, "out": 2},
        {"read": 10, "thought": 5},
    )
    assert (full["input_tokens"], full["output_tokens"]) == (111, 7)
    assert bare == {"input_tokens": 1, "output_tokens": 2}
    assert unknown == {"cache_read_tokens": 10, "reasoning_tokens": 5}


@pytest.mark.parametrize(
    ("column", "source", "value", "expected"),
    [
        ("recorded_cost_usd", {"path": "x", "unit": "cents"}, 1.5, {"recorded_cost_pico": 15 * 10**9}),
        ("recorded_cost_usd", {"path": "x", "unit": "micro_usd"}, 15, {"recorded_cost_pico": 15 * 10**6}),
        ("value_usd", {"path": "x", "unit": "nano_usd"}, "15", {"value_pico": 15_000}),
        ("value_usd", {"const": 2}, None, {"value_pico": 2 * 10**12}),
        ("latency_seconds", {"path": "x", "unit": "ms"}, 1500, {"latency_seconds": 1.5}),
        ("latency_seconds", {"path": "x", "unit": "ns"}, 1_500_000_000, {"latency_seconds": 1.5}),
        ("is_success", {"path": "x", "equals": ["done", "merged"]}, "merged", {"is_success": True}),
        ("is_success", {"path": "x", "equals": ["done", "merged"]}, "open", {"is_success": False}),
        ("is_success", {"path": "x", "equals": "done"}, None, {}),
        ("is_success", {"path": "x", "equals": True}, True, {"is_success": True}),
        ("is_success", "x", "well", {"verdict": "is_success is not true or false"}),
        ("status", {"path": "x", "equals": 0}, 0, {"status": "success"}),
        ("status", {"path": "x", "equals": 0}, 137, {"status": "error"}),
        ("status", {"path": "x", "equals": 0}, None, {"status": "success"}),
        ("status", "x", "fine", {"status": "fine", "verdict": STATUS_FAULT}),
        (
            "called_at",
            {"path": "x", "unit": "unix_ms"},
            1767323045250,
            {"called_at": datetime(2026, 1, 2, 3, 4, 5, 250000, UTC)},
        ),
        (
            "called_at",
            {"path": "x", "format": "%d.%m.%Y"},
            "02.01.2026",
            {"called_at": datetime(2026, 1, 2, tzinfo=UTC)},
        ),
        ("called_at", {"path": "x", "unit": "iso"}, 1767323045, {"verdict": "called_at is not an instant"}),
        ("feature", ["absent", "x"], "search", {"feature": "search"}),
        ("feature", 'a."b.c"', None, {"feature": "dotted"}),
        ("feature", "text>inner.deep", None, {"feature": "opened"}),
        ("feature", "x", "n/a", {}),
        ("web_search_count", "x", 1.5, {"verdict": "web_search_count is not a count"}),
    ],
)
def test_a_column(column: str, source: Any, value: Any, expected: dict[str, Any]) -> None:
    record = {"in": 1, "x": value, "a": {"b.c": "dotted"}, "text": '{"inner": {"deep": "opened"}}'}
    assert read({"fields": {column: source}, "null_values": ["n/a"]}, record) == [expected]


def test_a_list_is_opened_and_what_is_no_list_is_quarantined() -> None:
    table = {"open": "steps", "fields": {"input_tokens": ".usage.in", "action_id": "run", "response_id": "run"}}
    shape = shape_from("runs", {"match": {"run": "*"}, **table})
    records = [
        {"run": "r1", "steps": [{"usage": {"in": 3}}, {}, 7]},
        {"run": "r2", "steps": []},
        {"run": "r3"},
        {"run": "r4", "steps": "x"},
    ]
    calls = shape.calls(lines(records, shape.fields))
    assert calls.select("line_number", "part", "input_tokens", "response_id", "verdict").rows() == [
        (1, 0, 3, "r1:0", None),
        (1, 1, None, "r1:1", None),
        (1, 2, None, "r1:2", None),
        (2, 0, None, "r2", None),
        (3, 0, None, "r3", None),
        (4, 0, None, "r4", "steps is neither a list nor an object"),
    ]


def test_what_the_record_tells_of_one_entry_is_of_no_other() -> None:
    fields = {
        **{"model": "$key", "input_tokens": ".in", "output_tokens": ".out", "cache_write_tokens": ".written"},
        "cache_write_1h_tokens": {"path": "long", "of_key": "main"},
    }
    table = {"match": {"usage": "*"}, "open": "usage", "input_includes_cache": False, "fields": fields}
    shape = shape_from("mine", table)
    entry = {"in": 1, "out": 2, "written": 100}
    records = [
        {"main": "large", "long": 70, "usage": {"large": entry, "small": entry}},
        {"main": "medium", "long": 70, "usage": {"large": entry}},
        {"main": "large", "long": 101, "usage": {"large": entry}},
        {"main": "large", "usage": {"large": {"in": 1, "out": 2}}},
    ]
    calls = shape.calls(lines(records, shape.fields))
    counts = ("model", "input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens")
    assert calls.filter(pl.col("verdict").is_null()).select(counts).rows() == [
        ("large", 101, None, 70, 30),
        ("small", 101, None, None, 100),
        ("large", 101, None, None, 100),
        ("large", 1, None, None, None),
    ]
    assert calls["verdict"].to_list()[3] == "cache_write_5m_tokens and cache_write_1h_tokens exceed cache_write_tokens"


def test_only_some_records_tell_of_calls() -> None:
    table = {"fields": FIELDS, "calls_where": {"kind": ["run", "retry"], "done": True}}
    records = [
        {"kind": kind, "done": done, "in": 1} for kind in ("run", "retry", "note", None) for done in (True, False)
    ]
    assert [row.get("verdict") for row in read(table, *records)] == [None, "other", None, *["other"] * 5]


def test_outcomes_need_a_subject() -> None:
    fields = {
        "subject_id": "id",
        "outcome": "what",
        "value_usd": {"path": "cents", "unit": "cents"},
        "occurred_at": "at",
    }
    shape = outcomes_from("mine", {"match": {"id": "*"}, "outcomes_where": {"kind": "done"}, "fields": fields})
    records = [
        {"kind": "done", "id": "a", "what": "sold", "cents": 250, "at": "2026-01-02T03:04:05Z"},
        {"kind": "done", "what": "sold"},
        {"kind": "done", "id": "a"},
        {"kind": "done", "id": "a", "what": "sold", "cents": "much"},
        {"kind": "note", "id": "a"},
    ]
    told = shape.calls(lines(records, shape.fields))
    assert told["verdict"].to_list() == [
        None,
        "subject_id is missing",
        "outcome is missing",
        "value_usd is not an amount in USD",
        "other",
    ]
    assert told["value_pico"][0] == 2_500_000_000_000
    conform(told, OUTCOMES)


def test_outcomes_have_no_entries_of_keys() -> None:
    fields = {"subject_id": {"path": "id", "of_key": "kind"}, "outcome": "what"}
    with pytest.raises(ValueError, match=r"^\[outcomes.mine.fields\] subject_id: nothing is opened in outcomes"):
        outcomes_from("mine", {"match": {"id": "*"}, "fields": fields})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"fields": {}}, "[log.mine]: has no `match`"),
        ({"match": {"a": "*"}, "filds": {}}, "[log.mine]: there is no 'filds' here; did you mean fields?"),
        ({"match": {"a": "*"}, "fields": {"input_token": "x"}}, "did you mean input_tokens?"),
        ({"match": {"a": "*"}, "fields": {"feature": {"unit": "ms", "path": "x"}}}, "feature: takes no unit"),
        (
            {"match": {"a": "*"}, "fields": {"called_at": {"unit": "days", "path": "x"}}},
            "'days' is no unit for it; known are any,",
        ),
        ({"match": {"a": "*"}, "fields": {"feature": {"path": "x", "format": "%d"}}}, "`format` is for instants"),
        (
            {"match": {"a": "*"}, "fields": {"feature": {"path": "x", "equals": "y"}}},
            "only status and is_... columns take it",
        ),
        ({"match": {"a": "*"}, "fields": {"feature": {}}}, "needs either a path or a const"),
        ({"match": {"a": "*"}, "fields": {"feature": "a..b"}}, "'a..b' is no path"),
        ({"match": {"a": "*"}, "fields": {"feature": 3}}, "3 is no path"),
        ({"match": {"a": "*"}, "fields": {"feature": ".x"}}, "nothing is opened; set `open`"),
        ({"match": {"a": "*"}, "fields": {"feature": {"path": "x", "of_key": "y"}}}, "nothing is opened; set `open`"),
        ({"match": {"a": "*"}, "fields": {"feature": {"path": "x", "of_key": ".y"}}}, "'.y' is no path"),
        (
            {"match": {"a": "*"}, "fields": {"cache_write_tokens": "x", "cache_write_other_tokens": "y"}},
            "cache_write_other_tokens is what cache_write_tokens leaves; keep one of the two",
        ),
        ({"match": "a", "fields": {}}, "[log.mine] match: is no table"),
        ({"match": {"a.": "*"}, "fields": {}}, "'a.' is no path"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_its_mending(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^\[log\.mine") as error:
        shape_from("mine", table)
    assert message in str(error.value)

"""Defects that random input showed, each as the smallest case that shows it."""

import json
from pathlib import Path

import polars as pl
import pytest
import zstandard

from fuzz import logs
from pipelines import revenue_file
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.pipelines.logs import balance, chat, ingest, jsonl, ledger_rows
from transforms.shapes import instants, mapping
from transforms.shapes.decoding import decoded


def test_names_that_differ_in_case_alone_are_told_apart_beside_a_bad_line(tmp_path: Path) -> None:
    """DuckDB renames the second of two such columns, which only the exact path asked it for by name."""
    line = {"call_id": "a", "model": "m", "called_at": 1790000000, "input_tokens": 7, "output_tokens": 1}
    line |= {"meta": '{"tag": "x", "Tag": "y"}'}
    (tmp_path / "log.jsonl").write_bytes(jsonl([line]) + b"{\n" + jsonl([line | {"call_id": "b"}]))
    ingest(tmp_path / "data", tmp_path / "log.jsonl", attribution={"user_id": ["meta>Tag", "meta>tag"]})
    assert ledger_rows(tmp_path / "data")["user_id"].to_list() == ["y", "y"]


def test_of_a_key_that_a_text_has_twice_the_first_counts_whatever_stands_beside() -> None:
    dtype = pl.Struct({"a": pl.String, "b": pl.Struct({"c": pl.String})})
    twice = '{"a":1,"a":2,"b":{"c":3,"c":4}}'
    alone = decoded(pl.Series([twice]), dtype)[0].to_list()
    assert alone == decoded(pl.Series([twice, "[" * 150 + "]" * 150]), dtype)[0].to_list()[:1]
    assert alone == [{"a": "1", "b": {"c": "3"}}]


@pytest.mark.parametrize("text", ["262000", "-262000", "99999"])
def test_a_year_that_python_has_no_instant_for_is_a_fault(text: str) -> None:
    read = instants.strptime_kind("%Y-%m-%d").read
    assert read(pl.Series([f"{text}-01-01", "2026-11-01"])).is_null().to_list() == [True, False]


@pytest.mark.parametrize("text", ["0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"])
def test_an_instant_that_python_has_no_value_for_spoils_its_own_line_alone(text: str, tmp_path: Path) -> None:
    good = {"call_id": "a", "called_at": "2026-11-01T00:00:00Z", "model": "m", "input_tokens": 1, "output_tokens": 1}
    (tmp_path / "log.jsonl").write_bytes(jsonl([good, good | {"call_id": "b", "called_at": text}]))
    ingest(tmp_path / "data", tmp_path / "log.jsonl")
    (found,) = balance(tmp_path / "data")
    assert (found["call_line_count"], found["quarantined_line_count"]) == (1, 1)


def test_a_stream_of_events_is_read_packed_too(tmp_path: Path) -> None:
    events = b"".join(b"event: message\ndata: " + line + b"\n\n" for line in jsonl(map(chat, range(3))).splitlines())
    (tmp_path / "log.zst").write_bytes(zstandard.compress(events))
    ingest(tmp_path / "data", tmp_path / "log.zst")
    assert balance(tmp_path / "data")[0]["call_line_count"] == 3


def test_strange_lines_of_a_packed_log_are_looked_at_again(tmp_path: Path) -> None:
    log = jsonl([*map(chat, range(3)), {"of": "another format"}])
    (tmp_path / "log.zst").write_bytes(zstandard.compress(log))
    ingest(tmp_path / "data", tmp_path / "log.zst")
    (found,) = balance(tmp_path / "data")
    assert (found["call_line_count"], found["quarantined_line_count"]) == (3, 1)


def test_strange_records_of_a_log_that_is_no_lines_are_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(json.dumps([{"resourceSpans": []}, {"of": "another format"}], indent=1))
    ingest(tmp_path / "data", tmp_path / "log", shape="otel")
    (found,) = balance(tmp_path / "data")
    assert (found["other_line_count"], found["quarantined_line_count"]) == (1, 1)


@pytest.mark.parametrize("name", ["line_number", "content_id", "@timestamp", "$part", "$key2", "*", "^[a-z]+$"])
def test_a_field_of_a_log_may_be_called_as_a_column_of_ours_or_as_a_pattern(name: str, tmp_path: Path) -> None:
    table = {
        "match": {name: "*"},
        "calls_where": {name: "*"},
        "fields": {"called_at": "at", "action_id": name, "response_id": "id", "input_tokens": "in"},
    }
    (tmp_path / "log").write_text(
        json.dumps({"id": "a", "at": 1790000000, "in": 5, name: "told", "timestamp": "x"}) + "\n"
    )
    for by_line in (False, True):
        found = logs.told(tmp_path / "log", Settings(log_mappings={"own": table}), by_line).rows["ledger"]
        assert found.select("action_id", "input_tokens", "line_number").rows() == [("told", 5, 1)]


@pytest.mark.parametrize("after", ["", '{"of": "another format"}\n'], ids=["alone", "beside a line that can be read"])
def test_what_lies_under_a_key_with_half_a_surrogate_pair_is_of_no_shape(after: str, tmp_path: Path) -> None:
    """The key stood in the text of DuckDB's query, which then is none."""
    (tmp_path / "logs").mkdir()
    line = json.dumps({"time": 1790000000, "data\ud800": chat(1)}) + "\n"
    (tmp_path / "logs" / "bad.jsonl").write_text(line * 3 + after)
    (tmp_path / "logs" / "good.jsonl").write_bytes(jsonl([chat(2)]))
    (skipped,) = ingest(tmp_path / "data", tmp_path / "logs").report.skipped
    assert skipped[0].name == "bad.jsonl"
    assert ledger_rows(tmp_path / "data")["response_id"].to_list() == ["chatcmpl-2"]


def test_an_object_to_open_may_be_called_as_a_pattern(tmp_path: Path) -> None:
    table = {"match": {"id": "*"}, "open": "*", "fields": {"input_tokens": ".in", "action_id": "id", "model": "$key"}}
    (tmp_path / "log").write_text('{"id": "a", "*": {"m": {"in": 5}}}\n{"id": "b", "*": "\\udc00"}\n')
    for by_line in (False, True):
        found = logs.told(tmp_path / "log", Settings(log_mappings={"own": table}), by_line).rows["ledger"]
        assert found.filter(line_number=1).select("action_id", "input_tokens").rows() == [("a", 5)]


def test_outcomes_of_a_field_that_is_called_as_a_column_of_ours() -> None:
    fields = {"subject_id": "line_number", "outcome": "@state"}
    shape = mapping.outcomes_from("own", {"match": {"@state": "*"}, "fields": fields})
    assert list(shape.columns.values()) == ['"line_number"', '"@state"']


@pytest.mark.parametrize("text", ["1e999999", "1000.00000001e40000001", "9" * 40, "1." + "0" * 30 + "1", "1e-30"])
def test_an_amount_of_revenue_that_cannot_be_kept_exactly_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "revenue.csv").write_text(f"revenue_usd\n{text}\n")
    with pytest.raises(UserError, match=r"revenue.csv:2: .* write it like 1250.00"):
        revenue_file.read_revenue_file(tmp_path / "revenue.csv")

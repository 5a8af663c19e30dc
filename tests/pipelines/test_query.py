"""Rows of a query as a user and a program take them in."""

import csv
import io
import json
from datetime import date, datetime, time
from decimal import Decimal

import polars as pl
import pytest

from pipelines import inspecting
from pipelines.errors import UserError
from pipelines.report import inspection, query
from pipelines.settings import Settings
from tests.pipelines.logs import chat, jsonl


def written(rows: dict | pl.DataFrame, output: str) -> str:
    stream = io.StringIO()
    query.write(pl.DataFrame(rows, strict=False), output, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "text, cell",
    [
        ("=1+1", "'=1+1"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-1+cmd|x", "'-1+cmd|x"),
        ("+cmd", "'+cmd"),
        ("-", "'-"),
        ("-30%", "-30%"),
        ("+50%", "+50%"),
        ("-33.3333%", "-33.3333%"),
        ("-1,234.5", "-1,234.5"),
        ("-1e-7", "-1e-7"),
        ("gpt-5", "gpt-5"),
    ],
)
def test_csv_guards_formulas_and_nothing_else(text, cell):
    rows = list(csv.reader(io.StringIO(written({"a": [text]}, "csv"), newline="")))
    assert rows == [["a"], [cell]]


def test_csv_of_figures_is_exact():
    rows = {"usd": [Decimal("-0.000000000001")], "none": [None], "list": [[1, 2]], "share": [-0.5]}
    assert list(csv.reader(io.StringIO(written(rows, "csv")))) == [
        ["usd", "none", "list", "share"],
        ["-0.000000000001", "", "[1, 2]", "-0.5"],
    ]


def test_json_is_valid_whatever_the_values():
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    rows = {
        "number": [float("nan")],
        "list": [[1.5, float("-inf")]],
        "struct": [{"usd": Decimal("0.10")}],
        "day": [date(2026, 3, 1)],
        "at": [datetime(2026, 3, 1, 12)],
        "time": [time(10)],
        "bytes": [b"\xff"],
        "yes": [True],
        "tokens": [2**100],
    }
    schema = {"struct": pl.Struct({"usd": pl.Decimal(10, 2)}), "tokens": pl.Int128}
    (row,) = json.loads(written(pl.DataFrame(rows, schema_overrides=schema), "json"), parse_constant=refuse)
    assert row == {
        "number": None,
        "list": [1.5, None],
        "struct": {"usd": "0.10"},
        "day": "2026-03-01",
        "at": "2026-03-01T12:00:00",
        "time": "10:00:00",
        "bytes": "ff",
        "yes": True,
        "tokens": 2**100,
    }


@pytest.mark.parametrize("output", ["table", "csv", "json"])
@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("us"), pl.Datetime("us", "UTC")])
def test_a_date_that_python_cannot_hold_is_said_in_one_line(output, dtype, capfd):
    rows = pl.DataFrame({"a": [None, 2**31 - 1 if dtype == pl.Date else 2**63 - 1]}).select(pl.col("a").cast(dtype))
    with pytest.raises(UserError, match="outside the years 1 to 9999; cast it to varchar"):
        written(rows, output)
    assert capfd.readouterr().err == ""


def test_columns_that_fit_stand_side_by_side():
    assert [line.split() for line in written({"model": ["a", "b"], "calls": [1, None]}, "table").splitlines()] == [
        ["model", "calls"],
        ["a", "1"],
        ["b", "-"],
    ]


def test_columns_that_do_not_fit_stand_below_each_other():
    rows = {f"column_{number}": ["x" * 20, None] for number in range(39)} | {"bell": ["\x07", "b"]}
    lines = written(rows, "table").splitlines()
    assert len(lines) == 2 * 41
    assert lines[:2] == ["row 1", "  column_0   " + "x" * 20]
    assert lines[40:43] == ["  bell       \\x07", "row 2", "  column_0   -"]


def test_without_a_row_the_columns_are_shown():
    assert written(pl.DataFrame(schema={"a": pl.Int64}), "table").split() == ["a"]


def test_unknown_format_is_refused():
    with pytest.raises(UserError, match="--format xml: no such format"):
        written({"a": [1]}, "xml")


def inspected(tmp_path, content: bytes) -> list[str]:
    path, stream = tmp_path / "log.jsonl", io.StringIO()
    path.write_bytes(content)
    inspection.write(inspecting.inspect(Settings(logs=[str(path)], data=tmp_path / "data")), stream)
    return stream.getvalue().splitlines()


def test_inspect_counts_the_lines_without_an_object(tmp_path):
    lines = inspected(tmp_path, jsonl([chat(1)]) + b"\n[1]\nnot JSON\n" + jsonl([chat(2)]))
    assert "of its first 4 lines, 2 hold no JSON object" in lines
    assert not any("no JSON object" in line for line in inspected(tmp_path, b"\xef\xbb\xbf" + jsonl([chat(1)])))


def test_inspect_shows_the_first_calls_and_counts_the_rest(tmp_path):
    lines = inspected(tmp_path, jsonl([chat(number) for number in range(30)]))
    assert lines[-1] == "and 10 more calls"


def test_inspect_shows_the_fields_that_most_records_have(tmp_path):
    records = [{"ticket": 1, "usage": {"by_id": {f"{number}-{key}": 1 for key in range(30)}}} for number in range(2)]
    lines = inspected(tmp_path, jsonl(records))
    assert "  ticket  (2)" in lines
    assert len([line for line in lines if line.startswith("  ") and line.endswith(")")]) == 40
    assert lines[-2] == "  and 21 rarer fields"

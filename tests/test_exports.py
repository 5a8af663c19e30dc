"""`tokenspread export`: every table and answer as a file that says what the warehouse says."""

import csv
import io
import json
import os
import stat
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import cookbook, exports, stages
from pipelines.errors import UserError
from pipelines.report import query as query_output
from pipelines.settings import Settings
from pipelines.warehouse_models import PUBLISHED
from tests.pipelines.exported_logs import HOSTILE, published

ROOT = Path(__file__).parent.parent
NAMES = [*PUBLISHED, *(name for name in cookbook.questions() if name not in PUBLISHED)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return published(tmp_path_factory.mktemp("exports"))


def export(settings: Settings, names: list[str], file_format: str | None, to: Path, overwrite: bool = False):
    return exports.export(settings, names, file_format, to, overwrite, None)


def text_of(name: str) -> str:
    return f"from {name}" if name in PUBLISHED else (ROOT / "sql" / "cookbook" / f"{name}.sql").read_text()


def as_told(rows: pl.DataFrame, file_format: str) -> list[tuple]:
    """The rows in the types that a reader of the format has, in any order."""

    def told(value: object, dtype: pl.DataType) -> object:
        if file_format == "parquet" or value is None:
            return value
        if isinstance(value, datetime):
            return value.isoformat().replace("+00:00", "Z")
        if isinstance(value, Decimal):
            return format(value, "f")
        if file_format == "json":
            return value if isinstance(value, bool | int | float | list | dict) else str(value)
        return query_output._cell(value).lower() if isinstance(value, bool) else query_output._cell(value)

    return sorted((tuple(map(told, row, rows.dtypes)) for row in rows.rows()), key=repr)


def read(path: Path, file_format: str, width: int) -> list[tuple]:
    if file_format == "parquet":
        rows = pl.read_parquet(path)
        return sorted(rows.with_columns(pl.col(pl.Decimal(38, 0)).cast(pl.Int128)).rows(), key=repr)
    if file_format == "json":
        return sorted((tuple(json.loads(line).values()) for line in path.open(encoding="utf-8")), key=repr)
    with duckdb.connect() as connection:  # of CSV readers one that tells an empty text from none
        query = "from read_csv($path, all_varchar = true, allow_quoted_nulls = false, header = true)"
        return sorted(connection.execute(query, {"path": str(path)}).fetchall(), key=repr)


def nearly(one: object, other: object) -> bool:
    """A double is written with as many digits as tell it from any other, in more than one way."""
    if isinstance(other, str) and isinstance(one, str) and one != other:
        return float(one) == float(other)
    return one == other


@pytest.mark.parametrize("file_format", ["parquet", "csv", "json"])
def test_exported_calls_beside_their_logs_do_not_count_twice(settings, tmp_path, file_format):
    (written,) = export(settings, ["calls"], file_format, tmp_path / "logs" / "")
    fresh = Settings(logs=(str(tmp_path / "logs"),), data=tmp_path / "data")
    ((path, what),) = stages.ingest(fresh).report.skipped
    assert (path, what.partition(":")[0]) == (written.path.absolute(), "calls that tokenspread exported")
    with pytest.raises(UserError, match="calls that tokenspread exported"):
        stages.ingest(Settings(logs=(str(written.path),), data=tmp_path / "data"))
    asked = stages.ingest(Settings(logs=(str(written.path),), data=tmp_path / "data", shape="tokenspread"))
    assert asked.call_count > 0


@pytest.mark.parametrize("file_format", ["parquet", "csv", "json"])
def test_every_file_says_what_the_warehouse_says(settings, tmp_path, file_format):
    written = export(settings, NAMES, file_format, tmp_path)
    assert [file.name for file in written] == NAMES
    for file in written:
        rows = stages.query(settings, text_of(file.name))
        assert file.row_count == rows.height
        expected, found = as_told(rows, file_format), read(file.path, file_format, rows.width)
        assert len(expected) == len(found)
        for one, other in zip(expected, found, strict=True):
            assert len(one) == len(other)
            assert all(map(nearly, one, other)), file.name
    assert stages.query(settings, "select count(*) as count from calls where cost_usd is not null").item() > 90


def test_hostile_text_is_in_the_files_as_it_is_and_harmless_in_a_spreadsheet(settings, tmp_path):
    for file_format in ("json", "csv", "parquet"):
        export(settings, ["calls"], file_format, tmp_path)
    found = {json.loads(line)["feature"] for line in (tmp_path / "calls.jsonl").open(encoding="utf-8")}
    assert set(HOSTILE) <= found
    assert set(HOSTILE) <= set(pl.read_parquet(tmp_path / "calls.parquet")["feature"])
    cells = {row["feature"] for row in csv.DictReader(io.StringIO((tmp_path / "calls.csv").read_bytes().decode()))}
    assert {'\'=cmd|"/c calc"!A1', "'@x", "'\t=1", "-30%"} <= cells
    assert [cell for cell in cells if cell[:1] in "=@+\t" and cell] == []


@given(st.text(st.sampled_from("=+-@'\t\r\n09.,eE% x＋－＝＠"), max_size=8))
def test_a_formula_is_told_in_sql_as_it_is_in_python(text):
    with duckdb.connect() as connection:
        connection.execute((ROOT / "sql" / "exports" / "text_macros.sql").read_text())
        told = connection.execute("select csv_text($text)", {"text": text}).fetchall()[0][0]
    # a figure before a line break is one in Python's eyes, and none in SQL's: it gets an apostrophe more
    assert told in (query_output._cell(text), "'" + text)
    if told != query_output._cell(text):
        assert text[-1:].isspace()


def test_the_order_of_an_answer_is_kept(settings, tmp_path):
    for file_format in ("parquet", "json"):
        export(settings, ["dearest_users"], file_format, tmp_path)
    users = stages.query(settings, text_of("dearest_users"))["user_id"].to_list()
    assert pl.read_parquet(tmp_path / "dearest_users.parquet")["user_id"].to_list() == users
    assert [json.loads(line)["user_id"] for line in (tmp_path / "dearest_users.jsonl").open()] == users


def test_a_question_that_is_called_like_a_table_has_a_name_of_its_own(settings, tmp_path):
    file = export(settings, ["cookbook/recorded_cost_gaps"], "csv", tmp_path)[0]
    assert file.path == tmp_path / "recorded_cost_gaps.csv"
    question = (ROOT / "sql" / "cookbook" / "recorded_cost_gaps.sql").read_text()
    assert file.path.read_text().splitlines()[0].split(",") == stages.query(settings, question).columns
    with pytest.raises(UserError, match="a file of one name"):
        export(settings, ["recorded_cost_gaps", "cookbook/recorded_cost_gaps"], "csv", tmp_path / "x")


def test_parquet_keeps_the_types_and_says_what_the_columns_mean(settings, tmp_path):
    export(settings, ["calls"], None, tmp_path)
    path = tmp_path / "calls.parquet"
    schema = pl.read_parquet_schema(path)
    assert schema["cost_usd"] == pl.Decimal(38, 12)
    assert schema["cost_pico"] == pl.Decimal(38, 0)
    assert schema["called_at"] == pl.Datetime("us", "UTC")
    told = pl.read_parquet_metadata(path)
    assert told["tokenspread_table"] == "calls"
    assert json.loads(told["tokenspread_columns"])["day"] == "UTC date of called_at"
    assert told["tokenspread_price_book_hash"]


@pytest.mark.parametrize(
    ("names", "file_format", "to", "fact"),
    [
        (["cals"], None, "x", "the nearest are calls"),
        (["calls", "nothing like it at all"], None, "x", "show tables"),
        (["calls"], "xlsx", "x", "no such format; write parquet, csv, json"),
        (["calls"], "csv", "x.parquet", "another format than --format csv"),
        (["calls", "actions"], None, "x.csv", "one file, for 2 names"),
        (["calls"], None, "calls.csv.gz", "the ending of no format"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(settings, tmp_path, names, file_format, to, fact):
    with pytest.raises(UserError, match=fact):
        export(settings, names, file_format, tmp_path / to)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_stays_and_nothing_is_put_into_a_data_folder(settings, tmp_path):
    there = tmp_path / "calls.csv"
    there.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        export(settings, ["actions", "calls"], "csv", tmp_path)
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there], "nor is another written before"
    export(settings, ["calls"], "csv", tmp_path, overwrite=True)
    assert there.read_text() != "mine"
    (tmp_path / "link").symlink_to(settings.data)
    for place in (settings.data, settings.data / "ledger" / "x.csv", tmp_path / "link" / "x.csv"):
        with pytest.raises(UserError, match="in the data folder"):
            export(settings, ["calls"], None, place, overwrite=True)


def test_a_file_is_its_owners_alone_and_whole(settings, tmp_path, monkeypatch):
    export(settings, ["calls"], "csv", tmp_path / "new" / "folder")
    path = tmp_path / "new" / "folder" / "calls.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UserError, match="No space left on device"):
        export(settings, ["calls"], "csv", path, overwrite=True)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["calls.csv"]


def test_what_another_version_published_is_told(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(exports, "PUBLISHED", (*PUBLISHED, "of_tomorrow"))
    monkeypatch.setattr(exports, "model_header", lambda _: ("", {}))
    with pytest.raises(UserError, match="of_tomorrow.*`tokenspread build` anew"):
        export(settings, ["of_tomorrow"], "csv", tmp_path / "x")


@pytest.mark.parametrize("path", sorted((ROOT / "sql" / "exports").glob("*.sql")), ids=lambda path: path.stem)
def test_a_file_of_sql_is_one_select_or_macros_alone(path):
    kinds = {statement.type.name for statement in duckdb.extract_statements(path.read_text())}
    assert kinds == ({"CREATE"} if path.stem.endswith("_macros") else {"SELECT"})
    if kinds == {"SELECT"}:
        assert len(duckdb.extract_statements(path.read_text())) == 1


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    code = "from pipelines.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", code, "export", *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


def test_the_command_tells_what_it_wrote(settings, tmp_path):
    done = command("calls", "dearest_users", "--format", "csv", "--data", settings.data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines()[0] == "calls.csv: 105 rows of calls".replace(
        "105", str(stages.query(settings, "select count(*) as count from calls").item())
    )
    again = command("calls", "--format", "csv", "--data", settings.data, cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)

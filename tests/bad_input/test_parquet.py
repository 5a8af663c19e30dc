"""Parquet logs of every type and damage: each row is what JSONL with the same values would be, or the file is refused.

A line number counts the rows of the file.
"""

import gzip
import math
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines import inspecting, stages
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.bad_input.folders import Told, call, ingested, parquet
from tests.pipelines.logs import jsonl, ledger_rows

FRAME = pl.DataFrame([call(number) for number in range(5)])
ALL = [1, 2, 3, 4, 5]
NO_COUNT, NO_AMOUNT, NO_INSTANT = (
    "input_tokens is not a count",
    "recorded_cost_usd is not an amount in USD",
    "called_at is not an instant",
)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def read(tmp_path: Path, write: Any, name: str = "m.parquet") -> Told:
    """`write`: a frame, bytes, or a SELECT over the table `calls`, with DuckDB's options."""
    path = tmp_path / "logs" / name
    path.parent.mkdir()
    if isinstance(write, pl.DataFrame):
        parquet(path, write)
    elif isinstance(write, bytes):
        path.write_bytes(write)
    else:
        written(path, *write)
    return ingested(path.parent)


def written(path: Path, query: str, options: str = "", before: str = "") -> bytes:
    with duckdb.connect() as connection:
        connection.execute(f"set TimeZone = 'UTC'; {before}")
        connection.execute(
            "create table calls as select 'c' || n as call_id, '2026-11-01T10:00:0' || n || 'Z' as called_at, "
            "'gpt-5-mini' as model, 100 + n as input_tokens, 10 as output_tokens, 0.5::double as recorded_cost_usd, "
            "n = 2 as is_third from range(5) t(n)"
        )
        connection.execute(f"copy ({query}) to '{path}' (format parquet{options})")
    return path.read_bytes()


def third(column: str, value: Any, dtype: Any) -> pl.DataFrame:
    """The good rows with the column as `dtype`, and another value in its third row."""
    values = [value if row == 2 else old for row, old in enumerate(FRAME[column])]
    return FRAME.with_columns(pl.Series(column, values, dtype=dtype, strict=False))


def sql(column: str, value: str, otherwise: str) -> tuple[str]:
    return (f"select * replace (case when is_third then {value} else {otherwise} end as {column}) from calls",)


# name: (the log, the column to look at, what it is; a text: why its third row, or each where it begins with "all", is
# quarantined)
VALUES: dict[str, tuple[Any, str, Any]] = {
    "tokens as DOUBLE 10.7": (third("input_tokens", 10.7, pl.Float64), "input_tokens", NO_COUNT),
    "tokens as DOUBLE 10.0": (third("input_tokens", 10.0, pl.Float64), "input_tokens", 10),
    "tokens as DOUBLE NaN": (third("input_tokens", math.nan, pl.Float64), "input_tokens", NO_COUNT),
    "tokens as DOUBLE 1e300": (third("input_tokens", 1e300, pl.Float64), "input_tokens", NO_COUNT),
    "tokens as FLOAT 10.5": (third("input_tokens", 10.5, pl.Float32), "input_tokens", NO_COUNT),
    "tokens as BOOLEAN": (third("input_tokens", True, pl.Boolean), "input_tokens", "all " + NO_COUNT),
    "tokens as UINT64 max": (third("input_tokens", 2**64 - 1, pl.UInt64), "input_tokens", NO_COUNT),
    "tokens as INT32": (third("input_tokens", 7, pl.Int32), "input_tokens", 7),
    "tokens below zero": (third("input_tokens", -1, pl.Int64), "input_tokens", NO_COUNT),
    "tokens unknown": (third("input_tokens", None, pl.Int64), "input_tokens", None),
    "tokens as DECIMAL 10.7": (third("input_tokens", Decimal("10.7"), pl.Decimal(38, 2)), "input_tokens", NO_COUNT),
    "tokens as DECIMAL 10.00": (third("input_tokens", Decimal("10"), pl.Decimal(38, 2)), "input_tokens", 10),
    "tokens as HUGEINT": (sql("input_tokens", "(2::hugeint ** 100)::hugeint", "7::hugeint"), "input_tokens", NO_COUNT),
    "tokens as text": (sql("input_tokens", "'10'", "'7'"), "input_tokens", 10),
    "tokens as a word": (sql("input_tokens", "'abc'", "'7'"), "input_tokens", NO_COUNT),
    "tokens as a struct": (sql("input_tokens", "{'a': 1}", "{'a': 2}"), "input_tokens", "all " + NO_COUNT),
    "tokens as a list": (sql("input_tokens", "[1]", "[]::int[]"), "input_tokens", "all " + NO_COUNT),
    "tokens as a map": (sql("input_tokens", "map {'a': 1}", "map {'a': 2}"), "input_tokens", "all " + NO_COUNT),
    "cost NaN": (third("recorded_cost_usd", math.nan, pl.Float64), "recorded_cost_pico", NO_AMOUNT),
    "cost Inf": (third("recorded_cost_usd", math.inf, pl.Float64), "recorded_cost_pico", NO_AMOUNT),
    "cost DECIMAL(38, 12)": (
        third("recorded_cost_usd", Decimal("0.123456789012"), pl.Decimal(38, 12)), "recorded_cost_pico", 123456789012,
    ),
    "cost of many digits": (
        sql("recorded_cost_usd", "999.123456789012::decimal(38, 12)", "0::decimal(38, 12)"),
        "recorded_cost_pico", 999123456789012,
    ),
    "NaN where nothing is read": (
        FRAME.with_columns(temperature=pl.Series([0.1, math.nan, math.inf, -math.inf, 1])), "input_tokens", 102,
    ),
    "time in us": (FRAME.with_columns(called_at=pl.Series([NOON] * 5)), "called_at", NOON),
    "time in ms, no zone": (
        FRAME.with_columns(called_at=pl.Series([NOON.replace(tzinfo=None)] * 5, dtype=pl.Datetime("ms"))),
        "called_at", NOON,
    ),
    "time in ns": (
        sql("called_at", "timestamp_ns '2026-11-01 12:00:00.123456789'", "timestamp_ns '2026-11-01 12:00:00'"),
        "called_at", NOON + timedelta(microseconds=123456),  # cut off, not rounded
    ),
    "time of a zone": (
        FRAME.with_columns(called_at=pl.Series([NOON] * 5).dt.convert_time_zone("Asia/Kolkata")), "called_at", NOON,
    ),
    "time as a day": (FRAME.with_columns(called_at=pl.lit(date(2026, 11, 1))), "called_at", "all " + NO_INSTANT),
    "time unknown": (sql("called_at", "null", "timestamptz '2026-11-01 12:00:00'"), "called_at", None),
    **{
        f"time {at} {kind}": (
            sql("called_at", f"{kind} '{at}'", f"{kind} '2026-11-01 12:00:00'"), "called_at", NO_INSTANT,
        )
        for kind in ("timestamp", "timestamptz")
        for at in ("10000-01-01 00:00:00", "0001-01-01 00:00:00", "1970-01-01 00:00:00", "infinity", "-infinity")
    },
    "time before the year 1": (
        sql("called_at", "timestamp '0001-01-01' - interval 10 year", "timestamp '2026-11-01'"), "called_at",
        NO_INSTANT,
    ),
    "time below zero": (sql("called_at", "-1", "1793534400"), "called_at", NO_INSTANT),
    "model in bytes": (sql("model", "encode('gpt-é')", "encode('m')"), "model", "gpt-é"),
    "feature NULL": (sql("model", "null", "'m'"), "model", None),
    "an id of digits": (
        ("select * replace (row_number() over () + 9007199254740992 as call_id) from calls",), "input_tokens", 102,
    ),
    "a dictionary": (FRAME.with_columns(pl.col("model").cast(pl.Categorical)), "model", "gpt-5-mini"),
    "columns with dots, quotes and letters": (
        FRAME.with_columns(pl.lit(1).alias(name) for name in ("a.b", 'q"q', "x'y", "ünï", "n\nl", "")),
        "input_tokens", 102,
    ),
    "no column for the cost": (FRAME.drop("recorded_cost_usd"), "recorded_cost_pico", None),
    "version 2 pages": (("from calls", ", parquet_version v2"), "input_tokens", 102),
}  # fmt: skip


@pytest.mark.parametrize("write, column, expected", VALUES.values(), ids=VALUES)
def test_a_value_is_read_exactly_or_its_row_is_quarantined(tmp_path, write, column, expected):
    told = read(tmp_path, write)
    assert told.refused == {}
    if expected in (NO_COUNT, NO_AMOUNT, NO_INSTANT):
        assert told.of("m.parquet") == ([1, 2, 4, 5], {3: expected})
    elif str(expected).startswith("all "):
        assert told.of("m.parquet") == ([], dict.fromkeys(ALL, expected.removeprefix("all ")))
    else:
        assert told.of("m.parquet") == (ALL, {})
        assert told.calls["m.parquet"][3][column] == expected


def test_bytes_that_are_no_text_are_spelled_alike(tmp_path):
    """They are no UTF-8, so they are told by their codes; the row is a call all the same."""
    told = read(tmp_path, sql("model", "'\\xFF\\x00a'::blob", "'m'::blob"))
    assert told.column("m.parquet", "model") == ["m", "m", "\\xFF\\x00a", "m", "m"]


def test_nested_columns_are_objects(tmp_path):
    """As the same records would be in JSONL."""
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    record = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1793534400, "model": "m", "usage": usage}
    told = read(tmp_path, pl.DataFrame([record, record | {"id": "chatcmpl-2", "usage": None}]))
    assert told.column("m.parquet", "input_tokens") == [100, None]


def plain_bytes(folder: Path, **options: Any) -> bytes:
    path = parquet(folder / "plain.parquet", FRAME, compression="uncompressed", **options)
    return path.read_bytes()


def with_footer_length(raw: bytes, length: int) -> bytes:
    return raw[:-8] + length.to_bytes(4, "little", signed=length < 0) + raw[-4:]


def footer_length(raw: bytes) -> int:
    return int.from_bytes(raw[-8:-4], "little")


CUT = "cut short or damaged; it is read when it is whole"
NO_PARSE = "does not parse as what it looks like"
NO_TEXT = "binary or UTF-16 bytes; if it is text, save it as UTF-8"
# name: (what is done to a good file's bytes, why it is refused)
DAMAGE: dict[str, tuple[Any, str]] = {
    "PAR1": (lambda raw: b"PAR1", NO_PARSE),
    "PAR1PAR1": (lambda raw: b"PAR1PAR1", NO_PARSE),
    "half of it": (lambda raw: raw[: len(raw) // 2], CUT),
    "the last byte is missing": (lambda raw: raw[:-1], CUT),
    "bytes behind it": (lambda raw: raw + b"x", CUT),
    "a huge footer": (lambda raw: with_footer_length(raw, 2**31 - 1), NO_PARSE),
    "a footer below zero": (lambda raw: with_footer_length(raw, -1), NO_PARSE),
    "no footer": (lambda raw: with_footer_length(raw, 0), NO_PARSE),
    "a footer too short": (lambda raw: with_footer_length(raw, footer_length(raw) - 1), NO_PARSE),
    "a footer too long": (lambda raw: with_footer_length(raw, footer_length(raw) + 1), NO_PARSE),
    "a footer of zeros": (lambda raw: raw[: -8 - footer_length(raw)] + bytes(footer_length(raw)) + raw[-8:], NO_PARSE),
    "no magic at its head": (lambda raw: b"XXXX" + raw[4:], NO_TEXT),
    "data of zeros": (lambda raw: raw[:4] + bytes(200) + raw[204:], NO_PARSE),
    "a text that is not UTF-8": (lambda raw: raw.replace(b"gpt-5-mini", b"gp\xff-5-mini", 1), NO_PARSE),
    "two files in one": (lambda raw: raw + raw, "several Parquet files in one; write them as files of their own"),
    "packed, and half of it": (lambda raw: gzip.compress(raw)[:-20], CUT),
    "packed, and half of it in it": (lambda raw: gzip.compress(raw[:-20]), CUT),
}  # fmt: skip


@pytest.mark.parametrize("damage, why", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused_and_harms_no_other(tmp_path, damage, why):
    told = read(tmp_path, damage(plain_bytes(tmp_path, statistics=False)))
    assert told.refused == {"m.parquet": why}
    assert told.of("m.parquet") == ([], {})


@pytest.mark.parametrize("sizes", [(1, 400), (400, 1), (30, 30)])
def test_files_of_any_size_in_one_are_told(tmp_path, sizes):
    """DuckDB reads the last alone, or another file's bytes for its own."""
    parts = [FRAME.head(1).select(pl.all().repeat_by(size).explode()) for size in sizes]
    raw = b"".join(parquet(tmp_path / "part", part).read_bytes() for part in parts)
    assert read(tmp_path, raw).refused["m.parquet"].startswith("several Parquet files in one")


def test_a_text_that_looks_like_a_seam_is_none(tmp_path):
    told = read(tmp_path, FRAME.with_columns(feature=pl.lit("PAR1PAR1 " * 9 + "\x15\0\0\0PAR1PAR1")))
    assert told.of("m.parquet") == (ALL, {})


def test_a_flipped_letter_in_a_plain_text_is_a_letter(tmp_path):
    """No reader checks the sums of pages, and the text is as good as any: what nobody can see, nobody is told."""
    told = read(tmp_path, plain_bytes(tmp_path, statistics=False).replace(b"gpt-5-mini", b"gpX-5-mini", 1))
    assert set(told.column("m.parquet", "model")) == {"gpX-5-mini"}


def test_an_encrypted_file_is_told(tmp_path):
    key = "pragma add_parquet_key('k', '0123456789112345'); set force_mbedtls_unsafe = 'true'"
    told = read(tmp_path, ("from calls", ", encryption_config {footer_key: 'k'}", key))
    assert told.refused["m.parquet"] in (NO_TEXT, "an encrypted Parquet file; decrypt it first")


@pytest.mark.parametrize("names", [["MODEL"], ["Input_Tokens"]])
def test_columns_that_duckdb_would_rename_are_told(tmp_path, names):
    told = read(tmp_path, FRAME.select(*(pl.lit("x").alias(name) for name in names), pl.all()))
    name = names[0].lower()
    assert told.refused == {"m.parquet": f"it has columns whose names differ in case at most ({name}); rename them"}


def test_nested_columns_that_duckdb_would_rename_are_told(tmp_path):
    told = read(tmp_path, FRAME.with_columns(usage=pl.struct(a=pl.struct(b=pl.lit(1), B=pl.lit(2)))))
    assert "(B)" in told.refused["m.parquet"]


@pytest.mark.parametrize("compression", ["uncompressed", "snappy", "gzip", "lz4", "zstd", "brotli"])
def test_every_compression_is_read(tmp_path, compression):
    parquet(tmp_path / "packed", FRAME, compression=compression)
    assert read(tmp_path, (tmp_path / "packed").read_bytes()).column("m.parquet", "input_tokens") == list(
        range(100, 105)
    )


@pytest.mark.parametrize(
    "content, name",
    [("jsonl", "m.parquet"), ("parquet", "m.jsonl"), ("parquet", "m"), ("packed", "m.parquet")],
)
def test_the_content_tells_what_a_file_is(tmp_path, content, name):
    raw = jsonl(FRAME.to_dicts()) if content == "jsonl" else plain_bytes(tmp_path)
    told = read(tmp_path, gzip.compress(raw) if content == "packed" else raw, name)
    assert told.column(name, "input_tokens") == [100, 101, 102, 103, 104]


def test_no_rows_are_no_calls(tmp_path):
    told = read(tmp_path, FRAME.clear())
    assert (told.of("m.parquet"), told.refused) == (([], {}), {})
    assert [path.name for path in told.report.unchanged] == ["m.parquet"]


def test_rows_of_nothing_are_quarantined(tmp_path):
    told = read(
        tmp_path, pl.concat([FRAME, pl.DataFrame({name: [None] for name in FRAME.columns}, schema=FRAME.schema)])
    )
    assert told.of("m.parquet") == (ALL, {6: "no usage and no model"})


def test_a_row_longer_than_a_line_is_quarantined(tmp_path):
    told = read(tmp_path, FRAME.with_columns(prompt=pl.Series([None, None, "x" * 9_000_000, None, "x"])))
    assert told.of("m.parquet") == ([1, 2, 4, 5], {3: "longer than 8 MiB ([bounds] line_bytes)"})


def test_rows_longer_than_a_line_alone_are_told(tmp_path):
    told = read(tmp_path, FRAME.with_columns(prompt=pl.Series(["x" * 10_000_000]).new_from_index(0, 5)))
    why = "none of its first records can be read; the first: longer than 8 MiB ([bounds] line_bytes)"
    assert told.refused["m.parquet"] == why


def test_many_row_groups_are_read(tmp_path):
    count = int(os.environ.get("TRIALS", 2_000))  # 20,000 of them take ten seconds
    rows = pl.DataFrame([call(0)]).select(pl.all().repeat_by(count).explode())
    rows = rows.with_columns(call_id=pl.int_range(count).cast(pl.String))
    parquet(tmp_path / "groups", rows, row_group_size=1)
    told = read(tmp_path, (tmp_path / "groups").read_bytes())
    assert len(told.calls["m.parquet"]) == count


@pytest.mark.parametrize("name", ["m.jsonl", "m.parquet", "m.json"])
def test_a_folder_called_like_a_partition_says_nothing_of_the_calls(tmp_path, name):
    """DuckDB would take `model=other` for the model of each line below that folder."""
    folder = tmp_path / "logs" / "model=other" / "input_tokens=7" / "call_id=x" / "content=y"
    folder.mkdir(parents=True)
    rows = FRAME.to_dicts()
    if name == "m.parquet":
        parquet(folder / name, rows)
    else:
        (folder / name).write_bytes(
            jsonl(rows) if name == "m.jsonl" else b"[" + jsonl(rows).replace(b"\n", b",\n")[:-2] + b"]"
        )
    with (folder / "exact.jsonl").open("wb") as log:
        log.write(jsonl([call(7, call_id="exact"), {"call_id": 1, "usage": []}]) + b"bad\n")
    told = ingested(tmp_path / "logs", data=folder / "data")
    assert told.column(name, "input_tokens") == [100, 101, 102, 103, 104]
    assert set(told.column(name, "model")) == {"gpt-5-mini"}
    assert told.of("exact.jsonl")[1] == {3: "not JSON"}
    assert set(ledger_rows(folder / "data")["model"].drop_nulls()) == {"gpt-5-mini"}


def test_a_named_file_that_is_damaged_is_told_by_inspect(tmp_path):
    (tmp_path / "m.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match="cut short or damaged"):
        inspecting.inspect(Settings.load(data=tmp_path / "data", logs=[str(tmp_path / "m.parquet")]))


def test_outcomes_in_parquet_have_the_same_rules(tmp_path):
    frame = pl.DataFrame({"call_id": ["c0", "c1", None], "outcome": ["done"] * 3, "value_usd": [1.5, math.nan, 1.0]})
    (tmp_path / "logs").mkdir()
    parquet(tmp_path / "o.parquet", frame)
    told = ingested(tmp_path / "logs", outcomes=[tmp_path / "o.parquet"])
    assert told.quarantined["o.parquet"] == {
        2: "value_usd is not an amount in USD",
        3: "no action_id, response_id or call_id",
    }


def test_a_named_damaged_outcomes_file_is_told(tmp_path):
    (tmp_path / "o.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "log.jsonl").write_bytes(jsonl([call(1)]))
    settings = Settings.load(
        data=tmp_path / "data", logs=[str(tmp_path / "log.jsonl")], outcomes=[tmp_path / "o.parquet"]
    )
    summary = stages.ingest(settings)
    assert [path.name for path, _ in summary.report.unreadable] == ["o.parquet"]
    assert summary.call_count == 1

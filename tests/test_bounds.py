"""What is beyond a bound is quarantined, refused or not published, with a reason that names the bound; the same on both
paths of the reader, and in bounded memory.

WORST_MB=n makes each of the worst logs n megabytes large (100: minutes, and two gigabytes of disk).
"""

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard

from benchmarks.bench_worst_mix import measured, problems
from benchmarks.worst_logs import LOGS
from pipelines import inspecting, pieces, stages
from pipelines.bounds import Bounds, TooMuch, sized
from pipelines.errors import UserError
from pipelines.log_files import open_bytes
from pipelines.reader import Reader
from pipelines.settings import Settings
from pipelines.zstd import ZstdStream
from tests.pipelines.logs import balance, chat, ingest, jsonl, ledger_rows, quarantine_rows, without_id

UNCLEAN = b"{bad\n"  # sends a log down the exact path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def reasons(data: Path) -> list[tuple[int, str]]:
    rows = quarantine_rows(data)
    return sorted(rows.select("line_number", "reason").rows()) if rows.height else []


def refused(data: Path, log: Path, **bounds: int) -> str:
    """Why `log` was refused; nothing of it is in the ledger."""
    summary = ingest(data, log, bounds=Bounds(**bounds))
    assert (summary.call_count, balance(data)) == (0, [])
    ((path, why),) = summary.report.unreadable
    assert path == log
    return why


# --- the settings -----------------------------------------------------------------------------------------------------


def test_bounds_are_set_as_numbers_or_sizes(tmp_path: Path) -> None:
    config = tmp_path / "tokenspread.toml"
    config.write_text('[bounds]\nline_bytes = "16 MiB"\nnesting = 64\nname_bytes = 2000\n')
    assert Settings.load(config).bounds == Bounds(line_bytes=16 << 20, nesting=64, name_bytes=2000)
    assert Settings.load().bounds == Bounds()


@pytest.mark.parametrize(
    "line",
    [
        "lines = 3", "nesting = 0", "nesting = 121", "nesting = true", 'nesting = "1 KiB"', "nesting = 2.0",
        "line_bytes = 10", 'line_bytes = "8 megabytes"', "line_bytes = [1]", "features = -1", "unpacked_ratio = '5'",
    ],
)  # fmt: skip
def test_a_wrong_bound_is_the_users_mistake(line: str, tmp_path: Path) -> None:
    config = tmp_path / "tokenspread.toml"
    config.write_text(f"[bounds]\n{line}\n")
    with pytest.raises(UserError, match=rf"tokenspread.toml: \[bounds\] (has no setting )?'?{line.split(' ')[0]}"):
        Settings.load(config)


def test_a_table_of_bounds_is_a_table(tmp_path: Path) -> None:
    config = tmp_path / "tokenspread.toml"
    config.write_text("bounds = 3\n")
    with pytest.raises(UserError, match=r"\[bounds\] cannot be 3; it is a table of settings"):
        Settings.load(config)


def test_sizes_are_told_without_rounding() -> None:
    assert [sized(n) for n in (8 << 20, 1 << 30, 1 << 10, 1500, 1025, 0)] == [
        "8 MiB", "1 GiB", "1 KiB", "1500 bytes", "1025 bytes", "0 bytes",
    ]  # fmt: skip


def test_other_bounds_of_lines_make_other_rows_of_a_log() -> None:
    digests = {
        Settings(bounds=bounds).reading_digest("calls", "openai_chat")
        for bounds in (Bounds(), Bounds(features=7), Bounds(nesting=99), Bounds(line_bytes=9 << 20))
    }
    assert len(digests) == 3


# --- lines and values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [b"", UNCLEAN])
def test_a_longer_line_is_quarantined_where_the_bound_says(before: bytes, tmp_path: Path, data: Path) -> None:
    long = [chat(n) | {"choices": "x" * size} for n, size in ((2, 500_000), (3, 300_000))]
    log = written(tmp_path / "log.jsonl", jsonl([chat(1)]) + before + jsonl([*long, chat(4)]))
    assert ingest(data, log, bounds=Bounds(line_bytes=400_000)).call_count == 3
    line = 3 if before else 2
    assert (line, "longer than 400000 bytes ([bounds] line_bytes)") in reasons(data)
    assert ingest(tmp_path / "other", log, bounds=Bounds(line_bytes=600_000)).call_count == 4


def nested(levels: int, inner: str = "1") -> str:
    return '{"a":[' * (levels // 2) + inner + "]}" * (levels // 2)


def mapped(record: dict[str, Any] | str) -> bytes:
    return (record if isinstance(record, str) else json.dumps(record)).encode() + b"\n"


MAPPING = {
    "own": {
        "match": {"kind": "llm"},
        "fields": {"model": "m", "input_tokens": "n.in", "output_tokens": "n.out", "feature": "f", "user_id": "u>id"},
    }
}


def own(number: int, **fields: str) -> bytes:
    """A line of MAPPING; `fields` as JSON texts."""
    told = {"kind": '"llm"', "m": '"gpt-5-mini"', "n": f'{{"in":{number},"out":2}}'} | fields
    return ("{" + ",".join(f'"{name}":{text}' for name, text in told.items()) + "}\n").encode()


DEEP = {
    "read": {"f": nested(102)},
    "within what is read": {"f": f'{{"x":1,"y":{nested(120)}}}'},
    "far deeper": {"f": nested(100_000)},
    "a text that looks so": {"f": json.dumps("[" * 5000)},
    "after space, in a text": {"f": json.dumps("  " + nested(102))},
}


def test_a_line_of_just_so_many_bytes_is_a_call_however_the_log_is_kept(tmp_path: Path) -> None:
    """Its line feed is not of it, also where it was not there yet."""
    bounds = Bounds(line_bytes=300_000)
    for size in (300_000, 300_001):
        first, last = (json.dumps(chat(number)) for number in (1, 2))
        whole = f"{first}\n{last[:-1] + ' ' * (size - len(last)) + last[-1]}\n".encode()
        parts = {"plain": [whole], "packed": [gzip.compress(whole)], "grown": [whole[: len(first) + 1], whole]}
        for name, contents in (parts | {"open": [whole[:-1], whole]}).items():
            store = tmp_path / f"{name}-{size}"
            for content in contents:
                ingest(store, written(tmp_path / f"{name}-{size}.log", content), bounds=bounds)
            assert ledger_rows(store).height == (2 if size == bounds.line_bytes else 1), name


@pytest.mark.parametrize("before", [b"", UNCLEAN], ids=["fast", "exact"])
@pytest.mark.parametrize("fields", DEEP.values(), ids=DEEP.keys())
def test_what_is_nested_too_deep_to_be_read_is_quarantined(
    fields: dict[str, str], before: bytes, tmp_path: Path, data: Path
) -> None:
    log = written(tmp_path / "log.jsonl", own(1) + own(2, **fields) + own(3) + before)
    assert ingest(data, log, log_mappings=MAPPING).call_count == 2
    assert reasons(data)[0] == (2, "f is not read: nested deeper than 100 ([bounds] nesting)")
    assert ingest(tmp_path / "shallow", log, log_mappings=MAPPING, bounds=Bounds(nesting=20)).call_count == 2


NOT_DEEP = {
    "at the bound": {"f": nested(100)},
    "wide": {"f": json.dumps([[{}]] * 5000)},
    "brackets in texts": {"f": json.dumps(["[[[[{{{{" * 50, '"' + "{" * 500])},
    "elsewhere": {"x": nested(100_000)},
    "beside what is stepped into": {"u": json.dumps(f'{{"id":"jo","y":{nested(20_000)}}}')},
    "around a step, as an object": {"u": f'{{"y":{nested(20_000)},"id":"jo"}}'},
}


@pytest.mark.parametrize("before", [b"", UNCLEAN], ids=["fast", "exact"])
@pytest.mark.parametrize("fields", NOT_DEEP.values(), ids=NOT_DEEP.keys())
def test_what_is_not_read_may_be_as_deep_as_it_likes(
    fields: dict[str, str], before: bytes, tmp_path: Path, data: Path
) -> None:
    log = written(tmp_path / "log.jsonl", own(1) + own(2, **fields) + own(3) + before)
    wide = Bounds(name_bytes=1 << 20)
    assert ingest(data, log, log_mappings=MAPPING, bounds=wide).call_count == 3
    if "u" in fields:
        assert ledger_rows(data).filter(user_id="jo").height == 1


@pytest.mark.parametrize("levels", [5_000_000, 100_000])
def test_millions_of_open_brackets_are_a_line_like_any_other(levels: int, tmp_path: Path, data: Path) -> None:
    deep = b'{"id":"x","object":"chat.completion","z":' + b"[" * levels
    closed = b"" if levels > 1_000_000 else b"]" * levels + b"}"
    log = written(tmp_path / "log.jsonl", jsonl([chat(1)]) + deep + closed + b"\n" + jsonl([chat(2)]))
    ingest(data, log)
    (lines,) = balance(data)
    assert (lines["line_count"], lines["call_line_count"]) == (3, 3 if closed else 2)
    assert reasons(data) == ([] if closed else [(2, "nested too deep")])


NAMES = {"model": "m", "feature": "f"}


@pytest.mark.parametrize("before", [b"", UNCLEAN], ids=["fast", "exact"])
@pytest.mark.parametrize(("name", "field"), NAMES.items())
def test_a_name_of_a_megabyte_is_none(name: str, field: str, before: bytes, tmp_path: Path, data: Path) -> None:
    long, fits = json.dumps("x" * (1 << 20)), json.dumps("ä" * 512)
    log = written(tmp_path / "log.jsonl", own(1) + own(2, **{field: long}) + own(3, **{field: fits}) + before)
    assert ingest(data, log, log_mappings=MAPPING).call_count == 2
    assert reasons(data)[0] == (2, f"{name} is not a name: longer than 1 KiB ([bounds] name_bytes)")


def test_names_in_a_known_shape_and_in_outcomes_are_bounded_too(tmp_path: Path, data: Path) -> None:
    log = written(tmp_path / "log.jsonl", jsonl([chat(1), chat(2) | {"model": "x" * 2000}, chat(3)]))
    told = [{"action_id": "a" * size, "outcome": "resolved", "is_success": True} for size in (3, 2000)]
    outcomes = written(tmp_path / "outcomes.jsonl", jsonl(told))
    ingest(data, log, outcomes=[outcomes])
    assert [reason for _, reason in reasons(data)] == [
        "model is not a name: longer than 1 KiB ([bounds] name_bytes)",
        "subject_id is not a name: longer than 1 KiB ([bounds] name_bytes)",
    ]
    assert [(row["call_line_count"], row["quarantined_line_count"]) for row in balance(data)] == [(2, 1), (1, 1)]


# --- files ------------------------------------------------------------------------------------------------------------


def zst(content: bytes, **parameters: int) -> bytes:
    return zstandard.ZstdCompressor(**parameters).compress(content)


def test_a_packed_file_is_refused_at_the_first_byte_too_many(tmp_path: Path, data: Path) -> None:
    content = jsonl(chat(n) for n in range(200))
    for name, packed in (("log.gz", gzip.compress(content)), ("log.zst", zst(content))):
        log = written(tmp_path / name, packed)
        bound = Bounds(unpacked_bytes=len(content) - 1)
        why = f"unpacks to more than {sized(len(content) - 1)} ([bounds] unpacked_bytes); raise it in tokenspread.toml"
        assert refused(data, log, unpacked_bytes=bound.unpacked_bytes).startswith(why)
        with open_bytes(log, bound) as stream, pytest.raises(TooMuch):
            while stream.read(1000):
                pass
        assert ingest(tmp_path / name.replace(".", "-"), log, bounds=Bounds(unpacked_bytes=len(content))).call_count


def test_a_bomb_is_refused_by_its_ratio_and_its_neighbours_are_read(tmp_path: Path, data: Path) -> None:
    written(tmp_path / "bomb.jsonl", zst(b" " * (70 << 20)))
    written(tmp_path / "log.jsonl", jsonl([chat(1)]))
    summary = ingest(data, tmp_path)
    assert summary.call_count == 1
    ((path, why),) = summary.report.unreadable
    assert path.name == "bomb.jsonl"
    assert why.startswith("unpacks to so many times its size: 1,000 ([bounds] unpacked_ratio)")
    with pytest.raises(UserError, match="unpacked_ratio"):
        inspecting.inspect(Settings(logs=(str(path),)))


def test_what_is_small_may_be_as_repetitive_as_it_likes(tmp_path: Path, data: Path) -> None:
    log = written(tmp_path / "log.zst", zst(jsonl([without_id(1)]) * 300_000))
    assert log.stat().st_size * 1000 < 300_000 * len(jsonl([without_id(1)])) < 64 << 20
    assert ingest(data, log).call_count == 300_000


def test_zstd_unpacks_a_little_at_a_time(tmp_path: Path) -> None:
    log = written(tmp_path / "bomb.zst", zst(b" " * (300 << 20)))
    with closing(ZstdStream(log.open("rb"))) as stream:
        longest = 0
        while stream.read(1 << 16):
            longest = max(longest, len(stream.ahead))
    assert longest <= 65 << 20


def test_a_zstd_window_of_gigabytes_is_refused_with_the_way_out(tmp_path: Path, data: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    log = written(tmp_path / "log.zst", packer.compress(jsonl([chat(1)])) + packer.flush())
    assert refused(data, log) == "its zstd window is larger than 128 MiB; pack it again without --long"


def csv_of(columns: int) -> bytes:
    head = ["called_at", "model", "input_tokens", "output_tokens", *(f"c{n}" for n in range(columns - 4))]
    row = ["2026-11-01T10:00:00Z", "gpt-5-mini", "5", "1", *("" for _ in range(columns - 4))]
    return (",".join(head) + "\n" + ",".join(row) + "\n").encode()


def test_columns_are_bounded(tmp_path: Path, data: Path) -> None:
    log = written(tmp_path / "log.csv", csv_of(30))
    assert refused(data, log, columns=29).startswith("has more columns than 29 ([bounds] columns)")
    assert ingest(data, log, bounds=Bounds(columns=30)).call_count == 1
    parquet = tmp_path / "log.parquet"
    pl.read_csv(log).with_columns(pl.struct("model", "c1").alias("c0")).write_parquet(parquet)
    other = tmp_path / "other"
    assert refused(other, parquet, columns=30).startswith("has more columns than 30 ([bounds] columns)")
    assert ingest(other, parquet, bounds=Bounds(columns=31)).call_count == 1


def test_a_quote_that_never_ends_costs_no_row_that_is_one(tmp_path: Path, data: Path) -> None:
    """What is taken for a row ends where the bound says; then the line below its first one is read for itself."""
    head, row = csv_of(4).splitlines(keepends=True)
    for number, start in enumerate((b'"', b'"x\n","x\n","x\n","', b"y," * 200_000)):
        content = head + row + start + b'x\n","' * 70_000 + b"\n" + row * 9 + b'"' + row * 30_000
        log, store = written(tmp_path / f"{number}.csv", content), data / str(number)
        summary = ingest(store, log, bounds=Bounds(line_bytes=300_000))
        assert (summary.report.unreadable, summary.report.waiting) == ([], [])
        (lines,) = balance(store)
        assert (lines["line_count"], lines["call_line_count"]) == (content.count(b"\n") - 1, 30_009)
        told = {"quotes do not match", "1 cells, the header has 4"} | (
            {"longer than 300000 bytes ([bounds] line_bytes)"} if number == 2 else set()
        )
        assert {reason for _, reason in reasons(store)} == told


def test_a_csv_that_is_read_exactly_is_read_in_pieces(tmp_path: Path, data: Path, monkeypatch) -> None:
    """It is staged as lines, which are one file of any size; its rows are held in memory piece by piece."""
    monkeypatch.setattr(pieces, "PIECE_LINES", 1000)
    line_counts, read = [], Reader.read_exactly
    monkeypatch.setattr(
        Reader,
        "read_exactly",
        lambda self, some, fields: line_counts.append(some[0].line_count) or read(self, some, fields),
    )
    head, row = csv_of(4).splitlines(keepends=True)
    log = written(tmp_path / "log.csv", head + row * 2500 + b"too,short\n" + row * 2500)
    ingest(data, log)
    assert balance(data)[0]["call_line_count"] == 5000
    assert max(line_counts) < 3000  # to the end of the chunk in which it has that many


def test_rows_may_not_become_more_than_the_file_may_unpack_to(tmp_path: Path, data: Path) -> None:
    head = ["called_at", "model", "input_tokens", "output_tokens", *("c" * 90 + str(n) for n in range(900))]
    row = b"2026-11-01T10:00:00Z,gpt-5-mini,5,1," + b"," * 899 + b"\n"
    log = written(tmp_path / "log.csv", ",".join(head).encode() + b"\n" + row * 120)
    assert refused(data, log, unpacked_bytes=8 << 20).startswith("unpacks to more than 8 MiB ([bounds]")


def test_files_are_bounded(tmp_path: Path, data: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(4):
        written(logs / f"{number}.jsonl", jsonl([chat(number)]))
    with pytest.raises(UserError, match=r"logs: more log files than 3 \(\[bounds\] files\); name fewer"):
        ingest(data, logs, bounds=Bounds(files=3))
    assert ingest(data, logs, bounds=Bounds(files=4)).call_count == 4


# --- the build --------------------------------------------------------------------------------------------------------


def told_of(**names: int) -> Iterator[dict[str, Any]]:
    """Calls of our own schema, with as many names of each column as asked for."""
    for number in range(max(names.values())):
        yield without_id(number) | {column: f"{column}-{number % count}" for column, count in names.items()}


def test_too_many_names_are_not_published(tmp_path: Path, data: Path) -> None:
    """A user's field may hold ids, and then each call would be a row of every table."""
    log = written(tmp_path / "log.jsonl", jsonl(told_of(feature=300, user_id=40, customer_id=20, model=9)))
    ingest(data, log)
    for bounds, told in (
        (
            {"features": 299},
            r"300 features in the ledger, more than 299 \(\[bounds\] features\): a field that holds ids",
        ),
        ({"users": 39}, r"40 users in the ledger, more than 39 \(\[bounds\] users\)"),
        ({"customers": 19}, r"20 customers in the ledger, more than 19"),
        ({"price_refs": 8}, r"9 combinations of provider, model, service tier and region in the ledger, more than 8"),
    ):
        with pytest.raises(UserError, match=told):
            stages.build(Settings(data=data, bounds=Bounds(**bounds)))
        assert not (data / "warehouse.duckdb").exists()
    within = Bounds(features=300, users=40, customers=20, price_refs=9)
    assert stages.build(Settings(data=data, bounds=within)).is_new


def test_names_of_outcomes_are_bounded(tmp_path: Path, data: Path) -> None:
    told = ({"action_id": f"a{n}", "outcome": f"o{n}", "is_success": True} for n in range(50))
    log, outcomes = written(tmp_path / "l.jsonl", jsonl([chat(1)])), written(tmp_path / "o.jsonl", jsonl(told))
    ingest(data, log, outcomes=[outcomes])
    with pytest.raises(UserError, match=r"50 outcomes in the ledger, more than 49 \(\[bounds\] outcomes\)"):
        stages.build(Settings(data=data, bounds=Bounds(outcomes=49)))


# --- memory -----------------------------------------------------------------------------------------------------------

WORST_MB = float(os.environ.get("WORST_MB", "0"))
# Enough for each to be beyond what is held at once.
MEGABYTES = {"long_line.jsonl": 20, "spaces.jsonl.gz": 20, "spaces.jsonl.zst": 80, "cell.csv": 12, "quote.csv": 12,
             "commas.csv": 12, "document_text.json": 20, "document_record.json": 10, "text.parquet": 20,
             "deep.jsonl": 8, "again.parquet": 100, "heavy.jsonl": 17, "bad.jsonl": 0.5, "blank.jsonl": 1}  # fmt: skip


def test_the_worst_logs_in_bounded_memory_and_every_line_accounted_for(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    expected = {
        name: write(tmp_path / "logs" / name, int(1e6 * (WORST_MB or MEGABYTES.get(name, 2))))
        for name, write in LOGS.items()
        if name not in ("features.jsonl", "users.jsonl")
    }
    told = measured(tmp_path)
    assert problems(tmp_path, expected, told) == []
    assert max(told[stage]["peak"] for stage in ("ingest", "build")) < 950e6

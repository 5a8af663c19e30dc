"""What is taken of log files, once only: copies, growth, halves, rewrites, and one call told in many places."""

import gzip
import json
import random
import shutil

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from tests.pipelines.logs import (
    are_told_apart,
    balance,
    chat,
    figures,
    ingest,
    jsonl,
    ledger_rows,
    quarantine_rows,
    snapshot,
    without_id,
)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def test_running_twice_is_running_once(tmp_path, data):
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(chat(n) for n in range(5)))
    assert ingest(data, log).call_count == 5
    before = figures(data)
    again = ingest(data, log)
    assert (again.call_count, again.is_new) == (0, False)
    assert figures(data) == before


@pytest.mark.parametrize("make", [chat, without_id], ids=["with ids", "without ids"])
def test_a_copy_brings_nothing(tmp_path, data, make):
    content = jsonl(make(n) for n in range(5))
    log = tmp_path / "log.jsonl"
    log.write_bytes(content)
    ingest(data, log)
    (tmp_path / "other name.log").write_bytes(content)
    (tmp_path / "no.ending").write_bytes(gzip.compress(content))
    (tmp_path / "log.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(content))
    assert ingest(data, tmp_path / "other name.log", tmp_path / "no.ending", tmp_path / "log.jsonl.zst").call_count == 0
    assert len(figures(data)) == 5


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_compressed_logs_read_like_plain_ones(tmp_path, pack):
    content = jsonl(chat(n) for n in range(5))
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(pack(content))
    ingest(tmp_path / "a", tmp_path / "plain")
    ingest(tmp_path / "b", tmp_path / "packed")
    assert figures(tmp_path / "a") == figures(tmp_path / "b")


def test_a_log_that_grew_brings_what_it_grew_by(tmp_path, data):
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(without_id(7) for _ in range(3)))
    ingest(data, log)
    log.write_bytes(jsonl(without_id(7) for _ in range(5)))
    assert ingest(data, log).call_count == 2
    assert sorted(ledger_rows(data)["line_number"]) == [1, 2, 3, 4, 5]


def test_a_half_last_line_waits_for_its_other_half(tmp_path, data):
    log, lines = tmp_path / "log.jsonl", jsonl(chat(n) for n in range(3))
    log.write_bytes(lines[:-40])
    summary = ingest(data, log)
    assert (summary.call_count, len(summary.report.waiting)) == (2, 1)
    log.write_bytes(lines)
    assert ingest(data, log).call_count == 1
    assert len(figures(data)) == 3


def test_a_whole_last_line_without_line_feed_is_taken_once(tmp_path, data):
    log, lines = tmp_path / "log.jsonl", jsonl(without_id(n) for n in range(3))
    log.write_bytes(lines.removesuffix(b"\n"))
    assert ingest(data, log).call_count == 3
    log.write_bytes(lines + jsonl([without_id(9)]))
    assert ingest(data, log).call_count == 1
    assert sorted(ledger_rows(data)["line_number"]) == [1, 2, 3, 4]


def test_a_rotated_log_is_known_and_its_successor_is_new(tmp_path, data):
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(without_id(n) for n in range(3)))
    ingest(data, log)
    grown = jsonl(without_id(n) for n in range(4))  # it grew before it was rotated
    (tmp_path / "log.1.gz").write_bytes(gzip.compress(grown))
    log.write_bytes(jsonl([without_id(100)]))
    assert ingest(data, tmp_path / "log.1.gz", log).call_count == 2
    assert len(figures(data)) == 5


def test_a_copy_that_went_on_differently_brings_only_what_is_new(tmp_path, data):
    log, fork = tmp_path / "log.jsonl", tmp_path / "fork.jsonl"
    log.write_bytes(jsonl(without_id(n) for n in range(3)))
    ingest(data, log)
    shutil.copy(log, fork)
    with fork.open("ab") as file:
        file.write(jsonl([without_id(50)]))
    assert ingest(data, fork).call_count == 1
    with log.open("ab") as file:
        file.write(jsonl([without_id(60)]))
    assert ingest(data, log, fork).call_count == 1
    assert len(figures(data)) == 5


def test_identical_rows_without_an_id_are_different_calls(tmp_path, data):
    (tmp_path / "a").write_bytes(jsonl([without_id(1), without_id(1), without_id(2)]))
    (tmp_path / "b").write_bytes(jsonl([without_id(1), without_id(3)]))
    assert ingest(data, tmp_path / "a", tmp_path / "b").call_count == 5


def test_the_telling_with_the_most_usage_wins_within_a_file_across_files_and_across_runs(tmp_path, data):
    tellings = [snapshot(1, 2), snapshot(1, 40), snapshot(1, 40, session="s-0"), snapshot(1, 7)]
    (tmp_path / "a").write_bytes(jsonl(tellings[:1]))
    (tmp_path / "b").write_bytes(jsonl(tellings[1:]))
    ingest(data, tmp_path / "a")
    ingest(data, tmp_path / "b")
    (row,) = ledger_rows(data).to_dicts()
    assert (row["output_tokens"], row["action_id"]) == (40, "s-0")
    assert sum(content["call_line_count"] for content in balance(data)) == 4
    ingest(tmp_path / "other", tmp_path / "b")
    ingest(tmp_path / "other", tmp_path / "a")
    assert figures(tmp_path / "other") == figures(data)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_split_shuffled_and_gzipped_logs_give_the_same_calls(tmp_path_factory, draw):
    folder = tmp_path_factory.mktemp("split")
    numbers = draw.draw(st.lists(st.integers(0, 3), min_size=1, max_size=12))
    kinds = st.sampled_from([chat, without_id, lambda n: snapshot(n, n), lambda n: snapshot(0, n)])
    records = [draw.draw(kinds)(number) for number in numbers]
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    by_shape = {}
    for line, record in zip(lines, records, strict=True):
        by_shape.setdefault(sorted(record)[0], []).append(line)
    for name, of_shape in by_shape.items():
        (folder / f"whole-{name}").write_bytes(b"".join(of_shape))
        random.Random(draw.draw(st.integers())).shuffle(of_shape)
        cut = draw.draw(st.integers(0, len(of_shape)))
        (folder / f"part-{name}-1").write_bytes(b"".join(of_shape[:cut]))
        (folder / f"part-{name}-2").write_bytes(gzip.compress(b"".join(of_shape[cut:])))
    ingest(folder / "data-whole", folder / "whole-*")
    for part in sorted(folder.glob("part-*")):
        ingest(folder / "data-parts", part)
    parts = [part.read_bytes() for part in sorted(folder.glob("part-*"))]
    if are_told_apart([gzip.decompress(part) if part.startswith(b"\x1f\x8b") else part for part in parts]):
        assert figures(folder / "data-parts") == figures(folder / "data-whole")
        ingest(folder / "data-at-once", folder / "part-*")
        assert figures(folder / "data-at-once") == figures(folder / "data-whole")


def test_a_damaged_file_never_stops_the_rest(tmp_path, data):
    good, cut = tmp_path / "good.jsonl", tmp_path / "cut.gz"
    good.write_bytes(jsonl(chat(n) for n in range(3)))
    cut.write_bytes(gzip.compress(jsonl(chat(n) for n in range(100, 400)))[:-200])
    summary = ingest(data, good, cut)
    assert [path.name for path, _ in summary.report.unreadable] == ["cut.gz"]
    assert len(figures(data)) == 3
    cut.write_bytes(gzip.compress(jsonl(chat(n) for n in range(100, 400))))
    assert ingest(data, cut).call_count == 300


def test_a_bad_line_is_quarantined_with_its_place_and_the_rest_is_read(tmp_path, data):
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl([chat(1)]) + b"{broken\n\n" + jsonl([chat(2) | {"usage": {"prompt_tokens": 10.7}}, chat(3)]))
    ingest(data, log)
    (content,) = balance(data)
    counts = {name: content[f"{name}_line_count"] for name in ("call", "quarantined", "blank", "other")}
    assert counts == {"call": 2, "quarantined": 2, "blank": 1, "other": 0}
    assert content["line_count"] == 5


@pytest.mark.parametrize("half", [slice(30, None), slice(0, 40)])
def test_a_log_of_which_a_rotation_cut_the_first_line_costs_only_that_line(tmp_path, data, half):
    lines = jsonl(chat(n) for n in range(6)).splitlines(keepends=True)
    (tmp_path / "log.jsonl").write_bytes(lines[0].strip()[half] + b"\n" + b"".join(lines[1:]))
    ingest(data, tmp_path / "log.jsonl")
    assert ledger_rows(data)["response_id"].sort().to_list() == [f"chatcmpl-{n}" for n in range(1, 6)]
    assert quarantine_rows(data)["line_number"].to_list() == [1]


def test_a_file_that_is_no_log_is_refused_by_name_and_passed_over_in_a_folder(tmp_path, data):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.md").write_text("# notes")
    (tmp_path / "logs" / "log.jsonl").write_bytes(jsonl([chat(1)]))
    assert [path.name for path, _ in ingest(data, tmp_path / "logs").report.skipped] == ["notes.md"]
    with pytest.raises(UserError, match="notes.md: no log shape fits; it is text that is neither JSON nor CSV"):
        ingest(data, tmp_path / "logs" / "notes.md")
    with pytest.raises(UserError, match="no such file or folder"):
        ingest(data, tmp_path / "missing.jsonl")


@pytest.mark.parametrize("layout", ["array", "pretty", "csv", "parquet"])
def test_other_layouts_read_like_lines(tmp_path, layout):

    rows = [without_id(n) for n in range(5)]
    (tmp_path / "lines").write_bytes(jsonl(rows))
    path = tmp_path / "other"
    if layout == "array":
        path.write_text(json.dumps(rows, indent=1))
    elif layout == "pretty":
        path.write_text("\n".join(json.dumps(row, indent=1) for row in rows))
    elif layout == "csv":
        pl.DataFrame(rows).write_csv(path)
    else:
        pl.DataFrame(rows).write_parquet(path)
    ingest(tmp_path / "a", tmp_path / "lines")
    ingest(tmp_path / "b", path)
    assert figures(tmp_path / "a") == figures(tmp_path / "b")
    assert ingest(tmp_path / "b", path).call_count == 0


def test_a_csv_that_grew_brings_its_new_rows(tmp_path, data):

    log = tmp_path / "log.csv"
    pl.DataFrame([without_id(1), without_id(1)]).write_csv(log)
    ingest(data, log)
    pl.DataFrame([without_id(1), without_id(1), without_id(1)]).write_csv(log)
    assert ingest(data, log).call_count == 1


def test_a_line_too_long_to_be_a_call_is_quarantined_and_its_neighbours_are_read(tmp_path, data):
    import sqlite3

    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl([chat(1)]) + jsonl([chat(2) | {"choices": "x" * (9 << 20)}]) + jsonl([chat(3)]))
    assert ingest(data, log).call_count == 2
    assert sorted(ledger_rows(data)["line_number"]) == [1, 3]
    (path,) = sqlite3.connect(data / "manifest.sqlite").execute("select path from file where kind = 'quarantine'")
    assert pl.read_parquet(data / path[0]).rows() == [(1, 2, None, "longer than 8 MiB ([bounds] line_bytes)")]


def test_a_log_that_is_written_to_while_it_is_read_is_read_as_it_was(tmp_path, data, monkeypatch):
    """What was added meanwhile waits for the next run; nothing is lost and nothing counts twice."""
    from pipelines.reader import Reader

    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(without_id(n) for n in range(3)))
    read_fast = Reader.read_fast

    def read_and_append(reader, pieces, fields):
        yield from read_fast(reader, pieces, fields)
        if pieces[0].path == log:
            with log.open("ab") as file:
                file.write(jsonl([without_id(7)]))

    monkeypatch.setattr(Reader, "read_fast", read_and_append)
    ingest(data, log)
    monkeypatch.undo()
    ingest(data, log)
    assert sorted(ledger_rows(data)["line_number"]) == [1, 2, 3, 4]


def test_a_damaged_file_among_good_ones_of_its_shape_costs_only_itself(tmp_path, data, monkeypatch):
    """Small logs are read in one go; one that vanishes in the middle must not take the others with it."""
    from pipelines.reader import Reader

    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_bytes(jsonl([without_id(ord(name))]))
    read_fast = Reader.read_fast

    def vanish(reader, pieces, fields):
        (tmp_path / "b.jsonl").unlink(missing_ok=True)
        yield from read_fast(reader, pieces, fields)

    monkeypatch.setattr(Reader, "read_fast", vanish)
    summary = ingest(data, tmp_path / "*.jsonl")
    assert [path.name for path, _ in summary.report.unreadable] == ["b.jsonl"]
    assert summary.call_count == 2


def test_copies_within_one_run_bring_nothing(tmp_path, data):
    content = jsonl(without_id(n) for n in range(5))
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(content))
    (tmp_path / "b.log").write_bytes(content)
    assert ingest(data, tmp_path / "*").call_count == 5


def test_a_log_that_was_rotated_into_two_files_goes_on_in_one_of_them(tmp_path, data):
    log = tmp_path / "a.jsonl"
    log.write_bytes(jsonl(without_id(n) for n in range(3)))
    ingest(data, log)
    log.unlink()
    grown = jsonl(without_id(n) for n in range(4))
    (tmp_path / "a.1").write_bytes(grown)
    (tmp_path / "a.1.gz").write_bytes(gzip.compress(grown))
    (tmp_path / "a.other").write_bytes(grown[: -len(jsonl([without_id(3)]))] + jsonl([without_id(90)]))
    assert ingest(data, tmp_path / "a.*").call_count == 2
    assert ingest(data, tmp_path / "a.*").call_count == 0


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstd"])
def test_a_log_packed_in_the_middle_of_a_line_leaves_the_line_to_the_log(tmp_path, data, pack):
    lines = jsonl(without_id(n) for n in range(3))
    (tmp_path / "a.packed").write_bytes(pack(lines[:-20]))
    (tmp_path / "b.jsonl").write_bytes(lines)
    assert ingest(data, tmp_path / "*").call_count == 3
    assert sum(content["quarantined_line_count"] for content in balance(data)) == 0


def test_a_packed_log_that_arrived_by_half_is_read_when_it_is_whole(tmp_path, data):
    packed = zstandard.ZstdCompressor().compress(jsonl(chat(n) for n in range(3000)))
    log = tmp_path / "log.zst"
    log.write_bytes(packed[: len(packed) // 2])
    assert len(ingest(data, log).report.unreadable) == 1
    log.write_bytes(packed)
    assert ingest(data, log).call_count == 3000


def test_a_half_written_row_of_a_csv_waits(tmp_path, data):
    log = tmp_path / "log.csv"
    pl.DataFrame([without_id(n) | {"output_tokens": 4567} for n in range(3)]).write_csv(log)
    whole = log.read_bytes()
    log.write_bytes(whole[:-3])
    assert ingest(data, log).call_count == 2
    log.write_bytes(whole)
    assert ingest(data, log).call_count == 1
    assert ledger_rows(data)["output_tokens"].to_list() == [4567] * 3


def write_array(path, rows):
    path.write_text(json.dumps(rows))


def write_pretty(path, rows):
    path.write_text("\n".join(json.dumps(row, indent=1) for row in rows))


def write_parquet(path, rows):
    pl.DataFrame(rows).write_parquet(path)


@pytest.mark.parametrize("write", [write_array, write_pretty, write_parquet])
def test_a_document_that_grew_brings_what_it_grew_by(tmp_path, data, write):
    rows = [without_id(n) for n in range(6)]
    write(tmp_path / "log", rows[:4])
    assert ingest(data, tmp_path / "log").call_count == 4
    write(tmp_path / "copy", rows[:4])
    write(tmp_path / "log", rows)
    assert ingest(data, tmp_path / "log", tmp_path / "copy").call_count == 2
    assert sorted(ledger_rows(data)["line_number"]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("header.csv", b"called_at,model,input_tokens,output_tokens\n"),
        ("empty.json", b"[]"),
        ("half.jsonl", jsonl([without_id(1)])[:-20]),
        ("nothing.jsonl", b""),
        ("blank.jsonl", b"\n\n"),
    ],
)
def test_an_export_with_nothing_in_it_yet_stops_nothing(tmp_path, data, name, content):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "log.jsonl").write_bytes(jsonl([without_id(1)]))
    assert ingest(data, tmp_path / name, tmp_path / "log.jsonl").call_count == 1


def test_a_bad_row_costs_a_csv_only_itself(tmp_path, data):
    log = tmp_path / "log.csv"
    row = b"2026-11-01T10:00:00Z,gpt-5-mini,%b,1\n"
    header = b"\n\ncalled_at,model,input_tokens,output_tokens\n"
    log.write_bytes(header + row % b"1" + row % b"\xe9" + b"\n" + b"a,b\n" + row % b"2")
    assert ingest(data, log).call_count == 2
    (content,) = balance(data)
    assert (content["quarantined_line_count"], content["blank_line_count"]) == (2, 1)


@pytest.mark.parametrize("first", [{"choices": "x" * (2 << 20)}, {}], ids=["long first line", "byte order mark"])
def test_how_a_log_begins_does_not_matter(tmp_path, data, first):
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\xef\xbb\xbf" + jsonl([chat(1) | first, chat(2)]))
    assert ingest(data, log).call_count == 2


def test_many_small_logs_that_grow_and_one_bad_line_among_them(tmp_path, data):
    for number in range(300):
        (tmp_path / f"{number:03}.jsonl").write_bytes(jsonl([chat(number)]))
    assert ingest(data, tmp_path / "*.jsonl").call_count == 300
    for number in range(300):
        with (tmp_path / f"{number:03}.jsonl").open("ab") as file:
            file.write(jsonl([chat(1000 + number)]) if number != 123 else b"{broken\n")
    assert ingest(data, tmp_path / "*.jsonl").call_count == 299
    assert sum(content["quarantined_line_count"] for content in balance(data)) == 1

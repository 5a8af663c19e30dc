"""The ledger on disk: settled on little memory, few files, durable in order, kept as long as a reader may need it."""

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import assembly, data_folder, ledger, stages
from pipelines.draft import Draft
from pipelines.errors import StorageTrouble, UserError
from pipelines.manifest import Manifest
from pipelines.settings import Settings
from tests.pipelines.logs import chat, figures, ingest, jsonl, ledger_rows, snapshot
from transforms import schemas, settlement

ROOT = Path(__file__).parents[2]


def build(data: Path) -> stages.BuildSummary:
    return stages.build(Settings.load(data=data))


def live_files(data: Path, kind: str = "ledger") -> list[str]:
    connection = sqlite3.connect(data / "manifest.sqlite")
    query = "select path from file where kind = ? and removed is null"
    paths = [path for (path,) in connection.execute(query, [kind])]
    connection.close()
    return paths


@settings(max_examples=25)
@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=12), min_size=1, max_size=4))
def test_each_call_is_told_once_with_the_most_usage_however_it_is_cut(tmp_path_factory, runs):
    """Small bounds, so that what only large ledgers meet is met here: many buckets, files that are not merged."""
    folder = tmp_path_factory.mktemp("it's [a] *")  # what DuckDB could take for quotes and globs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "DUPLICATES_AT_ONCE", 2)
        patch.setattr(assembly, "MERGED_ROWS", 3)
        patch.setattr("pipelines.draft.FLUSH_BYTES", 2000)
        patch.setattr("pipelines.reader.BATCH_ROWS", 3)
        for number, run in enumerate(runs):
            log = folder / f"{number}.jsonl"
            days = [snapshot(n, usage) | {"timestamp": f"2026-11-0{1 + n % 3}T10:00:00Z"} for n, usage in run]
            log.write_bytes(jsonl(days) + f'{{"run": {number}}}\n'.encode())
            summary = ingest(folder / "data", log, shape="claude_code")
            assert summary.is_new
    most: dict[int, int] = {}
    for n, usage in (pair for run in runs for pair in run):
        most[n] = max(usage, most.get(n, 0))
    rows = ledger_rows(folder / "data")
    told = {} if rows.is_empty() else dict(rows.select("response_id", "output_tokens").iter_rows())
    assert told == {f"msg_{n}": usage for n, usage in most.items()}
    assert rows.height == len(most)


def test_one_ingest_leaves_one_file_a_day(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(jsonl(chat(n) for n in range(100)))
    ingest(tmp_path / "data", log)
    rows = ledger_rows(tmp_path / "data").sort("response_id")  # so that every piece is of several days
    with ledger.opened(tmp_path / "other") as store:
        draft = Draft(store.staging, settlement.settle)
        for start in range(0, 100, 9):
            draft.add("ledger", rows[start : start + 9])
            draft.add("quarantine", schemas.conform(rows[:1].with_columns(reason=pl.lit("x")), schemas.QUARANTINE))
            draft.flush()
        assert len(draft.files) > 30
        store.commit(draft, store.settle_with_ledger(draft), [], Settings().reading_digest)
    assert len(live_files(tmp_path / "other")) == rows["day"].n_unique() == 5
    assert len(live_files(tmp_path / "other", "quarantine")) == 1
    assert ledger_rows(tmp_path / "other").schema == pl.Schema(schemas.LEDGER)
    assert figures(tmp_path / "other", []) == figures(tmp_path / "data", [])


def test_a_draft_counts_what_it_holds(tmp_path):
    draft, rows = Draft(tmp_path, settlement.settle), pl.DataFrame({"reason": ["x"]})
    draft.add("quarantine", rows)
    held = draft.byte_count
    with pytest.raises(ZeroDivisionError), draft.attempt():
        draft.add("quarantine", rows)
        raise ZeroDivisionError
    assert draft.byte_count == held > 0
    draft.flush()
    assert (draft.byte_count, len(draft.files)) == (0, 1)


def test_very_many_replaced_files_are_counted(tmp_path):
    with ledger.opened(tmp_path / "data") as store:
        assert store.row_count(["x"] * 300_000) == 0


def test_what_was_read_under_another_mapping_is_told_and_not_read_again(tmp_path):
    log, config = tmp_path / "log.jsonl", tmp_path / "c.toml"
    log.write_text('{"ev": "x", "t": "2026-11-01T10:00:00Z", "n": "g", "i": 7}\n')
    mapping = '[log.my]\nmatch = {{ ev = "*" }}\n[log.my.fields]\ncalled_at = "t"\nmodel = "n"\ninput_tokens = "{}"\n'
    for column, expected in (("wrong", []), ("wrong", []), ("i", ["log.jsonl"])):
        config.write_text(mapping.format(column))
        report = ingest(tmp_path / "data", log, config=config).report
        assert [path.name for path in report.read_otherwise] == expected
    assert ledger_rows(tmp_path / "data")["input_tokens"].to_list() == [None]
    assert [path.name for path in ingest(tmp_path / "data", log, shape="tokenspread").report.read_otherwise] == [
        "log.jsonl"
    ]


class Clock:
    """Times to be written and compared; the ledger is told `now`, so that nothing waits."""

    def __init__(self, monkeypatch) -> None:
        self.at = datetime(2026, 11, 1, tzinfo=UTC)
        for module in ("manifest", "ledger", "build_inputs"):
            monkeypatch.setattr(f"pipelines.{module}.now", lambda: self.at.isoformat())

    def after(self, days: float) -> datetime:
        self.at += timedelta(days=days)
        return self.at


def remove_old(data: Path, at: datetime) -> None:
    with ledger.opened(data) as store:
        store.remove_old(at)


def test_what_a_reader_may_have_open_is_kept_a_week_from_when_it_was_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "KEPT_VERSIONS", 3)
    clock, data, log = Clock(monkeypatch), tmp_path / "data", tmp_path / "log.jsonl"
    log.write_bytes(jsonl([snapshot(1, 2)]))
    ingest(data, log)
    old = build(data).catalogue.resolve()
    (file,) = live_files(data)
    clock.after(100)  # for which the catalogue is the current one
    log.write_bytes(jsonl([snapshot(1, 2), snapshot(1, 9)]))  # replaces the file ...
    ingest(data, log)
    for number in range(ledger.KEPT_VERSIONS):
        (tmp_path / f"{number}.jsonl").write_bytes(jsonl([chat(number)]))
        ingest(data, tmp_path / f"{number}.jsonl")
    remove_old(data, clock.after(8))
    assert (data / file).exists()  # ... but nothing was published without it
    for number in range(ledger.KEPT_VERSIONS):
        (tmp_path / f"{number}.jsonl").write_bytes(jsonl([chat(number), chat(100 + number)]))
        ingest(data, tmp_path / f"{number}.jsonl")
        build(data)
    remove_old(data, clock.at + timedelta(days=6))
    with duckdb.connect(str(old), read_only=True) as connection:
        assert connection.execute("select output_tokens from calls").fetchall() == [(2,)]
    remove_old(data, clock.at + timedelta(days=8))
    assert not old.exists() and not (data / file).exists()
    assert len(list((data / "catalog").iterdir())) == ledger.KEPT_VERSIONS
    assert ledger_rows(data).height == 1 + 2 * ledger.KEPT_VERSIONS
    remove_old(data, clock.after(1000))
    assert build(data).is_new is False


def test_a_catalogue_never_has_the_name_of_one_before_it(tmp_path, monkeypatch):
    """A run that died between publishing and noting it: its catalogue may be open somewhere."""
    data = tmp_path / "data"
    (tmp_path / "a").write_bytes(jsonl([chat(1)]))
    ingest(data, tmp_path / "a")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Manifest, "record_build", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        build(data)
    published = (data / "warehouse.duckdb").resolve()
    before = published.stat()
    assert build(data).catalogue.resolve() != published
    after = published.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    shutil.copy(data / "warehouse.duckdb", data / "catalog" / "warehouse-41.duckdb")
    with ledger.opened(data) as store:
        assert store.new_catalogue().name == "warehouse-42.duckdb"


def test_a_commit_is_durable_before_it_is_one(tmp_path, monkeypatch):
    """Every file synced, renamed, then the folders up to the data folder, then SQLite's commit."""
    data, told = tmp_path / "new" / "data", []
    fsync, rename, transaction = ledger.fsync, os.rename, Manifest.transaction

    def committing(manifest):
        told.append(("begin", ""))
        return transaction(manifest)

    for module in (ledger, data_folder):
        monkeypatch.setattr(module, "fsync", lambda path: (told.append(("sync", str(path))), fsync(path)))
    monkeypatch.setattr(ledger.os, "rename", lambda a, b: (told.append(("rename", str(a))), rename(a, b)))
    (tmp_path / "a").write_bytes(jsonl([chat(1), chat(30)]) + b"{bad\n")
    with ledger.opened(data):
        assert [what for what in told if what[0] == "sync"] == [
            ("sync", str(data.parent)), ("sync", str(tmp_path)), ("sync", str(data))
        ]  # fmt: skip
    told.clear()
    monkeypatch.setattr(Manifest, "transaction", committing)
    record_taking = ledger.record_taking
    monkeypatch.setattr(ledger, "record_taking", lambda *given: (told.append(("take", "")), record_taking(*given)))
    ingest(data, tmp_path / "a")
    take = told.index(("take", ""))
    begin = max(i for i, what in enumerate(told[:take]) if what[0] == "begin")
    renames = [i for i, (what, _) in enumerate(told) if what == "rename"]
    assert len(renames) == 3
    for i in renames:
        assert ("sync", told[i][1]) in told[:i]
    synced = {path for what, path in told[max(renames) : begin] if what == "sync"}
    days = {str(path) for path in (data / "ledger").iterdir()}
    assert synced == {str(data), str(data / "ledger"), str(data / "quarantine"), *days}


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_system_calls_of_a_commit_are_in_the_order_that_it_promises(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(jsonl([chat(1), chat(30)]))
    trace, data = tmp_path / "trace", tmp_path / "data"
    code = f"from tests.pipelines.logs import *; ingest(Path({str(data)!r}), Path({str(tmp_path / 'log.jsonl')!r}))"
    watched = "fsync,fdatasync,rename,renameat,renameat2"
    command = ["strace", "-f", "-y", "-e", f"trace={watched}", "-o", str(trace), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "ptrace" in done.stderr.lower():
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    calls = [line for line in trace.read_text().splitlines() if str(data) in line]
    renames = [i for i, line in enumerate(calls) if "rename" in line and ".parquet" in line]
    assert len(renames) == 2
    for i in renames:
        staged = re.search(r'"([^"]+staging[^"]+)"', calls[i])[1]
        assert any("fsync" in line and f"<{staged}>" in line for line in calls[:i])
    next_commit = next(i for i in range(renames[-1], len(calls)) if "manifest.sqlite-wal" in calls[i])
    between = "\n".join(calls[renames[-1] : next_commit])
    assert f"<{data}>" in between and f"<{data / 'ledger'}>" in between and between.count("/day=2026-") == 3


MISTAKES = {
    "junk manifest": ("manifest.sqlite", b"not a database at all, really not" * 50, "manifest is damaged"),
    "manifest of another version": ("manifest.sqlite", None, "of another version of tokenspread"),
    "staging is a file": ("staging", b"x", "has a 'staging' and no manifest that knows it"),
    "ledger is a file": ("ledger", b"x", "has a 'ledger' and no manifest that knows it"),
    "the data folder is a file": ("", b"x", "cannot be written"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_data_folder_that_is_none_is_refused(tmp_path, mistake):
    name, content, message = MISTAKES[mistake]
    path = tmp_path / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        connection = sqlite3.connect(path)
        connection.execute("create table seen (path text)")
        connection.close()
    else:
        path.write_bytes(content)
    (tmp_path / "a").write_bytes(jsonl([chat(1)]))
    with pytest.raises(UserError, match=message):
        ingest(tmp_path / "data", tmp_path / "a")
    assert content is None or path.read_bytes() == content


@pytest.mark.parametrize("name", ["staging", "ledger"])
def test_a_file_where_a_folder_should_be_is_named(tmp_path, name):
    with ledger.opened(tmp_path / "data"):
        pass
    shutil.rmtree(tmp_path / "data" / name, ignore_errors=True)
    (tmp_path / "data" / name).write_text("x")
    (tmp_path / "a").write_bytes(jsonl([chat(1)]))
    with pytest.raises(StorageTrouble, match=f"data/{name}.*: (File exists|Not a directory); "):
        ingest(tmp_path / "data", tmp_path / "a")


@pytest.mark.parametrize("kilobytes", [0, 1, 4, 16, 40, 100, 300])
def test_a_disk_that_takes_no_more_is_told_in_a_line_and_nothing_is_committed(tmp_path, kilobytes):
    """The bound on a file's size stands for the disk's: every write meets it at another place."""
    data, log = tmp_path / "data", tmp_path / "log.jsonl"
    log.write_bytes(jsonl([chat(1)]))
    ingest(data, log)
    build(data)
    before = figures(data)
    log.write_bytes(jsonl(snapshot(n, n) | {"sessionId": f"{n * 7919 % 10007:x}" * 9} for n in range(4000)))

    def bound():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "run", log, "--data", data]
    output = (tmp_path / "output").open("w")
    done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.PIPE, text=True, preexec_fn=bound)
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode == 1 and str(data) in done.stderr and len(done.stderr.splitlines()) <= 2
        assert figures(data) == before or "read 4,000 new lines" in done.stderr
    ingest(data, log)
    build(data)
    assert ledger_rows(data).height == 4001

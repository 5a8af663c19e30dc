"""Small data folders to be harmed, what is done to them, and what must hold of them afterwards."""

import shutil
import sqlite3
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import xxhash

from pipelines import retention, sandbox, stages
from pipelines.draft import KINDS
from pipelines.settings import Settings
from tests.pipelines.logs import chat, figures, jsonl, ledger_rows, quarantine_rows, snapshot, without_id

COUNTS = "line_count, call_line_count, other_line_count, blank_line_count, quarantined_line_count"
PUBLISHED = (
    "select 'feature', feature, user_id, scenario, cost_usd::varchar, action_count, null from scenario_comparison "
    "union all select 'file', parse_filename(path), shape, null, null, line_count, duplicate_count from files"
)


def write_logs(folder: Path, night: int) -> None:
    """A log whose last call grows, so that a file of the ledger is replaced; a new file; a line that is quarantined;
    outcomes."""
    folder.mkdir(exist_ok=True)
    (folder / "a").write_bytes(jsonl([snapshot(1, 2), snapshot(2, 2), snapshot(1, 9)][: 1 + night]))
    if night == 2:
        (folder / "b").write_bytes(jsonl([chat(1), without_id(1), chat(40)]) + b"{bad\n")


def settings_of(folder: Path) -> Settings:
    return Settings.load(data=folder / "data", logs=[str(folder / "logs")])


def ingest(folder: Path) -> None:
    stages.ingest(settings_of(folder))


def night(folder: Path) -> None:
    ingest(folder)
    stages.build(settings_of(folder))


def prune(folder: Path) -> None:
    """The calls before November go: those of chat(1) and chat(40)."""
    night(folder)
    retention.prune(settings_of(folder), date(2026, 11, 1))


JOBS = {"ingest": ingest, "night": night, "prune": prune}


@dataclass(frozen=True)
class Told:
    """What a data folder says of its calls and lines, wherever it lies and however often it was read."""

    calls: list[tuple]
    lines: list[tuple]
    quarantined_count: int


def told(data: Path) -> Told:
    connection = sqlite3.connect(data / "manifest.sqlite")
    lines = connection.execute(f"select path, {COUNTS}, byte_count, pruned_line_count from content").fetchall()
    connection.close()
    return Told(figures(data), sorted((Path(row[0]).name, *row[1:]) for row in lines), quarantine_rows(data).height)


def published(data: Path) -> list[tuple]:
    return sorted(sandbox.query(data / "warehouse.duckdb", PUBLISHED).rows(), key=repr)


def assert_sound(data: Path) -> None:
    """No call twice, lines balance, and the files on disk are those of the manifest, with the bytes that were
    committed."""
    rows = ledger_rows(data)
    assert rows.is_empty() or rows.select("key_hi", "key_lo").is_unique().all()
    connection = sqlite3.connect(data / "manifest.sqlite")
    files = connection.execute("select path, row_count, byte_count, hash from file").fetchall()
    lines = connection.execute(f"select {COUNTS} from content").fetchall()
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert all(row[0] == sum(row[1:]) for row in lines)
    on_disk = {str(path.relative_to(data)) for kind in KINDS for path in (data / kind).rglob("*.parquet")}
    assert on_disk == {row[0] for row in files}
    for path, row_count, byte_count, digest in files:
        content = (data / path).read_bytes()
        assert (len(content), xxhash.xxh3_128(content).hexdigest()) == (byte_count, digest), path
        assert pl.read_parquet(data / path, glob=False).height == row_count
    assert not (data / "staging").exists() or not any((data / "staging").iterdir())


def copy(folder: Path, target: Path) -> Path:
    return Path(shutil.copytree(folder, target, symlinks=True))

"""A bad file between two good ones, read by `ingest`: what became of each file, and the balance of all."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import stages
from pipelines.reading import Report
from pipelines.settings import Settings
from tests.pipelines.logs import balance, jsonl, ledger_rows, quarantine_rows

AT = "2026-11-01T10:00:00Z"
FIRST, LAST = "0.jsonl", "z.jsonl"  # the good files, read before and after any other


def call(number: int, **more: Any) -> dict[str, Any]:
    """A call of the flat shape with all that the tests compare."""
    return {
        "call_id": f"c{number}",
        "called_at": f"2026-11-01T10:00:0{number}Z",
        "model": "gpt-5-mini",
        "input_tokens": 100 + number,
        "output_tokens": 10,
        "recorded_cost_usd": 0.5,
    } | more


@dataclass
class Told:
    """By file name. `calls`: the ledger's rows by line; `quarantined`: the reason by line; `refused`: why a file could
    not be read or is no log."""

    report: Report
    calls: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    quarantined: dict[str, dict[int, str]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> tuple[list[int], dict[int, str]]:
        """(the lines that are calls, the quarantined ones with their reasons) of a file."""
        return sorted(self.calls.get(name, {})), self.quarantined.get(name, {})

    def column(self, name: str, column: str) -> list[Any]:
        return [row[column] for _, row in sorted(self.calls.get(name, {}).items())]


def with_neighbours(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate((FIRST, LAST)):
        (folder / name).write_bytes(jsonl([call(number, call_id=f"good-{name}")]))
    return folder


def ingested(folder: Path, data: Path | None = None, **settings: Any) -> Told:
    """Reads the folder, with the good files in it. The balance of each file must hold, and the good files be taken."""
    data = data or folder.parent / "data"
    with_neighbours(folder)
    told = told_of(stages.ingest(Settings.load(data=data, logs=[str(folder)], **settings)).report, data)
    assert told.of(FIRST) == told.of(LAST) == ([1], {})
    return told


def told_of(report: Report, data: Path) -> Told:
    told, paths = Told(report), {}
    duplicates = {}
    for row in balance(data):
        paths[row["content_id"]] = Path(row["path"]).name
        parts = ("call", "other", "blank", "quarantined")
        assert row["line_count"] == sum(row[f"{part}_line_count"] for part in parts), row
        duplicates[row["content_id"]] = row["call_line_count"]
    for frame, into in ((ledger_rows(data), told.calls), (quarantine_rows(data), told.quarantined)):
        for row in frame.iter_rows(named=True):
            by_line = into.setdefault(paths[row["content_id"]], {})
            by_line[row["line_number"]] = row if into is told.calls else row["reason"]
    assert sum(duplicates.values()) >= sum(map(len, told.calls.values()))
    told.refused = {path.name: why for path, why in (*report.unreadable, *report.skipped)}
    return told


def parquet(path: Path, rows: list[dict[str, Any]] | pl.DataFrame, **options: Any) -> Path:
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
    frame.write_parquet(path, **options)
    return path

"""The exact path: records line by line, or row by row, in plain Python; what is none is quarantined with its reason."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipelines import records
from pipelines.log_files import open_bytes
from pipelines.new_lines import Taking
from pipelines.pieces import TOO_LONG
from pipelines.sniff import csv_reader, csv_record
from transforms import schemas

CSV_ROWS = 50_000


@dataclass
class Read:
    """A batch: LINES (one text column for each field), QUARANTINE rows, and the count of blank lines by content."""

    lines: pl.DataFrame
    quarantine: pl.DataFrame = field(default_factory=lambda: schemas.empty(schemas.QUARANTINE))
    blank: dict[int, int] = field(default_factory=dict)


def csv_batches(taking: Taking, fields: Mapping[str, str]) -> Iterator[Read]:
    """LINES of a CSV file's rows (the header is not one), from `taking.from_line` on, in batches; a row whose cells do
    not fit the header is quarantined."""
    with open_bytes(taking.file.path) as stream:
        rows = csv_reader(stream)
        header = next(rows)
        kept: list[tuple[int, Any]] = []
        rejects: list[tuple[int, str]] = []
        number = 0
        for number, row in enumerate(rows, start=1):
            if number <= taking.from_line:
                continue
            if len(row) != len(header):
                rejects.append((number, f"{len(row)} cells, the header has {len(header)}"))
                continue
            value = records.extract(csv_record(header, row), fields)
            (rejects if isinstance(value, str) else kept).append((number, value))
            if len(kept) + len(rejects) >= CSV_ROWS:
                yield Read(_frame(kept, taking.content_id, fields), _quarantine(rejects, taking.content_id))
                kept, rejects = [], []
        taking.line_count = number - taking.from_line
        yield Read(_frame(kept, taking.content_id, fields), _quarantine(rejects, taking.content_id))


def lines_of(found: list[dict[str, Any]], fields: Mapping[str, str]) -> pl.DataFrame:
    """LINES of a few parsed records."""
    rows = [(number, records.extract(record, fields)) for number, record in enumerate(found, start=1)]
    return _frame([row for row in rows if not isinstance(row[1], str)], 0, fields)


def exact_lines(block: bytes, content_id: int, first_line: int, fields: Mapping[str, str]) -> Read:
    """Line by line, with plain Python's parser."""
    kept, rejects, blank = [], [], 0
    for offset, line in enumerate(block.split(b"\n")[:-1]):
        number = first_line + offset + 1
        if not line.strip():
            blank += 1
            continue
        value = "longer than 8 MiB" if line + b"\n" == TOO_LONG else records.parse(line)
        if isinstance(value, dict):
            value = records.extract(value, fields)
        (rejects if isinstance(value, str) else kept).append((number, value))
    return Read(_frame(kept, content_id, fields), _quarantine(rejects, content_id), {content_id: blank})


def _frame(kept: list[tuple[int, Any]], content_id: int, fields: Mapping[str, str]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {name: [row[i] for _, row in kept] for i, name in enumerate(fields)}
    columns |= {"content_id": [content_id] * len(kept), "line_number": [number for number, _ in kept]}
    return pl.DataFrame(columns, schema={**dict.fromkeys(fields, pl.String), **schemas.LINE_KEYS})


def _quarantine(rejects: list[tuple[int, str]], content_id: int) -> pl.DataFrame:
    rows = [(content_id, number, reason) for number, reason in rejects]
    return pl.DataFrame(rows, schema=schemas.QUARANTINE, orient="row")

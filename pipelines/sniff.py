"""What a file is, told by its first bytes: its layout, and a few records to recognise the shape by."""

import csv
import io
import itertools
from dataclasses import dataclass
from typing import Any

from pipelines import records
from pipelines.log_files import BOM, PARQUET, LogFile, open_bytes

LOOK_BYTES = 1 << 20
CELL_BYTES = 8 << 20  # as long as a line may be; csv's own limit of 128 KiB is less than a prompt
RECORDS = 200
ARRAY_START = (b"{", b"]")


@dataclass(frozen=True)
class Look:
    """`layout`: lines, array (of JSON objects), unstructured (objects one after another), csv, parquet, empty, none."""

    layout: str
    records: list[dict[str, Any]]
    seen: str  # for an error message: what it looks like, never what it says


def look(file: LogFile) -> Look:
    with open_bytes(file.path) as stream:
        head = stream.read(LOOK_BYTES)
    if head.startswith(PARQUET):
        return Look("parquet", [], "a Parquet file")
    text = head.removeprefix(BOM).lstrip()
    if not text:
        return Look("empty", [], "an empty file")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:1000]:
        return Look("none", [], "binary or UTF-16 bytes")
    if text.startswith(b"[") and text[1:].lstrip().startswith(ARRAY_START):
        return Look("array", [], "a JSON array")
    if text.startswith(b"{"):
        return _look_at_objects(text, is_whole=len(head) < LOOK_BYTES)
    return _look_at_csv(text)


def records_of(lines: list[bytes]) -> list[dict[str, Any]]:
    """The first few lines that hold a JSON object."""
    parsed = (records.parse(line) for line in lines)
    return list(itertools.islice((record for record in parsed if isinstance(record, dict)), RECORDS))


def _look_at_objects(text: bytes, is_whole: bool) -> Look:
    lines = text.split(b"\n")
    found = records_of(lines if is_whole else lines[:-1])
    if found or not is_whole or text.count(b"\n") == 0:
        return Look(
            "lines", found, "lines of JSON objects" if found else "lines that start with { but hold no JSON object"
        )
    return Look("unstructured", [], "JSON objects over several lines")


def _look_at_csv(text: bytes) -> Look:
    csv.field_size_limit(CELL_BYTES)
    lines = text.decode("utf-8", errors="replace").splitlines(keepends=True)[:200]
    try:
        rows = list(itertools.islice(csv.reader(lines, strict=True), RECORDS + 1))
    except csv.Error:
        rows = []
    header = rows[0] if rows else []
    if len(header) < 2 or len(set(header)) != len(header) or not all(map(_is_name, header)):
        return Look("none", [], "text that is neither JSON nor CSV with a header")
    found = [csv_record(header, row) for row in rows[1:] if len(row) == len(header)]
    return Look("csv", found, f"CSV with the columns {', '.join(header[:12])}")


def _is_name(cell: str) -> bool:
    """Whether a first row's cell may be a column's name: prose with a comma in it has spaces around its parts."""
    return cell == cell.strip() and cell != "" and not cell.startswith("#") and len(cell) <= 100


def csv_record(header: list[str], row: list[str]) -> dict[str, Any]:
    """An empty cell is unknown."""
    return {name: value if value != "" else None for name, value in zip(header, row, strict=True)}


def csv_reader(stream: Any) -> Any:
    csv.field_size_limit(CELL_BYTES)
    return csv.reader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)

"""What a file is, told by its first bytes: its layout, and a few records to recognise the shape by."""

import csv
import itertools
from dataclasses import dataclass
from typing import Any, BinaryIO

from pipelines import records
from pipelines.log_files import BOM, PARQUET, LogFile, open_bytes, read_up_to

LOOK_BYTES = 1 << 20
MOST_LOOK_BYTES = 9 << 20  # a first line may be as long as a line may be
RECORDS = 200
ARRAY_START = (b"{", b"]")


@dataclass(frozen=True)
class Look:
    """`layout`: lines, array (of JSON objects), unstructured (objects one after another), csv, parquet, empty, none."""

    layout: str
    records: list[dict[str, Any]]  # of lines; the other layouts are turned into lines first
    seen: str  # for an error message: what it looks like, never what it says


def look(file: LogFile) -> Look:
    with open_bytes(file.path) as stream:
        head = _head(stream)
    if head.startswith(PARQUET):
        return Look("parquet", [], "a Parquet file")
    text = head.removeprefix(BOM).lstrip()
    if not text:
        return Look("empty", [], "an empty file")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:1000]:
        return Look("none", [], "binary or UTF-16 bytes; if it is text, save it as UTF-8")
    if text.startswith(b"[") and text[1:].lstrip().startswith(ARRAY_START):
        return Look("array", [], "a JSON array")
    if text.startswith(b"{"):
        return _look_at_objects(text, is_whole=len(head) < LOOK_BYTES)
    return _look_at_csv(text)


def _head(stream: BinaryIO) -> bytes:
    """The first bytes, to the end of the first line at least."""
    head = read_up_to(stream, LOOK_BYTES)
    while b"\n" not in head and len(head) < MOST_LOOK_BYTES and (more := read_up_to(stream, LOOK_BYTES)):
        head += more
    return head


def records_of(lines: list[bytes]) -> list[dict[str, Any]]:
    """The first few lines that hold a JSON object."""
    parsed = (records.parse(line) for line in lines)
    return list(itertools.islice((record for record in parsed if isinstance(record, dict)), RECORDS))


def first_records(file: LogFile) -> list[dict[str, Any]]:
    """The first few records of a file of lines."""
    with open_bytes(file.source) as stream:
        return records_of(_head(stream).split(b"\n"))


def _look_at_objects(text: bytes, is_whole: bool) -> Look:
    """Lines, unless the first object goes on over several of them."""
    lines = text.split(b"\n")
    first_is_whole = isinstance(records.parse(lines[0]), dict)
    found = records_of(lines if is_whole else lines[:-1])
    if first_is_whole or (found and lines[0].rstrip().endswith(b"}")):
        return Look("lines", found, "lines of JSON objects")
    if len(lines) == 1:
        return Look("lines", [], "half a JSON object")
    return Look("unstructured", [], "JSON objects over several lines")


def _look_at_csv(text: bytes) -> Look:
    csv.field_size_limit(MOST_LOOK_BYTES)  # csv's own limit of 128 KiB is less than a prompt
    lines = text.decode("utf-8", errors="replace").splitlines(keepends=True)
    try:
        header = next(csv.reader(lines), [])
    except csv.Error:
        header = []
    if len(header) < 2 or len(set(header)) != len(header) or not all(map(_is_name, header)):
        return Look("none", [], "text that is neither JSON nor CSV with a header")
    return Look("csv", [], f"CSV with the columns {', '.join(header[:12])}")


def _is_name(cell: str) -> bool:
    """Whether a first row's cell may be a column's name: prose with a comma in it has spaces around its parts."""
    return cell == cell.strip() and cell != "" and not cell.startswith("#") and len(cell) <= 100

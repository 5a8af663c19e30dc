"""What a file is, told by its first bytes: its layout, and a few records to recognise the shape by."""

import csv
import itertools
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, BinaryIO

from pipelines import records
from pipelines.log_files import BOM, PARQUET, LogFile, open_bytes, read_up_to

LOOK_BYTES = 1 << 18
MOST_LOOK_BYTES = 9 << 20  # a first line may be as long as a line may be
RECORDS = 200
SAMPLED = 6
ARRAY_START = (b"{", b"]")


@dataclass(frozen=True)
class Look:
    """`layout`: lines, array (of JSON objects), unstructured (objects one after another), csv, parquet, empty, none."""

    layout: str
    head: bytes  # of lines, the first of them; the other layouts are turned into lines first
    seen: str  # for an error message: what it looks like, never what it says

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """The first few objects, exactly."""
        parsed = (records.parse(line) for line in self.head.split(b"\n"))
        return list(itertools.islice((record for record in parsed if isinstance(record, dict)), RECORDS))

    def sample(self) -> list[dict[str, Any]]:
        """A few objects, the first ones and some from all over, to recognise a shape by: of thousands of small logs,
        looking at more would cost more than reading them."""
        size, starts = len(self.head), [0]
        while len(starts) < SAMPLED and (end := self.head.find(b"\n", starts[-1]) + 1):
            starts.append(end)
        for part in range(1, SAMPLED + 1):
            starts.append(self.head.find(b"\n", size * part // (SAMPLED + 1)) + 1)
        lines = (self.head[start : self.head.find(b"\n", start) + 1 or size] for start in dict.fromkeys(starts))
        return [record for line in lines if (record := _quickly(line)) is not None]


def _quickly(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def look(file: LogFile) -> Look:
    with open_bytes(file.path) as stream:
        head = _head(stream)
    if head.startswith(PARQUET):
        return Look("parquet", b"", "a Parquet file")
    text = head.removeprefix(BOM).lstrip()
    if not text:
        return Look("empty", b"", "an empty file")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:1000]:
        return Look("none", b"", "binary or UTF-16 bytes; if it is text, save it as UTF-8")
    if text.startswith(b"[") and text[1:].lstrip().startswith(ARRAY_START):
        return Look("array", b"", "a JSON array")
    if text.startswith(b"{"):
        return _look_at_objects(text, is_whole=len(head) < LOOK_BYTES)
    return _look_at_csv(text)


def _head(stream: BinaryIO) -> bytes:
    """The first bytes, to the end of the first line at least."""
    head = read_up_to(stream, LOOK_BYTES)
    while b"\n" not in head and len(head) < MOST_LOOK_BYTES and (more := read_up_to(stream, LOOK_BYTES)):
        head += more
    return head


def head_of_lines(file: LogFile) -> bytes:
    with open_bytes(file.source) as stream:
        return _head(stream)


def _look_at_objects(text: bytes, is_whole: bool) -> Look:
    """Lines, unless the first object goes on over several of them."""
    first, feed = text[: text.find(b"\n") + 1] or text, b"\n" in text
    # the end of the head is likely to be half a line
    lines = Look("lines", text if is_whole else text[: text.rfind(b"\n") + 1] or text, "lines of JSON objects")
    if isinstance(records.parse(first), dict) or (first.rstrip().endswith(b"}") and lines.records):
        return lines
    return (
        Look("unstructured", b"", "JSON objects over several lines")
        if feed
        else replace(lines, seen="half a JSON object")
    )


def _look_at_csv(text: bytes) -> Look:
    csv.field_size_limit(MOST_LOOK_BYTES)  # csv's own limit of 128 KiB is less than a prompt
    lines = text.decode("utf-8", errors="replace").splitlines(keepends=True)
    try:
        header = next(csv.reader(lines), [])
    except csv.Error:
        header = []
    if len(header) < 2 or len(set(header)) != len(header) or not all(map(_is_name, header)):
        return Look("none", b"", "text that is neither JSON nor CSV with a header")
    return Look("csv", b"", f"CSV with the columns {', '.join(header[:12])}")


def _is_name(cell: str) -> bool:
    """Whether a first row's cell may be a column's name: prose with a comma in it has spaces around its parts."""
    return cell == cell.strip() and cell != "" and not cell.startswith("#") and len(cell) <= 100

"""What a file is, told by its first bytes: its layout, and a few records to recognise the shape by."""

import contextlib
import csv
import io
import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, BinaryIO

from pipelines import records
from pipelines.bounds import Bounds
from pipelines.log_files import BOM, PARQUET, LogFile, open_bytes, read_up_to

LOOK_BYTES = 1 << 18
RECORDS = 200
SAMPLED = 6
ASKED_AGAIN = 50
_EVENT_STREAM = re.compile(rb"(event|data|id|retry):|:")
_NAME = re.compile(r"[\w@$.:/-]{1,40}")
_FIRST_LINE = re.compile(rb"[^\r\n]*")
_VALUE = re.compile(r"[-+]?(\d+[.,]?\d*|\d{4}-\d\d-.*)")  # no column is called so: a file without a header
ARRAY_START = (b"{", b"]")
_EXPORTED = {"call_id", "price_status", "cost_pico"}  # of the published table `calls`, and of no log
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
FIRST_ROWS = 10  # below a header that may as well be prose
BINARY = "binary or UTF-16 bytes; if it is text, save it as UTF-8"
NEITHER = "text that is neither JSON nor CSV with a header"


@dataclass(frozen=True)
class Look:
    """`layout`: lines, array (of JSON objects), unstructured (objects one after another), events (server-sent), csv,
    parquet, empty, none."""

    layout: str
    head: bytes  # of lines, the first of them; the other layouts are turned into lines first
    seen: str  # for an error message: what it looks like, never what it says

    @property
    def has_line(self) -> bool:
        """Whether it is lines, of which the first is whole."""
        return self.layout == "lines" and b"\n" in self.head

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


def is_export(records: list[dict[str, Any]]) -> bool:
    """Whether they are of a table that tokenspread wrote: read as a log, each call would be there twice."""
    return bool(records) and records[0].keys() >= _EXPORTED


def look(file: LogFile, bounds: Bounds) -> Look:
    with open_bytes(file.path, bounds) as stream:
        head = _head(stream, bounds)
    if head.startswith(PARQUET):
        return Look("parquet", b"", "a Parquet file")
    text = head.removeprefix(BOM).lstrip()
    if not text:
        return Look("empty", b"", "an empty file")
    # a crash, and a rotation of an open file, leave zeros before and among lines that are sound
    starts_as_text = b"\0" not in _first_line(text)
    text = text.lstrip(b"\0") if text[:2] == b"\0\0" else text
    is_text = starts_as_text or (text.startswith(b"{") and text[1:2] != b"\0")
    has_zeros = b"\0" in head[:1000]
    if head.startswith(UTF_16) or (has_zeros and not is_text):
        return Look("none", b"", BINARY)
    seen = _look_at_text(text, bounds, is_whole=len(head) < LOOK_BYTES)
    return replace(seen, seen=BINARY) if seen.layout == "none" and has_zeros else seen


def _first_line(text: bytes) -> bytes:
    return _FIRST_LINE.match(text)[0]


def _look_at_text(text: bytes, bounds: Bounds, is_whole: bool) -> Look:
    if text.startswith(b"[") and text[1:].lstrip().startswith(ARRAY_START):
        return Look("array", b"", "a JSON array")
    if text.startswith(b"{"):
        return _look_at_objects(text, bounds.line_bytes, is_whole)
    if _EVENT_STREAM.match(text):
        return Look("events", b"", "a stream of server-sent events")
    lines = Look("lines", text, "lines of JSON objects, after other text")
    return lines if _are_objects(lines) else _look_at_csv(text, bounds)


def _most_bytes(bounds: Bounds) -> int:
    return bounds.line_bytes + (1 << 20)


def _head(stream: BinaryIO, bounds: Bounds) -> bytes:
    """The first bytes that are not blank, to the end of the first line at least."""
    head = read_up_to(stream, LOOK_BYTES)
    while not head.removeprefix(BOM).strip() and (more := read_up_to(stream, LOOK_BYTES)):
        head = more
    while b"\n" not in head and len(head) < _most_bytes(bounds) and (more := read_up_to(stream, LOOK_BYTES)):
        head += more
    return head


def head_of_lines(file: LogFile, bounds: Bounds) -> bytes:
    with open_bytes(file.source, bounds) as stream:
        return _head(stream, bounds)


def second_look(file: LogFile, line_numbers: list[int], bounds: Bounds) -> Look:
    """The lines of these numbers, before the first ones of the file."""
    asked = set(line_numbers[:ASKED_AGAIN])
    with open_bytes(file.source, bounds) as stream, io.BufferedReader(stream, LOOK_BYTES) as lines:
        numbered = itertools.takewhile(lambda line: line[0] <= max(asked), enumerate(lines, start=1))
        found = [line for number, line in numbered if number in asked]
    return Look("lines", b"".join(found) + head_of_lines(file, bounds), "lines of JSON objects")


def _look_at_objects(text: bytes, line_bytes: int, is_whole: bool) -> Look:
    """Lines, unless the first object goes on over several of them, or is followed by another on its line."""
    end = text.find(b"\n")
    first = text[: end + 1] or text
    # the end of the head is likely to be half a line
    lines = Look("lines", text if is_whole else text[: text.rfind(b"\n") + 1] or text, "lines of JSON objects")
    fits = len(first) <= line_bytes
    is_object = isinstance(records.parse(first), dict)
    if fits and (is_object or (first.rstrip().endswith(b"}") and lines.records and not _is_followed(first))):
        return lines
    if fits and first.strip() != b"{" and not _is_followed(first) and _are_objects(lines):
        return lines  # the first one is half of one: a rotation cut it, or a crash
    if end >= 0 or not fits or _is_followed(first):
        return Look("unstructured", b"", "JSON objects that are no lines")
    return replace(lines, seen="half a JSON object")


def _are_objects(lines: Look) -> bool:
    """Whether a quarter of the lines at least are objects, each on its own: of one object over many lines, few are."""
    return 4 * len(lines.records) >= min(lines.head.count(b"\n") + 1, RECORDS)


def _is_followed(line: bytes) -> bool:
    """Whether another object begins behind the line's first one."""
    try:
        text = line.decode()
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return text[end:].lstrip().startswith("{")


def _look_at_csv(text: bytes, bounds: Bounds) -> Look:
    csv.field_size_limit(_most_bytes(bounds))  # csv's own limit of 128 KiB is less than a prompt
    try:
        header, is_padded, below = _first_rows(text)
    except csv.Error:
        return Look("none", b"", NEITHER)
    names = list(filter(None, header))
    if len(names) < 2 or not all(map(_is_name, names)):
        return Look("none", b"", NEITHER)
    if any(map(_VALUE.fullmatch, names)):
        return Look("none", b"", "CSV without a header; add a first line that names its columns")
    if not all(map(records.is_unicode, names)):
        return Look("none", b"", "CSV with a header that is not UTF-8; save it as UTF-8")
    # prose with commas in it has spaces behind them, and a letter's first line ends with one
    has_fitting_row = not below or len(header) in map(len, below)
    if is_padded and not (has_fitting_row and all(map(_NAME.fullmatch, names))):
        return Look("none", b"", NEITHER)
    if twice := {name for name in names if names.count(name) > 1}:
        return Look("none", b"", f"CSV with two columns called {named(sorted(twice))}; rename one")
    if len(names) < len(header) and not has_fitting_row:
        fact = f"CSV without a name for column {header.index('') + 1}, and with no row of {len(header)} cells"
        return Look("none", b"", f"{fact}; write a header with a name for each cell of a row")
    return Look("csv", b"", f"CSV with the columns {named(names)}")


def _first_rows(text: bytes) -> tuple[list[str], bool, list[list[str]]]:
    """(the header's names, "" where there is none; whether spaces stand before them; a few rows below it)."""
    whole = text[: text.rfind(b"\n") + 1] or text  # the last row is likely to be half one
    lines = io.StringIO(whole.decode("utf-8", errors="surrogateescape"), newline="")
    dialect = dialect_of(_first_line(text).decode("utf-8", errors="surrogateescape"))
    rows = csv.reader(lines, **dialect)
    header, below = next(rows, []), []
    with contextlib.suppress(csv.Error):
        below = [row for row in itertools.islice(rows, FIRST_ROWS) if row]
    return header, dialect["skipinitialspace"], below


def dialect_of(header: str) -> dict[str, Any]:
    """How cells are told apart: spaces behind a delimiter are no part of a cell where the header has some. `header` is
    its first line."""
    delimiter = max(",;\t", key=header.count)
    cells = next(csv.reader([header], delimiter=delimiter), [])
    return {"delimiter": delimiter, "skipinitialspace": any(cell.startswith(" ") for cell in cells)}


def named(names: Iterable[str]) -> str:
    """The first few names, but none that may be a text out of the log: a file without a header has those there."""
    return ", ".join(name if _NAME.fullmatch(name) else "..." for name in itertools.islice(names, 12))


def _is_name(cell: str) -> bool:
    """Whether a first row's cell may be a column's name."""
    return cell == cell.strip() and not cell.startswith(("#", "[", "{")) and len(cell) <= 100 and "\0" not in cell

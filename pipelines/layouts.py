"""Every layout as lines: a JSON array, objects one after another, CSV and Parquet become a staged file of one JSON
object a line, so that there is one way to know what is new in a log, and one way to read it.

A row that cannot be an object becomes a line that starts with "!" and says why; such a line is quarantined.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipelines import documents
from pipelines.log_files import LogFile, compression, open_bytes
from pipelines.reader import Reader

CHUNK_BYTES = 1 << 20


def as_lines(file: LogFile, layout: str, reader: Reader, number: int) -> LogFile:
    """`file` whose `source` is a file of lines: itself, or a staged copy. `number` tells the copies of a run apart.

    Raises what reading a damaged file raises, EOFError where the file is not whole.
    """
    if layout == "lines":
        return file
    lines = reader.staging / f"as-lines-{number}.jsonl"
    may_grow = compression(file.path) == "none"
    if layout in ("csv", "events"):
        with open_bytes(file.path) as stream, lines.open("wb") as target:
            target.writelines(_csv_lines(stream, may_grow) if layout == "csv" else _event_lines(stream, may_grow))
    elif layout == "unstructured":
        with open_bytes(file.path) as stream, lines.open("wb") as target:
            target.writelines(documents.lines_of(stream))
    else:
        path = _decompressed(file, reader.staging / f"whole-{number}")
        if layout == "array" and not _last_bytes(path).rstrip().endswith(b"]"):
            raise EOFError(f"{file.path} does not end as an array")  # DuckDB reads over a missing end
        reader.copy_as_lines(path, layout, lines)
    if file.has_changed():
        raise EOFError(f"{file.path} changed while it was read")
    return replace(file, staged=lines)


def _event_lines(stream, may_grow: bool) -> Iterator[bytes]:
    """The data of each server-sent event that is an object: a stream's chunks, as HTTP carries them."""
    with io.BufferedReader(stream, CHUNK_BYTES) as lines:
        for line in lines:
            data = line.partition(b"data:")[2].strip() if line.startswith(b"data:") else b""
            if data.startswith(b"{") and (line.endswith(b"\n") or not may_grow):
                yield data + b"\n"


def _csv_lines(stream, may_grow: bool) -> Iterator[bytes]:
    """A JSON object for each row below the header. A last row without its line end may be half of one: it waits, where
    the file may still grow."""
    ends = _LineEnds(stream)
    # undecodable bytes become lone surrogates, which no row that is UTF-8 has
    rows = csv.reader(io.TextIOWrapper(ends, encoding="utf-8-sig", errors="surrogateescape", newline=""))
    header = next((row for row in rows if row), [])
    before: bytes | None = None
    for row in rows:
        if before is not None:
            yield before
        before = _csv_line(header, row)
    if before is not None and (ends.last == b"\n" or not may_grow):
        yield before


def _csv_line(header: list[str], row: list[str]) -> bytes:
    if not row:
        return b"\n"
    if len(row) != len(header):
        return f"!{len(row)} cells, the header has {len(header)}\n".encode()
    record = {name: value if value != "" else None for name, value in zip(header, row, strict=True)}  # empty: unknown
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return b"!not UTF-8\n"


class _LineEnds(io.RawIOBase):
    """A stream that remembers its last byte."""

    def __init__(self, stream) -> None:
        self.stream, self.last = stream, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.last = data[-1:] or self.last
        return len(data)


def _decompressed(file: LogFile, target: Path) -> Path:
    if compression(file.path) == "none":
        return file.path
    with open_bytes(file.path) as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            copy.write(chunk)
    return target


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1000, 0))
        return file.read()

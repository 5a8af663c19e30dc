"""Every layout as lines: a JSON array, objects one after another, CSV and Parquet become a staged file of one JSON
object a line, so that there is one way to know what is new in a log, and one way to read it.

A row that cannot be an object becomes a line that starts with "!" and says why; such a line is quarantined.
"""

import io
import json
from dataclasses import replace
from pathlib import Path

from pipelines import documents, parquet_files, rows
from pipelines.bounds import Bounds
from pipelines.csv_rows import CsvRows
from pipelines.log_files import LogFile, compression, open_bytes
from pipelines.pieces import too_long
from pipelines.reader import Reader
from pipelines.unpacking import Copy

CHUNK_BYTES = 1 << 20
NO_DATA = (b"", b"[DONE]")


def as_lines(file: LogFile, layout: str, reader: Reader, number: int) -> LogFile:
    """`file` whose `source` is a file of lines: itself, or a staged copy. `number` tells the copies of a run apart.

    Raises what reading a damaged file raises, EOFError where the file is not whole.
    """
    if layout == "lines":
        return file
    lines = reader.staging / f"as-lines-{number}.jsonl"
    with lines.open("wb") as target:
        waiting_bytes = _write(file, layout, reader, number, Copy(target, file.size, reader.bounds))
    if file.has_changed():
        raise EOFError(f"{file.path} changed while it was read")
    return replace(file, staged=lines, waiting_bytes=waiting_bytes)


def _write(file: LogFile, layout: str, reader: Reader, number: int, copy: Copy) -> int:
    """Returns the bytes of a half last record, which waits."""
    if write := {"csv": _write_csv, "events": _write_events, "unstructured": _write_objects}.get(layout):
        with open_bytes(file.path, reader.bounds) as stream:
            return write(stream, compression(file.path) == "none", copy)
    path = _decompressed(file, reader.staging / f"whole-{number}", reader.bounds)
    if layout == "parquet":
        parquet_files.check(path, reader.connection, reader.bounds)
        lines = rows.rows(reader, path)
    else:
        if not _last_bytes(path).rstrip().endswith(b"]"):
            raise EOFError(f"{file.path} does not end as an array")  # DuckDB reads over a missing end
        lines = rows.objects(reader, path)
    for some in lines:
        copy.write(some)
    return 0


def _write_objects(stream, _may_grow: bool, copy: Copy) -> int:
    for line in documents.lines_of(stream, copy.bounds):
        copy.write(line)
    return 0


def _write_events(stream, may_grow: bool, copy: Copy) -> int:
    """The data of each server-sent event, as HTTP carries a stream's chunks, and objects that stand among the events.
    Returns the bytes of a half last line."""
    line_bytes, is_rest = copy.bounds.line_bytes, False
    with io.BufferedReader(stream, CHUNK_BYTES) as lines:
        while line := lines.readline(line_bytes + 1):
            is_long, was_rest = len(line) > line_bytes, is_rest
            is_rest = (is_long or was_rest) and not line.endswith(b"\n")
            data = line.removeprefix(b"data:").strip()
            is_told = data.startswith(b"{") or (line.startswith(b"data:") and data not in NO_DATA)
            if was_rest or not (is_told or b"\0" in line):  # zeros of a crash may stand before an event
                continue
            if is_long:
                copy.write(too_long(copy.bounds))
            elif may_grow and not line.endswith(b"\n"):
                return len(line)
            else:
                copy.write(data + b"\n" if data.startswith(b"{") else documents.NO_OBJECT)
    return 0


def _write_csv(stream, may_grow: bool, copy: Copy) -> int:
    """A JSON object for each row below the header. A last row that is not complete waits, where the file may still
    grow; returns its bytes."""
    found = CsvRows(stream, may_grow, copy.bounds)
    for row in found:
        copy.write(_csv_line(found.header, row))
    return found.waiting_bytes


def _csv_line(header: list[str], row: list[str] | str) -> bytes:
    if not row:
        return b"\n"
    if isinstance(row, str):
        return f"!{row}\n".encode()
    if len(row) != len(header):
        return f"!{len(row)} cells, the header has {len(header)}\n".encode()
    # an empty cell is unknown; a column without a name, as pandas writes its index, is none of ours
    record = {name: value if value != "" else None for name, value in zip(header, row, strict=True) if name}
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return b"!not UTF-8\n"


def _decompressed(file: LogFile, target: Path, bounds: Bounds) -> Path:
    if compression(file.path) == "none":
        return file.path
    with open_bytes(file.path, bounds) as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            copy.write(chunk)
    return target


def _last_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1000, 0))
        return file.read()

"""Frames for tests, built in plain Python: slow, obvious, and so the oracle for the reader."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from transforms.schemas import LINE_KEYS
from transforms.shapes.shape import Shape

SHARED = Path(__file__).resolve().parents[2] / "shared"  # recordings that are not part of the project


class Digits(str):
    """A JSON number, kept as the file writes it."""


def record_of(text: str) -> Any:
    return json.loads(text, parse_float=Digits, parse_int=Digits, parse_constant=Digits)


def json_text(value: Any) -> str:
    """`value` as JSON, with numbers as they were written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{json_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return str(value) if isinstance(value, Digits) else json.dumps(value, ensure_ascii=False)


def steps_of(path: str) -> Iterator[tuple[str, bool]]:
    """The keys of `path`, each with whether it steps into a text that holds JSON (`>`)."""
    key, quoted, opens = "", False, False
    for letter in path.replace('""', "\ue000"):  # a quote within quotes is written twice
        if letter == '"':
            quoted = not quoted
        elif letter == "\ue000":
            key += '"'
        elif letter in ".>~" and not quoted:
            yield key, opens
            key, opens = "", letter != "."
        else:
            key += letter
    yield key, opens


def field(record: Any, path: str) -> str | None:
    """The text of `path` in `record`; None where it is missing or null."""
    value = record
    for key, opens in steps_of(path):
        if opens and isinstance(value, str) and not isinstance(value, Digits):
            try:
                value = record_of(value)
            except ValueError:
                return None
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        return None
    return str(value) if isinstance(value, str) else json_text(value)


def lines_frame(records: Iterable[tuple[int, Any]], fields: Iterable[str], content_id: int = 1) -> pl.DataFrame:
    """LINES of (line number, record) pairs."""
    fields = list(fields)
    rows = [(content_id, number, *(field(record, path) for path in fields)) for number, record in records]
    return pl.DataFrame(rows, schema={**LINE_KEYS, **dict.fromkeys(fields, pl.String)}, orient="row")


def records_of(path: Path) -> list[tuple[int, Any]]:
    """(line number, record) of each line of a JSONL file that is JSON, of each row of a CSV file, or of each object of
    a `.log`, where they go on over several lines."""
    if path.suffix == ".log":
        return list(enumerate(_objects_of(path.read_text()), 1))
    with path.open(newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            return [(n, {k: v or None for k, v in row.items()}) for n, row in enumerate(csv.DictReader(file), 1)]
        found = []
        for number, line in enumerate(file, 1):
            try:
                found.append((number, record_of(line)))
            except ValueError:
                continue
        return found


def _objects_of(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(parse_float=Digits, parse_int=Digits, parse_constant=Digits)
    while text := text.lstrip():
        record, end = decoder.raw_decode(text)
        yield record
        text = text[end:]


def lines_of(path: Path, fields: Iterable[str], content_id: int = 1) -> pl.DataFrame:
    """LINES of a log file."""
    return lines_frame(records_of(path), fields, content_id)


def lines(records: Iterable[Mapping[str, Any]], fields: Iterable[str]) -> pl.DataFrame:
    """LINES of records given as Python values, as a file would hold them."""
    return lines_frame(enumerate(map(record_of, map(json.dumps, records)), 1), fields)


def calls_of(shape: Shape, frame: pl.DataFrame) -> pl.DataFrame:
    """CALLS of LINES, opened where the shape's lines hold several records."""
    return shape.calls(shape.opened(frame, shape.attributes) if shape.opened else frame)

"""A bill's bytes as rows: CSV (or tabs, or semicolons) by line, Parquet by row, JSON values as they are. Plain, gzip or
zstd, told by the content."""

import csv
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import zstandard

from pipelines.bounds import DEFAULT, TooMuch
from pipelines.errors import UserError
from pipelines.log_files import PARQUET, open_bytes, read_up_to, shown

Row = tuple[int, dict[str, Any]]
HEAD_BYTES = 1 << 20
SPACE = re.compile(r"[ \t\n\r]*")
DAMAGED = (OSError, EOFError, zlib.error, zstandard.ZstdError, TooMuch)
NO_BILL = (
    "no bill that is known; known are exports of OpenAI's and Anthropic's costs and usage (JSON, CSV), AWS cost and "
    "usage reports and FOCUS files (CSV, Parquet); map any other table under [bill.NAME] in tokenspread.toml"
)


@dataclass(frozen=True)
class Document:
    """What a file holds: JSON values, or a table with its columns."""

    path: Path
    unit: str  # what a row of it is called: result (JSON), line (CSV), row (Parquet)
    values: list[Any]
    columns: list[str]
    delimiter: str = ","

    def rows(self, columns: Iterable[str]) -> Iterator[Row]:
        """(number, {column: value}) of a table, of those of `columns` that it has; an empty cell is None."""
        wanted = [name for name in dict.fromkeys(columns) if name in self.columns]
        if self.unit == "row":
            yield from enumerate(pl.read_parquet(self.path, columns=wanted).iter_rows(named=True), start=1)
            return
        places = [(name, self.columns.index(name)) for name in wanted]
        with _open(self.path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
            reader = csv.reader(text, delimiter=self.delimiter, strict=True)
            try:
                next(reader)
                for cells in filter(None, reader):
                    if len(cells) != len(self.columns):
                        fact = f"{len(cells)} cells, the header has {len(self.columns)}"
                        raise csv.Error(f"{fact}; quote a text that has a comma in it")
                    yield reader.line_num, {name: cells[place].strip() or None for name, place in places}
            except (csv.Error, UnicodeDecodeError) as error:
                why = error if isinstance(error, csv.Error) else "not UTF-8; save the bill as UTF-8"
                raise UserError(f"{shown(self.path)}, line {reader.line_num}: {why}") from None
            except DAMAGED:
                raise UserError(f"{shown(self.path)}: cut short or damaged; export it again") from None


def opened(path: Path) -> Document:
    """The file's content, not yet told apart. Raises UserError."""
    try:
        with _open(path) as stream:
            head = read_up_to(stream, HEAD_BYTES)
            text = head.decode("utf-8-sig", errors="replace")
            if text.lstrip()[:1] in ("{", "["):
                return Document(path, "result", _json_values(path, head + stream.read()), [])
    except DAMAGED as error:
        why = getattr(error, "strerror", None) or "cut short or damaged"
        raise UserError(f"{shown(path)}: cannot be read ({why}); check the path") from None
    if head.startswith(PARQUET):
        try:
            return Document(path, "row", [], pl.read_parquet_schema(path).names())
        except (pl.exceptions.PolarsError, OSError):
            raise UserError(f"{shown(path)}: does not parse as a Parquet file; export it again") from None
    header = text.partition("\n")[0]
    delimiter = max(",\t;", key=header.count)
    try:
        columns = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        columns = []
    if len(columns) < 2 or len(set(columns)) != len(columns):
        raise UserError(f"{shown(path)}: {NO_BILL}")
    return Document(path, "line", [], columns, delimiter)


def digest(path: Path) -> str:
    """Of the decompressed content: the same bill under two names is one."""
    found = hashlib.sha256()
    with _open(path) as stream:
        while part := stream.read(HEAD_BYTES):
            found.update(part)
    return found.hexdigest()


def _open(path: Path) -> BinaryIO:
    return io.BufferedReader(open_bytes(path, DEFAULT), HEAD_BYTES)  # type: ignore[arg-type]


def _json_values(path: Path, content: bytes) -> list[Any]:
    """JSON values one after another, or in one array; numbers as they are written."""
    decoder, values = json.JSONDecoder(parse_float=Decimal), []
    try:
        text = content.decode("utf-8-sig")
        position = SPACE.match(text, 0).end()
        while position < len(text):
            value, position = decoder.raw_decode(text, position)
            values += value if isinstance(value, list) else [value]
            position = SPACE.match(text, position).end()
    except UnicodeDecodeError:
        raise UserError(f"{shown(path)}: not UTF-8 text; save the bill as UTF-8") from None
    except json.JSONDecodeError as error:
        raise UserError(f"{shown(path)}, line {error.lineno}: not valid JSON; export the bill again") from None
    except (RecursionError, ValueError):  # a number of thousands of digits, too
        raise UserError(f"{shown(path)}: {NO_BILL}") from None
    return values

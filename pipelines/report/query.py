"""Rows of a query as a table, CSV or JSON."""

import csv
import json
import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

import polars as pl
from polars.exceptions import PanicException
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.errors import UserError
from pipelines.report.text import UNKNOWN, harmless

PLAIN_WIDTH = 240
GAP = 2
FIRST_DAY, LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date.min, date.max))
UNITS_A_DAY = {None: 1, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
# what a spreadsheet takes for one; but no figure: -30% is harmless
FORMULA = re.compile(r"[=@\t\r\n＝＠＋－]|[+-](?!\d[\d,.]*(e[+-]?\d+)?\s?%?$)", re.IGNORECASE)


def write(rows: pl.DataFrame, output: str, stream: TextIO) -> None:
    """All rows, nothing rounded. Raises UserError for an unknown format."""
    if output == "csv":
        write_csv([tuple(rows.columns), *values(rows)], stream)
    elif output == "json":
        told = [dict(zip(rows.columns, map(_plain, row), strict=True)) for row in values(rows)]
        stream.write(json.dumps(told, indent=1, allow_nan=False) + "\n")
    elif output == "table":
        _write_table(rows, stream)
    else:
        raise UserError(f"--format {output}: no such format; write table, csv or json")


def values(rows: pl.DataFrame) -> list[tuple]:
    """Raises UserError for what has no place in Python."""
    far = "a date or instant is outside the years 1 to 9999; cast it to varchar"
    # Before Python's dates are asked: for an infinite one polars prints a panic beside the error.
    if any(_is_far(column) for column in rows.iter_columns() if column.dtype in (pl.Date, pl.Datetime)):
        raise UserError(far)
    try:
        return rows.rows()
    except (PanicException, ValueError, OverflowError):  # what Python's dates cannot hold
        raise UserError(far) from None


def _is_far(column: pl.Series) -> bool:
    a_day = UNITS_A_DAY[getattr(column.dtype, "time_unit", None)]
    days = column.to_physical() // a_day
    return not days.drop_nulls().is_between(FIRST_DAY, LAST_DAY).all()


def write_csv(rows: Iterable[tuple], stream: TextIO) -> None:
    """Rows of values, the first one the names of the columns."""
    plain = csv.writer(stream, lineterminator="\n")
    quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)  # of itself it quotes no carriage return
    for row in rows:  # a PIVOT takes names of columns from the log
        cells = list(map(_cell, row))
        cells = list(map(harmless, cells)) if stream.isatty() else cells
        (quoted if "\r" in "".join(cells) else plain).writerow(cells)


def _cell(value: Any) -> str:
    """Text from a log must not become a formula in the spreadsheet that opens the file."""
    if isinstance(value, str) and FORMULA.match(value):
        return "'" + value
    return "" if value is None else text(value)


def _write_table(rows: pl.DataFrame, stream: TextIO) -> None:
    """Side by side where every column fits the width, else one block for each row."""
    names = list(map(harmless, rows.columns))
    cells = [[UNKNOWN if value is None else harmless(text(value)) for value in row] for row in values(rows)]
    widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
    if cells and sum(widths) + GAP * len(widths) > width_of(stream):
        write_blocks(names, cells, stream)
    else:
        write_cells(names, cells, [dtype.is_numeric() for dtype in rows.dtypes], stream)


def width_of(stream: TextIO) -> int:
    return Console(file=stream).width if stream.isatty() else PLAIN_WIDTH


def write_cells(names: list[str], cells: list[list[str]], are_numbers: list[bool], stream: TextIO) -> None:
    """Columns side by side; a name may have several lines, of which the last stands above the cells. What does not fit
    the width is folded."""
    height = max((name.count("\n") for name in names), default=0)
    lined = box.SIMPLE_HEAD if stream.isatty() else None  # which takes one of the GAP for itself
    table = Table(box=lined, show_edge=False, pad_edge=False, padding=(0, GAP - bool(lined), 0, 0))
    for name, is_number in zip(names, are_numbers, strict=True):
        head = "\n" * (height - name.count("\n")) + name
        table.add_column(Text(head), justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    Console(file=stream, width=width_of(stream), markup=False, highlight=False).print(table)


def write_blocks(names: list[str], cells: list[list[str]], stream: TextIO) -> None:
    width = max(map(cell_len, names))
    for number, row in enumerate(cells, start=1):
        stream.write(f"row {number:,}\n")
        for name, cell in zip(names, row, strict=True):
            stream.write(f"  {name}{' ' * (width - cell_len(name))}  {cell}\n")


def text(value: Any) -> str:
    """The value, exact, as one text."""
    if isinstance(value, float):
        return str(value)
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (list, dict)) else str(plain)


def _plain(value: Any) -> Any:
    """Exact text for what JSON has no type for: a Decimal through a float would lose digits. NaN is null, as in JS."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, pl.Series)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)

"""Rows of a query as a table, CSV or JSON."""

import csv
import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.report.text import UNKNOWN, harmless
from pipelines.settings import UserError

PLAIN_WIDTH = 240
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write(rows: pl.DataFrame, output: str, stream: TextIO) -> None:
    """All rows, nothing rounded. Raises UserError for an unknown format."""
    if output == "csv":
        _write_csv(rows, stream)
    elif output == "json":
        stream.write(json.dumps(rows.to_dicts(), default=_plain, indent=1) + "\n")
    elif output == "table":
        _write_table(rows, stream)
    else:
        raise UserError(f"--format {output}: no such format; write table, csv or json")


def _write_csv(rows: pl.DataFrame, stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([_cell(value) for value in row] for row in rows.iter_rows())


def _cell(value: Any) -> Any:
    """Text from a log must not become a formula in the spreadsheet that opens the file."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return "" if value is None else _plain(value)


def _write_table(rows: pl.DataFrame, stream: TextIO) -> None:
    is_terminal = stream.isatty()
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    for name, dtype in rows.schema.items():
        table.add_column(harmless(name), justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in rows.iter_rows():
        table.add_row(*(Text(UNKNOWN if value is None else harmless(str(_plain(value)))) for value in row))
    Console(file=stream, width=None if is_terminal else PLAIN_WIDTH, markup=False, highlight=False).print(table)


def _plain(value: Any) -> Any:
    """Exact text for what JSON has no type for: a Decimal through a float would lose digits."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return value

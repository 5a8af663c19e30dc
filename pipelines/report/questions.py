"""The questions of the cookbook: their list, and one with its answer."""

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TextIO

import polars as pl
from rich.cells import cell_len

from pipelines.cookbook import Question
from pipelines.report import query
from pipelines.report.output import columns_that_fit
from pipelines.report.text import UNKNOWN, count, counted, estimate, harmless, money, share

HEAD_WIDTH = 10  # a longer name of a column goes over several lines, where its figures are no wider


def write_list(questions: Iterable[Question], stream: TextIO) -> None:
    questions = list(questions)
    width = max(len(question.name) for question in questions)
    for question in questions:
        stream.write(f"{question.name:{width}}  {question.asks}\n")
    stream.write("\ntokenspread ask NAME answers one; `tokenspread ask NAME --sql` prints its SQL\n")


def write(question: Question, rows: pl.DataFrame, stream: TextIO) -> None:
    """The answer, with how it is read, what is unknown in it, and what can be set."""
    stream.write(f"{question.asks}\n\n")
    cells = [[_cell(*one) for one in zip(rows.columns, row, strict=True)] for row in query.values(rows)]
    _write_parts(rows, cells, stream)
    stream.write(f"\n{counted(rows.height, 'row')}; figures are rounded, with --format csv or json exact\n")
    stream.write(f"How to read it: {question.read}\nWhat is unknown: {question.unknown}\n")
    for parameter in question.parameters:
        stream.write(f"To set: {parameter.name}={parameter.value.strip(chr(39))}  {parameter.meaning}\n")


def _write_parts(rows: pl.DataFrame, cells: list[list[str]], stream: TextIO) -> None:
    """A table as wide as it is. Where that is wider than the window, so many columns at a time as fit, each time beside
    those that tell the rows apart; and where they leave no room, a block for each row: nothing is cut or folded."""
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)] or [0] * rows.width
    heads = [_head(name, max(width, HEAD_WIDTH)) for name, width in zip(rows.columns, widths, strict=True)]
    widths = [max(width, *map(len, head.split("\n"))) + query.GAP for width, head in zip(widths, heads, strict=True)]
    window = query.width_of(stream)
    label_count = rows.width if sum(widths) <= window else _label_count(rows)
    labels, rest = widths[:label_count], widths[label_count:]
    room = window - sum(labels)
    if max(rest, default=0) > room:
        query.write_blocks(rows.columns, cells, stream)
        return
    for number, part in enumerate(columns_that_fit([width - query.GAP for width in rest], room)):
        shown = [*range(label_count), *(label_count + at for at in part)]
        stream.write("\n" if number else "")
        query.write_cells(
            [heads[at] for at in shown],
            [[row[at] for at in shown] for row in cells],
            [rows.dtypes[at].is_numeric() for at in shown],
            stream,
        )


def _label_count(rows: pl.DataFrame) -> int:
    """So many columns, the first, as tell the rows apart."""
    return next((count for count in range(1, rows.width) if rows[:, :count].is_unique().all()), rows.width)


def _cell(name: str, value: Any) -> str:
    """To be read, as the reports have it; what a column holds is in its name. CSV and JSON are exact."""
    if value is None:
        return UNKNOWN
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if name.endswith("_share"):
        return share(value, signed="change" in name)
    if isinstance(value, Decimal):
        return money(value)
    if isinstance(value, float):
        return estimate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return count(value)
    return harmless(query.text(value))


def _head(name: str, width: int) -> str:
    lines = [""]
    for word in re.findall("[^_]+_*", name):
        if lines[-1] and len(lines[-1] + word) > width:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)

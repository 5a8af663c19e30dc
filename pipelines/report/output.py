"""The one place that writes a report: as JSON, CSV or Markdown, or as lines and tables for a terminal or a pipe.

A report gives its figures, exact, for JSON; the same as flat records for CSV, one for each row of a spreadsheet; and
blocks, lines and tables in reading order, with figures as text. Text from a log comes into blocks through `harmless`.
"""

import json
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from pipelines.report import query
from pipelines.report.text import counted, harmless

PLAIN_WIDTH = 100
LEAST_NAME_WIDTH, GOOD_NAME_WIDTH = 12, 24
GAP = 2
LABEL, LABEL_WIDTH = re.compile(r"\w+(?: \w+)? +(?=\S)"), 12  # of the lines above the tables
DEFAULT_DATA = Path("tokenspread_data")
FORMATS = ("text", "json", "csv", "markdown")
HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;", "#": "&#35;"}

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]  # its header, where \n begins another line, and a row's cell


@dataclass(frozen=True)
class Table:
    """Rows by their `name`, figures as text, and a row `all` below them where there is a `total`."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    total: Row | None = None
    are_names_whole: bool = False  # folded where they are long, not cut


@dataclass(frozen=True)
class Report:
    figures: Any
    blocks: Sequence[str | Table]
    records: Callable[[], list[Row]]  # all with the same keys
    left_out_count: int = 0  # rows that --top leaves out of figures and records
    next_command: str | None = None  # what to do about what the figures show
    warnings: Sequence[str] = field(default=())  # lines above all others


def write(report: Report, form: str, stream: TextIO, data: Path | None = None) -> None:
    """The report on `stream` as one of FORMATS; `data` is the folder that a suggested command is about."""
    tolerate(stream)
    if form == "json":
        stream.write(as_json(report.figures) + "\n")
    elif form == "csv":
        records = report.records()
        rows = [tuple(records[0]), *(tuple(row.values()) for row in records)] if records else []
        query.write_csv(rows, stream)
        if report.left_out_count:
            sys.stderr.write(f"{counted(report.left_out_count, 'row')} left out by --top\n")
    elif form == "markdown":
        stream.write(markdown([*report.warnings, *report.blocks]))
    else:
        print_blocks(console_on(stream), report, data)


def tolerate(stream: TextIO) -> None:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # a name beyond the terminal's encoding is no reason to stop


def console_on(stream: TextIO) -> Console:
    """As wide as the terminal's window; a pipe is PLAIN_WIDTH wide. Rich itself heeds NO_COLOR, COLUMNS and TERM."""
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def print_blocks(console: Console, report: Report, data: Path | None = None) -> None:
    """Lines and tables; a line is wrapped to a window alone, and a command is suggested there alone."""
    for line in report.warnings:
        console.print(Text(line, style="bold red"), soft_wrap=not console.is_terminal)
    for block in report.blocks:
        if isinstance(block, Table):
            print_table(console, block)
        else:
            _print_line(console, block)
    if report.next_command and console.is_terminal:
        folder = "" if data in (None, DEFAULT_DATA) else f" --data {quoted(str(data))}"
        console.print(Text(f"next: {report.next_command}{folder}"), soft_wrap=True)


def _print_line(console: Console, line: str) -> None:
    """A line of a label and what it tells is wrapped beside its label."""
    label = LABEL.match(line)
    if not console.is_terminal or line.startswith("    ") or not label or label.end() != LABEL_WIDTH:
        console.print(Text(line), soft_wrap=not console.is_terminal or line.startswith("    "))
        return
    wrapped = Text(line[LABEL_WIDTH:]).wrap(console, console.width - LABEL_WIDTH)
    for number, part in enumerate(wrapped):
        console.print(Text((" " * LABEL_WIDTH if number else label[0]) + part.plain.rstrip()), soft_wrap=True)


def quoted(text: str) -> str:
    """As a word for a shell to read, and a terminal to show."""
    safe = harmless(text)
    return safe if re.fullmatch(r"[\w./:@%+,=-]+", safe) else "'" + safe.replace("'", "'\\''") + "'"


def top(rows: Sequence[Row], most: int | None) -> list[Row]:
    """The dearest `most` of rows, in the order that they have; all of them where it is None."""
    if most is None or len(rows) <= most:
        return list(rows)
    order = sorted(range(len(rows)), key=lambda at: (rows[at]["cost_usd"] is None, -(rows[at]["cost_usd"] or 0), at))
    return [rows[at] for at in sorted(order[:most])]


def print_table(console: Console, table: Table) -> None:
    """The table as wide as it is; where that is wider than the window, so many columns at a time as fit."""
    names, cells = _cells(table)
    headers = [header.split("\n") for header, _ in table.columns]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)] if cells else [0] * len(headers)
    widths = [max(width, *map(cell_len, header)) for width, header in zip(widths, headers, strict=True)]
    name_width = max(map(cell_len, names), default=0)
    room = console.width - GAP
    left = room - sum(widths) - GAP * len(widths)
    parts = [list(range(len(widths)))]
    if left < min(name_width, LEAST_NAME_WIDTH if len(widths) == 1 else GOOD_NAME_WIDTH):
        name_width = min(name_width, max(room // 3, LEAST_NAME_WIDTH))
        parts = columns_that_fit(widths, room - name_width)
    else:
        name_width = min(name_width, left)
    if table.title:
        console.print(Text(table.title, style="italic"))
    for part in parts:
        shown = [name_width, *(widths[at] for at in part)]
        heads = ["", *("\n".join(headers[at]) for at in part)]
        rows = [[name, *(row[at] for at in part)] for name, row in zip(names, cells, strict=True)]
        _print_part(console, table, heads, shown, rows)
        console.print()


def _cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """Names and figures of all rows, that of the total last."""
    rows = [*table.rows, *([table.total | {"name": "all"}] if table.total else [])]
    return [harmless(row["name"]) for row in rows], [[cell(row) for _, cell in table.columns] for row in rows]


def columns_that_fit(widths: Sequence[int], room: int) -> list[list[int]]:
    """Columns by their places, so many at a time as fit; one that is wider than all the room stands alone."""
    parts: list[list[int]] = [[]]
    for at, width in enumerate(widths):
        if parts[-1] and sum(widths[one] + GAP for one in parts[-1]) + width + GAP > room:
            parts.append([])
        parts[-1].append(at)
    return parts


def _print_part(
    console: Console, table: Table, heads: list[str], widths: list[int], rows: list[list[str]]
) -> None:  # fmt: skip
    lined = box.SIMPLE_HEAD if console.is_terminal else None  # which takes one of the GAP for itself
    shown = RichTable(box=lined, show_footer=table.total is not None, show_edge=False, pad_edge=False)
    shown.padding = (0, GAP - bool(lined), 0, 0)
    body, footer = (rows[:-1], rows[-1]) if table.total else (rows, [""] * len(heads))
    mark = "…" if console.encoding.startswith("utf") else "..."
    cut = (lambda name: name) if table.are_names_whole else (lambda name: _cut(name, widths[0], mark))
    for at, (head, width) in enumerate(zip(heads, widths, strict=True)):
        foot = Text(cut(footer[at]) if not at else footer[at])
        folds = not at and table.are_names_whole
        shown.add_column(
            Text(head), foot, width=width, justify="right" if at else "left", no_wrap=not folds, overflow="fold"
        )
    for name, *cells in body:
        shown.add_row(Text(cut(name)), *map(Text, cells))
    # A figure is never cut: a column that is wider than the window runs over its edge.
    room = console.width
    console.width = max(room, sum(widths) + GAP * len(widths))
    console.print(shown)
    console.width = room


def _cut(name: str, width: int, mark: str) -> str:
    return name if cell_len(name) <= width else set_cell_size(name, width - cell_len(mark)).rstrip() + mark


def markdown(blocks: Sequence[str | Table]) -> str:
    """Tables as GitHub has them; lines between them in fences, where nothing is obeyed."""
    told, lines = [], []
    for block in [*blocks, None]:
        if isinstance(block, str):
            lines.append(block)
            continue
        if text := "\n".join(lines).strip("\n"):
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
            told.append(f"{fence}text\n{text}\n{fence}\n")
        lines = []
        if block is not None:
            told.append(_markdown_table(block))
    return "\n".join(told)


def _markdown_table(table: Table) -> str:
    names, cells = _cells(table)
    head = ["", *(header.replace("/\n", "/").replace("-\n", "-").replace("\n", " ") for header, _ in table.columns)]
    rows = [
        head,
        ["---", *["---:"] * len(table.columns)],
        *([name, *row] for name, row in zip(names, cells, strict=True)),
    ]
    texts = ["| " + " | ".join(row if at == 1 else map(escaped, row)) + " |" for at, row in enumerate(rows)]
    title = [f"**{escaped(table.title)}**", ""] if table.title else []
    return "\n".join([*title, *texts]) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is: no markup, HTML, mention, link or emoji comes of it."""
    safe = re.sub(r"[&<>@#]", lambda found: HTML[found[0]], text)
    safe = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", safe)
    return re.sub(r":(?=//|[\w+-]+:)", "&#58;", safe).replace("www.", "www&#46;")


def as_json(figures: Any) -> str:
    """Money as exact text, null for unknown."""
    return json.dumps(figures, default=json_value, indent=2)


def json_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")

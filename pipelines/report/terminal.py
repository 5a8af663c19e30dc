"""The report: what was read, what it cost and led to, and how far that survives when prices move."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.report import verdicts
from pipelines.report.figures import DIMENSIONS, Query, report_figures
from pipelines.report.header import header
from pipelines.report.text import count, counted, harmless, mean, money, share

PLAIN_WIDTH = 100
MOST_ROWS = 30
MOST_SCENARIOS = 4  # side by side in one table
LEAST_NAME_WIDTH = 12


def write(query: Query, by: str | None, as_json: bool, stream: TextIO) -> None:
    """The report on `stream`: JSON, tables on a terminal, plain text elsewhere; without `by` its head alone. UserError
    for an unknown `by`."""
    if as_json:
        stream.write(report_json(query, by) + "\n")
        return
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # a name beyond the terminal's encoding is no reason to stop
    if by is None:
        stream.writelines(line + "\n" for line in header(report_figures(query, DIMENSIONS[0])))
        return
    width = None if stream.isatty() else PLAIN_WIDTH
    print_report(Console(file=stream, width=width, markup=False, highlight=False, emoji=False), query, by)


def report_json(query: Query, by: str) -> str:
    """The report's figures as JSON: money as exact strings, null for unknown."""
    return json.dumps(report_figures(query, by), default=json_value, indent=2)


def print_report(console: Console, query: Query, by: str) -> None:
    """The report on a console, which decides between tables and plain text."""
    figures = report_figures(query, by)
    for line in header(figures):
        console.print(Text(line), soft_wrap=not console.is_terminal)
    console.print()
    rows, total = figures["rows"], figures["total"]
    if total is None:
        console.print("no calls in the ledger: ingest some logs first")
        return
    shown = rows[:MOST_ROWS]
    for title, columns in [*_tables(by, total["scenarios"]), verdicts.table(by, rows, total)]:
        print_table(console, title, columns, shown, total)
    if len(rows) > len(shown):
        rest = len(rows) - len(shown)
        console.print(f"and {rest:,} more, in the totals; all of them with --json or: select * from unit_economics")
    for line in verdicts.lines(figures):
        console.print(line)
    if note := _revenue_note(figures["by"], rows, total):
        console.print(note)
    if any(row["unpriced_call_count"] for row in [*shown, total]):
        console.print("+ calls without a price come on top")
        if any(_revenue(row) is not None and row["unpriced_call_count"] for row in [*shown, total]):
            console.print("< at most: calls without a price would lower it")


Column = tuple[str, Callable[[dict[str, Any]], str]]

TAKES: list[Column] = [
    ("actions", lambda row: count(row["action_count"])),
    ("users", lambda row: count(row["user_count"])),
    ("calls/\naction", lambda row: mean(row["call_count"], row["action_count"], 2)),
    ("input/\naction", lambda row: mean(row["input_tokens"], row["action_count"])),
    ("cached/\naction", lambda row: mean(row["cache_read_tokens"], row["action_count"])),
    ("output/\naction", lambda row: mean(row["output_tokens"], row["action_count"])),
    ("cost", lambda row: cost(row, "cost_usd")),
    ("cost/\naction", lambda row: cost(row, "cost_per_action_usd")),
]
LEADS_TO: list[Column] = [
    ("actions", lambda row: count(row["action_count"])),
    ("labelled", lambda row: count(row["labelled_count"])),
    ("unlabelled", lambda row: count(row["action_count"] - row["labelled_count"])),
    ("successes", lambda row: count(row["success_count"])),
    ("success\nshare", lambda row: share(_ratio(row["success_count"], row["labelled_count"]))),
    ("cost of\nlabelled", lambda row: cost(row, "labelled_cost_usd")),
    ("cost/\noutcome", lambda row: cost(row, "cost_per_outcome_usd")),
]


def _break_even(row: dict[str, Any]) -> str:
    actual, column = row["scenarios"][0], "break_even_change_share"
    return at_most(actual, column, share(actual[column], signed=True))


BREAK_EVEN: Column = ("break-\neven", _break_even)


def _tables(by: str, scenarios: list[dict[str, Any]]) -> list[tuple[str, list[Column]]]:
    tables = [
        (f"What an action takes, by {by} (cost in USD)", TAKES),
        (f"What it leads to, by {by} (cost in USD)", LEADS_TO),
    ]
    return tables + scenario_tables(by, scenarios)


def scenario_tables(by: str, scenarios: list[dict[str, Any]]) -> list[tuple[str, list[Column]]]:
    """Title and columns of cost and margin, so many scenarios side by side as fit."""
    tables = []
    has_revenue = any(scenario["revenue_usd"] is not None for scenario in scenarios)
    for start in range(0, len(scenarios), MOST_SCENARIOS):
        numbers = range(start, min(start + MOST_SCENARIOS, len(scenarios)))
        costs = [_scenario_cost(scenarios, number) for number in numbers]
        tables.append((f"Cost when prices move, by {by} (USD)", costs))
        if has_revenue:
            margins = [_scenario_margin(scenarios, number) for number in numbers]
            revenue = ("revenue", lambda row: money(row["scenarios"][0]["revenue_usd"]))
            tables.append(
                (f"Margin when prices move, by {by} (USD; LOST: below zero)", [revenue, *margins, BREAK_EVEN])
            )
    return tables


def _revenue_note(by: str, rows: list[dict[str, Any]], total: dict[str, Any]) -> str | None:
    """Says so where the totals take the cost of rows off that no revenue was told for."""
    told = sum(_revenue(row) is not None for row in rows)
    if _revenue(total) is None or told == len(rows):
        return None
    if not told:
        return f"all: no revenue is told by {by}, so it stands against the cost of all"
    return f"all: revenue of {counted(told, by)}, cost of all {count(len(rows))}"


def _revenue(row: dict[str, Any]) -> Decimal | None:
    return row["scenarios"][0]["revenue_usd"]


def _scenario_cost(scenarios: list[dict[str, Any]], number: int) -> Column:
    return harmless(scenarios[number]["scenario"]), lambda row: cost(row["scenarios"][number], "cost_usd")


def _scenario_margin(scenarios: list[dict[str, Any]], number: int) -> Column:
    def cell(row: dict[str, Any]) -> str:
        scenario = row["scenarios"][number]
        lost = " LOST" if scenario["survives"] is False else ""
        return at_most(scenario, "margin_usd", money(scenario["margin_usd"])) + lost

    return harmless(scenarios[number]["scenario"]), cell


def print_table(console: Console, title: str, columns: list[Column], rows: list[dict], total: dict | None) -> None:
    cells = [[harmless(row["name"]), *(cell(row) for _, cell in columns)] for row in rows]
    footer = ["all", *(cell(total) for _, cell in columns)] if total else [""] * (len(columns) + 1)
    headers = ["", *(name for name, _ in columns)]
    texts = zip(*cells, footer, *zip(*(header.split("\n") + [""] for header in headers), strict=False), strict=True)
    widths = [max(map(cell_len, column)) for column in texts]
    # A figure is never cut: the name gives way, and a table of wider figures runs over the edge.
    between = 2 * len(widths)
    widths[0] = min(widths[0], max(console.width - sum(widths[1:]) - between, LEAST_NAME_WIDTH))
    table = Table(show_footer=total is not None, pad_edge=False, padding=(0, 2, 0, 0))
    table.box = box.SIMPLE_HEAD if console.is_terminal else None
    for number, (name, width) in enumerate(zip(headers, widths, strict=True)):
        justify = "right" if number else "left"
        table.add_column(Text(name), footer[number], width=width, justify=justify, no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(*map(Text, row))
    room = console.width
    console.width = max(room, sum(widths) + between)
    console.print(Text(title, style="italic"))
    console.print(table)
    console.width = room
    console.print()


def cost(row: dict[str, Any], column: str) -> str:
    return money(row[column]) + ("+" if row["unpriced_call_count"] and row[column] is not None else "")


def at_most(scenario: dict[str, Any], column: str, shown: str) -> str:
    return ("<" if scenario["unpriced_call_count"] and scenario[column] is not None else "") + shown


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def json_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")

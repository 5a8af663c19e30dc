"""The report: what was read, what it cost and led to, and how far that survives when prices move."""

import csv
import io
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

from pipelines.report.figures import Query, report_figures
from pipelines.report.text import UNKNOWN, count, counted, harmless, mean, money, share

PLAIN_WIDTH = 100
MOST_ROWS = 30
MOST_SCENARIOS = 4  # side by side in one table
LEAST_NAME_WIDTH = 12
WHY_UNPRICED = {
    "unknown_model": "no price for this model",
    "class_unpriced": "no price for a token class",
    "usage_unknown": "the log tells no token counts",
    "inconsistent_usage": "cached tokens exceed the input",
}
PRICE_COLUMNS = ("provider", "model", "token_class", "usd_per_million", "valid_from")
PRICE_PLACEHOLDER = "USD_PER_MILLION"


def write(query: Query, by: str, as_json: bool, stream: TextIO) -> None:
    """The report on `stream`: JSON, tables on a terminal, plain text elsewhere. UserError for an unknown `by`."""
    if as_json:
        stream.write(report_json(query, by) + "\n")
        return
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # a name beyond the terminal's encoding is no reason to stop
    width = None if stream.isatty() else PLAIN_WIDTH
    print_report(Console(file=stream, width=width, markup=False, highlight=False, emoji=False), query, by)


def report_json(query: Query, by: str) -> str:
    """The report's figures as JSON: money as exact strings, null for unknown."""
    return json.dumps(report_figures(query, by), default=_json_value, indent=2)


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
    for title, columns in _tables(by, total["scenarios"]):
        _print_table(console, title, columns, shown, total)
    if len(rows) > len(shown):
        rest = len(rows) - len(shown)
        console.print(f"and {rest:,} more, in the totals; all of them with --json or: select * from unit_economics")
    if any(row["unpriced_call_count"] for row in [*shown, total]):
        console.print("+ calls without a price come on top")


def header(figures: dict[str, Any]) -> list[str]:
    """What the figures rest on, line by line: period, balance of lines, price book, and all that is not known."""
    about, lines, total = figures["about"], figures["lines"], figures["total"]
    calls = total["call_count"] if total else 0
    balance = " + ".join(
        f"{count(lines[name] or 0)} {word}"
        for name, word in (
            ("kept_line_count", "of calls or outcomes"),
            ("duplicate_count", "duplicate"),
            ("quarantined_count", "quarantined"),
            ("other_count", "other"),
            ("blank_count", "blank"),
        )
    )
    outcome_files = f" and {count(lines['outcome_file_count'])} of outcomes" if lines["outcome_file_count"] else ""
    told = [
        f"period      {about['first_day'] or UNKNOWN} to {about['last_day'] or UNKNOWN} (UTC)",
        f"files       {count(lines['call_file_count'])} of calls{outcome_files}",
        f"lines       {count(lines['line_count'] or 0)} = {balance}",
        f"calls       {count(calls)}, ledger version {harmless(about['ledger_version'] or UNKNOWN)}, "
        f"price book {harmless(about['price_book_hash'] or UNKNOWN)[:12]}",
    ]
    return [*told, *_caveats(figures), *_unpriced_lines(figures["unpriced"])]


def _caveats(figures: dict[str, Any]) -> list[str]:
    lines = [f"quarantined {count(row['line_count'])}: {harmless(row['reason'])}" for row in figures["quarantine"][:5]]
    doubtful = figures["possible_duplicates"]
    if doubtful["set_count"]:
        lines.append(
            f"doubtful    {counted(doubtful['call_count'], 'call')} in {counted(doubtful['set_count'], 'set')}: "
            "each set may be one call that two files tell (table possible_duplicates)"
        )
    if unmatched := figures["about"]["unmatched_outcome_count"]:
        lines.append(f"outcomes    {count(unmatched)} of actions that no call names (table outcomes)")
    recorded = figures["recorded_cost"]
    if compared := recorded["compared_call_count"]:
        theirs, ours = money(recorded["recorded_cost_usd"]), money(recorded["cost_usd"])
        lines.append(
            f"recorded    {theirs} USD in the logs against {ours} here, for {counted(compared, 'call')} with both; "
            f"{count(recorded['differing_call_count'])} differ"
        )
    if recorded["uncompared_recorded_cost_usd"] is not None:
        theirs = money(recorded["uncompared_recorded_cost_usd"])
        uncompared = recorded["recorded_call_count"] - compared
        lines.append(f"recorded    {theirs} USD in the logs for {counted(uncompared, 'call')} without a price here")
    return lines


def _unpriced_lines(unpriced: list[dict[str, Any]]) -> list[str]:
    lines, prices = [], io.StringIO()
    writer = csv.writer(prices, lineterminator="\n")
    for row in unpriced:
        name = f"{harmless(row['provider'] or UNKNOWN)}/{harmless(row['model'] or UNKNOWN)}"
        if row["token_class"] is None:
            why = WHY_UNPRICED.get(row["price_status"], harmless(row["price_status"]))
            tokens = "" if row["quantity"] is None else f", {count(row['quantity'])} tokens"
            failed = f", {count(row['error_call_count'])} failed" if row["error_call_count"] else ""
            lines.append(f"unpriced    {counted(row['call_count'], 'call')}{failed}{tokens} of {name}: {why}")
        else:
            # The user's price is put in by hand: a line with a made-up one would be believed.
            told = (row["provider"], row["model"], row["token_class"], PRICE_PLACEHOLDER, row["first_day"])
            writer.writerow(["" if cell is None else harmless(str(cell)) for cell in told])
    if prices.getvalue():
        lines.append("to price them, put what you pay into these lines and give the file with --prices:")
        lines.extend(f"    {line}" for line in [",".join(PRICE_COLUMNS), *prices.getvalue().splitlines()])
    return lines


Column = tuple[str, Callable[[dict[str, Any]], str]]

TAKES: list[Column] = [
    ("actions", lambda row: count(row["action_count"])),
    ("users", lambda row: count(row["user_count"])),
    ("calls/\naction", lambda row: mean(row["call_count"], row["action_count"], 2)),
    ("input/\naction", lambda row: mean(row["input_tokens"], row["action_count"])),
    ("cached/\naction", lambda row: mean(row["cache_read_tokens"], row["action_count"])),
    ("output/\naction", lambda row: mean(row["output_tokens"], row["action_count"])),
    ("cost", lambda row: _cost(row, "cost_usd")),
    ("cost/\naction", lambda row: _cost(row, "cost_per_action_usd")),
]
LEADS_TO: list[Column] = [
    ("actions", lambda row: count(row["action_count"])),
    ("labelled", lambda row: count(row["labelled_count"])),
    ("unlabelled", lambda row: count(row["action_count"] - row["labelled_count"])),
    ("successes", lambda row: count(row["success_count"])),
    ("success\nshare", lambda row: share(_ratio(row["success_count"], row["labelled_count"]))),
    ("cost of\nlabelled", lambda row: _cost(row, "labelled_cost_usd")),
    ("cost/\noutcome", lambda row: _cost(row, "cost_per_outcome_usd")),
]


def _tables(by: str, scenarios: list[dict[str, Any]]) -> list[tuple[str, list[Column]]]:
    tables = [
        (f"What an action takes, by {by} (cost in USD)", TAKES),
        (f"What it leads to, by {by} (cost in USD)", LEADS_TO),
    ]
    has_revenue = any(scenario["revenue_usd"] is not None for scenario in scenarios)
    for start in range(0, len(scenarios), MOST_SCENARIOS):
        numbers = range(start, min(start + MOST_SCENARIOS, len(scenarios)))
        costs = [_scenario_cost(scenarios, number) for number in numbers]
        tables.append((f"Cost when prices move, by {by} (USD)", costs))
        if has_revenue:
            margins = [_scenario_margin(scenarios, number) for number in numbers]
            revenue = ("revenue", lambda row: money(row["scenarios"][0]["revenue_usd"]))
            even = ("break-\neven", lambda row: share(row["scenarios"][0]["break_even_change_share"], signed=True))
            tables.append((f"Margin when prices move, by {by} (USD; LOST: below zero)", [revenue, *margins, even]))
    return tables


def _scenario_cost(scenarios: list[dict[str, Any]], number: int) -> Column:
    return harmless(scenarios[number]["scenario"]), lambda row: _cost(row["scenarios"][number], "cost_usd")


def _scenario_margin(scenarios: list[dict[str, Any]], number: int) -> Column:
    def cell(row: dict[str, Any]) -> str:
        scenario = row["scenarios"][number]
        return money(scenario["margin_usd"]) + (" LOST" if scenario["survives"] is False else "")

    return harmless(scenarios[number]["scenario"]), cell


def _print_table(console: Console, title: str, columns: list[Column], rows: list[dict], total: dict) -> None:
    cells = [[harmless(row["name"]), *(cell(row) for _, cell in columns)] for row in rows]
    footer = ["all", *(cell(total) for _, cell in columns)]
    headers = ["", *(name for name, _ in columns)]
    texts = zip(*cells, footer, *zip(*(header.split("\n") + [""] for header in headers), strict=False), strict=True)
    widths = [max(map(cell_len, column)) for column in texts]
    # A figure is never cut: the name gives way, and a table of wider figures runs over the edge.
    between = 2 * len(widths)
    widths[0] = min(widths[0], max(console.width - sum(widths[1:]) - between, LEAST_NAME_WIDTH))
    table = Table(title=title, title_justify="left", show_footer=True, pad_edge=False, padding=(0, 2, 0, 0))
    table.box = box.SIMPLE_HEAD if console.is_terminal else None
    for number, (name, width) in enumerate(zip(headers, widths, strict=True)):
        justify = "right" if number else "left"
        table.add_column(Text(name), footer[number], width=width, justify=justify, no_wrap=True, overflow="ellipsis")
    for row in cells:
        table.add_row(*map(Text, row))
    room = console.width
    console.width = max(room, sum(widths) + between)
    console.print(table)
    console.width = room
    console.print()


def _cost(row: dict[str, Any], column: str) -> str:
    return money(row[column]) + ("+" if row["unpriced_call_count"] and row[column] is not None else "")


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _json_value(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")

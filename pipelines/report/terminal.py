"""The report: what was read, what it cost and led to, and how far that survives when prices move."""

from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from pipelines.report import output, verdicts
from pipelines.report.figures import DIMENSIONS, Query, report_figures
from pipelines.report.header import header
from pipelines.report.next_step import after_report
from pipelines.report.output import Column, Report, Row, Table
from pipelines.report.text import count, counted, harmless, mean, money, share

MODELS = (
    "about", "costs_apart", "exposure", "guard_findings", "possible_duplicates", "price_book_revision",
    "price_certainty", "recorded_cost", "recorded_cost_causes", "recorded_cost_gaps", "revenue",
    "scenario_by_dimension", "sensitivity", "underwater", "unit_economics", "unpriced",
)  # fmt: skip
MOST_ROWS = 30
MOST_SCENARIOS = 4  # side by side in one table
NO_CALLS = "no calls in the ledger: ingest some logs first"
# Of each scenario, in a record.
SCENARIO_COLUMNS = (
    "cost_usd", "cost_per_action_usd", "cost_per_outcome_usd", "cost_apart_usd", "revenue_usd", "margin_usd",
    "margin_share", "survives", "break_even_change_share", "unpriced_call_count",
)  # fmt: skip


def write(
    query: Query, by: str | None, form: str, stream: TextIO, part: Row | None = None, most: int | None = None,
    data: Path | None = None,
) -> None:  # fmt: skip
    """The report on `stream` as one of output.FORMATS, of all calls or of the `part` that `query` is about, with the
    `most` dearest rows; without `by` its head alone. UserError for an unknown `by`."""
    if by is None:
        output.tolerate(stream)
        stream.writelines(line + "\n" for line in header(report_figures(query, DIMENSIONS[0])))
        return
    output.write(report(query, by, part, most), form, stream, data)


def report(query: Query, by: str, part: Row | None = None, most: int | None = None) -> Report:
    """The report's figures: in JSON all of report_figures, in CSV a row for each name and one for all."""
    figures = report_figures(query, by) | {"selection": part}
    rows, total = figures["rows"], figures["total"]
    kept = output.top(rows, most)
    told = figures | {"rows": kept, "left_out_count": len(rows) - len(kept)}
    return Report(
        figures=told,
        blocks=[*header(figures, part), "", *(_blocks(figures, kept[: most or MOST_ROWS]) if total else [NO_CALLS])],
        records=lambda: [_record(row) for row in [*kept, *([total] if total else [])]],
        left_out_count=told["left_out_count"],
        next_command=after_report(figures),
    )


def _blocks(figures: Row, shown: list[Row]) -> list[str | Table]:
    by, rows, total = figures["by"], figures["rows"], figures["total"]
    titled = [*_tables(by, total["scenarios"]), verdicts.table(by, rows, total)]
    blocks: list[str | Table] = [Table(title, columns, shown, total) for title, columns in titled]
    blocks += more(rows, shown, "select * from unit_economics")
    blocks += verdicts.lines(figures)
    if note := _revenue_note(by, rows, total):
        blocks.append(note)
    if any(row["unpriced_call_count"] for row in [*shown, total]):
        blocks.append("+ calls without a price come on top")
        if any(_revenue(row) is not None and row["unpriced_call_count"] for row in [*shown, total]):
            blocks.append("< at most: calls without a price would lower it")
    return blocks


def more(rows: list[Row], shown: list[Row], table: str = "") -> list[str]:
    """How many rows are not shown, and what they cost together."""
    if len(rows) == len(shown):
        return []
    names = {row["name"] for row in shown}
    rest = [row for row in rows if row["name"] not in names]
    costs = [row["cost_usd"] for row in rest if row["cost_usd"] is not None]
    unpriced = sum(row["unpriced_call_count"] for row in rest)
    told = cost(
        {"cost_usd": sum(costs, start=Decimal(0)) if costs else None, "unpriced_call_count": unpriced}, "cost_usd"
    )
    where = "all of them with --top, --json or --csv" + (f", or: {table}" if table else "")
    return [f"and {len(rest):,} more, {told} USD, in the totals; {where}"]


def _record(row: Row) -> Row:
    """One row of a spreadsheet: what is published of a name, and of each scenario behind its name."""
    nested = ("scenarios", "sensitivity", "exposure")
    of_scenarios = {
        f"{column} ({scenario['scenario']})": scenario[column]
        for scenario in row["scenarios"]
        for column in SCENARIO_COLUMNS
    }
    record = {name: value for name, value in row.items() if name not in nested} | of_scenarios
    return record | {name: value for name, value in row["sensitivity"].items() if name not in record}


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


def cost(row: dict[str, Any], column: str) -> str:
    return money(row[column]) + ("+" if row["unpriced_call_count"] and row[column] is not None else "")


def at_most(scenario: dict[str, Any], column: str, shown: str) -> str:
    return ("<" if scenario["unpriced_call_count"] and scenario[column] is not None else "") + shown


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None

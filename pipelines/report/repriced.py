"""What scenarios cost that no build asked for: one line for each scenario, names side by side, and how sure that is."""

import json
from typing import Any, TextIO

import polars as pl
from rich.console import Console

from pipelines.errors import UserError
from pipelines.report import verdicts
from pipelines.report.figures import DIMENSIONS, Query, repriced_figures
from pipelines.report.terminal import (
    MOST_ROWS,
    MOST_SCENARIOS,
    PLAIN_WIDTH,
    Column,
    at_most,
    cost,
    json_value,
    print_table,
    scenario_tables,
)
from pipelines.report.text import UNKNOWN, count, harmless, money, share

MODELS = ("scenario_by_dimension", "scenario_swaps", "sensitivity", "underwater", "unit_economics", "exposure")
Row = dict[str, Any]


def check(by: str) -> None:
    if by not in DIMENSIONS:
        raise UserError(f"--by {by}: no such grouping; choose one of {', '.join(DIMENSIONS)}")


def write(query: Query, by: str, as_json: bool, stream: TextIO) -> None:
    """Every scenario for all, and the names of `by` under each; as JSON or tables."""
    figures = repriced_figures(query, by)
    if as_json:
        stream.write(json.dumps(figures, default=json_value, indent=2) + "\n")
        return
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # a name beyond the terminal's encoding is no reason to stop
    width = None if stream.isatty() else PLAIN_WIDTH
    console = Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
    rows, total = figures["rows"], figures["total"]
    if total is None:
        console.print("no calls in the ledger: ingest some logs first")
        return
    for line in [*_reasons(figures["reasons"]), *_swap_lines(figures["scenario_swaps"])]:
        console.print(line, soft_wrap=not console.is_terminal)
    scenarios = [row | {"name": row["scenario"]} for row in total["scenarios"]]
    print_table(console, "Cost of all calls under each scenario (USD)", _columns(scenarios), scenarios, None)
    shown = rows[:MOST_ROWS]
    if len(scenarios) <= MOST_SCENARIOS:
        for title, columns in scenario_tables(by, total["scenarios"]):
            print_table(console, title, columns, shown, total)
    title, columns = verdicts.table(by, rows, total)
    print_table(console, title, columns, shown, total)
    if (more := len(rows) - len(shown)) > 0:
        console.print(f"and {more:,} more, in the totals; all of them with --json")
    for line in verdicts.lines(figures):
        console.print(line, soft_wrap=not console.is_terminal)
    if any(row["unpriced_call_count"] for row in scenarios):
        console.print("+ calls without a price come on top")
    if any(_is_estimate(row) for row in scenarios):
        console.print(
            "from, to: every call that may cross a context bound, or whose tokens were measured, at its bounds"
        )


def _reasons(rows: list[Row]) -> list[str]:
    return [harmless(f"{row['scenario']}: {row['reason']}") for row in rows]


def measured_pairs(query: Query) -> list[tuple[str, str]]:
    """Both models, provider in front, of each swap whose tokens were measured in some feature."""
    told = query("select * from scenario_swaps where tokens = 'measured'")
    names = [pl.concat_str(f"{side}_provider", f"{side}_model", separator="/") for side in ("from", "to")]
    return told.select(names[0].alias("from"), names[1].alias("to")).unique().sort("from", "to").rows()


def _columns(scenarios: list[Row]) -> list[Column]:
    actual = scenarios[0]
    columns: list[Column] = [
        ("cost", lambda row: cost(row, "cost_usd")),
        ("change", lambda row: _change(row, actual)),
        ("cost/\naction", lambda row: cost(row, "cost_per_action_usd")),
        ("cost/\noutcome", lambda row: cost(row, "cost_per_outcome_usd")),
    ]
    if any(_is_estimate(row) for row in scenarios):
        columns[1:1] = [
            ("from", lambda row: money(row["cost_low_usd"])),
            ("to", lambda row: money(row["cost_high_usd"])),
        ]
    if any(row["cost_apart_usd"] for row in scenarios):
        columns.append(("apart", lambda row: money(row["cost_apart_usd"])))
    if any(row["revenue_usd"] is not None for row in scenarios):
        columns += [
            ("margin", _margin),
            ("share", lambda row: at_most(row, "margin_share", share(row["margin_share"]))),
        ]
    return columns


def _margin(row: Row) -> str:
    lost = " LOST" if row["survives"] is False else ""
    return at_most(row, "margin_usd", money(row["margin_usd"])) + lost


def _change(row: Row, actual: Row) -> str:
    """Unknown where other calls are priced than in actual: then the two costs are of other calls."""
    if row["cost_usd"] is None or not actual["cost_usd"] or row["unpriced_call_count"] != actual["unpriced_call_count"]:
        return UNKNOWN
    return share(float(row["cost_usd"] / actual["cost_usd"]) - 1, signed=True)


def _is_estimate(row: Row) -> bool:
    return row["cost_low_usd"] != row["cost_high_usd"]


def _swap_lines(swaps: list[Row]) -> list[str]:
    """Which calls move, and what is assumed of their tokens; the measured ones one by one."""
    lines: dict[str, None] = {}
    for row in swaps:
        stays = (row["from_provider"], row["from_model"]) == (row["to_provider"], row["to_model"])
        if stays and row["tokens"] == "same tokens assumed":
            continue  # to a batch or a tier: the scenario's name says it
        pair = f"{row['from_provider']}/{row['from_model'] or UNKNOWN} -> {row['to_provider']}/{row['to_model']}"
        where = "" if row["feature"] is None else f" in {row['feature']}"
        told = row["tokens"]
        if told != "same tokens assumed":
            told += f": input x{row['input_ratio']:.3f}, output x{row['output_ratio']:.3f}"
        if row["tokens"] == "measured":
            counts = f"{count(row['from_action_count'])} and {count(row['to_action_count'])} actions"
            days = f", {row['first_day']} to {row['last_day']}" if row["first_day"] else ""
            told += (
                f" (input {row['input_ratio_low']:.3f} to {row['input_ratio_high']:.3f}, output "
                f"{row['output_ratio_low']:.3f} to {row['output_ratio_high']:.3f}; {counts}{days})"
            )
        lines[harmless(f"{row['scenario']}: {pair}{where}, {told}")] = None
    return list(lines)

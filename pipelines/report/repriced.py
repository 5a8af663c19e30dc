"""What scenarios cost that no build asked for: one line for each scenario, names side by side, and how sure that is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import polars as pl

from pipelines.errors import UserError
from pipelines.report import output, verdicts
from pipelines.report.figures import DIMENSIONS, Query, repriced_figures
from pipelines.report.header import selected
from pipelines.report.next_step import after_scenarios
from pipelines.report.output import Column, Report, Row, Table
from pipelines.report.terminal import MOST_ROWS, MOST_SCENARIOS, NO_CALLS, at_most, cost, more, scenario_tables
from pipelines.report.text import UNKNOWN, count, harmless, money, share

MODELS = ("scenario_by_dimension", "scenario_swaps", "sensitivity", "underwater", "unit_economics", "exposure")


def check(by: str) -> None:
    if by not in DIMENSIONS:
        raise UserError(f"--by {by}: no such grouping; choose one of {', '.join(DIMENSIONS)}")


def write(
    query: Query, by: str, form: str, stream: TextIO, part: Row | None = None, most: int | None = None,
    data: Path | None = None, evidence: Sequence[list[str]] = (),
) -> None:  # fmt: skip
    """Every scenario for all, and the names of `by` under each, as one of output.FORMATS; of all calls or of the `part`
    that `query` is about, with the `most` dearest rows. `evidence` is what measured swaps rest on, of all calls."""
    told = report(repriced_figures(query, by), part, most)
    lines = [line for some in evidence for line in ("", *some)]
    output.write(replace(told, blocks=[*told.blocks, *lines]), form, stream, data)


def report(figures: Row, part: Row | None = None, most: int | None = None) -> Report:
    """In CSV a row of `scenario_by_dimension` for each name and scenario, and for all."""
    rows, total = figures["rows"], figures["total"]
    kept = output.top(rows, most)
    left_out = len(rows) - len(kept)
    lost_alone = [row for row in kept if len(row["scenarios"]) <= MOST_SCENARIOS]
    return Report(
        figures=figures | {"selection": part, "rows": kept, "left_out_count": left_out},
        blocks=[*selected(part), *(_blocks(figures, kept[: most or MOST_ROWS]) if total else [NO_CALLS])],
        records=lambda: [
            {"dimension": row["dimension"], "name": row["name"]} | scenario
            for row in [*kept, *([total] if total else [])]
            for scenario in row["scenarios"]
        ],
        left_out_count=left_out,
        next_command=after_scenarios(figures | {"rows": lost_alone}),
    )


def _blocks(figures: Row, shown: list[Row]) -> list[str | Table]:
    by, rows, total = figures["by"], figures["rows"], figures["total"]
    scenarios = [row | {"name": row["scenario"]} for row in total["scenarios"]]
    titled = scenario_tables(by, total["scenarios"]) if len(scenarios) <= MOST_SCENARIOS else []
    blocks: list[str | Table] = [
        *_reasons(figures["reasons"]),
        *_swap_lines(figures["scenario_swaps"]),
        Table("Cost of all calls under each scenario (USD)", _columns(scenarios), scenarios),
        *(Table(title, columns, shown, total) for title, columns in [*titled, verdicts.table(by, rows, total)]),
        *more(rows, shown),
        *verdicts.lines(figures),
    ]
    if any(row["unpriced_call_count"] for row in scenarios):
        blocks.append("+ calls without a price come on top")
    if any(_is_estimate(row) for row in scenarios):
        blocks.append(
            "from, to: every call that may cross a context bound, or whose tokens were measured, at its bounds"
        )
    return blocks


def _reasons(rows: list[Row]) -> list[str]:
    return [harmless(f"{row['scenario']}: {row['reason']}") for row in rows]


def measured_pairs(query: Query) -> list[tuple[str, str]]:
    """Both models, provider in front, of each swap whose tokens were measured in some feature."""
    told = query("select * from scenario_swaps where tokens = 'measured'")
    names = [
        pl.concat_str(f"{side}_provider", f"{side}_model", separator="/", ignore_nulls=True).alias(side)
        for side in ("from", "to")
    ]
    return told.select(names).unique().sort("from", "to").rows()


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

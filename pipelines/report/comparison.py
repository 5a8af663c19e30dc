"""Two periods or scenarios side by side: what each took, cost and led to, and the difference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from pipelines.report import output
from pipelines.report.bridge import at_least, head, signed
from pipelines.report.output import Column, Report, Row, Table
from pipelines.report.text import UNKNOWN, count, money, share

MOST_NAMES = 12
SIDES = ("first", "second", "difference", "change_share")
COLUMNS: list[Column] = [
    ("A", lambda line: line["first"]),
    ("B", lambda line: line["second"]),
    ("B - A", lambda line: line["difference"]),
    ("change", lambda line: line["change"]),
]


def write(figures: Row, form: str, stream: TextIO, most: int | None = None, data: Path | None = None) -> None:
    """The two sides as one of output.FORMATS, with the `most` rows that are dearest in A."""
    output.write(report(figures, most), form, stream, data)


def report(figures: Row, most: int | None = None) -> Report:
    """In CSV a row for each name and one for all: each figure of A, of B, and both differences."""
    rows, total, sides = figures["rows"], figures["total"], (figures["first"], figures["second"])
    kept = rows[:most]
    told = figures | {"rows": kept, "left_out_count": len(rows) - len(kept)}
    lines = head(*sides, figures["undated_call_count"], ("A", "B"))
    shown = _lines_of([total, *kept[: most or MOST_NAMES]])
    blocks: list[str | Table] = [*lines, "", Table("", COLUMNS, shown, are_names_whole=True)]
    if (rest := len(rows) - len(kept[: most or MOST_NAMES])) > 0:
        blocks.append(f"and {rest:,} more; all of them with --top, --json or --csv")
    unpriced = [total[side]["unpriced_call_count"] for side in ("first", "second")]
    if any(unpriced):
        blocks.append(f"+ calls without a price come on top: {unpriced[0]:,} in A, {unpriced[1]:,} in B")
    periods = " ".join(f"{side['first_day']}..{side['last_day']}" for side in sides)
    next_command = None if any(side["scenario"] for side in sides) else f"tokenspread bridge {periods}"
    return Report(told, blocks, lambda: [_record(row) for row in [*kept, total]], told["left_out_count"], next_command)


def _record(row: Row) -> Row:
    told = {
        side: {name: value for name, value in row[side].items() if name not in ("dimension", "name")} for side in SIDES
    }
    return {"name": row["name"]} | {f"{side}_{name}": value for side in SIDES for name, value in told[side].items()}


def _mean(number: float | None) -> str:
    return UNKNOWN if number is None else f"{number:,.2f}"


def _points(number: float | None) -> str:
    return UNKNOWN if number is None else f"{100 * number:+,.1f} points"


def _plus(shown: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda number: shown(number) if number is None or number <= 0 else f"+{shown(number)}"


# figure: (its name, how it is shown, how a difference is)
FIGURES: dict[str, tuple[str, Callable[[Any], str], Callable[[Any], str]]] = {
    "user_count": ("users", count, _plus(count)),
    "action_count": ("actions", count, _plus(count)),
    "calls_per_action": ("calls/action", _mean, _plus(_mean)),
    "tokens_per_action": ("tokens/action", _mean, _plus(_mean)),
    "cost_usd": ("cost (USD)", money, signed),
    "cost_per_action_usd": ("cost/action (USD)", money, signed),
    "success_share": ("success share", share, _points),
    "cost_per_outcome_usd": ("cost/outcome (USD)", money, signed),
    "margin_usd": ("margin (USD)", money, signed),
}


def _lines_of(rows: list[Row]) -> list[Row]:
    """A line with the name alone, one for each of its figures, and an empty one between two names."""
    lines: list[tuple[str, ...]] = []
    for number, row in enumerate(rows):
        lines += [("",) * 5] if number else []
        lines += [(row["name"], "", "", "", ""), *_lines(row)]
    return [dict(zip(("name", "first", "second", "difference", "change"), line, strict=True)) for line in lines]


def _marked(figure: str, side: dict[str, Any], shown: Callable[[Any], str]) -> str:
    is_cost = figure.startswith("cost")
    return at_least(side[figure], side["unpriced_call_count"]) if is_cost else shown(side[figure])


def _lines(row: dict[str, Any]) -> list[tuple[str, ...]]:
    """A line for each figure that either side tells."""
    return [
        (
            f"  {name}",
            _marked(figure, row["first"], shown),
            _marked(figure, row["second"], shown),
            difference(row["difference"][figure]),
            share(row["change_share"][figure], signed=True),
        )
        for figure, (name, shown, difference) in FIGURES.items()
        if row["first"][figure] is not None or row["second"][figure] is not None
    ]

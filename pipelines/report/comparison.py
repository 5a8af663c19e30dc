"""Two periods or scenarios side by side: what each took, cost and led to, and the difference."""

from collections.abc import Callable
from typing import Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.report.bridge import as_text, at_least, console_on, head, signed
from pipelines.report.text import UNKNOWN, count, harmless, money, share

MOST_NAMES = 12


def write(figures: dict[str, Any], as_json: bool, stream: TextIO) -> None:
    """All of `figures` as JSON, or the largest rows as a table."""
    if as_json:
        stream.write(as_text(figures) + "\n")
        return
    console = console_on(stream)
    for line in head(figures["first"], figures["second"], figures["undated_call_count"], ("A", "B")):
        console.print(line)
    console.print()
    rows = figures["rows"]
    _print_table(console, [figures["total"], *rows[:MOST_NAMES]])
    if len(rows) > MOST_NAMES:
        console.print(f"and {len(rows) - MOST_NAMES:,} more; all of them with --json")
    told = [figures["total"][side]["unpriced_call_count"] for side in ("first", "second")]
    if any(told):
        console.print(f"+ calls without a price come on top: {told[0]:,} in A, {told[1]:,} in B")


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


def _print_table(console: Console, rows: list[dict[str, Any]]) -> None:
    lines: list[tuple[str, ...]] = []
    for number, row in enumerate(rows):
        lines += [("",) * 5] if number else []
        lines.append((harmless(row["name"]), "", "", "", ""))
        lines += _lines(row)
    headers = ("", "A", "B", "B - A", "change")
    table = Table(pad_edge=False, padding=(0, 2, 0, 0), box=box.SIMPLE_HEAD if console.is_terminal else None)
    for number, header in enumerate(headers):
        # A figure is never cut: the name of a row folds.
        width = max(cell_len(text) for text in (header, *(line[number] for line in lines))) if number else None
        justify = "right" if number else "left"
        table.add_column(header, justify=justify, min_width=width, no_wrap=bool(number), overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    console.print(table)


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

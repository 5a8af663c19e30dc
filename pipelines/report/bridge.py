"""What changed a cost from one period to another, or from actual to a scenario: in words, and a table by name."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from pipelines.report.terminal import MOST_ROWS, PLAIN_WIDTH, Column, json_value, print_table
from pipelines.report.text import UNKNOWN, counted, harmless, money, share

# column of an effect: (in words, over its column)
EFFECTS = {
    "activity_usd": ("who acts", "who\nacts"),  # of a scenario
    "users_usd": ("users", "users"),
    "success_share_usd": ("success share", "success\nshare"),
    "actions_per_user_usd": ("actions per user", "actions/\nuser"),
    "calls_per_action_usd": ("calls per action", "calls/\naction"),
    "tokens_per_call_usd": ("tokens per call", "tokens/\ncall"),
    "model_mix_usd": ("model mix", "model\nmix"),
    "class_mix_usd": ("token class mix", "class\nmix"),
    "price_usd": ("price", "price"),
    "new_usd": ("new", "new"),
    "gone_usd": ("gone", "gone"),
}


def write(figures: dict[str, Any], as_json: bool, stream: TextIO) -> None:
    """The bridge of cost and that of cost per outcome on `stream`."""
    if as_json:
        stream.write(as_text(figures) + "\n")
        return
    console = console_on(stream)
    for line in head(figures["from"], figures["to"], figures["undated_call_count"], ("from", "to")):
        console.print(line)
    if shared := figures["shared_day_count"]:
        console.print(f"overlap     {counted(shared, 'day')}: in both")
    cost, each = figures["cost"], figures["cost_per_outcome"]
    if cost["total"] is None:
        console.print("\nno calls in either of the two")
        return
    _print_unpriced(console, cost["total"])
    console.print()
    _print_bridge(console, "cost", figures["by"], cost, ("from_cost_usd", "to_cost_usd"))
    if each["total"] is not None and (each["total"]["from_success_count"] or each["total"]["to_success_count"]):
        columns = ("from_cost_per_outcome_usd", "to_cost_per_outcome_usd")
        _print_bridge(console, "cost per outcome", figures["by"], each, columns)


def write_scenario(figures: dict[str, Any], as_json: bool, stream: TextIO) -> None:
    """The actual cost, a scenario's, and what of the scenario makes the change."""
    if as_json:
        stream.write(as_text(figures) + "\n")
        return
    console, total = console_on(stream), figures["cost"]["total"]
    if total is None:
        console.print("no calls in the ledger: ingest some logs first")
        return
    console.print(f"from actual to {harmless(figures['scenario'])}")
    _print_unpriced(console, total)
    console.print()
    _print_bridge(console, "cost", figures["by"], figures["cost"], ("from_cost_usd", "to_cost_usd"))


def head(first: dict[str, Any], second: dict[str, Any], undated_call_count: int, words: tuple[str, str]) -> list[str]:
    """The two periods, how much of each the log spans, and what is in none."""
    lines = []
    for word, side in zip(words, (first, second), strict=True):
        if side.get("scenario"):
            lines.append(f"{word:<12}{harmless(side['scenario'])}, all calls of the log")
            continue
        days, logged = side["day_count"], side["logged_day_count"]
        spanned = counted(days, "day") if days == logged else f"the log spans {logged:,} of {counted(days, 'day')}"
        lines.append(f"{word:<12}{side['first_day']} to {side['last_day']} (UTC, {spanned})")
    if undated_call_count and not (first.get("scenario") and second.get("scenario")):
        lines.append(f"undated     {counted(undated_call_count, 'call')} without a date: in no period")
    return lines


def console_on(stream: TextIO) -> Console:
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")  # a name beyond the terminal's encoding is no reason to stop
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def as_text(figures: dict[str, Any]) -> str:
    """JSON: money as exact strings, null for unknown."""
    return json.dumps(figures, default=json_value, indent=2)


def signed(usd: Decimal | None) -> str:
    return money(usd) if usd is None or usd <= 0 else f"+{money(usd)}"


def at_least(usd: Decimal | None, unpriced_call_count: int) -> str:
    """A cost, marked where calls without a price come on top, as in the report."""
    return money(usd) + ("+" if unpriced_call_count and usd is not None else "")


def part(usd: Decimal | None, whole: Decimal | None) -> float | None:
    return None if usd is None or not whole else float(usd / whole)


def _print_unpriced(console: Console, total: dict[str, Any]) -> None:
    first, second = total["from_unpriced_call_count"], total["to_unpriced_call_count"]
    if first or second:
        console.print(
            f"unpriced    {counted(first, 'call')}, then {counted(second, 'call')}: on top of what is marked +"
        )


def _print_bridge(console: Console, what: str, by: str, bridge: dict[str, Any], ends: tuple[str, str]) -> None:
    """The total in words, its effects by size, then the rows; without effects that are zero everywhere."""
    rows, total = bridge["rows"], bridge["total"]
    effects = [name for name in EFFECTS if name in total]
    before, after = total[ends[0]], total[ends[1]]
    percent = _percent(total["change_usd"], before)
    change = UNKNOWN if total["change_usd"] is None else f"{signed(total['change_usd'])} USD{percent}"
    console.print(f"{what}: {money(before)} USD, then {money(after)} USD: {change}")
    by_size = sorted((name for name in effects if total[name]), key=lambda name: -abs(total[name]))
    for name in by_size:
        console.print(f"  {EFFECTS[name][0] + ':':<18}{signed(total[name])} USD{_percent(total[name], before)}")
    console.print()
    shown = [name for name in effects if any(row[name] for row in [*rows, total])]
    columns: list[Column] = [
        ("from", _cost(ends[0], "from_unpriced_call_count")),
        ("to", _cost(ends[1], "to_unpriced_call_count")),
        ("change", lambda row: signed(row["change_usd"])),
        *((EFFECTS[name][1], _effect(name)) for name in shown),
    ]
    if rows:
        _print_rows(console, f"What changed the {what}, by {by} (USD)", columns, bridge)


def _cost(name: str, unpriced: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: at_least(row[name], row[unpriced])


def _effect(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: signed(row[name])


def _percent(usd: Decimal | None, whole: Decimal | None) -> str:
    of_whole = part(usd, whole)
    return "" if of_whole is None else f" ({share(of_whole, signed=True)})"


def _print_rows(console: Console, title: str, columns: list[Column], told: dict[str, Any]) -> None:
    rows = told["rows"]
    print_table(console, title, columns, rows[:MOST_ROWS], told["total"])
    if len(rows) > MOST_ROWS:
        console.print(Text(f"and {len(rows) - MOST_ROWS:,} more, in the totals; all of them with --json"))

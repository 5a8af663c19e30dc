"""What changed a cost from one period to another, or from actual to a scenario: in words, and a table by name."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from pipelines.report import output
from pipelines.report.output import Column, Report, Row, Table
from pipelines.report.terminal import MOST_ROWS, NO_CALLS
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


def write(figures: Row, form: str, stream: TextIO, most: int | None = None, data: Path | None = None) -> None:
    """The bridge of cost and that of cost per outcome on `stream`, as one of output.FORMATS, with the `most` rows that
    changed most."""
    output.write(report(figures, most), form, stream, data)


def report(figures: Row, most: int | None = None) -> Report:
    """Of two periods, or from actual to a scenario. In CSV a row for each name, of cost and of cost per outcome."""
    bridges = {"cost": figures["cost"], "cost_per_outcome": figures.get("cost_per_outcome")}
    kept = {what: _kept(told, most) for what, told in bridges.items() if told}
    left_out = sum(len(told["rows"]) - len(kept[what]["rows"]) for what, told in bridges.items() if told)
    period = f"{figures['to']['first_day']}..{figures['to']['last_day']}" if "to" in figures else None
    return Report(
        figures=figures | kept | {"left_out_count": left_out},
        blocks=_blocks(figures | kept, {what: len(told["rows"]) for what, told in bridges.items() if told}),
        records=lambda: _records(kept),
        left_out_count=left_out,
        next_command=_next(period, figures["by"]),
    )


def _next(period: str | None, by: str) -> str | None:
    if period is None:
        return None
    since, _, until = period.partition("..")
    return f"tokenspread report --since {since} --until {until}" + ("" if by in ("all", "feature") else f" --by {by}")


def _kept(told: Row, most: int | None) -> Row:
    """Rows come by the size of their change."""
    return told | {"rows": told["rows"][:most]}


def _records(bridges: dict[str, Row]) -> list[Row]:
    rows = [
        {"bridge": what} | row
        for what, told in bridges.items()
        for row in [*told["rows"], *([told["total"]] if told["total"] else [])]
    ]
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column) for column in columns} for row in rows]


def _blocks(figures: Row, row_counts: dict[str, int]) -> list[str | Table]:
    cost, each = figures["cost"], figures.get("cost_per_outcome")
    if "scenario" in figures:
        lines = [f"from actual to {harmless(figures['scenario'])}"]
    else:
        lines = head(figures["from"], figures["to"], figures["undated_call_count"], ("from", "to"))
        shared = figures["shared_day_count"]
        lines += [f"overlap     {counted(shared, 'day')}: in both"] if shared else []
    if cost["total"] is None:
        return [NO_CALLS] if "scenario" in figures else [*lines, "", "no calls in either of the two"]
    by, ends = figures["by"], ("from_cost_usd", "to_cost_usd")
    blocks = [*lines, *_unpriced(cost["total"]), "", *_bridge("cost", by, cost, ends, row_counts["cost"])]
    if each and each["total"] and (each["total"]["from_success_count"] or each["total"]["to_success_count"]):
        ends = ("from_cost_per_outcome_usd", "to_cost_per_outcome_usd")
        blocks += _bridge("cost per outcome", by, each, ends, row_counts["cost_per_outcome"])
    return blocks


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


def signed(usd: Decimal | None) -> str:
    return money(usd) if usd is None or usd <= 0 else f"+{money(usd)}"


def at_least(usd: Decimal | None, unpriced_call_count: int) -> str:
    """A cost, marked where calls without a price come on top, as in the report."""
    return money(usd) + ("+" if unpriced_call_count and usd is not None else "")


def part(usd: Decimal | None, whole: Decimal | None) -> float | None:
    return None if usd is None or not whole else float(usd / whole)


def _unpriced(total: Row) -> list[str]:
    first, second = total["from_unpriced_call_count"], total["to_unpriced_call_count"]
    told = f"unpriced    {counted(first, 'call')}, then {counted(second, 'call')}: on top of what is marked +"
    return [told] if first or second else []


def _bridge(what: str, by: str, bridge: Row, ends: tuple[str, str], row_count: int) -> list[str | Table]:
    """The total in words, its effects by size, then the rows; without effects that are zero everywhere."""
    rows, total = bridge["rows"], bridge["total"]
    effects = [name for name in EFFECTS if name in total]
    before, after = total[ends[0]], total[ends[1]]
    percent = _percent(total["change_usd"], before)
    change = UNKNOWN if total["change_usd"] is None else f"{signed(total['change_usd'])} USD{percent}"
    blocks: list[str | Table] = [f"{what}: {money(before)} USD, then {money(after)} USD: {change}"]
    by_size = sorted((name for name in effects if total[name]), key=lambda name: -abs(total[name]))
    for name in by_size:
        blocks.append(f"  {EFFECTS[name][0] + ':':<18}{signed(total[name])} USD{_percent(total[name], before)}")
    shown = [name for name in effects if any(row[name] for row in [*rows, total])]
    columns: list[Column] = [
        ("from", _cost(ends[0], "from_unpriced_call_count")),
        ("to", _cost(ends[1], "to_unpriced_call_count")),
        ("change", lambda row: signed(row["change_usd"])),
        *((EFFECTS[name][1], _effect(name)) for name in shown),
    ]
    title = f"What changed the {what}, by {by} (USD)"
    table = [Table(title, columns, rows[:MOST_ROWS], total)] if rows else []
    rest = row_count - len(rows[:MOST_ROWS])
    more = [f"and {rest:,} more, in the totals; all of them with --json or --csv"] if rest else []
    return [*blocks, "", *table, *more]


def _cost(name: str, unpriced: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: at_least(row[name], row[unpriced])


def _effect(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda row: signed(row[name])


def _percent(usd: Decimal | None, whole: Decimal | None) -> str:
    of_whole = part(usd, whole)
    return "" if of_whole is None else f" ({share(of_whole, signed=True)})"

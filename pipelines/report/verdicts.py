"""What prices may do: whose margin survives, what one percent costs, what to charge, who is under water, and why."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from pipelines.report.text import UNKNOWN, count, counted, harmless, money, share

MOST_HOLDING = 20  # characters; a longer list of scenarios is counted
PAYERS = ("user", "customer")  # the features stand in the table
KINDS = {"provider": "one provider", "model": "one model", "token_class": "one token class"}

Row = dict[str, Any]
Column = tuple[str, Callable[[Row], str]]


def table(by: str, rows: list[Row], total: Row) -> tuple[str, list[Column]]:
    """Title and columns over rows that hold their `sensitivity` and `scenarios`; margins only where revenue is told."""
    every = [*rows, total]
    columns: list[Column] = []
    if any(row["sensitivity"]["revenue_usd"] is not None for row in every):
        columns += [("margin", _margin), ("break-\neven", _break_even)]
    columns += [("1%\ncosts", _one_percent), ("charge/\naction", _charge("required_revenue_per_action_usd"))]
    if any(row["success_count"] for row in every):
        columns.append(("charge/\noutcome", _charge("required_revenue_per_outcome_usd")))
    if any(row["sensitivity"]["revenue_usd"] is not None for row in every):
        columns.append(("holds in", _holds_in))
    return f"What prices may do, by {by} (USD)", columns


def lines(figures: dict[str, Any]) -> list[str]:
    """What stands below the table: what `charge` means, who is under water, what the cost of all rides on."""
    total = figures["total"]
    under = [line for dimension in PAYERS if (line := _underwater(dimension, figures["underwater"]))]
    exposed = [line for kind in KINDS if (line := _exposed(kind, total))]
    return [*_charge_note([*figures["rows"], total]), *under, *exposed]


def _margin(row: Row) -> str:
    return _at_most(row["sensitivity"], "margin_usd", money)


def _break_even(row: Row) -> str:
    return _at_most(row["sensitivity"], "break_even_change_share", lambda part: share(part, signed=True))


def _one_percent(row: Row) -> str:
    figures = row["sensitivity"]
    return _at_least(figures["one_percent_usd"], figures["unpriced_call_count"])


def _charge(column: str) -> Callable[[Row], str]:
    return lambda row: _at_least(row["sensitivity"][column], row["sensitivity"]["most_unpriced_call_count"])


def _holds_in(row: Row) -> str:
    """all, none, or the scenarios that the margin survives; what is not known to fail is not told to hold."""
    verdict = row["sensitivity"]["verdict"]
    if verdict is None:
        failing = _names(row, False)
        return f"not {_listed(failing, len(row['scenarios']))}" if failing else UNKNOWN
    if verdict == "holds in some":
        return _listed(_names(row, True), len(row["scenarios"]))
    return verdict.removeprefix("holds in ")


def _names(row: Row, survives: bool) -> list[str]:
    return [harmless(scenario["scenario"]) for scenario in row["scenarios"] if scenario["survives"] is survives]


def _listed(names: list[str], of_count: int) -> str:
    listed = ", ".join(names)
    return listed if len(listed) <= MOST_HOLDING else f"{count(len(names))} of {count(of_count)}"


def _charge_note(rows: list[Row]) -> list[str]:
    """What the charge is for; as shown it is rounded, and exact in the table."""
    # What costs nothing costs the same in every scenario: it has no worst.
    worst = {row["sensitivity"]["worst_scenario"] for row in rows if row["sensitivity"]["required_revenue_usd"]}
    if not worst:
        return []
    target = Decimal(str(rows[-1]["sensitivity"]["target_margin_share"]))
    aim = f"leaves a margin of {(100 * target).normalize():f}%" if target else "pays the cost"
    where = f"in the worst scenario, {harmless(worst.pop())}" if len(worst) == 1 else "in the worst scenario of each"
    return [f"charge: what {aim} {where} (table sensitivity)"]


def _underwater(dimension: str, rows: list[Row]) -> str | None:
    """How many users or customers cost more than they pay: today, and in the scenario that loses the most."""
    rows = [row for row in rows if row["dimension"] == dimension and row["known_count"]]
    if not rows:
        return None
    worst = min(rows, key=lambda row: (row["loss_usd"], row["scenario_order"]))
    known = counted(worst["known_count"], dimension)
    if not worst["underwater_count"]:
        told = f"none of {known} that revenue is told for, in any scenario"
        undecided = max(row["undecided_count"] for row in rows)
        return f"under water: {told}" + (f"; {count(undecided)} not known" if undecided else "")
    told = f"{count(rows[0]['underwater_count'])} of {known} today{_short(rows[0])}"
    if worst["scenario_order"]:
        told += f", {count(worst['underwater_count'])} at {harmless(worst['scenario'])}{_short(worst)}"
    return f"under water: {told}; the worst is {harmless(worst['worst_name'])} ({money(worst['worst_margin_usd'])} USD)"


def _short(row: Row) -> str:
    told = []
    if row["underwater_count"]:
        told.append(f"{_at_least(-row['loss_usd'], row['unpriced_call_count'])} USD short")
    if row["undecided_count"]:
        told.append(f"{count(row['undecided_count'])} not known")
    return f" ({', '.join(told)})" if told else ""


def _exposed(kind: str, total: Row) -> str | None:
    """What the greatest driver of a kind bears, and how far its prices alone may move."""
    drivers = [driver for driver in total["exposure"] if driver["kind"] == kind and driver["exposure_share"]]
    if not drivers:
        return None
    most = max(drivers, key=lambda driver: driver["exposure_share"])
    if most["exposure_share"] == 1 and kind != "provider":
        return None  # the only one: it is all of the cost
    rides = f"{share(most['exposure_share'])} of the cost rides on {KINDS[kind]}, {harmless(most['driver'])}"
    change = most["break_even_change_share"]
    if change is None:
        return rides
    at_most = "at most " if most["unpriced_call_count"] else ""
    if change >= 0:
        return f"{rides}; alone it may rise by {at_most}{share(change)} before the margin is gone"
    if change >= -1:
        at_least = "at least " if most["unpriced_call_count"] else ""
        return f"{rides}; alone it must fall by {at_least}{share(-change)} for a margin of zero"
    return f"{rides}; free of charge it would not leave a margin"


def _at_least(usd: Decimal | None, unpriced_call_count: int) -> str:
    return money(usd) + ("+" if unpriced_call_count and usd is not None else "")


def _at_most(figures: Row, column: str, shown: Callable[[Any], str]) -> str:
    value = figures[column]
    return ("<" if figures["unpriced_call_count"] and value is not None else "") + shown(value)

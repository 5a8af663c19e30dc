"""Features and users: a row for each, and what a row opens to."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any

from pipelines.report.page import questions
from pipelines.report.page.asked import Asked
from pipelines.report.page.numbers import day_number, percent, shown, shown_estimate, summed, tenths, usd_of_pico
from pipelines.report.text import harmless

COLUMNS = {"feature": "feature", "user": "user_id"}
MOST_DAYS = 30_000  # of all users together; the dearest users have theirs, the others have months
Row = dict[str, Any]


def rows(asked: Asked, dimension: str) -> list[Row]:
    """As the question SUBJECTS has them, the dearest first."""
    return asked.rows(questions.SUBJECTS.format(dimension=dimension))


def table(found: list[Row]) -> dict[str, list]:
    """A list for each column, in the order of the rows: it packs far better than a record for each row."""
    return {
        "name": [harmless(row["name"]) for row in found],
        **{name: [row[name] for row in found] for name in _COUNTS},
        **{name: [shown(row[f"{name}_usd"]) for row in found] for name in _MONEY},
        **{name: [percent(row[f"{name}_share"]) for row in found] for name in _SHARES},
        **{name: [tenths(row[name]) for row in found] for name in _MEANS},
        "low": [shown_estimate(row["low_cost_per_outcome_usd"]) for row in found],
        "high": [shown_estimate(row["high_cost_per_outcome_usd"]) for row in found],
        "holds": [_holds(row) for row in found],
    }


_COUNTS = (
    "action_count", "user_count", "call_count", "labelled_count", "success_count", "sampled_count",
    "costed_action_count", "unpriced_call_count", "unknown_usage_call_count", "error_call_count", "retry_call_count",
    "p50_tokens_per_action", "p90_tokens_per_action", "p99_tokens_per_action",
)  # fmt: skip
_MONEY = (
    "cost", "cost_per_action", "cost_per_outcome", "p50_cost_per_action", "p90_cost_per_action", "p99_cost_per_action",
    "p50_cost_per_success", "p90_cost_per_success", "p99_cost_per_success", "failed_cost", "retry_cost", "revenue",
    "margin",
)  # fmt: skip
_SHARES = ("success", "low_success", "high_success", "cache_read", "break_even_change")
_MEANS = ("actions_per_user", "calls_per_action", "tokens_per_action")


def _holds(row: Row) -> list[str | None]:
    """Scenarios that the margin is known to survive, and those in which it is known to be lost."""
    return [name and harmless(name) for name in (row["holding_scenarios"], row["failing_scenarios"])]


def details(asked: Asked, dimension: str, found: list[Row], first_day: date | None) -> dict[str, Any]:
    """By place of the row: what it spends on which model and token class, and on which days.

    `models` and `classes` are [index of a name, USD, percent]; `days` are [day number, ...] and [USD, ...],
    `months` the same by month, of rows beyond MOST_DAYS."""
    names: dict[str, int] = {}
    places = {row["name"]: number for number, row in enumerate(found)}
    drivers: dict[str, list[list]] = {"model": [[] for _ in found], "token_class": [[] for _ in found]}
    for row in asked(questions.DRIVERS.format(dimension=dimension)).iter_rows(named=True):
        if row["kind"] in drivers and row["name"] in places:
            index = names.setdefault(harmless(row["driver"]), len(names))
            told = [index, shown(row["cost_usd"]), percent(row["exposure_share"])]
            drivers[row["kind"]][places[row["name"]]].append(told)
    days = asked(questions.DAYS.format(column=COLUMNS[dimension]))
    spent = dict(_by_name(days.iter_rows(named=True), places))
    return {
        "names": list(names),
        "models": drivers["model"],
        "classes": drivers["token_class"],
        **_days([spent.get(number, []) for number in range(len(found))], first_day),
    }


def _by_name(days: Iterator[Row], places: dict[str, int]) -> Iterator[tuple[int, list[Row]]]:
    for name, group in groupby(days, key=lambda row: row["name"]):
        if name in places:
            yield places[name], list(group)


def _days(spent: list[list[Row]], first_day: date | None) -> dict[str, list]:
    days, months, left = [], [], MOST_DAYS
    for found in spent:
        dated = [row for row in found if row["day"] is not None and row["cost_pico"] is not None]
        if (left := left - len(dated)) >= 0:
            numbers = [day_number(row["day"], first_day) for row in dated]
            days.append([_steps(numbers), [shown(usd_of_pico(row["cost_pico"])) for row in dated]])
            continue
        left = -1  # and none of those after it
        by_month = summed((f"{row['day']:%Y-%m}", row["cost_pico"]) for row in dated)
        months.append([list(by_month), [shown(usd_of_pico(pico)) for pico in by_month.values()]])
    return {"days": days, "months": months}


def _steps(numbers: list[int]) -> list[int]:
    """The first number, then how far each is from the one before: small numbers pack well."""
    return [number - before for before, number in zip([0, *numbers], numbers, strict=False)]

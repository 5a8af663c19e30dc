"""The corridor of `tokenspread bridge` and `compare`: periods and scenarios by name, and what is asked of them."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from pipelines import questions
from pipelines.errors import UserError
from pipelines.settings import Settings

DIMENSIONS = ("all", "feature", "user", "customer", "model")
FORMS = "write 2026-03-01..2026-03-31, a month such as 2026-03, or a day"
NO_CALLS = dict.fromkeys(("user_count", "action_count", "call_count", "unpriced_call_count"), 0)
NO_CALLS |= {"cost_usd": Decimal(0)}
END = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")


@dataclass(frozen=True)
class Period:
    """Whole days (UTC), the last one included."""

    first_day: date
    last_day: date

    @property
    def day_count(self) -> int:
        return (self.last_day - self.first_day).days + 1

    def shared_day_count(self, other: "Period") -> int:
        days = (min(self.last_day, other.last_day) - max(self.first_day, other.first_day)).days + 1
        return max(days, 0)


def period_of(text: str) -> Period:
    """A day, a month, or from one of these to another: `A..B`. Raises UserError."""
    start, dots, end = text.partition("..")
    try:
        period = Period(_days(start)[0], _days(end if dots else start)[1])
    except ValueError:
        raise UserError(f"{text}: no period; {FORMS}") from None
    if period.last_day < period.first_day:
        raise UserError(f"{text}: ends before it begins; {FORMS}")
    return period


def _days(text: str) -> tuple[date, date]:
    """First and last day of a day or month. Raises ValueError."""
    told = END.fullmatch(text)
    if told is None:
        raise ValueError(text)
    year, month = int(told[1]), int(told[2])
    if told[3]:
        return (day := date(year, month, int(told[3]))), day
    first = date(year, month, 1)
    if (year, month) == (date.max.year, 12):
        return first, date.max
    return first, date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def bridge(settings: Settings, first: str, second: str, by: str) -> dict[str, Any]:
    """What changed the cost, and the cost per outcome, from one period to another: exact Decimals, None for unknown.
    Periods may overlap and stand in any order. Raises UserError."""
    _check(by, DIMENSIONS)
    logged, undated_call_count = _logged(settings)
    periods = [period_of(text) for text in (first, second)]
    sides = [_told(text, period, logged) for text, period in zip((first, second), periods, strict=True)]
    days = {
        "from_start": periods[0].first_day, "from_end": periods[0].last_day,
        "to_start": periods[1].first_day, "to_end": periods[1].last_day,
    }  # fmt: skip
    link = settings.data / "warehouse.duckdb"
    return {
        "by": by,
        "from": sides[0],
        "to": sides[1],
        "shared_day_count": periods[0].shared_day_count(periods[1]),
        "undated_call_count": undated_call_count,
        "cost": _rows_and_total(questions.answer(link, "bridge", dimension=by, **days).to_dicts()),
        "cost_per_outcome": _rows_and_total(questions.answer(link, "outcome_bridge", dimension=by, **days).to_dicts()),
    }


def compare(settings: Settings, first: str, second: str, by: str) -> dict[str, Any]:
    """What two periods, or scenarios of the whole log, took, cost and led to, side by side. Raises UserError."""
    _check(by, DIMENSIONS)
    logged, undated_call_count = _logged(settings)
    scenarios = _scenarios(settings)
    sides = [_side(settings, text, by, logged, scenarios) for text in (first, second)]
    names = [row["name"] for row in sides[0]["rows"]]
    names += [row["name"] for row in sides[1]["rows"] if row["name"] not in set(names)]
    by_name = [{row["name"]: row for row in side["rows"]} for side in sides]
    return {
        "by": by,
        "first": sides[0]["told"],
        "second": sides[1]["told"],
        "undated_call_count": undated_call_count,
        "rows": [{"name": name} | _compared(*(rows.get(name) for rows in by_name)) for name in names],
        "total": {"name": "all"} | _compared(sides[0]["total"], sides[1]["total"]),
    }


def _side(settings: Settings, text: str, by: str, logged: Period, scenarios: list[str]) -> dict[str, Any]:
    link = settings.data / "warehouse.duckdb"
    if text in scenarios:
        rows = questions.answer(link, "scenario_economics", scenario=text, dimension=by).to_dicts()
        return {"told": {"scenario": text} | _told(text, logged, logged)} | _rows_and_total(rows)
    if not END.match(text):
        raise UserError(f"{text}: neither a published scenario ({', '.join(scenarios)}) nor a period; {FORMS}")
    period = period_of(text)
    days = {"first_day": period.first_day, "last_day": period.last_day}
    told = _told(text, period, logged)
    rows = questions.answer(link, "period_economics", dimension=by, **days).to_dicts()
    return {"told": {"scenario": None} | told} | _rows_and_total(rows)


def _compared(first: dict[str, Any] | None, second: dict[str, Any] | None) -> dict[str, Any]:
    """The two, the second less the first, and that over the first; None where that is unknown."""
    sides = [_figures(row) for row in (first, second)]
    difference, change_share = {}, {}
    for name in sides[0]:
        one, other = sides[0][name], sides[1][name]
        is_known = one is not None and other is not None
        difference[name] = other - one if is_known else None
        change_share[name] = float(difference[name] / abs(one)) if is_known and one else None
    return {"first": sides[0], "second": sides[1], "difference": difference, "change_share": change_share}


def _figures(row: dict[str, Any] | None) -> dict[str, Any]:
    """Of a row of period_economics or scenario_economics; without calls the counts and the cost are a known zero."""
    row = row or NO_CALLS
    actions, usage = row["action_count"], (row.get("input_tokens"), row.get("output_tokens"))
    return {
        "user_count": row["user_count"],
        "action_count": actions,
        "calls_per_action": row["call_count"] / actions if actions and row["call_count"] is not None else None,
        "tokens_per_action": sum(usage) / actions if actions and None not in usage else None,
        "cost_usd": row.get("cost_usd"),
        "cost_per_action_usd": row.get("cost_per_action_usd"),
        "success_share": row.get("success_share"),
        "cost_per_outcome_usd": row.get("cost_per_outcome_usd"),
        "margin_usd": row.get("margin_usd"),  # revenue is told for the whole log, not for any period of it
        "unpriced_call_count": row["unpriced_call_count"],
    }


def _rows_and_total(rows: list[dict[str, Any]]) -> dict[str, Any]:
    total = [row for row in rows if row["dimension"] == "all"]
    return {"rows": [row for row in rows if row["dimension"] != "all"], "total": total[0] if total else None}


def _logged(settings: Settings) -> tuple[Period, int]:
    """The days of the log, and its calls of no day. Raises UserError."""
    told = questions.answer(settings.data / "warehouse.duckdb", "days").row(0, named=True)
    if told["first_day"] is None:
        raise UserError("no call of the log has a date: there is no period to ask for")
    return Period(told["first_day"], told["last_day"]), told["undated_call_count"]


def _scenarios(settings: Settings) -> list[str]:
    return questions.answer(settings.data / "warehouse.duckdb", "scenarios")["scenario"].to_list()


def _told(text: str, period: Period, logged: Period) -> dict[str, Any]:
    """A period as it is shown, with how much of it the log spans. Raises UserError where that is nothing."""
    if not (days := period.shared_day_count(logged)):
        raise UserError(
            f"{text}: outside the log, which is from {logged.first_day} to {logged.last_day}; name days of these"
        )
    return {
        "first_day": period.first_day,
        "last_day": period.last_day,
        "day_count": period.day_count,
        "logged_day_count": days,
    }


def _check(by: str, dimensions: tuple[str, ...]) -> None:
    if by not in dimensions:
        raise UserError(f"--by {by}: no such grouping; choose one of {', '.join(dimensions)}")

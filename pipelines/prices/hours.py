"""Prices by the hour, as the model-prices snapshot states them: what multiplies a price in which part of the week."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from transforms.prices.grid import merged, spans

DAY, WEEK = 86_400, 604_800


def edges(schedules: dict, lab: str) -> set[datetime]:
    """Each instant at which the lab's hours may become other ones: a rule begins or ends, a holiday, the calendar."""
    found = set()
    for rule in _rules(schedules, lab):
        start, end = _validity(rule)
        calendar = _calendar(schedules, rule)
        midnights = {_midnight(calendar, day, after) for day in _days(calendar) for after in (0, 1)}
        found |= {start, end, *(at for at in midnights if start < at and (end is None or at < end))}
    return found - {None}


def factors(schedules: dict, lab: str, model: str, at: datetime | None) -> tuple[list[tuple], str | None]:
    """([(week second from, to, factor on the recorded price), ...] over the whole week, note) from `at` on.

    They hold until the next of `edges`. DeepSeek's peak hours: https://api-docs.deepseek.com/quick_start/pricing
    """
    for rule in _rules(schedules, lab) if at else ():
        start, end = _validity(rule)
        if start <= at and (end is None or at < end):
            return _of_rule(rule, _calendar(schedules, rule), model, at)
    return [(0, WEEK, Decimal(1))], None


def _of_rule(rule: dict, calendar: dict | None, model: str, at: datetime) -> tuple[list[tuple], str | None]:
    if "off_peak_hours_utc" in rule:
        windows, inside = rule["off_peak_hours_utc"], rule["off_peak_multiplier"].get(model, 1)
    else:
        windows, inside = rule["peak_hours_utc"], rule["peak_multiplier"]
    if calendar and (at + timedelta(hours=calendar["utc_offset_hours"])).date().isoformat() in calendar["dates"]:
        windows = []
    clocks = [[_second(text) for text in window] for window in windows]
    cuts = {0, *(second for window in clocks for second in window)}
    weekly = sorted({day * DAY + second for day in range(7) for second in cuts}) + [WEEK]
    cells = []
    for second_from, second_to in spans(weekly):
        day, second = divmod(second_from, DAY)
        works = not rule.get("weekdays_only") or day < 5
        is_inside = works and any(_is_within(second, *window) for window in clocks)
        cells.append((second_from, second_to, Decimal(inside if is_inside else 1)))
    is_unknown = calendar and at >= _midnight(calendar, calendar["covers_through"], 1)
    return merged(cells), f"holidays after {calendar['covers_through']} not known" if is_unknown else None


def _is_within(second: int, start: int, end: int) -> bool:
    """Half-open; a window that ends before it starts runs past midnight."""
    return start <= second < end if start <= end else second >= start or second < end


def _second(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60


def _rules(schedules: dict, lab: str) -> list[dict]:
    return [rule for rule in schedules["schedule"] if rule["provider"] == lab]


def _validity(rule: dict) -> tuple[datetime, datetime | None]:
    end = rule.get("valid_until")
    return datetime.fromisoformat(rule["valid_from"]), end and datetime.fromisoformat(end)


def _calendar(schedules: dict, rule: dict) -> dict | None:
    return schedules["holidays"].get(rule.get("holidays"))


def _days(calendar: dict | None) -> list[str]:
    return [*calendar["dates"], calendar["covers_through"]] if calendar else []


def _midnight(calendar: dict, day: str, after: int) -> datetime:
    """The instant at which the day (or a number of days after it) begins where the calendar is kept."""
    local = datetime.combine(date.fromisoformat(day), time(), UTC) + timedelta(days=after)
    return local - timedelta(hours=calendar["utc_offset_hours"])

"""Step 7, the off-peak hours of an entry of LiteLLM's price map, as windows of the UTC week.

What they mean: https://docs.litellm.ai/docs/proxy/off_peak_pricing
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from transforms.prices.grid import merged, spans
from transforms.schemas import WEEK_SECONDS

UNREADABLE_HOURS = "the hours of off_peak_pricing cannot be told as a week"
DAY = 86_400
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)

Windows = tuple[tuple[int, int], ...]


def off_peak_windows(schedule: dict) -> tuple[Windows, Windows] | tuple[None, None]:
    """(windows of the cheaper hours, the rest of the week) in seconds of the UTC week, half-open.

    Hours are UTC; "22:00-02:00" goes on past midnight, "00:00-00:00" is the whole day. The weekday is that of the
    moment in `weekday_timezone` (UTC where it is not given). (None, None) for what cannot be read, and for a zone whose
    clock is shifted: its weeks are not all alike.
    """
    try:
        rules = [(set(_seconds(rule)), _weekdays(rule)) for rule in _rules(schedule)]
        offset = _offset(schedule.get("weekday_timezone"))
    except (ValueError, LookupError, TypeError, OSError):  # OSError: a zone that is a folder of zones
        return None, None
    edges = {0, WEEK_SECONDS}.union(
        *({day * DAY + edge for hours, _ in rules for span in hours for edge in span} for day in range(7)),
        {(day * DAY - offset) % WEEK_SECONDS for day in range(7)},
    )

    def is_off_peak(second: int) -> bool:
        weekday = (second + offset) // DAY % 7
        return any(
            weekday in weekdays and any(start <= second % DAY < end for start, end in hours)
            for hours, weekdays in rules
        )

    parts = merged((start, end, is_off_peak(start)) for start, end in spans(sorted(edges)))
    off_peak = tuple((start, end) for start, end, is_cheaper in parts if is_cheaper)
    return off_peak, tuple((start, end) for start, end, is_cheaper in parts if not is_cheaper)


def _rules(schedule: dict) -> list[dict]:
    """Hours of some weekdays stand in `windows`, of every day in the schedule; ValueError where there are none."""
    rules = [{"hours_utc": schedule["hours_utc"]}] if "hours_utc" in schedule else []
    rules += schedule.get("windows") or []
    if not rules:
        raise ValueError("no hours")
    return rules


def _seconds(rule: dict) -> Iterator[tuple[int, int]]:
    """Spans of the day; ValueError for what is none."""
    hours = rule["hours_utc"]
    for text in [hours] if isinstance(hours, str) else hours:
        found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
        if not found:
            raise ValueError(text)
        hour, minute, end_hour, end_minute = map(int, found.groups())
        start, end = hour * 3600 + minute * 60, end_hour * 3600 + end_minute * 60
        if start < end:
            yield start, end
        else:
            yield start, DAY
            if end:
                yield 0, end


def _weekdays(rule: dict) -> set[int]:
    """0 is Monday; a day is given as 1 to 7 or by its English name. ValueError for what is none."""
    given = rule.get("weekdays")
    if given is None:
        return set(range(7))
    return {DAYS.index(day.strip().lower()[:3]) if isinstance(day, str) else range(1, 8).index(day) for day in given}


def _offset(zone: str | None) -> int:
    """Seconds that the zone's clock is ahead of UTC, all year; ValueError where it is shifted within the year."""
    if zone is None:
        return 0
    clock = ZoneInfo(zone)
    offsets = {(MONDAY + timedelta(days=day)).astimezone(clock).utcoffset() for day in range(365)}
    if len(offsets) > 1:
        raise ValueError(zone)
    return int(offsets.pop().total_seconds())

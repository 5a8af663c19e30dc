"""What a cell of a price file says. Every ValueError is a fact and, after a semicolon, the fix."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from transforms.schemas import WEEK_SECONDS

PER_MILLION, PER_UNIT = 6, 12  # decimals that an amount in USD may have so that a unit costs whole pico-USD
DAY_SECONDS = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PRICES = ("usd_per_million", "usd_per_unit", "usd_per_second", "usd_per_minute", "usd_per_hour")
NANO = 9
MOST_USD = 10**12  # keeps every product of the allocation within 128 bits


def number(column: str, text: str | None) -> Decimal:
    """A decimal as written, 0 or more."""
    value = _decimal(column, text)
    if value < 0:
        fix = "a price is 0 (free) or more" if column in PRICES else "write 0 or more"
        raise ValueError(f"{column} {text} is negative; {fix}")
    return value


def _decimal(column: str, text: str | None) -> Decimal:
    if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)e[+-]?\d+", text or "", re.ASCII | re.IGNORECASE):
        raise ValueError(f"{column} {text} has an exponent, which is not read; write the number out, as 0.0000025")
    if not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", text or "", re.ASCII):
        raise ValueError(f"{column} {text or ''!r} is not a number; write it as 2.50, without currency or separators")
    return Decimal(text)


def rate_pico(column: str, text: str | None, decimals: int) -> int:
    """Pico-USD per unit of a price per million units (PER_MILLION) or per unit (PER_UNIT)."""
    price = number(column, text)
    if price >= 10 ** (15 - decimals):
        unit, fix = ("token", "million tokens") if decimals == PER_MILLION else ("unit", "request, search or second")
        raise ValueError(f"{column} {text} is above 1000 USD per {unit}; give USD per {fix}")
    if _decimals(text) > decimals:
        within = " (12 per token)" if decimals == PER_MILLION else ""
        raise ValueError(f"{column} {text} has more than {decimals} decimals{within}; round it to {decimals}")
    return int(price.scaleb(decimals))


def amount_pico(column: str, text: str | None) -> int:
    """Pico-USD of an amount in USD."""
    return whole_pico(column, Fraction(number(column, text)))


def whole_pico(column: str, usd: Fraction) -> int:
    """Pico-USD of `usd`, exact or refused."""
    if usd >= MOST_USD:
        raise ValueError(f"{column} is {MOST_USD} USD or more; give an amount in USD")
    pico = usd * 10**PER_UNIT
    if pico.denominator != 1:
        raise ValueError(f"{column} is no whole number of pico-USD; round the amount in USD to {PER_UNIT} decimals")
    return int(pico)


def multiplier_nano(text: str | None) -> int:
    if not text:
        raise ValueError("multiplier is empty; write 0.85 for 15 % off or 1.1 for 10 % more")
    value = _decimal("multiplier", text)
    if value < 0:
        raise ValueError(f"multiplier {text} is negative; write 0.85 for 15 % off or 1.1 for 10 % more")
    if not 0 < value <= 1000:
        raise ValueError(f"multiplier {text} is not above 0 and at most 1000; write 0.85 for 15 % off")
    if _decimals(text) > NANO:
        raise ValueError(f"multiplier {text} has more than {NANO} decimals; round it to {NANO}")
    return int(value.scaleb(NANO))


def whole_number(column: str, text: str, unit: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise ValueError(f"{column} {text!r} is not a whole number of {unit}; write it as 200000")
    return int(text)


def is_true(column: str, text: str | None) -> bool | None:
    values = {"true": True, "false": False, None: None}
    key = text and text.lower()
    if key not in values:
        raise ValueError(f"{column} {text!r} is neither true nor false; write one of them, or leave it empty for any")
    return values[key]


def instant(column: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{column} {text!r} is not a date; write 2026-01-31 or 2026-01-31T12:00:00Z") from None


def day(column: str, text: str | None) -> date | None:
    """The date of an instant at the very beginning of a UTC day."""
    at = instant(column, text)
    if at and at.time() != at.min.time():
        raise ValueError(f"{column} {text} is within a day (UTC); a bill is for whole days, write 2026-01-31")
    return at and at.date()


def month(column: str, text: str | None) -> date | None:
    """The date of an instant at the very beginning of a UTC month."""
    at = instant(column, text)
    if at and (at.day != 1 or at.time() != at.min.time()):
        raise ValueError(f"{column} {text} is within a month (UTC); it holds for whole months, write 2026-01-01")
    return at and at.date()


def week_windows(weekdays: str | None, time_from: str | None, time_to: str | None) -> list[tuple[int, int]]:
    """Half-open windows in seconds of the UTC week from Monday 00:00. A window over midnight belongs to the weekday on
    which it begins; one that meets the next is joined to it."""
    start, end = _day_second("time_from", time_from or "00:00"), _day_second("time_to", time_to or "24:00")
    if start == end:
        raise ValueError(f"time_from and time_to are both {time_from or time_to}; leave both empty for the whole day")
    end += DAY_SECONDS if end < start else 0
    windows = []
    for weekday in sorted(_weekdays(weekdays)):
        first, last = weekday * DAY_SECONDS + start, weekday * DAY_SECONDS + end
        windows += [(first, min(last, WEEK_SECONDS)), (0, last - WEEK_SECONDS)][: 1 + (last > WEEK_SECONDS)]
    joined = []
    for first, last in sorted(windows):
        if joined and joined[-1][1] == first:
            first = joined.pop()[0]
        joined.append((first, last))
    return joined


def _weekdays(text: str | None) -> set[int]:
    days = set()
    for part in (text or "Mon-Sun").lower().split(","):
        ends = [name.strip() for name in part.split("-")]
        if len(ends) > 2 or any(name not in WEEKDAYS for name in ends):
            raise ValueError(f"weekdays {text!r} names no day in {part.strip()!r}; write Mon-Fri or Sat,Sun")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days |= {number % 7 for number in range(first, last + 1 + 7 * (last < first))}
    return days


def _day_second(column: str, text: str) -> int:
    match = re.fullmatch(r"(\d\d):(\d\d)(?::00)?", text, re.ASCII)
    second = int(match[1]) * 3600 + int(match[2]) * 60 if match and int(match[2]) < 60 else DAY_SECONDS + 1
    if second > DAY_SECONDS:
        raise ValueError(f"{column} {text!r} is not a time of day (UTC); write 09:30, or 24:00 for the day's end")
    return second


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))

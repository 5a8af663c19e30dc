"""How text from a log becomes an instant in UTC: ISO 8601, or a number of seconds, milli-, micro- or nanoseconds.

A time without a zone is UTC. Digits below the microsecond are cut off. An instant outside 2015 to 2100 is a fault: it
is a counter, a clock that was never set, or a number in another unit.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import polars as pl

from transforms.schemas import INSTANT
from transforms.shapes.fields import EXACT, Kind, as_number, bounded, completed

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST_MICROSECOND = int(EARLIEST.timestamp()) * 10**6
_LATEST_MICROSECOND = int(LATEST.timestamp()) * 10**6
_PER_SECOND = {"unix_s": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}
_EPOCH_TICKS = 621_355_968 * 10**9  # of .NET, at the start of 1970
# A bare number's unit shows in its size: 1e11 seconds is the year 5138, 1e11 milliseconds is 1973.
_LARGEST = {"unix_s": 10**11, "unix_ms": 10**14, "unix_us": 10**17, "unix_ns": None}
_ISO = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)[Tt ]\s*(\d\d?):(\d\d?)(?::(\d\d?)(?:\.(\d+))?)?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)


def _iso(text: str) -> datetime | None:
    parts = _ISO.fullmatch(text)
    if not parts:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups()[:6])
    fraction, zone = (parts[7] or "")[:6].ljust(6, "0"), parts[8] or "Z"
    if second == 60:  # a leap second: kept as the last microsecond of its minute, so that its day does not change
        second, fraction = 59, "999999"
    offset = timedelta()
    if zone[0] in "+-":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].lstrip(":") or 0)) * (-1 if zone[0] == "-" else 1)
    try:
        at = datetime(year, month, day, hour, minute, second, int(fraction), timezone(offset))
        return at.astimezone(UTC)
    except (ValueError, OverflowError):  # no such day, or an offset of a day and more
        return None


def _rfc3339(text: pl.Series) -> pl.Series:
    return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)


def _fast_iso(text: pl.Series) -> pl.Series:
    at = _rfc3339(text)
    for ending in ("Z", ":00"):  # no zone at all; an offset of whole hours, as databases write it
        if at.null_count() > text.null_count():
            rest = pl.select(pl.when(at.is_null()).then(text + ending)).to_series()
            at = pl.select(pl.coalesce(at, _rfc3339(rest))).to_series()
    if (leap := text.str.contains(":60", literal=True)).any():
        at = pl.select(pl.when(~leap).then(at)).to_series()
    return at


def _fast_unix(text: pl.Series, unit: str | None) -> pl.Series:
    amount = text.cast(pl.Decimal(38, 12), strict=False).to_physical().alias("amount")  # Int128 of 1e-12 units
    if amount.null_count() == len(amount):
        return amount.cast(INSTANT)
    at = pl.lit(None, pl.Int128)
    for name, limit in reversed({unit: None}.items() if unit else _LARGEST.items()):
        here = pl.col("amount") // (10**6 * _PER_SECOND[name])
        at = here if limit is None else pl.when(pl.col("amount") < limit * 10**12).then(here).otherwise(at)
    microseconds = amount.to_frame().select(at).to_series()
    return bounded(microseconds, _EARLIEST_MICROSECOND, _LATEST_MICROSECOND).cast(pl.Int64).cast(INSTANT)


def _unix(text: str, unit: str | None) -> datetime | None:
    amount = as_number(text)
    if amount is None or not 0 < amount < 10**20:
        return None
    unit = unit or next(name for name, limit in _LARGEST.items() if limit is None or amount < limit)
    microseconds = int(EXACT.divide_int(amount.scaleb(6, EXACT), _PER_SECOND[unit]))
    return _EPOCH + microseconds * _MICROSECOND if microseconds <= _LATEST_MICROSECOND else None


def read_iso(text: pl.Series) -> pl.Series:
    """ISO 8601 text, with "T" or a space, with an offset, "Z", " UTC" or no zone."""
    return bounded(completed(_fast_iso(text), text, _iso), EARLIEST, LATEST)


def read_unix(text: pl.Series, unit: str) -> pl.Series:
    """Number text since 1970 in `unit` (unix_s, unix_ms, unix_us, unix_ns)."""
    return bounded(completed(_fast_unix(text, unit), text, lambda value: _unix(value, unit)), EARLIEST, LATEST)


def read_instant(text: pl.Series) -> pl.Series:
    """A number in the unit that its size tells, or ISO 8601."""
    at = _fast_unix(text, None)
    if at.null_count() > text.null_count():
        rest = pl.select(pl.when(at.is_null()).then(text)).to_series()
        at = pl.select(pl.coalesce(at, _fast_iso(rest))).to_series()
    return bounded(completed(at, text, lambda value: _unix(value, None) or _iso(value)), EARLIEST, LATEST)


def _dotnet(text: str) -> datetime | None:
    ticks = as_number(text)
    if ticks is None or not _EPOCH_TICKS <= ticks < 10**19:
        return None
    microseconds = int(ticks) // 10 - _EPOCH_TICKS // 10
    return _EPOCH + microseconds * _MICROSECOND if microseconds <= _LATEST_MICROSECOND else None


def read_dotnet_ticks(text: pl.Series) -> pl.Series:
    """Number text in ticks of 100 ns since the year 1."""
    ticks = text.cast(pl.Int64, strict=False)
    since_epoch = bounded(ticks // 10 - _EPOCH_TICKS // 10, _EARLIEST_MICROSECOND, _LATEST_MICROSECOND)
    return bounded(completed(since_epoch.cast(INSTANT), text, _dotnet), EARLIEST, LATEST)


def _read_as(read: Callable[..., pl.Series], *arguments: str) -> Kind:
    return Kind("an instant", lambda text: read(text, *arguments))


INSTANT_KINDS = {
    "any": _read_as(read_instant),
    "iso": _read_as(read_iso),
    **{unit: _read_as(read_unix, unit) for unit in _PER_SECOND},
    "dotnet_ticks": _read_as(read_dotnet_ticks),
}


def strptime_kind(form: str) -> Kind:
    """Instants written in `form` (strptime's letters); UTC unless `form` reads an offset. ValueError: no format."""

    def read(text: pl.Series) -> pl.Series:
        at = text.str.to_datetime(form, time_unit="us", strict=False)
        return bounded(at.dt.replace_time_zone("UTC") if at.dtype == pl.Datetime("us") else at, EARLIEST, LATEST)

    try:
        read(pl.Series(["-"]))
    except pl.exceptions.PolarsError:
        raise ValueError(f"{form!r} is no format; write it like '%Y-%m-%d %H:%M:%S'") from None
    return Kind("an instant", read)

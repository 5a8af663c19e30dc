"""What one bill file tells, gathered row by row, exactly: every amount ends in a charge or in one of the others."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.errors import UserError
from pipelines.log_files import shown

PICO = 10**12
MOST = 2**63 - 1
FARTHEST_DIGIT = 60  # a number whose digits reach beyond is none that a bill can mean
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)

Period = tuple[date, date]  # first day, day after the last


class Sheet:
    """The rows of one file: `charges` (bill_schemas.BILL), `others` (money that is not of LLM calls, by reason)."""

    def __init__(self, path: Path, kind: str, unit: str) -> None:
        self.path, self.kind, self.unit = path, kind, unit
        self.charges: list[dict[str, Any]] = []
        self.other_rows: Counter[str] = Counter()
        self.other_pico: Counter[str] = Counter()
        self.covered: dict[str, Period] = {}  # by provider
        self.rounded_count = 0
        self.notes: list[str] = []

    @contextmanager
    def at(self, number: int) -> Iterator[None]:
        """Around what reads one row: its ValueError becomes a UserError that names the place."""
        try:
            yield
        except ValueError as error:
            raise UserError(f"{self.path}, {self.unit} {number}: {error}") from None

    def charge(
        self, number: int, provider: str, period: Period, *, model: str | None = None, token_class: str | None = None,
        billed_pico: int | None = None, quantity: int | None = None, description: str | None = None,
    ) -> None:  # fmt: skip
        start, end = period
        self.cover(provider, period)
        self.charges.append({
            "source_file": shown(self.path), "row_number": number, "provider": provider,
            "day": start if end - start == timedelta(days=1) else None, "period_start": start, "period_end": end,
            "model": model or None, "token_class": token_class, "quantity": quantity, "billed_pico": billed_pico,
            "description": description or model or None,
        })  # fmt: skip

    def other(self, reason: str, billed_pico: int = 0) -> None:
        """A row that is not of LLM calls: counted, its money shown."""
        self.other_rows[reason] += 1
        self.other_pico[reason] += billed_pico

    def cover(self, provider: str, period: Period) -> None:
        """The bill tells of these days, be it that nothing was charged."""
        first, after = self.covered.get(provider, period)
        self.covered[provider] = (min(first, period[0]), max(after, period[1]))

    def usd(self, value: Any, currency: Any, unit: int = PICO) -> int:
        """The amount in pico-USD; `unit` is the pico-USD in 1 of its currency unit. What has more than 12 decimals is
        rounded half-even, and counted."""
        told = str(currency or "").strip().upper()
        if told != "USD":
            raise ValueError(f"the amount is in {told or 'no currency'!r}, not in USD; export the bill in USD")
        return self._whole(value, unit, "amount", "write it like 12.34")

    def count(self, value: Any, unit: int = 1) -> int | None:
        """A quantity as a whole number; None where none is told. A fraction is rounded half-even, and counted."""
        if value is None or str(value).strip() == "":
            return None
        return self._whole(value, unit, "quantity", "write it like 1200")

    def _whole(self, value: Any, unit: int, name: str, fix: str) -> int:
        exact = Fraction(number_of(value, name, fix)) * unit
        whole = round(exact)  # half-even
        if abs(whole) > MOST:
            raise ValueError(f"{name} {value} is too large; {fix}")
        self.rounded_count += whole != exact
        return whole


def number_of(value: Any, name: str, fix: str) -> Decimal:
    """The number as it is written; a float of a Parquet file is its shortest decimal text. Raises ValueError."""
    text = str(value).strip()
    try:
        number = Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:
        number = None
    if number is None or (number and not -FARTHEST_DIGIT < number.adjusted() < FARTHEST_DIGIT):
        raise ValueError(f"{name} {text!r} is not a number; {fix}")
    return number


def instant_of(value: Any, name: str) -> datetime:
    """Seconds since 1970, an ISO text (a date is its midnight, without a zone UTC), or what Parquet holds. Raises
    ValueError."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    text = str(value if value is not None else "").strip()
    try:
        if re.fullmatch(r"\d{9,11}(\.0+)?", text, re.ASCII):
            return datetime.fromtimestamp(int(float(text)), UTC)
        return instant_of(datetime.fromisoformat(text.removesuffix(" UTC")), name)
    except (ValueError, OverflowError):
        raise ValueError(f"{name} {text!r} is not a day or an instant; write it like 2026-11-01") from None


def period_of(start: datetime, end: datetime | None) -> Period:
    """The UTC days from `start` to `end`, which is exclusive; without an end the day of the start."""
    first = start.date()
    if end is None or end <= start:
        return first, first + timedelta(days=1)
    return first, (end - timedelta(microseconds=1)).date() + timedelta(days=1)

"""Figures as the page's data has them. Exact money goes as text, in integers; what is only shown goes as it is."""

from collections.abc import Hashable, Iterable
from datetime import date
from decimal import Decimal
from typing import TypeVar

from pipelines.report.text import UNKNOWN, estimate, money, share

K = TypeVar("K", bound=Hashable)
EXACT_BELOW = 10**12  # a JSON number holds the cents of less


def atto(usd: Decimal | None) -> str | None:
    """USD of at most 18 decimals in integer atto-USD: beyond what a JSON number holds, so as text."""
    return None if usd is None else str(int(usd.scaleb(18)))


def summed(amounts: Iterable[tuple[K, int]]) -> dict[K, int]:
    """Integers by their key, in the order in which keys first come."""
    sums: dict[K, int] = {}
    for key, amount in amounts:
        sums[key] = sums.get(key, 0) + amount
    return sums


def usd_of_pico(pico: int) -> Decimal:
    return Decimal(pico).scaleb(-12)


def shown(usd: Decimal | None) -> float | str | None:
    """USD rounded as `money` shows it, of which the page makes the same text again."""
    return _number(money(usd))


def shown_estimate(usd: float | None) -> float | str | None:
    return _number(estimate(usd))


def _number(text: str) -> float | str | None:
    if text == UNKNOWN:
        return None
    plain = text.replace(",", "")
    number = float(plain)
    if abs(number) >= EXACT_BELOW:
        return plain
    return int(number) if number.is_integer() else number


def percent(part: float | None) -> float | str | None:
    """A share in percent, rounded as `text.share` does."""
    return _number(share(part).rstrip("%"))


def tenths(number: float | None) -> float | None:
    """A mean that is shown with one decimal."""
    return None if number is None else round(number, 1)


def day_number(day: date | None, first: date | None) -> int | None:
    """Days since the first of the log; null: a call without a day."""
    return None if day is None or first is None else (day - first).days

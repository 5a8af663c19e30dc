"""Figures and other people's text as a reader can take them in. Null is unknown and shows as a dash, never as zero."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

UNKNOWN = "-"
SIGNIFICANT_DIGITS = 4


def harmless(text: str) -> str:
    """Text from a log with every character that a terminal could obey, or that hides others, written as its escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def money(usd: Decimal | None) -> str:
    """USD: cents from a dollar up, four significant digits below; what is not zero never shows as zero. Half-even."""
    if usd is None:
        return UNKNOWN
    decimals = 2 if abs(usd) >= 1 or not usd else SIGNIFICANT_DIGITS - 1 - usd.adjusted()
    shown = f"{usd.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN):,f}"
    whole, _, rest = shown.partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def estimate(usd: float | None) -> str:
    """An estimate in USD, as `money`: it is no more exact than the digits shown."""
    return UNKNOWN if usd is None else money(Decimal(f"{usd:.15g}"))


def count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def mean(total: int | None, number: int, decimals: int = 0) -> str:
    """`total` over `number`, exact until it is rounded half-even."""
    if total is None or not number:
        return UNKNOWN
    return f"{(Decimal(total) / number).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN):,f}"


def share(part: float | None, signed: bool = False) -> str:
    """In percent, with so many decimals that what is not none or all never shows as that (six at most)."""
    if part is None:
        return UNKNOWN
    shown = ""
    for decimals in range(1, 7):
        shown = f"{part:{'+' if signed else ''},.{decimals}%}"
        if (abs(round(part, decimals + 2)) in (0, 1)) == (abs(part) in (0, 1)):
            break
    return shown


def model_name(row: dict[str, Any]) -> str:
    return f"{harmless(row['provider'] or UNKNOWN)}/{harmless(row['model'] or UNKNOWN)}"

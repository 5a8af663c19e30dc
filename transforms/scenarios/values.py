"""The values that a scenario's keys may have, from text or TOML to exact numbers. All raise ValueError."""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from transforms.schemas import COUNT_CLASSES, TOKEN_CLASSES

MAX_PERCENT = 100_000  # keeps the rates and the sums of their costs within 128 bits
MAX_RATIO = 1_000
MOST_DIGITS = 40
ATTO = 10**18  # atto-USD per USD


def percent_of(text: Any) -> Fraction:
    """The factor of a change such as "-30%": at most 4 decimals, from -100% on."""
    match = re.fullmatch(r"\s*([+-]?)(\d+(?:\.\d{1,4})?)\s*%\s*", str(text), re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a change in percent; write it as -30%, +50% or -33.3333%")
    sign, digits = match.groups()
    percent = Fraction(digits)
    if percent > (100 if sign == "-" else MAX_PERCENT):
        bound = "below -100%, which is free already" if sign == "-" else f"above +{MAX_PERCENT}%"
        raise ValueError(f"{text!r} is {bound}; write a change between -100% and +{MAX_PERCENT}%")
    return 1 + (-percent if sign == "-" else percent) / 100


def percent_text(factor: Fraction) -> str:
    """-30%, +50%, 0%: the change that a factor of at most 6 decimals is."""
    millionths = int((factor - 1) * 10**6)
    digits = f"{(Decimal(millionths) / 10**4).normalize():f}"
    return f"{'+' if millionths > 0 else ''}{digits}%"


def share_of(value: Any) -> Fraction:
    """A share from 0 to 1, or as 80%."""
    text = str(value).strip()
    share = number_of(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 <= share <= 1 or 10**9 % share.denominator:
        raise ValueError(f"{value} is no share from 0% to 100%; write it as 80% or 0.8")
    return share


def ratio_of(value: Any) -> Fraction:
    """Tokens after over tokens before, with at most 9 decimals."""
    ratio = number_of(value)
    if not 0 <= ratio <= MAX_RATIO or 10**9 % ratio.denominator:
        raise ValueError(f"{value} is no ratio; write one from 0 to {MAX_RATIO} with at most 9 decimals")
    return ratio


def rate_of(value: Any, unit_count: int, token_class: str | None) -> int:
    """Atto-USD per unit of a price in USD for `unit_count` of a class."""
    if token_class is None:
        raise ValueError("it sets the price of one class; name that with token_class")
    if unit_count > 1 and token_class in COUNT_CLASSES:
        raise ValueError(f"a {token_class} is priced one by one; write usd_per_unit")
    rate = number_of(value) * ATTO / unit_count
    if not 0 <= rate <= 1000 * ATTO or rate.denominator != 1:
        raise ValueError(f"{value} is no price; write USD from 0 to 1000 a unit, no finer than 1e-18")
    return int(rate)


def class_of(value: Any) -> str:
    """A token class, or cache_write for all three writes."""
    if value not in ("cache_write", *TOKEN_CLASSES):
        raise ValueError(f"{value!r} is no token class; known are cache_write, {', '.join(TOKEN_CLASSES)}")
    return value


def count_of(value: Any) -> int:
    if not re.fullmatch(r"[1-9]\d{0,8}", str(value), re.ASCII):
        raise ValueError(f"{value!r} is no count; write a whole number from 1")
    return int(value)


def number_of(value: Any) -> Fraction:
    try:
        number = Decimal(str(value))
        if abs(number.adjusted()) < MOST_DIGITS:  # a huge exponent is a fraction of as many digits
            return Fraction(number)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise ValueError(f"{value!r} is no number")


def day_of(value: Any) -> date:
    try:
        return value if type(value) is date else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no day; write 2026-01-31") from None


def truth_of(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"{value!r} is neither; write true or false")
    return text == "true"


def text_of(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no text; give one in quotes")
    return value

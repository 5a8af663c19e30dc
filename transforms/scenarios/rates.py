"""A card's rates after the changes of a scenario: whole atto-USD per unit, rounded half-even at each change."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple

from transforms.schemas import MAIN_CLASSES, PART_CLASSES, TOKEN_CLASSES

ATTO_PER_PICO = 10**6
CACHE_WRITES = ("cache_write_5m", "cache_write_1h", "cache_write_other")
Rates = Mapping[str, int | None]  # atto-USD per unit by token class; None: no rate

# The class whose ratio scales a class when other tokens do the same work; fees are not tokens.
RATIO_OF = {name: "cache_write_ratio" if name in CACHE_WRITES else f"{name}_ratio" for name in MAIN_CLASSES}
RATIO_OF |= {part: RATIO_OF[main] for part, main in PART_CLASSES.items()}


class Change(NamedTuple):
    """One change of rates: `kind` is times, to, list, caching_none or cache_share; `classes` what it is about."""

    kind: str
    classes: tuple[str, ...] = TOKEN_CLASSES
    value: int | Fraction | None = None


class Tokens(NamedTuple):
    """Tokens after over tokens before, by what RATIO_OF names."""

    ratios: tuple[tuple[str, Fraction], ...]


def atto_rates(card: Mapping[str, int | None]) -> dict[str, int | None]:
    """A row of RATE_CARDS or BOOK_RATES in atto-USD."""
    told = {name: card[f"{name}_rate"] for name in TOKEN_CLASSES}
    return {name: None if rate is None else int(rate) * ATTO_PER_PICO for name, rate in told.items()}


def changed(rates: Rates, changes: Iterable[Change | Tokens], listed: Rates) -> dict[str, int | None]:
    """`rates` after `changes`, in order; `listed` are the card's rates without the user's contract."""
    now = dict(rates)
    for change in changes:
        now = _scaled(now, dict(change.ratios)) if isinstance(change, Tokens) else _after(now, change, listed)
    return now


def _after(rates: Rates, change: Change, listed: Rates) -> dict[str, int | None]:
    kind, classes, value = change
    if kind == "times":
        return {name: times(rate, value) if name in classes else rate for name, rate in rates.items()}
    if kind == "to":
        return {name: value if name in classes else rate for name, rate in rates.items()}
    if kind == "list":
        return dict(listed)
    if kind == "caching_none":
        return dict(rates) | dict.fromkeys(("cache_read", *CACHE_WRITES), rates["input"]) | {
            "cache_read_audio": rates["input_audio"]
        }  # fmt: skip
    return dict(rates) | dict.fromkeys(("input", "cache_read"), _blended(rates["input"], rates["cache_read"], value))


def _blended(plain: int | None, read: int | None, share: Fraction) -> int | None:
    """The rate of input of which `share` is read from a cache; unknown where a rate that it needs is."""
    if share == 0 or share == 1:
        return read if share else plain
    return None if plain is None or read is None else round(share * read + (1 - share) * plain)


def _scaled(rates: Rates, ratios: Mapping[str, Fraction]) -> dict[str, int | None]:
    """Rates of so many more tokens: what a token of before comes to. Of no tokens at all no rate is needed."""
    by_class = {name: ratios.get(RATIO_OF.get(name, ""), Fraction(1)) for name in rates}
    return {name: 0 if by_class[name] == 0 else times(rate, by_class[name]) for name, rate in rates.items()}


def times(rate: int | None, factor: Fraction) -> int | None:
    """Half-even; in integers, since a grid of scenarios asks for very many."""
    if rate is None or factor == 1:
        return rate
    whole, rest = divmod(rate * factor.numerator, factor.denominator)
    twice = 2 * rest
    return whole + (twice > factor.denominator or (twice == factor.denominator and whole % 2))

"""Step 7, scenarios: changes to the price book, exact to the last digit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import polars as pl

from transforms.schemas import SCENARIO_RATES, TOKEN_CLASSES, conform

ACTUAL = "actual"
ATTO_PER_PICO = 10**6
MAX_PERCENT = 100_000  # keeps the rates and the sums of their costs within 128 bits


@dataclass(frozen=True)
class Change:
    """Multiplies the rates that it names by `factor`; None names all."""

    factor: Fraction
    provider: str | None = None
    model: str | None = None
    token_class: str | None = None


@dataclass(frozen=True)
class Scenario:
    """A named change to the price book: `factor` on every rate, `changes` on some of them, on top of it.

    A scenario without either is the identity, as "actual" is.
    """

    name: str
    factor: Fraction = Fraction(1)
    changes: tuple[Change, ...] = ()


def parse(text: str) -> Scenario:
    """The scenario of a text such as "-30%", "+50%" or "-33.33%": every rate changes by so many percent.

    At most 4 decimals, so that every rate stays an integer in atto-USD; "-100%" is free. Raises ValueError.
    """
    name = text.strip()
    match = re.fullmatch(r"([+-]?)(\d+(?:\.\d{1,4})?)\s*%", name, re.ASCII)
    if not match:
        raise ValueError(f"scenario {text!r} is not a change in percent; write it as -30%, +50% or -33.3333%")
    sign, digits = match.groups()
    percent = Fraction(digits)
    digits = f"{Decimal(digits).normalize():f}"  # -30.0% is -30%
    if percent > (100 if sign == "-" else MAX_PERCENT):
        bound = "below -100%, which is free already" if sign == "-" else f"above +{MAX_PERCENT}%"
        raise ValueError(f"scenario {text!r} is {bound}; write a change between -100% and +{MAX_PERCENT}%")
    sign = sign if percent else ""
    return Scenario(f"{sign or '+' * bool(percent)}{digits}%", 1 + (-percent if sign == "-" else percent) / 100)


def parse_all(texts: Sequence[str]) -> list[Scenario]:
    """The scenarios of texts, each once. Raises ValueError."""
    return list({scenario.name: scenario for scenario in map(parse, texts)}.values())


def scenario_rates(cards: pl.DataFrame, scenarios: Sequence[Scenario]) -> pl.DataFrame:
    """SCENARIO_RATES of RATE_CARDS: "actual" first, which is the cards as they are, then each of `scenarios` in order.

    Exact: a pico-USD is 10^6 atto-USD and a factor's denominator must divide 10^6. Raises ValueError for a factor that
    would need rounding, a negative one and a name given twice.
    """
    named = [Scenario(ACTUAL), *scenarios]
    names = [scenario.name for scenario in named]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"scenario {repeated[0]!r} is given twice; name each one once ({ACTUAL!r} is always there)")
    frames = [
        cards.select(
            scenario=pl.lit(scenario.name),
            scenario_order=pl.lit(order, dtype=pl.Int32),
            card_id="card_id",
            **{f"{name}_rate": _rate_atto(scenario, name) for name in TOKEN_CLASSES},
        )
        for order, scenario in enumerate(named)
    ]
    return conform(pl.concat(frames), SCENARIO_RATES)


def _rate_atto(scenario: Scenario, token_class: str) -> pl.Expr:
    rate = pl.col(f"{token_class}_rate").cast(pl.Int128)
    changes = [change for change in scenario.changes if change.token_class in (None, token_class)]
    return rate * _multiplier(scenario, scenario.factor, changes)


def _multiplier(scenario: Scenario, factor: Fraction, changes: list[Change]) -> pl.Expr:
    """Atto-USD per pico-USD of a card: branches with and without each change, so that every leaf is an integer."""
    if not changes:
        if factor < 0 or ATTO_PER_PICO % factor.denominator:
            raise ValueError(f"scenario {scenario.name!r} needs the factor {factor}; use 0 or more with 6 decimals")
        return pl.lit(int(ATTO_PER_PICO * factor), dtype=pl.Int128)
    change, *rest = changes
    named = pl.lit(True)
    for column in ("provider", "model"):
        if (value := getattr(change, column)) is not None:
            named &= pl.col(column).eq_missing(value)
    changed, unchanged = _multiplier(scenario, factor * change.factor, rest), _multiplier(scenario, factor, rest)
    return pl.when(named).then(changed).otherwise(unchanged)

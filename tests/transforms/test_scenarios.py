from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.scenarios import ATTO_PER_PICO, Change, Scenario, parse, parse_all, scenario_rates
from transforms.schemas import RATE_CARDS, SCENARIO_RATES, TOKEN_CLASSES, empty

RATES = [f"{name}_rate" for name in TOKEN_CLASSES]


def cards_of(*rates: int | None, provider: str | None = "openai", model: str = "gpt-5") -> pl.DataFrame:
    """One card for each of `rates`, which all its classes have."""
    cards = [
        {**dict.fromkeys(RATE_CARDS), "card_id": n, "provider": provider, "model": model, **dict.fromkeys(RATES, rate)}
        for n, rate in enumerate(rates, 1)
    ]
    return pl.DataFrame(cards, schema=RATE_CARDS)


def atto(rates: pl.DataFrame, scenario: str, token_class: str = "input") -> list[int | None]:
    return rates.filter(scenario=scenario)[f"{token_class}_rate"].to_list()


@pytest.mark.parametrize(
    ("text", "name", "factor"),
    [
        ("-30%", "-30%", Fraction(7, 10)),
        ("+50%", "+50%", Fraction(3, 2)),
        ("50%", "+50%", Fraction(3, 2)),
        (" -33.33% ", "-33.33%", Fraction(6667, 10_000)),
        ("+0.0001%", "+0.0001%", Fraction(1_000_001, 1_000_000)),
        ("-030.0%", "-30%", Fraction(7, 10)),
        ("+100.50%", "+100.5%", Fraction(401, 200)),
        ("0%", "0%", Fraction(1)),
        ("-0%", "0%", Fraction(1)),
        ("-100%", "-100%", Fraction(0)),
        ("+100000%", "+100000%", Fraction(1001)),
    ],
)
def test_parse(text, name, factor):
    assert parse(text) == Scenario(name, factor)


def test_one_scenario_written_twice_is_one():
    texts = ["-30%", "+50%", "-30.0%", "50%"]
    assert [scenario.name for scenario in parse_all(texts)] == ["-30%", "+50%"]


@pytest.mark.parametrize(
    ("text", "fact", "fix"),
    [
        ("-100.0001%", "below -100%", "between -100% and"),
        ("+100001%", "above +100000%", "between -100% and"),
        ("-30", "is not a change in percent", "-30%"),
        ("x1.5", "is not a change in percent", "+50%"),
        ("-0.00001%", "is not a change in percent", "-33.3333%"),
        ("+٣%", "is not a change in percent", "-30%"),
        ("", "is not a change in percent", "-30%"),
        ("--30%", "is not a change in percent", "-30%"),
    ],
)
def test_parse_names_the_fact_and_the_fix(text, fact, fix):
    with pytest.raises(ValueError) as error:
        parse(text)
    stated, mended = str(error.value).split(";")
    assert repr(text) in stated and fact in stated and fix in mended


@given(st.integers(-100 * 10**4, 10**9), st.lists(st.none() | st.integers(0, 10**15), max_size=4))
def test_every_rate_is_exact(ten_thousandths, rates):
    scenario = parse(
        f"{'-' if ten_thousandths < 0 else '+'}{abs(ten_thousandths) // 10**4}.{abs(ten_thousandths) % 10**4:04}%"
    )
    assert scenario.factor == 1 + Fraction(ten_thousandths, 10**6)
    repriced = scenario_rates(cards_of(*rates), [scenario])
    for rate, exact in zip(rates, atto(repriced, scenario.name), strict=True):
        assert exact == (None if rate is None else rate * ATTO_PER_PICO * scenario.factor), "null stays unknown"


@given(st.lists(st.none() | st.integers(0, 10**15), max_size=4))
def test_the_empty_scenario_is_the_identity(rates):
    cards = cards_of(*rates)
    repriced = scenario_rates(cards, [Scenario("as it is"), parse("0%")])
    for name in TOKEN_CLASSES:
        exact = [None if rate is None else rate * ATTO_PER_PICO for rate in rates]
        assert atto(repriced, "actual", name) == atto(repriced, "as it is", name) == atto(repriced, "0%", name) == exact


def test_actual_is_first_and_the_others_keep_their_order():
    rates = scenario_rates(cards_of(1, 2), [parse("+50%"), parse("-30%")])
    assert rates.schema == pl.Schema(SCENARIO_RATES)
    expected = [("actual", 0, 1), ("actual", 0, 2), ("+50%", 1, 1), ("+50%", 1, 2), ("-30%", 2, 1), ("-30%", 2, 2)]
    assert rates.select("scenario", "scenario_order", "card_id").rows() == expected
    assert scenario_rates(empty(RATE_CARDS), [parse("+50%")]).is_empty()


def test_changes_hold_for_what_they_name_on_top_of_the_factor():
    cards = pl.concat([cards_of(10), cards_of(10, provider=None), cards_of(10, model="gpt-6")])
    changes = (Change(Fraction(1, 2), provider="openai", token_class="output"), Change(Fraction(3), model="gpt-6"))
    rates = scenario_rates(cards, [Scenario("deal", Fraction(2), changes)])
    assert atto(rates, "deal", "output") == [10 * ATTO_PER_PICO, 20 * ATTO_PER_PICO, 30 * ATTO_PER_PICO]
    assert atto(rates, "deal", "input") == [20 * ATTO_PER_PICO, 20 * ATTO_PER_PICO, 60 * ATTO_PER_PICO]


def test_a_factor_that_would_need_rounding_is_refused():
    with pytest.raises(ValueError, match="'third' needs the factor 1/3; use 0 or more with 6 decimals"):
        scenario_rates(cards_of(1), [Scenario("third", Fraction(1, 3))])
    with pytest.raises(ValueError, match="'below' needs the factor -1"):
        scenario_rates(cards_of(1), [Scenario("below", Fraction(-1))])
    small = Change(Fraction(1, 10**6)), Change(Fraction(1, 10))
    with pytest.raises(ValueError, match="needs the factor 1/10000000"):
        scenario_rates(cards_of(1), [Scenario("both", changes=small)])


@pytest.mark.parametrize("names", [["-30%", "-30%"], ["actual"]])
def test_a_name_given_twice_is_refused(names):
    with pytest.raises(ValueError, match=f"{names[-1]!r} is given twice; name each one once"):
        scenario_rates(cards_of(1), [Scenario(name) for name in names])

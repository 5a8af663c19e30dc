"""Rates after changes, against exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.scenarios.rates import CACHE_WRITES, RATIO_OF, Change, Tokens, atto_rates, changed, times
from transforms.schemas import COUNT_CLASSES, MAIN_CLASSES, PART_CLASSES, TOKEN_CLASSES

whole = st.none() | st.integers(0, 10**18)
some_rates = st.fixed_dictionaries(dict.fromkeys(TOKEN_CLASSES, whole))
NOTHING = dict.fromkeys(TOKEN_CLASSES)


@given(some_rates, some_rates)
def test_no_change_is_the_identity(rates, listed):
    assert changed(rates, [], listed) == rates


@given(whole, st.fractions(0, 1001, max_denominator=10**9))
def test_a_rate_times_a_factor_is_exact_rounded_half_even(rate, factor):
    assert times(rate, factor) == (None if rate is None else round(rate * factor))


@pytest.mark.parametrize("rate, half", [(1, 0), (3, 2), (5, 2), (7, 4), (4, 2), (0, 0), (None, None)])
def test_halves_go_to_the_even(rate, half):
    assert times(rate, Fraction(1, 2)) == half


@given(some_rates, st.lists(st.fractions(0, 3, max_denominator=10**6), min_size=1, max_size=3))
def test_times_changes_the_named_classes_one_rounding_a_change(rates, factors):
    found = changed(rates, [Change("times", ("output", "request"), factor) for factor in factors], NOTHING)
    for name, rate in rates.items():
        expected = rate
        for factor in factors if name in ("output", "request") and rate is not None else ():
            expected = round(expected * factor)
        assert found[name] == expected


def test_to_sets_even_what_had_no_rate():
    rates = NOTHING | {"input": 5, "output": 7}
    assert changed(rates, [Change("to", ("cache_read", "output"), 9)], NOTHING) == rates | {
        "cache_read": 9,
        "output": 9,
    }


def test_list_is_the_rates_without_the_contract_and_what_comes_after_holds_on_them():
    rates, listed = NOTHING | {"input": 5, "output": 7}, NOTHING | {"input": 10, "reasoning": 4}
    double = Change("times", TOKEN_CLASSES, Fraction(2))
    assert changed(rates, [Change("list"), double], listed) == NOTHING | {"input": 20, "reasoning": 8}
    assert changed(rates, [double, Change("list")], listed) == listed


def test_without_caching_reads_and_writes_cost_as_input_and_cached_audio_as_audio():
    rates = {name: number for number, name in enumerate(TOKEN_CLASSES, 1)}
    found = changed(rates, [Change("caching_none")], rates)
    as_input = dict.fromkeys(("cache_read", *CACHE_WRITES), rates["input"])
    assert found == rates | as_input | {"cache_read_audio": rates["input_audio"]}
    unknown = changed(rates | {"input": None}, [Change("caching_none")], rates)
    assert [unknown[name] for name in ("cache_read", *CACHE_WRITES)] == [None] * 4


@pytest.mark.parametrize(
    "plain, read, share, blend",
    [
        (10, 1, Fraction(1, 2), 6),  # 5.5: the even one
        (10, 3, Fraction(1, 2), 6),  # 6.5
        (10, 1, Fraction(1, 4), 8),  # 7.75
        (10, None, Fraction(0), 10),
        (None, 1, Fraction(1), 1),
        (None, 1, Fraction(1, 2), None),
        (10, None, Fraction(1, 2), None),
        (10, None, Fraction(1), None),
    ],
)
def test_a_cache_share_blends_input_and_reads(plain, read, share, blend):
    rates = NOTHING | {"input": plain, "cache_read": read, "cache_write_5m": 3, "output": 2}
    found = changed(rates, [Change("cache_share", value=share)], NOTHING)
    assert found == rates | {"input": blend, "cache_read": blend}


def test_more_tokens_scale_each_class_by_its_ratio_and_no_fee():
    rates = dict.fromkeys(TOKEN_CLASSES, 100)
    told = (("input_ratio", 2), ("cache_read_ratio", 3), ("cache_write_ratio", 5), ("output_ratio", 7))
    tokens = Tokens(tuple((key, Fraction(ratio)) for key, ratio in told))
    found = changed(rates, [tokens], rates)
    assert found == {
        "input": 200, "cache_read": 300, "cache_write_5m": 500, "cache_write_1h": 500, "cache_write_other": 500,
        "output": 700, "input_audio": 200, "input_image": 200, "input_video": 200, "cache_read_audio": 300,
        "output_audio": 700, "output_image": 700, "reasoning": 700,
        "request": 100, "web_search": 100, "file_search": 100, "code_session": 100,
    }  # fmt: skip
    assert changed(rates, [Tokens((("output_ratio", Fraction(1, 3)),))], rates)["reasoning"] == 33


@given(some_rates, st.sampled_from(["times", "caching_none", "cache_share", "tokens"]))
def test_unknown_stays_unknown(rates, kind):
    half = Fraction(1, 2)
    change = Tokens((("input_ratio", half),)) if kind == "tokens" else Change(kind, TOKEN_CLASSES, half)
    assert changed(NOTHING, [change], rates) == NOTHING


def test_every_token_class_has_its_ratio():
    assert RATIO_OF.keys() == {*MAIN_CLASSES, *PART_CLASSES} == {*TOKEN_CLASSES} - {*COUNT_CLASSES}


def test_a_card_is_read_in_atto():
    card = {f"{name}_rate": None for name in TOKEN_CLASSES} | {"card_id": 1, "input_rate": 3}
    assert atto_rates(card) == NOTHING | {"input": 3_000_000}

"""How scenarios are written, and what each mistake in one is told with."""

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest

from transforms.scenarios import definitions
from transforms.scenarios.definitions import Scenario, Step, parse, parse_all, scenario_of, step_of
from transforms.schemas import TOKEN_CLASSES


@pytest.mark.parametrize(
    "text, name, factor",
    [
        ("-30%", "-30%", Fraction(7, 10)),
        ("+50%", "+50%", Fraction(3, 2)),
        ("50%", "+50%", Fraction(3, 2)),
        (" -33.33% ", "-33.33%", Fraction(6667, 10_000)),
        ("+0.0001%", "+0.0001%", Fraction(1_000_001, 1_000_000)),
        ("-030.0%", "-30%", Fraction(7, 10)),
        ("+100.50%", "+100.5%", Fraction(401, 200)),
        ("-100%", "-100%", Fraction(0)),
        ("+100000%", "+100000%", Fraction(1001)),
    ],
)
def test_a_plain_percentage_changes_every_price(text, name, factor):
    assert parse(text) == Scenario(name, (Step("change", factor),))


@pytest.mark.parametrize("text", ["0%", "-0%", "+0.0000%"])
def test_no_change_is_a_scenario_without_a_step(text):
    assert parse(text) == Scenario("0%")


def test_one_scenario_written_twice_is_one():
    texts = ["-30%", "+50%", "-30.0%", "50%", "change=-30%  provider=x", "change=-30% provider=x"]
    assert [scenario.name for scenario in parse_all(texts)] == ["-30%", "+50%", "change=-30% provider=x"]


def test_a_text_is_first_looked_for_among_the_defined():
    defined = {"hike": Scenario("hike", (Step("change", Fraction(2)),)), "-30%": Scenario("-30%", reason="ours")}
    assert parse_all(["-30%", " hike", "+10%"], defined) == [defined["-30%"], defined["hike"], parse("+10%")]


@pytest.mark.parametrize(
    "text, fact, fix",
    [
        ("-100.0001%", "below -100%", "between -100% and"),
        ("+100001%", "above +100000%", "between -100% and"),
        ("-30", "is not a change in percent", "-30%"),
        ("-0.00001%", "is not a change in percent", "-33.3333%"),
        ("+٣%", "is not a change in percent", "-30%"),
        ("", "is not a change in percent", "-30%"),
        ("--30%", "is not a change in percent", "-30%"),
        ("x1.5", "is not defined", "-30%"),
        ("hike", "is not defined", "provider=openai"),
    ],
)
def test_a_wrong_percentage_is_told_with_the_fact_and_the_fix(text, fact, fix):
    with pytest.raises(ValueError) as error:
        parse(text)
    assert repr(text) in str(error.value) and fact in str(error.value) and fix in str(error.value)


def test_a_text_of_words_has_a_step_between_semicolons():
    told = parse("  replace=gpt-5   with='openai/gpt 6' ; -10% token_class=output; ")
    assert told.name == "replace=gpt-5 with='openai/gpt 6' ; -10% token_class=output;"
    assert told.steps == (
        Step("replace", "gpt-5", (), (("with", "openai/gpt 6"),)),
        Step("change", Fraction(9, 10), (), (("token_class", "output"),)),
    )
    assert parse("+50% provider=anthropic").steps == parse("change=+50% provider=anthropic").steps


@pytest.mark.parametrize(
    "text, message",
    [
        ("-10% change=+5% model=a", "change stands twice in one step; put a ; between two steps"),
        ("replace=a with='b", "No closing quotation; close the quotation"),
        ("provider=openai", "no step has provider; each step has one of change, usd_per_million,"),
        ("=5", "no step has no key at all; each step has one of change"),
        ("-10% provider=", "provider: '' is no text; give one in quotes"),
        ("cheaper provider=openai", "change: 'cheaper' is not a change in percent"),
    ],
)
def test_wrong_words_are_told_with_the_scenario(text, message):
    with pytest.raises(ValueError) as error:
        parse(text)
    assert str(error.value).startswith(f"scenario {text!r}: ") and message in str(error.value)


@pytest.mark.parametrize(
    "told, verb, value, beside",
    [
        ({"change": "-30%"}, "change", Fraction(7, 10), ()),
        ({"change": "+1%", "token_class": "input"}, "change", Fraction(101, 100), (("token_class", "input"),)),
        (
            {"usd_per_million": "1.25", "token_class": "input"}, "usd_per_million", 125 * 10**10,
            (("token_class", "input"),),
        ),
        ({"usd_per_million": 0, "token_class": "output"}, "usd_per_million", 0, (("token_class", "output"),)),
        (
            {"usd_per_unit": 0.01, "token_class": "web_search"}, "usd_per_unit", 10**16,
            (("token_class", "web_search"),),
        ),
        (
            {"replace": "a", "with": "b", "input_ratio": 1.2, "output_ratio": "0.5"}, "replace", "a",
            (("with", "b"), ("input_ratio", Fraction(6, 5)), ("output_ratio", Fraction(1, 2))),
        ),
        (
            {"replace": "a", "with": "b", "cache_read_ratio": 0, "cache_write_ratio": 1000}, "replace", "a",
            (("with", "b"), ("cache_read_ratio", Fraction(0)), ("cache_write_ratio", Fraction(1000))),
        ),
        (
            {"replace": "a", "with": "b", "tokens": "measured"}, "replace", "a",
            (("with", "b"), ("tokens", "measured")),
        ),
        ({"replace": "a", "with": "b", "tokens": "same"}, "replace", "a", (("with", "b"), ("tokens", "same"))),
        ({"move_to": "batch"}, "move_to", "batch", ()),
        ({"caching": "none"}, "caching", "none", ()),
        ({"cache_share": "80%"}, "cache_share", Fraction(4, 5), ()),
        ({"cache_share": 0.125}, "cache_share", Fraction(1, 8), ()),
        *[({"without": kind}, "without", kind, ()) for kind in ("contract", "volume_tier", "commitment", "free")],
        ({"without": "free", "with": "openai/b"}, "without", "free", (("with", "openai/b"),)),
        ({"activity": "-100%", "top_customers": 3}, "activity", Fraction(0), (("top_customers", 3),)),
        ({"activity": "+20%", "top_users": "5"}, "activity", Fraction(6, 5), (("top_users", 5),)),
    ],
)  # fmt: skip
def test_every_verb_and_what_stands_beside_it(told, verb, value, beside):
    assert step_of(told, "s") == Step(verb, value, (), beside)


def test_every_verb_and_key_is_tried_above():
    (mark,) = [mark for mark in test_every_verb_and_what_stands_beside_it.pytestmark if mark.args[0].startswith("told")]
    cases = [case[0] for case in mark.args[1]]
    assert {key for case in cases for key in case} == {*definitions.VERBS, *sum(definitions.VERBS.values(), ())}


@pytest.mark.parametrize(
    "key, value, read",
    [
        *[(key, "x y", "x y") for key in ("provider", "model", "service_tier", "region")],
        *[(key, "x", "x") for key in ("feature", "user", "customer", "environment")],
        ("is_batch", True, True),
        ("is_batch", "False", False),
        ("from", "2026-01-31", date(2026, 1, 31)),
        ("to", date(2026, 1, 31), date(2026, 1, 31)),
    ],
)
def test_every_selector(key, value, read):
    step = step_of({"change": "-1%", key: value}, "s")
    assert step.select == ((key, read),) and step.get(key) == read and step.get("top_users") is None


@pytest.mark.parametrize(
    "told, message",
    [
        ({}, "no step has no key at all; each step has one of change, usd_per_million, usd_per_unit, replace, "),
        ({"change": "-1%", "caching": "none"}, "change and caching in one step; each step has one of change"),
        ({"change": "-1%", "modle": "a"}, "change knows no modle; beside it may stand token_class, provider, model,"),
        ({"caching": "none", "with": "b"}, "caching knows no with; beside it may stand provider"),
        ({"change": -30}, "change: -30 is not a change in percent; write it as -30%"),
        ({"activity": "-101%"}, "activity: '-101%' is below -100%"),
        ({"change": "-1%", "provider": 5}, "provider: 5 is no text; give one in quotes"),
        ({"change": "-1%", "is_batch": "yes"}, "is_batch: 'yes' is neither; write true or false"),
        ({"change": "-1%", "from": "May"}, "from: 'May' is no day; write 2026-01-31"),
        ({"change": "-1%", "to": datetime(2026, 1, 1, tzinfo=UTC)}, "is no day; write 2026-01-31"),
        ({"change": "-1%", "from": "2026-02-02", "to": "2026-02-01"}, "from 2026-02-02 is after to 2026-02-01; swap"),
        ({"change": "-1%", "token_class": "inputs"}, "token_class: 'inputs' is no token class; known are cache_write,"),
        ({"usd_per_million": 1}, "usd_per_million: it sets the price of one class; name that with token_class"),
        ({"usd_per_unit": 1}, "usd_per_unit: it sets the price of one class; name that with token_class"),
        ({"usd_per_million": 1, "token_class": "request"}, "a request is priced one by one; write usd_per_unit"),
        ({"usd_per_million": -1, "token_class": "input"}, "-1 is no price; write USD from 0 to 1000 a unit"),
        ({"usd_per_unit": 1001, "token_class": "input"}, "1001 is no price; write USD from 0 to 1000 a unit"),
        ({"usd_per_unit": "1e-19", "token_class": "input"}, "1e-19 is no price; write USD from 0 to 1000 a unit, no"),
        ({"usd_per_unit": "dear", "token_class": "input"}, "usd_per_unit: 'dear' is no number"),
        ({"usd_per_unit": float("inf"), "token_class": "input"}, "usd_per_unit: inf is no number"),
        ({"usd_per_unit": float("nan"), "token_class": "input"}, "usd_per_unit: nan is no number"),
        ({"usd_per_unit": "1e999999999", "token_class": "input"}, "'1e999999999' is no number"),
        ({"cache_share": "120%"}, "cache_share: 120% is no share from 0% to 100%; write it as 80% or 0.8"),
        ({"cache_share": "0.0000000001"}, "cache_share: 0.0000000001 is no share"),
        ({"cache_share": "half"}, "cache_share: 'half' is no number"),
        ({"caching": "some"}, "caching cannot be 'some'; write none"),
        ({"without": "discount"}, "without cannot be 'discount'; write contract or volume_tier or commitment or free"),
        ({"replace": "a"}, "replace names the one model, `with` the other; write replace=gpt-5 with=gpt-5-mini"),
        ({"replace": "a", "with": "b", "model": "c"}, "replace names the one model, `with` the other"),
        ({"replace": "a", "with": "b", "tokens": "more"}, "tokens cannot be 'more'; write same or measured"),
        ({"replace": "a", "with": "b", "input_ratio": -1}, "input_ratio: -1 is no ratio; write one from 0 to 1000"),
        ({"replace": "a", "with": "b", "output_ratio": 1001}, "output_ratio: 1001 is no ratio"),
        ({"replace": "a", "with": "b", "output_ratio": "1/3"}, "output_ratio: '1/3' is no number"),
        (
            {"replace": "a", "with": "b", "tokens": "measured", "input_ratio": 1},
            "tokens are the same, measured, or given by ratios; say one of these",
        ),
        ({"without": "contract", "with": "b"}, "`with` names the model that is paid for instead of a free one; leave"),
        ({"without": "commitment", "feature": "x"}, "terms of a contract are selected by provider and model alone"),
        ({"without": "volume_tier", "from": "2026-01-01"}, "terms of a contract are selected by provider and model"),
        ({"activity": "-1%", "model": "a"}, "activity is of whom, not of what; select by feature, user, customer"),
        ({"activity": "-1%", "from": "2026-01-01"}, "activity is of whom, not of what"),
        ({"activity": "-1%", "top_users": 0}, "top_users: 0 is no count; write a whole number from 1"),
        ({"activity": "-1%", "top_users": 1.5}, "top_users: 1.5 is no count"),
        (
            {"activity": "-1%", "top_users": 1, "top_customers": 1},
            "top_customers and top_users in one step; make it two steps",
        ),
    ],
)
def test_a_wrong_step_is_told_with_the_fact_and_the_fix(told, message):
    with pytest.raises(ValueError) as error:
        step_of(told, "bad")
    assert str(error.value).startswith("scenario 'bad': ") and message in str(error.value)


def test_a_scenario_is_a_table_of_steps_and_a_reason():
    step = step_of({"change": "+50%", "provider": "openai"}, "hike")
    assert scenario_of("hike", {"change": "+50%", "provider": "openai"}) == Scenario("hike", (step,))
    told = {"reason": "as in 2025", "changes": [{"change": "+50%", "provider": "openai"}, {"caching": "none"}]}
    assert scenario_of("hike", told) == Scenario("hike", (step, Step("caching", "none")), "as in 2025")
    assert scenario_of("same", {"changes": []}) == Scenario("same")


@pytest.mark.parametrize(
    "table, message",
    [
        ("-30%", "cannot be '-30%'; it is a table with changes and a reason"),
        ({"changes": [], "change": "-1%"}, "change stands beside changes; put it into one of them"),
        ({"changes": {"change": "-1%"}}, "changes is a list of steps, such as [{ change = '+50%' }]"),
        ({"changes": ["-1%"]}, "changes is a list of steps, such as [{ change = '+50%' }]"),
        ({"changes": [], "reason": 5}, "reason cannot be 5; give a text in quotes"),
        ({"reason": "why not"}, "no step has no key at all; each step has one of change"),
        ({"changes": [{"change": "-1%"}, {"move": "batch"}]}, "no step has move; each step has one of"),
    ],
)
def test_a_wrong_table_is_told_with_the_fact_and_the_fix(table, message):
    with pytest.raises(ValueError) as error:
        scenario_of("bad", table)
    assert str(error.value).startswith("scenario 'bad'") and message in str(error.value)


@pytest.mark.parametrize(
    "texts, defined", [(["actual"], {"actual": Scenario("actual")}), (["x"], {"x": Scenario("actual")})]
)
def test_actual_cannot_be_defined(texts, defined):
    with pytest.raises(ValueError, match="scenario 'actual' is always there; give another name"):
        parse_all(texts, defined)


def test_every_token_class_can_be_named():
    for name in (*TOKEN_CLASSES, "cache_write"):
        assert step_of({"change": "-1%", "token_class": name}, "s").get("token_class") == name

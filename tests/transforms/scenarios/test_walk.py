"""What steps make of calls: whom they find, where these go, and which prices change then."""

from datetime import date
from fractions import Fraction

import pytest

from transforms.scenarios.definitions import Scenario, parse, scenario_of
from transforms.scenarios.names import is_named
from transforms.scenarios.rates import CACHE_WRITES, Change, Tokens
from transforms.scenarios.walk import (
    Evidence,
    Known,
    Walked,
    columns_of,
    is_scoped,
    reachable,
    term_steps,
    tops_of,
    walk,
)
from transforms.schemas import TOKEN_CLASSES

GPT = ("openai", "gpt-5", None, None, None)
MINI = ("openai", "gpt-5-mini", None, None, None)
HAIKU = ("anthropic", "claude-haiku", None, None, None)
BATCH = ("openai", "gpt-5", None, None, True)
FLEX = ("openai", "gpt-5", "flex", "EU", None)
NOBODY = (None, None, None, None, None)
FREE = ("openrouter", "qwen:free", None, None, None)
PAID = ("openrouter", "qwen", None, None, None)
SCOPE = {"feature": "triage", "user_id": "ana", "customer_id": "books", "environment": "prod", "day": date(2026, 3, 2)}
TARGETS = {"gpt-5": GPT[:2], "gpt-5-mini": MINI[:2], "claude-haiku": HAIKU[:2]}
KNOWN = Known(targets=TARGETS, batched={BATCH, FLEX}, free={FREE})
ONE, HALF, TWO = Fraction(1), Fraction(1, 2), Fraction(2)


def walked(text: str | Scenario, ref=GPT, known=KNOWN, **scope) -> tuple[Walked, set[int]]:
    """What becomes of calls of `ref`, and the steps that found them."""
    matched: set[int] = set()
    scenario = parse(text) if isinstance(text, str) else text
    return walk(scenario, ref, SCOPE | scope, known, matched), matched


def found(text: str, ref=GPT, known=KNOWN, **scope) -> bool:
    """Whether a change of prices is about calls of `ref`."""
    told, matched = walked(f"change=-50% {text}", ref, known, **scope)
    assert bool(matched) == bool(told.changes) and told.ref == ref
    return bool(matched)


@pytest.mark.parametrize(
    "pattern, name, is_found",
    [
        ("gpt-5", "gpt-5", True),
        ("GPT-5", "gpt-5", True),
        ("gpt-5", "GPT-5", True),
        ("openai/gpt-5", "gpt-5", True),
        ("azure/gpt-5", "gpt-5", False),
        ("gpt-5", "gpt-5-mini", False),
        ("gpt-5", "gpt-5-2025-08-07", True),
        ("gpt-5", "gpt-5-20250807", True),
        ("gpt-5", "gpt-5@20250807", True),
        ("openai/gpt-5", "gpt-5-2025-08-07", True),
        ("gpt-5-2025-08-07", "gpt-5", False),
        ("gpt-5", "gpt-5-0807", False),
        ("gpt-5*", "gpt-5-mini", True),
        ("gpt-5-*", "gpt-5", False),
        ("*mini", "gpt-5-mini-2025-08-07", True),
        ("g*5*", "gpt-5-mini", True),
        ("openai/*", "anything at all", True),
        ("*", "a\nb", True),
        ("gpt.5", "gpt-5", False),
        ("gpt-5[a]", "gpt-5[A]", True),
    ],
)
def test_a_model_is_named_in_any_case_with_or_without_its_provider_and_a_date(pattern, name, is_found):
    assert is_named(pattern, {("openai", name)}) is is_found
    assert is_named(pattern, {("openai", "else"), ("openai", name)}) is is_found
    assert not is_named(pattern, set())


@pytest.mark.parametrize(
    "text, ref, is_found",
    [
        ("provider=OpenAI", GPT, True),
        ("provider=anthropic", GPT, False),
        ("provider=openai", NOBODY, False),
        ("model=gpt-5", GPT, True),
        ("model=gpt-5", MINI, False),
        ("model=*", NOBODY, False),
        ("service_tier=FLEX", FLEX, True),
        ("service_tier=flex", GPT, False),
        ("region=eu", FLEX, True),
        ("region=us", FLEX, False),
        ("is_batch=true", BATCH, True),
        ("is_batch=true", GPT, False),
        ("is_batch=false", GPT, True),  # not told: no batch
        ("is_batch=false", BATCH, False),
        ("provider=openai model=gpt-5 is_batch=false region=eu", FLEX, True),
        ("provider=openai model=gpt-5 is_batch=true region=eu", FLEX, False),
    ],
)
def test_selectors_of_what_is_called(text, ref, is_found):
    assert found(text, ref) is is_found


@pytest.mark.parametrize(
    "text, scope, is_found",
    [
        ("feature=triage", {}, True),
        ("feature=Triage", {}, False),
        ("feature=unattributed", {"feature": None}, True),
        ("feature=unattributed", {}, False),
        ("user=ana customer=books environment=prod", {}, True),
        ("user=ana customer=toys environment=prod", {}, False),
        ("environment=unattributed", {"environment": None}, True),
        ("from=2026-03-02", {}, True),
        ("from=2026-03-03", {}, False),
        ("to=2026-03-02", {}, True),
        ("to=2026-03-01", {}, False),
        ("from=2026-03-01 to=2026-03-03", {}, True),
        ("from=2026-03-01", {"day": None}, False),
        ("to=2026-03-03", {"day": None}, False),
    ],
)
def test_selectors_of_whom_and_when(text, scope, is_found):
    assert found(text, **scope) is is_found


def test_an_alias_names_what_it_stands_for():
    known = KNOWN._replace(names={GPT: {("openai", "desk"), ("openai", "gpt-5")}})
    assert found("model=desk", known=known) and found("model=openai/gpt-5", known=known)
    assert not found("model=desk", ref=MINI, known=known)


def test_calls_move_first_and_then_the_prices_of_what_is_called_change():
    told, matched = walked("-50% model=gpt-5-mini; replace=gpt-5 with=gpt-5-mini; +100% model=gpt-5")
    assert (told.ref, told.is_moved) == (MINI, True)
    assert told.changes == (Change("times", TOKEN_CLASSES, HALF),) and matched == {0, 1}


def test_moves_follow_each_other_and_a_way_back_is_no_move():
    told, matched = walked("replace=gpt-5 with=gpt-5-mini; replace=gpt-5-mini with=claude-haiku")
    assert (told.ref, matched) == (HAIKU, {0, 1})
    told, matched = walked("replace=gpt-5 with=gpt-5-mini; replace=gpt-5-mini with=gpt-5")
    assert (told.ref, told.is_moved, matched) == (GPT, False, {0, 1})
    told, matched = walked("replace=gpt-5-mini with=gpt-5; replace=gpt-5 with=gpt-5-mini", MINI)
    assert (told.ref, told.is_moved, matched) == (MINI, False, {0, 1})


def test_a_swap_keeps_tier_region_and_batch_and_looks_at_whom():
    assert walked("replace=gpt-5 with=gpt-5-mini", FLEX)[0].ref == ("openai", "gpt-5-mini", "flex", "EU", None)
    assert walked("replace=gpt-5 with=gpt-5-mini feature=reply")[0].ref == GPT


@pytest.mark.parametrize(
    "text, ref, target",
    [
        ("move_to=batch", GPT, BATCH),
        ("move_to=Batch", GPT, BATCH),
        ("move_to=batch", MINI, MINI),  # nobody has a batch price of it
        ("move_to=flex", ("openai", "gpt-5", None, "EU", True), FLEX),
        ("move_to=standard", FLEX, ("openai", "gpt-5", None, "EU", None)),
        ("move_to=standard", BATCH, GPT),
        ("move_to=standard", GPT, GPT),
        ("move_to=batch is_batch=true", GPT, GPT),
        ("without=free", FREE, PAID),
        ("without=free", PAID, PAID),
        ("without=free with=gpt-5-mini", FREE, MINI),
        ("without=free model=gpt-5", FREE, FREE),
    ],
)
def test_other_moves(text, ref, target):
    told, matched = walked(text, ref)
    assert (told.ref, told.is_moved, bool(matched)) == (target, target != ref, target != ref)


@pytest.mark.parametrize(
    "text, change",
    [
        ("-50%", None),
        ("change=-50%", Change("times", TOKEN_CLASSES, HALF)),
        ("change=-50% token_class=output", Change("times", ("output",), HALF)),
        ("change=-50% token_class=cache_write", Change("times", CACHE_WRITES, HALF)),
        ("usd_per_million=3 token_class=input", Change("to", ("input",), 3 * 10**12)),
        ("usd_per_unit=3 token_class=request", Change("to", ("request",), 3 * 10**18)),
        ("caching=none", Change("caching_none")),
        ("cache_share=50%", Change("cache_share", value=HALF)),
        ("without=contract", Change("list")),
        ("without=contract model=gpt-5-mini", ()),
    ],
)
def test_every_change_of_prices(text, change):
    expected = (Change("times", TOKEN_CLASSES, HALF),) if change is None else (change,) if change else ()
    told, matched = walked(text)
    assert told.changes == told.low == told.high == expected and matched == ({0} if expected else set())
    assert (told.ref, told.is_moved, told.activity, told.context) == (GPT, False, ONE, (ONE, ONE, ONE))


def test_terms_are_left_elsewhere():
    scenario = parse("without=commitment; without=volume_tier; without=contract")
    assert walked(scenario)[0].changes == (Change("list"),) and term_steps(scenario) == list(scenario.steps[:2])


def test_activity_scales_what_is_left_after_all_other_changes():
    told, matched = walked("activity=-50% customer=books; activity=+100% user=ben; -50%; activity=-50%")
    assert told.activity == Fraction(1, 4) and matched == {0, 2, 3}
    assert told.changes == (Change("times", TOKEN_CLASSES, HALF), Change("times", TOKEN_CLASSES, Fraction(1, 4)))
    assert walked("activity=-100%")[0].activity == 0


def test_tops_are_of_those_who_cost_most():
    known = KNOWN._replace(tops={("customer", 2): {"books", "toys"}, ("user", 1): {"ben"}})
    assert walked("activity=-100% top_customers=2", known=known)[0].activity == 0
    assert walked("activity=-100% top_customers=2", known=known, customer_id="else")[0].activity == 1
    assert walked("activity=-100% top_customers=2", known=known, customer_id=None)[0].activity == 1
    told, matched = walked("activity=-50% top_users=1", known=known)
    assert (told.activity, matched) == (1, set())
    assert walked("activity=-50% top_users=1", known=known, user_id="ben")[0].activity == HALF
    (step,) = parse("activity=-1% top_users=4").steps
    assert tops_of(step) == [("user", 4)]


def test_given_ratios_scale_the_tokens_after_the_prices():
    told, _ = walked("replace=gpt-5 with=gpt-5-mini input_ratio=2 output_ratio=0.5; +100%")
    tokens = Tokens((("input_ratio", TWO), ("output_ratio", HALF)))
    assert told.changes == told.low == told.high == (Change("times", TOKEN_CLASSES, TWO), tokens)
    assert told.evidence is None and told.context == (ONE, TWO, TWO)  # cached input stays as it is


def test_ratios_of_swaps_one_after_the_other_multiply():
    told, _ = walked(
        "replace=gpt-5 with=gpt-5-mini input_ratio=2 cache_read_ratio=4; "
        "replace=gpt-5-mini with=claude-haiku input_ratio=0.5 cache_write_ratio=3"
    )
    assert told.ref == HAIKU and told.changes == (
        Tokens((("cache_read_ratio", Fraction(4)), ("cache_write_ratio", Fraction(3)))),
    )
    assert told.context == (ONE, ONE, Fraction(4))


def test_measured_tokens_are_of_the_pair_and_the_feature_with_their_bounds():
    bounds = (Fraction(9, 10), Fraction(1), Fraction(11, 10)), (Fraction(1), Fraction(2), Fraction(3))
    evidence = Evidence(*bounds, 40, 50, date(2026, 1, 1), date(2026, 2, 1))
    pair = (("openai", "gpt-5"), ("openai", "gpt-5-mini"))
    known = KNOWN._replace(evidence={(*pair, "triage"): evidence, (*pair, "unattributed"): evidence})
    text = "replace=gpt-5 with=gpt-5-mini tokens=measured"
    told, _ = walked(text, known=known)
    assert told.evidence is evidence and told.tokens["cache_read_ratio"] == told.tokens["input_ratio"] == bounds[0]
    assert told.changes == (Tokens((("output_ratio", TWO),)),)
    assert told.low == (
        Tokens(tuple((f"{name}_ratio", bounds[0][0]) for name in ("input", "cache_read", "cache_write"))),
    )
    assert dict(told.high[0].ratios) == dict.fromkeys(told.tokens, bounds[0][2]) | {"output_ratio": Fraction(3)}
    assert told.context == bounds[0]
    assert walked(text, known=known, feature=None)[0].evidence is evidence
    for other in (walked(text, known=known, feature="reply")[0], walked(text)[0]):
        assert other.ref == MINI and other.evidence is None and other.tokens == {} and other.changes == ()


def test_the_refs_that_calls_may_go_to_are_all_ways_through_the_steps():
    some = [parse("replace=gpt-5 with=gpt-5-mini feature=nobody; replace=gpt-5-mini with=claude-haiku"), parse("-30%")]
    assert reachable(some, [GPT], KNOWN) == [MINI, HAIKU]
    assert reachable(some, [GPT, MINI, HAIKU], KNOWN) == []
    assert reachable([parse("move_to=batch")], [GPT, MINI], KNOWN) == [BATCH]
    every = KNOWN._replace(batched=None, free=None)
    assert reachable([parse("move_to=batch")], [GPT, MINI], every) == [BATCH, (*MINI[:4], True)]
    assert reachable([parse("without=free")], [FREE, MINI], KNOWN) == [PAID]
    assert reachable([parse("without=contract; without=commitment")], [FREE], every) == []


@pytest.mark.parametrize(
    "text, columns, scoped",
    [
        ("-30%", set(), False),
        ("-30% provider=openai model=a; caching=none; without=contract; without=commitment", set(), False),
        ("-30% feature=a", {"feature"}, True),
        ("-30% from=2026-01-01 user=a environment=b", {"day", "user_id", "environment"}, True),
        ("replace=a with=b", set(), True),
        ("replace=a with=b tokens=measured", {"feature"}, True),
        ("move_to=batch", set(), True),
        ("without=free", set(), True),
        ("activity=-1%", set(), True),
        ("activity=-1% top_customers=1; activity=-1% top_users=1", {"customer_id", "user_id"}, True),
    ],
)
def test_which_columns_of_the_cube_a_scenario_looks_at(text, columns, scoped):
    scenario = parse(text)
    assert columns_of(scenario) == columns and is_scoped(scenario) is scoped


def test_the_empty_scenario_leaves_everything_as_it_is():
    for scenario in (scenario_of("same", {"changes": []}), parse("0%")):
        told, matched = walked(scenario, FLEX)
        assert told == Walked(FLEX, False, ONE, {}, None, (ONE, ONE, ONE), (), (), ()) and matched == set()

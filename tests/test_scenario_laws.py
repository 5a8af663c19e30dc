"""Every kind of scenario against plain Python that re-prices call by call, on random ledgers, cards and scenarios."""

from collections import defaultdict
from datetime import UTC, date, datetime
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import warehouse, what_if
from tests import reference_scenarios as reference
from tests.sql import builders
from transforms import schemas
from transforms.scenarios import definitions

MODELS = [("openai", "a"), ("openai", "b"), ("labs", "c")]
DAYS = [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)]
INSTANTS = [datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day in DAYS for hour in (3, 10)]
CHANGE = datetime(2026, 3, 2, 9, tzinfo=UTC)  # within a day
TOKENS = st.none() | st.sampled_from([0, 1, 40, 99, 100, 101, 160, 250])
PARTS = st.none() | st.integers(0, 60)
CLASSES = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "input_audio", "reasoning", "request")

calls = st.fixed_dictionaries(
    {
        "place": st.sampled_from(MODELS),
        "service_tier": st.sampled_from([None, None, "flex"]),
        "is_batch": st.sampled_from([None, True]),
        "called_at": st.sampled_from([None, *INSTANTS]),
        "status": st.sampled_from(["success", "success", "error", "refused"]),
        "feature": st.sampled_from([None, "triage", "reply"]),
        "customer_id": st.sampled_from([None, "north", "south", "west"]),
        "user_id": st.sampled_from([None, "ana"]),
        "input_tokens": TOKENS,
        "output_tokens": TOKENS,
        "cache_read_tokens": PARTS,
        "cache_write_1h_tokens": PARTS,
        "input_audio_tokens": st.none() | st.integers(0, 30),
        "reasoning_tokens": st.none() | st.integers(0, 30),
        "web_search_count": st.sampled_from([None, 0, 2]),
    }
)  # fmt: skip
rates = st.none() | st.integers(0, 9_999_999)


@st.composite
def cards(draw) -> list[dict]:
    """Cards of each model, tier and batch, at times cut by an instant, hours of the week and a context bound."""
    rows = []
    for provider, model in MODELS:
        for tier, is_batch in ((None, None), ("flex", None), (None, True), ("flex", True)):
            place = {"provider": provider, "model": model, "service_tier": tier, "is_batch": is_batch}
            status = draw(st.sampled_from([*["exact"] * 4, "free", "context_unmatched", None]))
            spans = draw(st.sampled_from([[(None, None)], [(None, CHANGE), (CHANGE, None)]]))
            hours = draw(st.sampled_from([[(0, 604_800)], [(0, 30_000), (30_000, 604_800)]]))
            contexts = draw(st.sampled_from([[(0, None)], [(0, 100), (100, None)]]))
            for start, end in spans:
                for second_from, second_to in hours:
                    for above, up_to in contexts:
                        told = {f"{name}_rate": draw(rates) for name in CLASSES}
                        told |= {
                            "web_search_rate": 10**10,
                            "valid_from": start,
                            "valid_to": end,
                            "price_status": status,
                        }
                        told |= {"week_second_from": second_from, "week_second_to": second_to}
                        rows.append(place | told | {"context_above": above, "context_up_to": up_to})
    return rows


names = st.sampled_from(["a", "openai/b", "c", "*"])
wheres = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.sampled_from(["openai", "labs"]),
        "service_tier": st.just("flex"),
        "is_batch": st.booleans(),
        "feature": st.sampled_from(["triage", "unattributed"]),
        "customer": st.just("north"),
        "from": st.just(DAYS[1]),
        "to": st.just(DAYS[1]),
    },
)
percents = st.sampled_from(["-30%", "+50%", "-33.3333%", "-100%", "+7.77%"])
ratios = st.sampled_from([0.5, 1, 1.25, 2, 0.333333])


def steps(with_ratios: bool) -> st.SearchStrategy[dict]:
    """Steps of every kind."""
    classes = st.none() | st.sampled_from(["input", "output", "cache_write", "reasoning", "request"])
    change = st.builds(lambda change, token_class: {"change": change} | named(token_class), percents, classes)
    kinds = [
        change,
        st.builds(
            lambda usd, c: {"usd_per_million": usd, "token_class": c}, st.sampled_from([0, "2.5"]), st.just("output")
        ),
        st.builds(lambda share: {"cache_share": share}, st.sampled_from([0, 0.5, "0.333333333", 1])),
        st.just({"caching": "none"}),
        st.just({"without": "contract"}),
    ]
    moves = [
        st.builds(lambda model, to: {"replace": model, "with": to}, names, st.sampled_from(["openai/a", "labs/c"])),
        st.builds(lambda tier: {"move_to": tier}, st.sampled_from(["batch", "standard", "flex"])),
        st.just({"without": "free", "with": "openai/b"}),
    ]
    if with_ratios:
        told = {f"{key}_ratio": ratios for key in ("input", "cache_read", "cache_write", "output")}
        replaced = {"replace": names, "with": st.sampled_from(["openai/a", "labs/c"])}
        moves = [st.fixed_dictionaries(replaced, optional=told)]
    priced = st.builds(lambda model: {"model": model} if model else {}, st.none() | names)
    scoped = st.builds(
        lambda kind, where, model: where | model | kind,
        st.one_of(kinds), wheres, priced,
    )  # fmt: skip
    moving = st.builds(lambda kind, where: where | kind, st.one_of(moves), wheres)
    who = st.fixed_dictionaries(
        {"activity": percents}, optional={"customer": st.just("south"), "feature": st.just("reply")}
    )
    top = st.builds(lambda change, count: {"activity": change, "top_customers": count}, percents, st.integers(1, 2))
    return st.one_of(scoped, moving, who, top)


def named(token_class: str | None) -> dict:
    return {"token_class": token_class} if token_class else {}


world = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@world
@given(
    st.lists(calls, min_size=1, max_size=14),
    cards(),
    st.lists(st.lists(steps(False), min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_every_kind_of_scenario_costs_what_plain_python_says_of_each_call(some_calls, some_cards, scenarios):
    given_rows = world_of(some_calls, some_cards)
    found, given_rows = asked(given_rows, scenarios)
    for number, own_steps in enumerate([[], *scenarios]):
        told = told_costs(given_rows, own_steps)
        rows = {(row["dimension"], row["name"]): row for row in found if row["scenario_order"] == number}
        assert rows.keys() == told.keys()
        for key, (cost, unpriced_call_count) in told.items():
            row = rows[key]
            assert (exact(row["cost_usd"]), row["unpriced_call_count"]) == (cost, unpriced_call_count), (own_steps, key)
            assert row["cost_low_usd"] == row["cost_usd"] == row["cost_high_usd"]


@world
@given(st.lists(calls, min_size=1, max_size=10), cards(), st.lists(steps(True), min_size=1, max_size=3))
def test_where_tokens_change_the_cost_is_exact_or_within_its_bounds(some_calls, some_cards, own_steps):
    # Of dearer contexts costlier rates, so that the bounds are bounds.
    for row, before in zip(some_cards[1:], some_cards, strict=False):
        if row["context_above"]:
            row |= {f"{name}_rate": None if (low := before[f"{name}_rate"]) is None else 2 * low for name in CLASSES}
    found, given_rows = asked(world_of(some_calls, some_cards), [own_steps])
    told = told_costs(given_rows, own_steps)
    for row in found:
        cost, _ = told[row["dimension"], row["name"]]
        if row["scenario_order"] == 1 and row["cost_usd"] is not None and not row["unpriced_call_count"]:
            low, high = exact(row["cost_low_usd"]), exact(row["cost_high_usd"])
            assert low <= exact(row["cost_usd"]) <= high
            assert low <= cost <= high, own_steps
            if low == high:
                assert exact(row["cost_usd"]) == cost, "without a span it is exact"


CALL = {"place": ("openai", "a"), "input_tokens": 90, "output_tokens": 10}
CARD = {"provider": "openai", "model": "a", "input_rate": 10, "output_rate": 20, "cache_read_rate": None}
DEAR = CARD | {"context_above": 100, "input_rate": 1000, "output_rate": 2000}


@pytest.mark.parametrize(
    ("some_calls", "some_cards", "steps", "pico"),
    {
        "a price that is set prices what had none": (
            [CALL], [CARD | {"output_rate": None}], [{"usd_per_million": 1, "token_class": "output"}], 900 + 10**7,
        ),
        "of two calls on one card the one that lacks a rate alone is unpriced": (
            [CALL, CALL | {"cache_read_tokens": 5}], [CARD], [{"change": "0%"}], 1100,
        ),
        "without caching no rate of it is needed": (
            [CALL | {"cache_read_tokens": 5}], [CARD], [{"caching": "none"}], 1100,
        ),
        "a model in place of itself takes other tokens, and another context": (
            [CALL], [CARD | {"context_up_to": 100}, DEAR],
            [{"replace": "a", "with": "openai/a", "input_ratio": 2}], 180 * 1000 + 10 * 2000,
        ),
        "what is on the model already takes no more tokens": (
            [CALL], [CARD], [{"replace": "*", "with": "openai/a", "output_ratio": 2}], 1100,
        ),
        "of no tokens no rate is needed": (
            [CALL | {"cache_read_tokens": 5}], [CARD],
            [{"replace": "a", "with": "openai/a", "cache_read_ratio": 0}], 85 * 10 + 10 * 20,
        ),
        "parts that a price was not judged by are not subtracted from what they exceed": (
            [CALL | {"reasoning_tokens": 20}], [CARD], [{"usd_per_million": 0, "token_class": "reasoning"}], None,
        ),
    }.values(),
)  # fmt: skip
def test_a_price_where_there_was_none(some_calls, some_cards, steps, pico):
    found, plain = asked(world_of(some_calls, some_cards), [steps])
    (row,) = [row for row in found if row["scenario_order"] == 1 and row["dimension"] == "all"]
    assert exact(row["cost_usd"]) == (None if pico is None else Fraction(pico, 10**12))
    assert told_costs(plain, steps)["all", "all"][0] == exact(row["cost_usd"])


def world_of(some_calls: list[dict], some_cards: list[dict]) -> dict:
    rows = []
    for call in some_calls:
        provider, model = call["place"]
        rows.append(
            {name: value for name, value in call.items() if name != "place"} | {"provider": provider, "model": model}
        )
    return {"ledger": rows, "rate_cards": some_cards}


def asked(given_rows: dict, scenarios: list[list[dict]]) -> tuple[list[dict], dict]:
    """The rows of scenario_by_dimension under scenarios of these steps; idle ones are no matter here."""
    frames = builders.sources(given_rows)
    listed = frames["rate_cards"].with_columns(book=schemas.pl.lit("list"))
    listed = listed.with_columns(input_rate=schemas.pl.col("input_rate") * 3)
    book = schemas.conform(listed, schemas.BOOK_RATES)
    prices = SimpleNamespace(
        refs=frames["price_names"].select(*schemas.PRICE_REFS, as_provider="provider", as_model="model"),
        rate_cards=frames["rate_cards"], book_rates=book, contract_terms=frames["contract_terms"],
    )  # fmt: skip
    defined = [definitions.scenario_of(f"s{n}", {"changes": own}) for n, own in enumerate(scenarios, 1)]
    with warehouse.connect() as connection:
        connection.execute("create schema source")
        for name, frame in frames.items():
            if name not in warehouse.SCENARIO_SOURCES:
                warehouse.load_table(connection, name, frame, dict(frame.schema))
        warehouse.make_cube(connection, ["scenario_by_dimension", "scenario_comparison"])
        resolved = what_if.resolve(
            defined, prices, lambda query: warehouse.frame_of(connection, query), are_idle_told=False
        )
        for name, frame in resolved.items():
            warehouse.load_table(connection, name, frame, dict(frame.schema))
        warehouse.make_models(connection, ["scenario_by_dimension", "scenario_comparison"])
        warehouse.run_checks(connection, {"scenario_by_dimension", "scenario_comparison", "usage_cube"})
        rows = warehouse.frame_of(connection, "select * from scenario_by_dimension").to_dicts()
        tops = warehouse.frame_of(connection, what_if.TOPS.format(column="customer_id", count=9))["name"].to_list()
    plain = {"calls": frames["ledger"].to_dicts(), "cards": frames["rate_cards"].to_dicts()}
    plain["listed"] = {row["card_id"]: row for row in book.to_dicts()}
    plain["tops"] = {count: set(tops[:count]) for count in (1, 2)}
    return rows, plain


def told_costs(plain: dict, own_steps: list[dict]) -> dict[tuple[str, str], tuple[Fraction | None, int]]:
    """(cost in USD, unpriced calls) by dimension and name."""
    costs = defaultdict(list)
    for call in plain["calls"]:
        cost, _ = reference.repriced(call, own_steps, plain["cards"], plain["listed"], plain["tops"])
        model = f"{call['provider']}/{call['model']}"
        for key in (
            ("all", "all"), ("feature", call["feature"] or "unattributed"), ("user", call["user_id"] or "unattributed"),
            ("customer", call["customer_id"] or "unattributed"), ("model", model),
            ("day", str(call["day"]) if call["day"] else "unknown"),
        ):  # fmt: skip
            costs[key].append(cost)
    return {
        key: (
            sum(known, Fraction(0)) / 10**18 if (known := [c for c in all_ if c is not None]) else None,
            all_.count(None),
        )
        for key, all_ in costs.items()
    }


def exact(amount) -> Fraction | None:
    return None if amount is None else Fraction(amount)

"""`from reprice(...)` against the scenario of the same change, on random ledgers, and what it refuses."""

from contextlib import contextmanager
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines import warehouse, what_if
from pipelines.errors import UserError
from tests.sql import builders
from tests.test_scenario_laws import calls, cards, world_of
from transforms import schemas
from transforms.scenarios import definitions

DIMENSIONS = ("feature", "user", "customer", "model", "day")
SAME = ("cost_per_action_usd", "cost_per_outcome_usd", "revenue_usd", "margin_usd", "margin_share", "survives")
SAME += ("unpriced_call_count",)
CLASSES = ("input", "output", "cache_read", "cache_write", "input_audio", "reasoning", "request", "web_search")
selections = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.sampled_from(["openai", "LABS"]),
        "model": st.sampled_from(["a", "openai/B", "c", "*"]),
        "token_class": st.sampled_from(CLASSES),
    },
)
percents = st.sampled_from(["-30", "50", "-33.3333", "-100", "7.77", "0"])
OUTCOMES = [{}, {"is_success": False}, {"subject_id": "action-3"}]
REVENUE = [{"feature": "triage", "revenue_pico": 4 * 10**9}, {"customer_id": "north", "revenue_pico": 1}]


@example([], [], {}, "-30")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(calls, max_size=14), cards(), selections, percents)
def test_it_is_the_scenario_of_the_same_change(some_calls, some_cards, selection, percent):
    """To the last digit, in every dimension; where nothing is found both say so."""
    step = {"change": f"{percent}%"} | selection
    asked = "".join(f", of_{name} := '{value}'" for name, value in selection.items())
    with repriced(world_of(some_calls, some_cards), step) as (connection, is_idle):
        for dimension in DIMENSIONS:
            query = f"from reprice({percent}, of_dimension := '{dimension}'{asked})"
            if is_idle and some_calls:
                with pytest.raises(duckdb.Error, match="no call is of this of_provider and of_model"):
                    connection.sql(query).fetchall()
                continue
            found = rows(connection, query)
            told = f"from scenario_by_dimension where dimension in ('{dimension}', 'all') and scenario_order = "
            actual, scenario = rows(connection, told + "0"), rows(connection, told + "1")
            assert found.keys() == scenario.keys()
            for key, row in found.items():
                assert (row["cost_usd"], row["repriced_cost_usd"]) == (
                    actual[key]["cost_usd"],
                    scenario[key]["cost_usd"],
                )
                assert {name: row[name] for name in SAME} == {name: scenario[key][name] for name in SAME}, key
                if row["cost_usd"] is not None:
                    assert row["change_usd"] == row["repriced_cost_usd"] - row["cost_usd"]


@contextmanager
def repriced(given_rows, step):
    """A catalogue with one scenario of that step, and whether the step finds no call."""
    frames = builders.sources(given_rows | {"outcomes": OUTCOMES, "revenue": REVENUE})
    prices = SimpleNamespace(
        refs=frames["price_names"].select(*schemas.PRICE_REFS, as_provider="provider", as_model="model"),
        rate_cards=frames["rate_cards"],
        book_rates=schemas.empty(schemas.BOOK_RATES),
        contract_terms=frames["contract_terms"],
    )
    scenarios = [definitions.scenario_of("moved", step)]
    with warehouse.connect() as connection:
        connection.execute("create schema source")
        for name, frame in frames.items():
            if name not in warehouse.SCENARIO_SOURCES:
                warehouse.load_table(connection, name, frame, dict(frame.schema))
        warehouse.make_cube(connection, ["reprice"])
        is_idle = False
        try:
            what_if.resolve(scenarios, prices, lambda query: warehouse.frame_of(connection, query))
        except UserError as error:
            assert "no call is found" in str(error)
            is_idle = True
        resolved = what_if.resolve(
            scenarios, prices, lambda query: warehouse.frame_of(connection, query), are_idle_told=False
        )
        for name, frame in resolved.items():
            warehouse.load_table(connection, name, frame, dict(frame.schema))
        warehouse.make_models(connection, ["reprice"])
        yield connection, is_idle


def rows(connection, query):
    return {(row["dimension"], row["name"]): row for row in warehouse.frame_of(connection, query).to_dicts()}


REFUSED = {
    "more than free": ("-100.0001", "write a percent from -100"),
    "too fine": ("-0.00001", "with at most 4 decimals"),
    "no number": ("'a third'", "such as reprice"),
    "nothing": ("null", "such as reprice"),
    "too much": ("100000.0001", "to 100000"),
    "no such class": ("1, of_token_class := 'tokens'", "write one of those in cost_by_class"),
    "no such dimension": ("1, of_dimension := 'team'", "of_dimension is feature, user, customer, model or day"),
    "no such provider": ("1, of_provider := 'nobody'", "no call is of this"),
    "no such model": ("1, of_model := 'odel-a'", "no call is of this"),
    "a pattern is no regular expression": ("1, of_model := 'model.a'", "no call is of this"),
}


@pytest.fixture(scope="module")
def shop():
    with builders.catalogue({"ledger": [{"feature": "triage"}]}, "reprice") as connection:
        yield connection


@pytest.mark.parametrize(("arguments", "fix"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_is_refused_with_the_fix(shop, arguments, fix):
    with pytest.raises(duckdb.Error, match=fix):
        shop.sql(f"from reprice({arguments})").fetchall()


def test_a_percent_may_be_of_any_number_type(shop):
    texts = ("-30", "-3e1", "-30.0")
    assert len({str(shop.sql(f"select repriced_cost_usd from reprice({text})").fetchall()) for text in texts}) == 1

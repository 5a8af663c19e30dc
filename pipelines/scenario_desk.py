"""The corridor of `tokenspread reprice` and `swap`: scenarios that no build asked for, over the published usage cube.

Nothing is written: the models that read scenarios are made once more, in memory, beside the published ones.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from pipelines import pricing, sandbox, selection, warehouse, what_if
from pipelines.errors import UserError
from pipelines.selection import Selection
from pipelines.settings import Settings
from pipelines.warehouse_models import CUBE, SQL, remade
from pipelines.warehouse_sources import CONTEXT_BOUNDS, PRICE_NAMES, SCENARIO_SOURCES, Ask
from transforms import schemas
from transforms.scenarios import definitions
from transforms.scenarios.definitions import Scenario

MOST_STEPS = 1_000
TERMS = ("allocated_costs", "contract_terms")  # of the models, those about all calls of a contract
DAY_US = 86_400_000_000
COSTS_APART = """
select dimension, name, scenario, cost_apart_usd
from scenario_by_dimension
where dimension in ('all', 'feature')
"""
BRIDGED = ("all", "feature", "user", "customer", "model", "day")


def grid_of(text: str) -> tuple[str, ...]:
    """Scenarios from one change to another: "-50%:+100%:5%" or "-50:100:5" are -50%, -45%, ... +100%. UserError."""
    parts = [part.strip().rstrip("%") for part in text.split(":")]
    try:
        low, high, step = map(Decimal, parts)
        if not 0 < step <= high - low <= MOST_STEPS * step:
            raise UserError(f"--grid {text}: from must be below to, by 1 to {MOST_STEPS} steps above 0")
        changes = [low + step * number for number in range(int((high - low) / step) + 1)]
    except (ArithmeticError, ValueError):  # no numbers, or not finite ones
        raise UserError(f"--grid {text}: no grid; write from:to:step in percent, such as -50:100:5") from None
    return tuple(f"{change:+f}%" for change in changes if change)


def swapped(from_model: str, to_model: str, ratios: dict[str, str | None], feature: str | None) -> list[Scenario]:
    """The swap of one model for another with the same tokens, and with the ratios that are given, else with those that
    the log shows. Raises UserError."""
    swap = {"replace": from_model, "with": to_model} | ({"feature": feature} if feature else {})
    given = {key: value for key, value in ratios.items() if value is not None}
    more = ("given tokens", swap | given) if given else ("measured tokens", swap | {"tokens": "measured"})
    try:
        return [definitions.scenario_of(*told) for told in (("same tokens", swap), more)]
    except ValueError as error:
        raise UserError(str(error)) from None


def chosen(settings: Settings, texts: Sequence[str], grid: str | None) -> list[Scenario]:
    """The scenarios of texts and a grid, and those alone; where neither is given, those of a build. UserError."""
    told = (*texts, *(grid_of(grid) if grid else ()))
    return what_if.chosen(replace(settings, scenarios=told) if told else settings, are_named_alone=bool(told))


def bridge(settings: Settings, text: str, by: str) -> dict[str, Any]:
    """What a scenario, published or not, makes of the actual cost of each name of `by`, split exactly into who acts,
    which model, how many tokens and what they cost, in this order. Raises UserError."""
    if by not in BRIDGED:
        raise UserError(f"--by {by}: no such grouping; choose one of {', '.join(BRIDGED)}")
    scenario = what_if.chosen(replace(settings, scenarios=(text,)), are_named_alone=True)[0]
    parts = definitions.parts(scenario)
    with asked(list(parts.values()), settings, "scenario_by_dimension") as ask:
        rows = ask((SQL / "questions" / "scenario_bridge.sql").read_text(), dimension=by).to_dicts()
    total = [row for row in rows if row["dimension"] == "all"]
    cost = {"rows": [row for row in rows if row["dimension"] == by], "total": total[0] if total else None}
    return {"by": by, "scenario": scenario.name, "cost": cost}


@contextmanager
def asked(
    scenarios: Sequence[Scenario], settings: Settings, *names: str, catalogue: Path | None = None
) -> Iterator[Ask]:
    """Queries to the models `names` under `scenarios`, and to all that is published, by `catalogue` where it is given.
    Raises UserError."""
    with asked_of(Selection(), scenarios, settings, *names, catalogue=catalogue) as (ask, _):
        yield ask


@contextmanager
def asked_of(
    selected: Selection,
    scenarios: Sequence[Scenario],
    settings: Settings,
    *names: str,
    catalogue: Path | None = None,
) -> Iterator[tuple[Ask, dict[str, Any] | None]]:
    """The same of a part of the calls, and what that is, as `selection.asked` has it; scenarios find what they are
    about, and a contract what it comes to, in all calls. Raises UserError."""
    link = catalogue or settings.data / "warehouse.duckdb"
    sandbox.check_published(link)
    with selection.told_of(link), sandbox.connect_sandboxed(link) as connection:
        ask = partial(warehouse.frame_of, connection)
        prices, is_banded = _prices(scenarios, ask, settings)
        of_whole = names if selected.is_all else TERMS if prices.contract_terms.height else ()
        again = remade(of_whole, {*SCENARIO_SOURCES} | (set() if is_banded else {CUBE}))
        sources = {"rate_cards": prices.rate_cards, "book_rates": prices.book_rates}
        sandbox.open_room(connection, sources, again)
        warehouse.make_tables(connection, {CUBE}.intersection(again))
        for name, frame in what_if.resolve(scenarios, prices, ask).items():
            warehouse.load_table(connection, name, frame, SCENARIO_SOURCES[name])
        warehouse.make_tables(connection, {*again} - {CUBE})
        part = None if selected.is_all else selection.entered(connection, settings, selected, names, "memory")
        yield ask, part


def costs_apart(settings: Settings, catalogue: Path, changes: Sequence[str]) -> pl.DataFrame:
    """By `catalogue`, what each feature, and all, cost beside tokens and fees under each change of all prices, such as
    -30%: dimension, name, scenario and cost_apart_usd (null: nothing), actual among them. Raises UserError."""
    with asked(chosen(settings, changes, None), settings, "scenario_by_dimension", catalogue=catalogue) as ask:
        return ask(COSTS_APART)


class Prices(NamedTuple):
    """As pricing.Priced has them."""

    refs: pl.DataFrame
    rate_cards: pl.DataFrame
    book_rates: pl.DataFrame
    contract_terms: pl.DataFrame


def _prices(scenarios: Sequence[Scenario], ask: Ask, settings: Settings) -> tuple[Prices, bool]:
    """The published prices and, for models that calls move to, what the same sources say; and whether the cube keeps
    the bands of all of these."""
    refs = _told(ask, "price_names", PRICE_NAMES)
    cards, books = _told(ask, "rate_cards", schemas.RATE_CARDS), _told(ask, "book_rates", schemas.BOOK_RATES)
    terms = _told(ask, "contract_terms", schemas.CONTRACT_TERMS)
    keys = list(schemas.PRICE_REFS)
    logged = ask("select distinct provider, priced_model as model, service_tier, region, is_batch from usage_cube")
    there = refs.join(logged, on=keys, how="semi", nulls_equal=True)
    new = what_if.target_refs(scenarios, there).join(refs, on=keys, how="anti", nulls_equal=True)
    if new.is_empty():
        return Prices(refs, cards, books, terms), True
    more_cards, more_books, named = pricing.priced_refs(new, _told(ask, "price_rules", schemas.PRICE_RULES), settings)
    first_id = max(cards["card_id"].max() or 0, 0)
    more_cards, more_books = (frame.with_columns(pl.col("card_id") + first_id) for frame in (more_cards, more_books))
    prices = Prices(pl.concat([refs, named]), pl.concat([cards, more_cards]), pl.concat([books, more_books]), terms)
    days = ask("select first_day, last_day + 1 as after_day from about").row(0)
    known_contexts = {*_told(ask, "context_bounds", CONTEXT_BOUNDS)["context_above"], *cards["context_above"]}
    return prices, _bands(more_cards, known_contexts, days) <= _bands(cards, known_contexts, days)


def _bands(cards: pl.DataFrame, known_contexts: set[int], days: tuple) -> set[tuple[str, object]]:
    """What cuts calls of one day apart: context bounds, hours, instants within one of the log's days."""
    instants = pl.concat([cards["valid_from"], cards["valid_to"]]).drop_nulls().unique()
    within = instants.filter(instants.dt.epoch("us") % DAY_US != 0)
    within = within.filter(within.dt.date().is_between(*days)) if days[0] else []
    named = [("context", {*cards["context_above"]} - known_contexts), ("second", {*cards["week_second_from"]} - {0})]
    return {(name, bound) for name, bounds in [*named, ("instant", {*within})] for bound in bounds}


def _told(ask: Ask, name: str, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return schemas.conform(ask(f"from source.{name}").cast(schema), schema)

"""Step 7, scenarios: from what the user wrote, what the usage cube holds and what is known of prices to the tables that
pricing reads."""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import UserError
from pipelines.prices import catalogue_names
from pipelines.pricing import LIST, Priced
from pipelines.settings import Settings, document_of
from pipelines.users import Users
from pipelines.warehouse_sources import PRICE_NAMES, Ask, literal
from transforms import scenario_schemas, schemas
from transforms.scenarios import definitions, names, tables, walk
from transforms.scenarios.definitions import Scenario, Step

Ref = tuple
ENOUGH = 30  # actions of a model, to take what they all have in common for what it does
TOPS = """
select {column} as name
from usage_cube
where {column} is not null
group by {column}
order by sum(cost_pico) desc nulls last, {column}
limit {count}
"""


def chosen(settings: Settings, are_named_alone: bool = False) -> list[Scenario]:
    """The scenarios that the settings name, also by the .toml file that defines them, and those that they define
    (unless they `are_named_alone`). Raises UserError."""
    files, users = [text for text in settings.scenarios if text.endswith(".toml")], Users(settings)
    try:
        defined = _defined(settings.scenario_tables, users)
        of_files: list[str] = []
        for file in files:
            tables_of = document_of(Path(file), ("scenarios",)).get("scenarios", {})
            told = _defined(tables_of, users)
            defined, of_files = defined | told, [*of_files, *told]
        texts = [users.in_scenario(text) for text in settings.scenarios if text not in files]
        return definitions.parse_all([*texts, *(of_files if are_named_alone else defined)], defined)
    except ValueError as error:
        raise UserError(str(error)) from None


def _defined(tables_of: Mapping[str, Any], users: Users) -> dict[str, Scenario]:
    return {name: definitions.scenario_of(name, users.in_scenario(table)) for name, table in tables_of.items()}


def target_refs(scenarios: Sequence[Scenario], named: pl.DataFrame) -> pl.DataFrame:
    """PRICE_REFS that calls of the ledger's refs may move to under `scenarios`; `named` are these, with as_provider and
    as_model. Raises UserError."""
    known = walk.Known(targets=targets(scenarios, named), batched=None, free=None, names=_names(named))
    found = walk.reachable(scenarios, named.select(list(schemas.PRICE_REFS)).rows(), known)
    return pl.DataFrame(found, schema=schemas.PRICE_REFS, orient="row")


def _names(named: pl.DataFrame) -> dict[Ref, set[names.Name]]:
    rows = ((row[:5], {row[:2], row[5:7]}) for row in named.select(list(PRICE_NAMES)).iter_rows())
    return {ref: {(provider, model) for provider, model in called if model} for ref, called in rows}


def targets(scenarios: Sequence[Scenario], refs: pl.DataFrame) -> dict[str, tuple[str | None, str]]:
    """Provider and model by the text that a step names them with. Raises UserError."""
    steps = [(scenario, step) for scenario in scenarios for step in scenario.steps if step.get("with")]
    return {step.get("with"): _target(scenario, step.get("with"), refs) for scenario, step in steps}


def _target(scenario: Scenario, text: str, refs: pl.DataFrame) -> tuple[str | None, str]:
    """The provider that the text names, else the one that the log has the model of, else its maker."""
    head, _, rest = text.partition("/")
    models = refs.select("provider", "model").drop_nulls("model").unique()
    logged = {(provider, model) for provider, model in models.iter_rows() if names.is_named(text, [(provider, model)])}
    if len(logged) == 1:
        return logged.pop()  # as the log has it, with its date
    providers = set(refs["provider"].drop_nulls())
    if rest and (head in providers or catalogue_names.is_provider(head)):
        return head, rest
    served = sorted({provider for provider, _ in logged}, key=str)
    if len(served) == 1:
        return served[0], text
    provider = catalogue_names.provider_of(text)
    if provider is None and rest:
        return head, rest
    if provider is None or len(served) > 1:
        fact = f"{text} is served by {', '.join(map(str, served))}" if served else f"nobody knows whose {text} is"
        raise UserError(f"scenario {scenario.name!r}: {fact}; write provider/model")
    return provider, text


def resolve(
    scenarios: Sequence[Scenario], prices: Priced, ask: Ask, are_idle_told: bool = True
) -> dict[str, pl.DataFrame]:
    """The source tables of scenarios, from the usage cube that `ask` answers of. Raises UserError for a scenario that
    names nothing in the ledger (unless not `are_idle_told`), and for a model that nobody has a price of."""
    every = [Scenario(definitions.ACTUAL), *scenarios]
    by_columns = {columns: _scopes(columns, ask) for columns in set(map(walk.columns_of, every))}
    scopes = {scenario.name: by_columns[walk.columns_of(scenario)] for scenario in every}
    known = _known(scenarios, prices, by_columns[frozenset()], ask)
    listed = prices.book_rates.filter(book=LIST)
    found = tables.resolved(scenarios, scopes, prices.rate_cards, listed, known)
    left = _left_terms(every, prices.contract_terms)
    if are_idle_told and by_columns[frozenset()].height:
        _refuse_idle(found.idle, ask)
        _refuse_unpriced(scenarios, found.scopes, prices.rate_cards)
    return {
        "scenarios": tables.scenarios_table(scenarios),
        "scenario_scopes": found.scopes,
        "scenario_rates": found.rates,
        "scenario_swaps": found.swaps,
        "left_terms": left,
    }


def _scopes(columns: frozenset[str], ask: Ask) -> pl.DataFrame:
    others = sorted(columns)
    refs = [name if name != "model" else "priced_model as model" for name in schemas.PRICE_REFS]
    return ask(f"select distinct {', '.join([*refs, *others])} from usage_cube order by all")


def _known(scenarios: Sequence[Scenario], prices: Priced, logged: pl.DataFrame, ask: Ask) -> walk.Known:
    refs = list(schemas.PRICE_REFS)
    cards, named = prices.rate_cards, prices.refs
    told = cards.filter(pl.col("price_status").is_not_null() & (pl.col("price_status") != "context_unmatched"))
    found = targets(scenarios, logged)
    tops = {top for scenario in scenarios for step in scenario.steps for top in walk.tops_of(step)}
    return walk.Known(
        targets=found,
        batched=set(told.select(refs).iter_rows()),
        names=_names(named),
        has_contract=not prices.book_rates.filter(book=LIST).is_empty(),
        tops={top: _top(*top, ask) for top in tops},
        evidence=_evidence(scenarios, logged.join(named, on=refs, how="left", nulls_equal=True), found, ask),
        free=set(cards.filter(price_status="free").select(refs).iter_rows()),
    )


def _top(kind: str, count: int, ask: Ask) -> set[str]:
    return set(ask(TOPS.format(column=f"{kind}_id", count=count))["name"])


def _evidence(
    scenarios: Sequence[Scenario], named: pl.DataFrame, found: Mapping[str, tuple], ask: Ask
) -> dict[tuple[names.Name, names.Name, str], walk.Evidence]:
    """What the log tells of the models that a measured swap replaces, by both models and the feature."""
    steps = [step for scenario in scenarios for step in scenario.steps if step.get("tokens") == "measured"]
    pairs = {
        (row[:2], found[step.get("with")])
        for step in steps
        for row in named.select("provider", "model", "as_provider", "as_model").iter_rows()
        if row[1] and names.is_named(step.value, {row[:2], row[2:]})
    }
    evidence = {}
    for pair in sorted(pairs, key=str):
        rows = ask(f"from swap_evidence({', '.join(literal('/'.join(filter(None, model))) for model in pair)})")
        for feature, told in rows.partition_by("feature", as_dict=True).items():
            measured = {row["token_class"]: row for row in told.iter_rows(named=True)}
            ratios = [_interval(measured.get(name)) for name in ("input", "output")]
            if all(ratios):
                row = measured["input"]
                counts = row["from_action_count"], row["to_action_count"]
                days = [[row[f"{side}_{end}_day"] for side in ("from", "to")] for end in ("first", "last")]
                evidence[*pair, feature[0]] = walk.Evidence(
                    *ratios, *counts, *(_of(*known) for known in zip((min, max), days, strict=True))
                )
    return evidence


def _of(choose, days: list) -> date | None:
    return choose(days) if all(days) else None


def _interval(row: Mapping | None) -> tuple[Fraction, Fraction, Fraction] | None:
    """(low, ratio, high) in millionths; None where the log does not bound the ratio."""
    told = [row and row[name] for name in ("ratio_low", "ratio", "ratio_high")]
    if told[1] is not None and min(row["from_action_count"], row["to_action_count"]) >= ENOUGH:
        # all alike on both sides: there is no spread to make an interval of
        told = [told[1] if value is None else value for value in told]
    if any(value is None for value in told):
        return None
    low, ratio, high = (Fraction(round(value * 10**6), 10**6) for value in told)
    return max(low, Fraction(0)), ratio, high


def _left_terms(scenarios: Sequence[Scenario], terms: pl.DataFrame) -> pl.DataFrame:
    """Which terms of the contract each scenario leaves. Raises UserError for a step that leaves none."""
    rows = []
    for order, scenario in enumerate(scenarios):
        for step in walk.term_steps(scenario):
            found = [term for term in terms.iter_rows(named=True) if _is_left(step, term)]
            if not found:
                raise UserError(
                    f"scenario {scenario.name!r}: the prices given have no such {step.value}; check --prices"
                )
            rows += sorted({(order, term["term_id"]) for term in found})
    return pl.DataFrame(rows, schema=scenario_schemas.LEFT_TERMS, orient="row")


def _is_left(step: Step, term: Mapping) -> bool:
    selected = {key: (term[key] or "").lower() == value.lower() for key, value in step.select}
    return term["kind"] == step.value and all(selected.values())


def _refuse_idle(idle: Sequence[tuple[Scenario, int]], ask: Ask) -> None:
    if not idle:
        return
    scenario, number = idle[0]
    step = scenario.steps[number]
    found_by = [(step.verb, step.value)] if step.verb in ("replace", "move_to", "without") else []
    found_by += step.beside if step.verb == "activity" else ()
    said = ", ".join(f"{key}={value}" for key, value in [*found_by, *step.select])
    columns = ["model"] if step.verb == "replace" else []
    columns += [key for key, _ in step.select if key not in ("from", "to")]
    told = "; ".join(_told(column, ask) for column in dict.fromkeys(columns)) or "nothing there has such a price"
    raise UserError(f"scenario {scenario.name!r}: no call is found by {said}; {told}")


def _told(selector: str, ask: Ask) -> str:
    """What the log has of what a selector looks at."""
    column = {"model": "concat_ws('/', provider, priced_model)"}.get(selector, walk.COLUMNS.get(selector, selector))
    query = (
        f"select distinct coalesce({column}::varchar, 'unattributed') as name from usage_cube order by name limit 11"
    )
    values = ask(query)["name"].to_list()
    listed = ", ".join(values[:10]) + (" and more" if len(values) > 10 else "")
    return f"the log's values of {selector} are {listed}" + (" (* is any text)" if selector == "model" else "")


def _refuse_unpriced(scenarios: Sequence[Scenario], scopes: pl.DataFrame, cards: pl.DataFrame) -> None:
    """A model that no source has a price of would leave all that moves to it without a cost."""
    moved = scopes.filter("is_moved").select("scenario_order", provider="to_provider", model="to_model").unique()
    priced = cards.filter(pl.col("price_status").is_not_null())  # a fee alone is no price
    lost = moved.join(priced, on=["provider", "model"], how="anti", nulls_equal=True).sort("scenario_order", "model")
    for order, provider, model in lost.iter_rows():
        raise UserError(
            f"scenario {scenarios[order - 1].name!r}: nobody has a price of {provider}/{model}; check the name, or "
            "give its price with --prices"
        )

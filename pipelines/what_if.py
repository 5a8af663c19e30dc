"""Step 7, scenarios: from what the user wrote, what the usage cube holds and what is known of prices to the tables that
pricing reads."""

from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from pathlib import Path

import polars as pl

from pipelines.prices import catalogue_names
from pipelines.pricing import LIST, Priced
from pipelines.settings import Settings, UserError, document_of
from pipelines.warehouse_sources import Ask, literal
from transforms import scenario_schemas, schemas
from transforms.scenarios import definitions, tables, walk
from transforms.scenarios.definitions import Scenario, Step

Ref = tuple
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
    files = [text for text in settings.scenarios if text.endswith(".toml")]
    try:
        defined = {name: definitions.scenario_of(name, table) for name, table in settings.scenario_tables.items()}
        of_files: list[str] = []
        for file in files:
            tables_of = document_of(Path(file), ("scenarios",)).get("scenarios", {})
            told = {name: definitions.scenario_of(name, table) for name, table in tables_of.items()}
            defined, of_files = defined | told, [*of_files, *told]
        texts = [text for text in settings.scenarios if text not in files]
        return definitions.parse_all([*texts, *(of_files if are_named_alone else defined)], defined)
    except ValueError as error:
        raise UserError(str(error)) from None


def target_refs(scenarios: Sequence[Scenario], refs: pl.DataFrame) -> pl.DataFrame:
    """PRICE_REFS that calls of `refs` may move to under `scenarios`. Raises UserError."""
    known = walk.Known(targets=targets(scenarios, refs), batched=None, free=None)
    found = walk.reachable(scenarios, refs.select(list(schemas.PRICE_REFS)).rows(), known)
    return pl.DataFrame(found, schema=schemas.PRICE_REFS, orient="row")


def targets(scenarios: Sequence[Scenario], refs: pl.DataFrame) -> dict[str, tuple[str | None, str]]:
    """Provider and model by the text that a step names them with. Raises UserError."""
    steps = [(scenario, step) for scenario in scenarios for step in scenario.steps if step.get("with")]
    return {step.get("with"): _target(scenario, step.get("with"), refs) for scenario, step in steps}


def _target(scenario: Scenario, text: str, refs: pl.DataFrame) -> tuple[str | None, str]:
    """The provider that the text names, else the one that the log has the model of, else its maker."""
    head, _, rest = text.partition("/")
    models = refs.select("provider", "model").drop_nulls("model").unique()
    logged = {(provider, model) for provider, model in models.iter_rows() if walk.is_named(text, provider, [model])}
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
    known = _known(scenarios, prices, ask)
    every = [Scenario(definitions.ACTUAL), *scenarios]
    by_columns = {columns: _scopes(columns, ask) for columns in set(map(walk.columns_of, every))}
    scopes = {scenario.name: by_columns[walk.columns_of(scenario)] for scenario in every}
    listed = prices.book_rates.filter(book=LIST)
    found = tables.resolved(scenarios, scopes, prices.rate_cards, listed, known)
    left = _left_terms(every, prices.contract_terms)
    if are_idle_told and by_columns[frozenset()].height:
        _refuse_idle(found.idle, by_columns[frozenset()])
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


def _known(scenarios: Sequence[Scenario], prices: Priced, ask: Ask) -> walk.Known:
    refs = list(schemas.PRICE_REFS)
    cards, named = prices.rate_cards, prices.refs
    told = cards.filter(pl.col("price_status").is_not_null() & (pl.col("price_status") != "context_unmatched"))
    found = targets(scenarios, named)
    tops = {top for scenario in scenarios for step in scenario.steps for top in walk.tops_of(step)}
    return walk.Known(
        targets=found,
        batched=set(told.select(refs).iter_rows()),
        names={row[:5]: {name for name in (row[1], row[6]) if name} for row in named.iter_rows()},
        tops={top: _top(*top, ask) for top in tops},
        evidence=_evidence(scenarios, named, found, ask),
        free=set(cards.filter(price_status="free").select(refs).iter_rows()),
    )


def _top(kind: str, count: int, ask: Ask) -> set[str]:
    return set(ask(TOPS.format(column=f"{kind}_id", count=count))["name"])


def _evidence(
    scenarios: Sequence[Scenario], named: pl.DataFrame, found: Mapping[str, tuple], ask: Ask
) -> dict[tuple[str, str, str], walk.Evidence]:
    """What the log tells of the models that a measured swap replaces, by both models and the feature."""
    steps = [step for scenario in scenarios for step in scenario.steps if step.get("tokens") == "measured"]
    pairs = {
        (f"{row['provider']}/{row['model']}", "/".join(map(str, found[step.get("with")])))
        for step in steps
        for row in named.iter_rows(named=True)
        if walk.is_named(step.value, row["provider"], {row["model"] or "", row["as_model"] or ""})
    }
    evidence = {}
    for pair in sorted(pairs):
        rows = ask(f"from swap_evidence({literal(pair[0])}, {literal(pair[1])})")
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


def _refuse_idle(idle: Sequence[tuple[Scenario, int]], refs: pl.DataFrame) -> None:
    if not idle:
        return
    scenario, number = idle[0]
    step = scenario.steps[number]
    found_by = [(step.verb, step.value)] if step.verb in ("replace", "move_to", "without") else []
    found_by += step.beside if step.verb == "activity" else ()
    said = ", ".join(f"{key}={value}" for key, value in [*found_by, *step.select])
    models = sorted({f"{row[0]}/{row[1]}" for row in refs.select("provider", "model").iter_rows()})
    listed = ", ".join(models[:10]) + (f" and {len(models) - 10} more" if len(models) > 10 else "")
    raise UserError(
        f"scenario {scenario.name!r}: no call is found by {said}; the log's models are {listed} (* is any text)"
    )


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

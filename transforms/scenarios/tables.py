"""Scenarios as the tables that pricing reads: which scopes of the usage cube they touch, and every rate under them."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Any, NamedTuple

import polars as pl

from transforms.scenario_schemas import (
    SCENARIO_RATES,
    SCENARIO_SCOPES,
    SCENARIO_SWAPS,
    SCENARIOS,
    SCOPE_COLUMNS,
)
from transforms.scenarios.definitions import ACTUAL, TERM_KINDS, Scenario
from transforms.scenarios.rates import atto_rates, changed
from transforms.scenarios.walk import Known, Walked, columns_of, is_scoped, walk
from transforms.schemas import PART_CLASSES, PRICE_REFS, conform

NANO = 10**9
MEASURED, GIVEN, SAME = "measured", "given", "same tokens assumed"
BOUNDS = ("low", "point", "high")


class Resolved(NamedTuple):
    """SCENARIO_SCOPES, _RATES and _SWAPS, and (scenario, number of the step from 0) of each step that finds nothing."""

    scopes: pl.DataFrame
    rates: pl.DataFrame
    swaps: pl.DataFrame
    idle: list[tuple[Scenario, int]]


def scenarios_table(scenarios: Sequence[Scenario]) -> pl.DataFrame:
    """SCENARIOS: "actual" first, then each of `scenarios` in order."""
    rows = [
        {
            "scenario": scenario.name,
            "scenario_order": order,
            "reason": scenario.reason,
            "is_scoped": is_scoped(scenario),
        }
        | {"has_activity": any(step.verb == "activity" for step in scenario.steps)}
        | {f"by_{column}": column in columns_of(scenario) for column in SCOPE_COLUMNS}
        for order, scenario in enumerate([Scenario(ACTUAL), *scenarios])
    ]
    return pl.DataFrame(rows, schema=SCENARIOS, orient="row")


def resolved(
    scenarios: Sequence[Scenario],
    scopes: Mapping[str, pl.DataFrame],
    cards: pl.DataFrame,
    listed: pl.DataFrame,
    known: Known,
) -> Resolved:
    """`scopes` are the distinct PRICE_REFS and `columns_of` of the usage cube by the scenario's name; `cards`
    (RATE_CARDS) those of the ledger and of what calls may move to, `listed` (BOOK_RATES) their rates without the user's
    contract. "actual" is the scenario without a step, with number 0."""
    by_ref: dict[tuple, list[dict]] = {}
    lists = {row["card_id"]: atto_rates(row) for row in listed.iter_rows(named=True)}
    for card in cards.iter_rows(named=True):
        rates = atto_rates(card)
        told = {"card_id": card["card_id"], "rates": rates, "listed": lists.get(card["card_id"], rates)}
        by_ref.setdefault(tuple(card[name] for name in PRICE_REFS), []).append(told)
    all_scopes, all_rates, swaps, idle = [], _Rates(), [], []
    for order, scenario in enumerate([Scenario(ACTUAL), *scenarios]):
        matched: set[int] = set()
        walked = [
            (row, walk(scenario, tuple(row[name] for name in PRICE_REFS), row, known, matched))
            for row in scopes[scenario.name].iter_rows(named=True)
        ]
        if is_scoped(scenario):
            all_scopes += _scoped(order, scenario, walked, by_ref, all_rates)
            swaps += [_swap(order, scope, found) for scope, found in walked if found.is_moved]
        else:
            for found in {found.ref: found for _, found in walked}.values():
                all_rates.add(order, scenario, 0, by_ref.get(found.ref, []), found.changes)
        of_calls = {number for number, step in enumerate(scenario.steps) if step.value not in TERM_KINDS}
        idle += [(scenario, number) for number in sorted(of_calls - matched)]
    frame = pl.DataFrame(all_scopes, schema=SCENARIO_SCOPES, orient="row")
    told = pl.DataFrame(swaps, schema=SCENARIO_SWAPS, orient="row").unique(maintain_order=True)
    return Resolved(conform(frame, SCENARIO_SCOPES), all_rates.frame(), told, idle)


def _swap(order: int, scope: Mapping[str, Any], found: Walked) -> dict[str, Any]:
    """A row of SCENARIO_SWAPS."""
    to = dict(zip(PRICE_REFS, found.ref, strict=True))
    row = {"scenario_order": order, "feature": scope.get("feature"), "to_provider": to["provider"]}
    row |= {"from_provider": scope["provider"], "from_model": scope["model"], "to_model": to["model"]}
    row["tokens"] = MEASURED if found.evidence else GIVEN if found.tokens else SAME
    for name in ("input", "output"):
        low, ratio, high = map(float, found.tokens.get(f"{name}_ratio", (1, 1, 1)))
        row |= {f"{name}_ratio_low": low, f"{name}_ratio": ratio, f"{name}_ratio_high": high}
    counts = ("from_action_count", "to_action_count", "first_day", "last_day")
    return row | {name: getattr(found.evidence, name, None) for name in counts}


def _scoped(
    order: int, scenario: Scenario, walked: Iterable[tuple[dict, Walked]], by_ref: Mapping, rates: "_Rates"
) -> Iterable[dict[str, Any]]:
    """SCENARIO_SCOPES rows of one scenario; each distinct list of changes is a variant of the cards that it meets."""
    variants: dict[tuple, int] = {}
    rows = []
    for scope, found in walked:
        own = {"scenario_order": order, "is_moved": found.is_moved, "is_lost": found.activity == 0}
        own |= {name: scope.get(name) for name in (*PRICE_REFS, *SCOPE_COLUMNS)}
        own |= {f"to_{name}": value for name, value in zip(PRICE_REFS, found.ref, strict=True)}
        own["activity_nano"] = round(found.activity * NANO)
        own["output_ratio_nano"] = round(found.tokens.get("output_ratio", (1, 1, 1))[1] * NANO)
        by_bound = zip(BOUNDS, (found.low, found.changes, found.high), found.context, (floor, round, ceil), strict=True)
        is_exact = found.low == found.high and set(found.context) == {Fraction(1)}
        for bound, changes, ratio, rounded in by_bound:
            if is_exact and bound != "point":
                continue
            variant = variants.setdefault(changes, len(variants))
            rates.add(order, scenario, variant, by_ref.get(found.ref, []), changes)
            told = {"bound": "exact" if is_exact else bound, "variant": variant}
            rows.append(own | told | {"context_ratio_nano": rounded(ratio * NANO)})
    return rows


class _Rates:
    """Rows of SCENARIO_RATES, by column; each (scenario, variant, card) once."""

    def __init__(self) -> None:
        self.keys: dict[tuple[int, int, int], str] = {}
        self.values: list[list] = []

    def add(self, order: int, scenario: Scenario, variant: int, cards: Iterable[dict], changes: tuple) -> None:
        for card in cards:
            key = order, variant, card["card_id"]
            if key not in self.keys:
                self.keys[key] = scenario.name
                rates = changed(card["rates"], changes, card["listed"])
                adds_parts = any(rates[part] is not None and card["rates"][part] is None for part in PART_CLASSES)
                self.values.append([adds_parts, *rates.values()])

    def frame(self) -> pl.DataFrame:
        told = [(name, *key, *values) for (key, name), values in zip(self.keys.items(), self.values, strict=True)]
        by_column = zip(*told, strict=True) if told else [()] * len(SCENARIO_RATES)
        return pl.DataFrame(dict(zip(SCENARIO_RATES, by_column, strict=True)), schema=SCENARIO_RATES)

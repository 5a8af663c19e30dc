"""What the price slider needs: of each feature what it costs on each model, and what its margin is made of."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from pipelines.report.page import questions
from pipelines.report.page.asked import Asked
from pipelines.report.page.numbers import atto
from pipelines.report.text import harmless

COMPUTED = tuple(range(-60, 101, 5))  # percent
Row = dict[str, Any]
Apart = Callable[[Sequence[str]], pl.DataFrame]  # as scenario_desk.costs_apart tells it


def slider(asked: Asked, apart: Apart, features: list[Row], total: Row) -> dict[str, Any]:
    """Integers, as text: cells of a name and model in pico-USD, what a margin is made of in atto-USD.

    `models` are indices of cells; `scopes` say which of them move when one is chosen, the first one all. Where tiers or
    a commitment make what stands apart move with the spend, `grid` has the changes for which it is computed, and each
    row what it is there."""
    cells = asked.rows(questions.CELLS)
    moves_with_spend = asked(questions.TERMS_MOVE_WITH_SPEND).item()
    grid = _grid(apart) if moves_with_spend else {}
    models = sorted({(row["provider"] or "", row["model"] or "") for row in cells})
    places = {model: number for number, model in enumerate(models)}
    by_name: dict[str, list[list[Any]]] = {}
    for row in cells:
        place = places[row["provider"] or "", row["model"] or ""]
        labelled = row["labelled_cost_pico"]
        told = [place, str(row["cost_pico"]), None if labelled is None else str(labelled)]
        by_name.setdefault(row["name"], []).append(told)
    return {
        "models": [_label(*model) for model in models],
        "scopes": _scopes(models, asked.rows(questions.MOVED_MODELS)),
        "rows": [_row(row, by_name.get(row["name"], []), grid.get(("feature", row["name"]))) for row in features],
        "total": _row(total, [], grid.get(("all", "all"))),  # its cells are those of the rows
        "grid": list(COMPUTED) if moves_with_spend else None,
    }


def _grid(apart: Apart) -> dict[tuple[str, str], list[str | None]]:
    """What stands apart of each dimension and name, for the changes of COMPUTED in their order."""
    names = {change: f"{change:+}%" if change else "actual" for change in COMPUTED}
    told = apart([name for change, name in names.items() if change])
    found = {(row["dimension"], row["name"], row["scenario"]): row["cost_apart_usd"] for row in told.to_dicts()}
    places = dict.fromkeys((dimension, name) for dimension, name, _ in found)
    return {place: [atto(found[*place, name]) for name in names.values()] for place in places}


def _label(provider: str, model: str) -> str:
    """As the tables name a model: without the provider where none is told."""
    return "/".join(filter(None, (harmless(provider), harmless(model) or "unknown")))


def _scopes(models: list[tuple[str, str]], moved: list[Row]) -> list[dict[str, Any]]:
    providers: dict[str, list[int]] = {}
    for number, (provider, _) in enumerate(models):
        if provider:
            providers.setdefault(provider.lower(), []).append(number)
    by_model: dict[tuple[str, str], list[int]] = {}
    for row in moved:
        found = by_model.setdefault((row["provider"] or "", row["model"]), [])
        found.append(models.index((row["moved_provider"] or "", row["moved_model"])))
    scopes = [{"kind": "all", "label": "everything", "models": list(range(len(models)))}]
    for _, places in sorted(providers.items()):
        scopes.append({"kind": "provider", "label": harmless(models[places[0]][0]), "models": places})
    for model, places in sorted(by_model.items()):
        scopes.append({"kind": "model", "label": _label(*model), "models": sorted(places)})
    return scopes


def _row(row: Row, cells: list[list[Any]], grid: list[str | None] | None) -> dict[str, Any]:
    return {
        "cells": cells,
        "actions": row["action_count"],
        "successes": row["success_count"],
        "apart": atto(row["cost_apart_usd"]),
        "grid": grid,
        "revenue": atto(row["revenue_usd"]),
        "unpriced": row["unpriced_call_count"],
    }

"""The corridor of `tokenspread reconcile`: what was billed against what is published."""

from datetime import timedelta

import polars as pl

from pipelines import bills, questions
from pipelines.errors import UserError
from pipelines.settings import Settings
from pipelines.summaries import Reconciled
from transforms import bill_schemas, reconciliation


def reconcile(patterns: list[str], settings: Settings, tolerance: str | None) -> Reconciled:
    """Computed against billed, of the bills that `patterns` name and the published cost. Within the `tolerance` (such
    as 1%) are gaps that are no more of what was billed, each cause of each provider netted by itself.

    Raises UserError."""
    try:
        limit = reconciliation.tolerance_of(tolerance)
    except ValueError as error:
        raise UserError(f"--tolerance {tolerance}: {error}") from None
    told = bills.read(patterns, settings.bill_mappings)
    link = settings.data / "warehouse.duckdb"
    computed = questions.answer(link, "computed_cost")
    computed = computed.select(pl.col(name).cast(dtype) for name, dtype in bill_schemas.COMPUTED.items())
    rows, not_compared = reconciliation.reconcile(computed, told.rows, told.periods)
    totals = reconciliation.totals(rows)
    if limit is not None and totals["billed_pico"] is None:
        fact = "tell quantities only" if told.rows.height else "hold no charges of LLM calls"
        raise UserError(f"--tolerance: the bills {fact}; name an export of costs")
    return Reconciled(
        files=told.files,
        periods={name: (start, after - timedelta(days=1)) for name, (start, after) in sorted(told.periods.items())},
        rows=rows,
        not_compared=not_compared,
        overlaps=reconciliation.overlaps(told.rows),
        apart=reconciliation.apart(questions.answer(link, "costs_apart"), told.periods),
        totals=totals,
        by={name: reconciliation.grouped(rows, name) for name in reconciliation.DIMENSIONS},
        explained=reconciliation.explained(rows),
        tolerance_share=None if limit is None else float(limit),
        is_within=None if limit is None else reconciliation.is_within(totals, limit),
    )

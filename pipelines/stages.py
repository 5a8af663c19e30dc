"""The corridor: ingest, build, report. Each calls the rooms in the order of the walk and computes nothing itself."""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from pipelines import (
    bills,
    build_inputs,
    ledger,
    log_files,
    pricing,
    readings,
    revenue_file,
    sandbox,
    warehouse,
    what_if,
)
from pipelines.draft import Draft
from pipelines.exact import lines_of
from pipelines.intake import DAMAGED, Intake, why
from pipelines.ledger import Ledger
from pipelines.prices import catalogue_names, price_file
from pipelines.reader import Reader
from pipelines.reading import Report
from pipelines.settings import Settings, UserError
from pipelines.summaries import BuildSummary, IngestSummary, Inspection, Reconciled
from transforms import attribution, bill_schemas, reconciliation, schemas, settlement, shapes
from transforms.scenarios.definitions import Scenario
from transforms.shapes import signs as signs_of

Advance = Callable[[int, int], None]
UNPRICED = """
select coalesce(sum(call_count), 0)::bigint as call_count -- no row: no such call
from unpriced
where token_class is null and price_status in ('unknown_model', 'class_unpriced')
"""
COMPUTED = """
select
    day,
    provider,
    model,
    token_class,
    sum(quantity) as quantity,
    sum(unpriced_quantity) as unpriced_quantity,
    sum(cost_pico) as cost_pico
from cost_by_class
group by all
"""
APART = """
select
    is_allocated,
    provider,
    day,
    kind,
    sum(cost_pico) as cost_pico
from costs_apart
where scenario_order = 0
group by all
"""


def _no_progress(byte_count: int, line_count: int) -> None:
    pass


def ingest(
    settings: Settings, advance: Advance = _no_progress, announce: Callable[[int], None] = lambda _: None
) -> IngestSummary:
    """Takes what is new in the logs and outcome files into the ledger, in one commit. `announce` is told the bytes to
    look at. Raises UserError, LedgerBusy."""
    _check_inputs(settings)
    with ledger.opened(settings.data) as store:
        manifest, given = store.manifest, log_files.given(settings)
        changed = {kind: manifest.changed(kind, found.files) for kind, found in given.items()}
        announce(sum(file.size for files in changed.values() for file in files))
        build_inputs.keep_inputs(store, {"revenue": settings.revenue, "prices": settings.prices})
        scanned_ns = time.time_ns()
        with manifest.run("ingest") as done:
            draft, reader = Draft(store.staging, settlement.settle), Reader(store.staging)
            try:
                intake = Intake(reader, draft, manifest.next_content_id(), advance)
                for kind, found in given.items():
                    intake.report.unreadable += found.unreadable
                    intake.report.read_otherwise += manifest.read_otherwise(kind, found.files, settings.reading_digest)
                    reading_of = readings.of_calls if kind == "calls" else readings.of_outcomes
                    intake.read(changed[kind], kind, manifest.known(kind), reading_of(settings, draft))
            finally:
                reader.close()
            summary = _commit(store, draft, intake.report, settings)
            for kind, files in changed.items():
                manifest.remember(kind, intake.report.settled(files), scanned_ns)
            done(line_count=summary.line_count, call_count=summary.call_count)
    return summary


def _check_inputs(settings: Settings) -> list[Scenario]:
    """The scenarios; a mistake in a small file or in a scenario is told before anything is read."""
    if settings.prices:
        price_file.read_price_file(settings.prices)
    if settings.revenue:
        revenue_file.read_revenue_file(settings.revenue)
    return what_if.chosen(settings)


def _commit(store: Ledger, draft: Draft, report: Report, settings: Settings) -> IngestSummary:
    replaced = store.settle_with_ledger(draft)
    lines = sum(taking.line_count for taking in report.taken)
    calls = sum(file.row_count for file in draft.files if file.kind == "ledger") - store.row_count(replaced)
    if report.taken:
        store.commit(draft, replaced, report.taken, settings.reading_digest)
    return IngestSummary(store.manifest.version(), bool(report.taken), lines, calls, report)


def build(settings: Settings) -> BuildSummary:
    """Prices the ledger and publishes the warehouse, unless the last one was made of the same. Raises UserError,
    LedgerBusy, warehouse.CheckFailed."""
    chosen = _check_inputs(settings)
    with ledger.opened(settings.data) as store:
        build_inputs.keep_inputs(store, {"revenue": settings.revenue, "prices": settings.prices})
        link = store.data / "warehouse.duckdb"
        inputs_text = build_inputs.made_of(store, settings, chosen)
        if store.manifest.last_build() == inputs_text and link.exists():
            return BuildSummary(link, False, _unpriced_call_count(settings))
        with store.manifest.run("build") as done:
            refs = warehouse.distinct_price_refs(store.paths("ledger"))
            now = datetime.now(UTC)
            refs = pl.concat([refs, what_if.target_refs(chosen, pricing.named(refs, settings))])
            prices = pricing.priced(store, settings, refs, now)
            build_inputs.keep_price_history(store, prices.history, refs, now)
            path = store.new_catalogue()
            warehouse.build(_warehouse_inputs(store, settings, prices, chosen), path, temp_directory=store.staging)
            warehouse.publish(path, link)
            store.manifest.record_build(inputs_text, path.name)
            done(price_book_hash=prices.book_hash)
        store.remove_old()
    return BuildSummary(link, True, _unpriced_call_count(settings), prices.notes)


def _warehouse_inputs(
    store: Ledger, settings: Settings, prices: pricing.Priced, chosen: list[Scenario]
) -> warehouse.Inputs:
    told = {
        "price_book_hash": prices.book_hash,
        "ledger_version": str(store.manifest.version()),
        "prices_as_of": settings.prices_as_of and settings.prices_as_of.isoformat(),
        "target_margin_share": settings.target_margin_share,
        "are_terms_revised": prices.are_terms_revised and "true",
    }
    return warehouse.Inputs(
        ledger_files=store.paths("ledger"),
        outcome_files=store.paths("outcomes"),
        quarantine_files=store.paths("quarantine"),
        contents=store.manifest.frame("content", warehouse.CONTENTS),
        price_book=prices.history,
        price_names=prices.refs,
        price_rules=prices.rules,
        rate_cards=prices.rate_cards,
        book_rates=prices.book_rates,
        scenario_tables=partial(what_if.resolve, chosen, prices),
        context_bounds=catalogue_names.context_bounds(),
        unmatched_rates=prices.unmatched_rates,
        contract_terms=prices.contract_terms,
        revenue=build_inputs.kept_input(store, "revenue", revenue_file.read_revenue_file, schemas.REVENUE),
        runs=store.manifest.frame("run", warehouse.RUNS),
        settings={name: value for name, value in told.items() if value},
    )


def _unpriced_call_count(settings: Settings) -> int:
    return query(settings, UNPRICED).item()


def query(settings: Settings, text: str) -> pl.DataFrame:
    """Rows of one SELECT over the published tables. Raises UserError."""
    return sandbox.query(settings.data / "warehouse.duckdb", text)


def reconcile(
    patterns: list[str], settings: Settings, tolerance: str | None, ask: Callable[[str], pl.DataFrame]
) -> Reconciled:
    """Computed against billed, of the bills that `patterns` name and the published cost that `ask` answers with. Within
    the `tolerance` (such as 1%) are gaps that are no more of what was billed, each cause of each provider netted by
    itself. Raises UserError."""
    try:
        limit = reconciliation.tolerance_of(tolerance)
    except ValueError as error:
        raise UserError(f"--tolerance {tolerance}: {error}") from None
    told = bills.read(patterns, settings.bill_mappings)
    computed = ask(COMPUTED).select(pl.col(name).cast(dtype) for name, dtype in bill_schemas.COMPUTED.items())
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
        apart=reconciliation.apart(ask(APART), told.periods),
        totals=totals,
        by={name: reconciliation.grouped(rows, name) for name in reconciliation.DIMENSIONS},
        explained=reconciliation.explained(rows),
        tolerance_share=None if limit is None else float(limit),
        is_within=None if limit is None else reconciliation.is_within(totals, limit),
    )


def inspect(settings: Settings) -> Inspection:
    """What the first of the settings' logs is, without touching the ledger. Raises UserError."""
    file = next(iter(log_files.find(settings.logs).files), None)
    if file is None:
        raise UserError(f"{', '.join(settings.logs)}: there is no file to look at; name a log file")
    with tempfile.TemporaryDirectory(prefix="tokenspread-") as folder:
        reader = Reader(Path(folder))
        try:
            look, _ = Intake(reader, Draft(reader.staging, settlement.settle), 1, _no_progress).look(file)
        except DAMAGED as error:
            raise UserError(f"{file.path}: {why(error)}") from None
        finally:
            reader.close()
    known, rules = readings.known_shapes(settings)
    shape, mapping = readings.chosen(settings, known, look), None
    if shape is None:
        shape, mapping = readings.guessed(look.records)
    if shape is None:
        return Inspection(file.path, look, None, [], schemas.empty(schemas.CALLS))
    lines = lines_of(look.records, shape.columns)
    lines = shape.opened(lines, shape.attributes) if shape.opened else lines
    told = attribution.attribute(shape.calls(lines), rules)
    signs = [text for name in shape.name.split("+") for text in signs_of.described(name)]
    return Inspection(file.path, look, None if mapping else shape.name, signs, told, mapping)


def known_shapes() -> list[tuple[str, str, list[str]]]:
    """(name, what it is, the signatures of its records) of each built-in shape."""
    modules = {shape.name: sys.modules[shape.calls.__module__] for shape in shapes.ORDER}
    return [
        (name, (module.__doc__ or "").split("\n\n")[0].replace("\n", " "), signs_of.described(name))
        for name, module in modules.items()
    ]

"""The corridor: ingest, build, report. Each calls the rooms in the order of the walk and computes nothing itself."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import (
    batches,
    build_inputs,
    erasure,
    kept_lines,
    ledger,
    log_files,
    night_book,
    pricing,
    readings,
    revenue_file,
    sandbox,
    warehouse,
    what_if,
)
from pipelines.batches import Batch
from pipelines.bounds import sized
from pipelines.draft import Draft
from pipelines.errors import GateClosed
from pipelines.intake import Intake
from pipelines.ledger import Ledger
from pipelines.prices import catalogue_names, price_file
from pipelines.reader import Reader
from pipelines.reading import Report
from pipelines.settings import Settings
from pipelines.summaries import BuildSummary, Discovery, IngestSummary
from transforms import schemas, settlement
from transforms.scenarios.definitions import Scenario

Advance = Callable[[int, int], None]
Judge = Callable[[Path, Path | None], list[str]]  # of a new catalogue and the one before: what speaks against it
UNPRICED = """
select coalesce(sum(call_count), 0)::bigint as call_count -- no row: no such call
from unpriced
where token_class is null and price_status in ('unknown_model', 'class_unpriced')
"""


def _no_progress(byte_count: int, line_count: int) -> None:
    pass


def discover(settings: Settings, batch_bytes: int) -> Discovery:
    """What `ingest` would look at, cut into batches. Raises UserError, LedgerBusy."""
    _check_inputs(settings)
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        given = log_files.given(settings)
        changed = {kind: store.manifest.changed(kind, found.files) for kind, found in given.items()}
    unreadable = [trouble for found in given.values() for trouble in found.unreadable]
    return Discovery(batches.cut(changed, batch_bytes), sum(len(found.files) for found in given.values()), unreadable)


def ingest(
    settings: Settings,
    advance: Advance = _no_progress,
    announce: Callable[[int], None] = lambda _: None,
    batch: Batch | None = None,
) -> IngestSummary:
    """Takes what is new in the logs and outcome files, or in a batch of them, into the ledger, in one commit.
    `announce` is told the bytes to look at. Raises UserError, LedgerBusy."""
    _check_inputs(settings)
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        manifest, given = store.manifest, batch.given if batch else log_files.given(settings)
        changed = {kind: manifest.changed(kind, found.files) for kind, found in given.items()}
        announce(sum(file.size for files in changed.values() for file in files))
        users = build_inputs.users_of(store, settings)
        build_inputs.keep_inputs(store, settings, users)
        scanned_ns = time.time_ns()
        with manifest.run("ingest") as done:
            draft, reader = Draft(store.staging, settlement.settle), Reader(store.staging, settings.bounds)
            try:
                terms = readings.Terms(users, settings.bounds, manifest.latest_start())
                intake = Intake(reader, draft, manifest.next_content_id(), advance)
                for kind, found in given.items():
                    intake.report.unreadable += found.unreadable
                    intake.report.skipped += found.skipped
                    intake.report.read_otherwise += manifest.read_otherwise(kind, found.files, settings.reading_digest)
                    reading_of = readings.of_calls if kind == "calls" else readings.of_outcomes
                    intake.read(changed[kind], kind, manifest.known(kind), reading_of(settings, draft, terms))
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
    if settings.keep_lines:
        kept_lines.keep(draft, report.taken, settings.bounds)
    if report.taken:
        store.commit(draft, replaced, report.taken, settings.reading_digest)
    quarantined = sum(taking.counts.get("quarantined_line_count", 0) for taking in report.taken)
    return IngestSummary(store.manifest.version(), bool(report.taken), lines, calls, quarantined, report)


def build(settings: Settings, judge: Judge = lambda *_: []) -> BuildSummary:
    """Prices the ledger and publishes the warehouse, unless the last one was made of the same, or `judge`, who is given
    the new catalogue and the one before, has reasons against it. Raises UserError, LedgerBusy, NotPublished."""
    chosen = _check_inputs(settings)
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        stopped = night_book.stopped(store)
        build_inputs.keep_inputs(store, settings, build_inputs.users_of(store, settings))
        link = store.data / "warehouse.duckdb"
        inputs_text = build_inputs.made_of(store, settings, chosen)
        if store.manifest.last_build() == inputs_text and link.exists():
            erasure.finish(store)
            return BuildSummary(link, False, _unpriced_call_count(settings))
        with store.manifest.run("build") as done:
            refs = warehouse.distinct_price_refs(store.paths("ledger"))
            build_inputs.refuse_too_many_names(store, refs, settings.bounds)
            now = datetime.now(UTC)
            refs = pl.concat([refs, what_if.target_refs(chosen, pricing.named(refs, settings))])
            prices = pricing.priced(store, settings, refs, now)
            build_inputs.keep_price_history(store, prices.history, refs, now)
            path = store.new_catalogue()
            memory_limit = sized(settings.bounds.build_bytes)
            warehouse.build(_warehouse_inputs(store, settings, prices, chosen), path, memory_limit, store.staging)
            if reasons := judge(path, store.last_catalogue()):
                path.unlink()
                raise GateClosed(reasons)
            warehouse.publish(path, link)
            store.manifest.record_build(inputs_text, path.name)
            done(price_book_hash=prices.book_hash)
        store.remove_old()
        erasure.finish(store)
    in_passing = [f"{stopped}; it is published now"] if stopped else []
    return BuildSummary(link, True, _unpriced_call_count(settings), [*prices.notes, *in_passing])


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
        published_days=sandbox.published_days(store.last_catalogue()),
    )


def _unpriced_call_count(settings: Settings) -> int:
    return query(settings, UNPRICED).item()


def query(settings: Settings, text: str) -> pl.DataFrame:
    """Rows of one SELECT over the published tables. Raises UserError."""
    return sandbox.query(settings.data / "warehouse.duckdb", text)


def restated(settings: Settings, since: str | None) -> list[dict[str, Any]]:
    """Rows of `restatements`, against the catalogue of that name where it is still there, else against the publication
    before. Raises UserError."""
    link = settings.data / "warehouse.duckdb"
    catalogue = link.resolve().parent / since if since else None
    if catalogue is None or not catalogue.exists():
        return query(settings, "from restatements order by day nulls last").rows(named=True)
    before = sandbox.published_days(catalogue)
    with sandbox.connect_sandboxed(link) as connection:
        sandbox.open_room(connection, {"published_days": before}, ["restatements"])
        warehouse.make_tables(connection, ["restatements"])
        return warehouse.frame_of(connection, "from restatements order by day nulls last").rows(named=True)

"""The corridor: ingest, build, report. Each calls the rooms in the order of the walk and computes nothing itself."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipelines import build_inputs, ledger, log_files, price_file, price_sources, revenue_file, warehouse
from pipelines.draft import Draft
from pipelines.exact import Read, lines_of
from pipelines.intake import DAMAGED, Intake, Reading, Report, why
from pipelines.ledger import Ledger
from pipelines.new_lines import Taking
from pipelines.reader import Reader
from pipelines.settings import Settings, UserError
from pipelines.summaries import BuildSummary, IngestSummary, Inspection
from transforms import attribution, outcomes, price_book, scenarios, schemas, settlement, shapes
from transforms.shapes import mapping, outcome_mapping
from transforms.shapes.shape import Shape

Advance = Callable[[int, int], None]


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
                    readings = _call_readings if kind == "calls" else _outcome_readings
                    intake.read(changed[kind], kind, manifest.known(kind), readings(settings, draft))
            finally:
                reader.close()
            summary = _commit(store, draft, intake.report, settings)
            for kind, files in changed.items():
                manifest.remember(kind, intake.report.settled(files), scanned_ns)
            done(line_count=summary.line_count, call_count=summary.call_count)
    return summary


def _check_inputs(settings: Settings) -> list[scenarios.Scenario]:
    """The scenarios; a mistake in a small file or in a scenario is told before anything is read."""
    if settings.prices:
        price_file.read_price_file(settings.prices)
    if settings.revenue:
        revenue_file.read_revenue_file(settings.revenue)
    try:
        return scenarios.parse_all(settings.scenarios)
    except ValueError as error:
        raise UserError(f"--scenario: {error}") from None


def _commit(store: Ledger, draft: Draft, report: Report, settings: Settings) -> IngestSummary:
    replaced = store.settle_with_ledger(draft)
    lines = sum(taking.line_count for taking in report.taken)
    calls = sum(file.row_count for file in draft.files if file.kind == "ledger") - store.row_count(replaced)
    if report.taken:
        store.commit(draft, replaced, report.taken, settings.reading_digest)
    return IngestSummary(store.manifest.version(), bool(report.taken), lines, calls, report)


def _call_readings(settings: Settings, draft: Draft) -> Callable[[list[dict]], Reading | None]:
    """Chooses how a log is read: as the shape that is named, else by the user's mappings, else by the known shapes."""
    known, rules = _known_shapes(settings)
    readings = {shape.name: _call_reading(shape, rules, draft) for shape in known}

    def choose(records: list[dict]) -> Reading | None:
        shape = _chosen(settings, known, records)
        return readings[shape.name] if shape else None

    return choose


def _known_shapes(settings: Settings) -> tuple[list[Shape], attribution.Rules]:
    with _mistakes_in_settings():
        mapped = [mapping.shape_from(name, table) for name, table in settings.log_mappings.items()]
        known = [*mapped, *shapes.ORDER]
        rules = attribution.rules_from(settings.attribution, [shape.name for shape in known])
    return known, rules


def _chosen(settings: Settings, known: list[Shape], records: list[dict]) -> Shape | None:
    if settings.shape is None:
        # the first records of a log may all be headers that no shape knows, so the next ones are asked too
        asked = (
            records[start : start + shapes.RECORDS_TO_ASK] for start in range(0, len(records), shapes.RECORDS_TO_ASK)
        )
        return next((shape for some in asked if (shape := shapes.recognise(some, known))), None)
    for shape in known:
        if shape.name == settings.shape:
            return shape
    names = ", ".join(shape.name for shape in known)
    raise UserError(f"--shape {settings.shape}: no such shape; known are {names}")


@contextmanager
def _mistakes_in_settings() -> Iterator[None]:
    """What a pure room says of the user's tables is the user's to mend."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"tokenspread.toml: {error}") from None


def _call_reading(shape: Shape, rules: attribution.Rules, draft: Draft) -> Reading:
    def take(read: Read, takings: dict[int, Taking]) -> None:
        told = attribution.attribute(shape.calls(read.lines), rules)
        calls, rejects = settlement.by_verdict(told)
        calls = settlement.with_action(calls)
        draft.add("ledger", settlement.keyed(calls))
        draft.add("outcomes", outcomes.told_inline(calls))
        draft.add("quarantine", pl.concat([read.quarantine, rejects]))
        _count_lines(takings, read, settlement.line_tallies(told, calls, rejects, read.quarantine))

    return Reading(shape.name, {path: path for path in shape.fields} | attribution.fields(rules, shape.name), take)


def _outcome_readings(settings: Settings, draft: Draft) -> Callable[[list[dict]], Reading | None]:
    with _mistakes_in_settings():
        mapped = [outcome_mapping.outcomes_from(name, table) for name, table in settings.outcome_mappings.items()]
    known = [*mapped, outcomes.SHAPE]
    readings = {shape.name: _outcome_reading(shape, draft) for shape in known}

    def choose(records: list[dict]) -> Reading | None:
        shape = shapes.recognise(records, known)
        return readings[shape.name] if shape else None

    return choose


def _outcome_reading(shape: Shape, draft: Draft) -> Reading:
    def take(read: Read, takings: dict[int, Taking]) -> None:
        told = shape.calls(read.lines)
        rows, rejects = settlement.by_verdict(told)
        draft.add("outcomes", schemas.conform(rows, schemas.OUTCOMES))
        draft.add("quarantine", pl.concat([read.quarantine, rejects]))
        _count_lines(takings, read, settlement.line_tallies(told, rows, rejects, read.quarantine))

    return Reading(shape.name, {path: path for path in shape.fields}, take)


def _count_lines(takings: dict[int, Taking], read: Read, tallies: pl.DataFrame) -> None:
    """Adds to each taking's balance: lines = call lines + other + quarantined + blank."""
    for content_id, *numbers in tallies.iter_rows():
        _add(takings[content_id], dict(zip(tallies.columns[1:], numbers, strict=True)))
    for content_id, blank in read.blank.items():
        _add(takings[content_id], {"blank_line_count": blank})


def _add(taking: Taking, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        taking.counts[name] = taking.counts.get(name, 0) + count


def build(settings: Settings) -> BuildSummary:
    """Prices the ledger and publishes the warehouse, unless the last one was made of the same. Raises UserError,
    LedgerBusy, warehouse.CheckFailed."""
    chosen = _check_inputs(settings)
    with ledger.opened(settings.data) as store:
        build_inputs.keep_inputs(store, {"revenue": settings.revenue, "prices": settings.prices})
        link = store.data / "warehouse.duckdb"
        inputs_text = build_inputs.made_of(store, [scenario.name for scenario in chosen])
        if store.manifest.last_build() == inputs_text and link.exists():
            return BuildSummary(link, False)
        with store.manifest.run("build") as done:
            refs = warehouse.distinct_price_refs(store.paths("ledger"))
            contract = build_inputs.kept_input(store, "prices", price_file.read_price_file, schemas.PRICE_BOOK)
            rows = price_book.applicable(contract, price_sources.catalogue_rates(refs), refs)
            book = price_book.revise(build_inputs.price_history(store), rows, datetime.now(UTC))
            build_inputs.keep_price_history(store, book)
            path = store.new_catalogue()
            warehouse.build(_warehouse_inputs(store, book, contract, refs, chosen), path, temp_directory=store.staging)
            warehouse.publish(path, link)
            store.manifest.record_build(inputs_text, path.name)
            done(price_book_hash=price_book.book_hash(book))
        store.remove_old()
    return BuildSummary(link, True)


def _warehouse_inputs(
    store: Ledger, book: pl.DataFrame, contract: pl.DataFrame, refs: pl.DataFrame, chosen: list[scenarios.Scenario]
) -> warehouse.Inputs:
    cards = price_book.rate_cards(price_book.current(book), refs)
    return warehouse.Inputs(
        ledger_files=store.paths("ledger"),
        outcome_files=store.paths("outcomes"),
        quarantine_files=store.paths("quarantine"),
        contents=store.manifest.frame("content", warehouse.CONTENTS),
        price_book=book,
        rate_cards=cards,
        scenarios=[scenarios.ACTUAL, *(scenario.name for scenario in chosen)],
        scenario_rates=scenarios.scenario_rates(cards, chosen),
        unmatched_rates=price_book.unmatched(contract, refs),
        revenue=build_inputs.kept_input(store, "revenue", revenue_file.read_revenue_file, schemas.REVENUE),
        runs=store.manifest.frame("run", warehouse.RUNS),
        settings={
            "price_book_hash": price_book.book_hash(book),
            "ledger_version": str(store.manifest.version()),
        },
    )


def query(settings: Settings, text: str) -> pl.DataFrame:
    """Rows of one SELECT over the published tables. Raises UserError."""
    return warehouse.query(settings.data / "warehouse.duckdb", text)


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
    known, rules = _known_shapes(settings)
    names, shape = [shape.name for shape in known], _chosen(settings, known, look.records)
    if shape is None:
        return Inspection(file.path, look, None, names, schemas.empty(schemas.CALLS))
    columns = {path: path for path in shape.fields} | attribution.fields(rules, shape.name)
    told = attribution.attribute(shape.calls(lines_of(look.records, columns)), rules)
    return Inspection(file.path, look, shape.name, names, told)

"""The corridor of `quarantine`: which lines could not be taken in and why, what they hold, and taking them in after
all, once tokenspread, a mapping or the rules of attribution are mended."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import polars as pl

from pipelines import build_inputs, kept_lines, ledger, log_files, night_book, readings, records
from pipelines.draft import Draft, DraftFile
from pipelines.errors import UserError
from pipelines.exact import note_of
from pipelines.ledger import Ledger
from pipelines.reader import Reader
from pipelines.retrying import Quarantined, Result, Retrying
from pipelines.settings import Settings
from pipelines.whereabouts import Whereabouts, begins_with
from transforms import schemas, settlement

FIRST_LINES = 5
LINE = list(schemas.LINE_KEYS)


@dataclass(frozen=True)
class Group:
    """Quarantined lines of one log and one reason."""

    path: str
    kind: str  # calls or outcomes
    reason: str
    line_count: int
    record_count: int | None  # where lines hold several records: those of this reason
    first_lines: list[int]
    is_log_there: bool  # a file stands where it was read from; whether it is still the same is not looked at
    kept_line_count: int


@dataclass(frozen=True)
class Shown:
    """One quarantined line, or a record of it."""

    line_number: int
    part: int | None
    reason: str
    source: str | None  # log, kept; None: its content is nowhere
    fields: list[str] | None  # paths; None: it is no object, or nowhere
    content: str | None = field(repr=False)  # only where it was asked for


@dataclass(frozen=True)
class Retried:
    results: list[Result]
    call_count: int  # that are new in the ledger
    version: int
    is_new: bool  # whether this made the version


def listed(settings: Settings, reason: str | None = None, files: list[str] | None = None) -> list[Group]:
    """One row for each file and reason, most lines first. `reason`: a text that is in it. Raises UserError,
    LedgerBusy."""
    with _opened(settings) as store:
        groups = []
        kept = kept_lines.lines(store)
        for quarantined in _chosen(_quarantined(store), files or []):
            content, rows = quarantined.content, quarantined.rows
            is_there = os.path.isfile(content["path"])
            if reason is not None:
                rows = rows.filter(pl.col("reason").str.contains(reason, literal=True))
            for (why,), some in rows.partition_by("reason", as_dict=True).items():
                lines, parts = some["line_number"].unique().sort(), some["part"].drop_nulls().len()
                kept_count = some.select(LINE).unique().join(kept, on=LINE, how="semi").height
                first = lines.head(FIRST_LINES).to_list()
                told = (content["path"], content["kind"], why, lines.len(), parts or None, first, is_there, kept_count)
                groups.append(Group(*told))
    return sorted(groups, key=lambda group: (-group.line_count, group.path, group.reason))


def show(settings: Settings, file: str, limit: int, with_content: bool) -> tuple[list[Shown], int]:
    """The first quarantined lines of FILE, or of FILE:LINE, and how many there are. Raises UserError, LedgerBusy."""
    with _opened(settings) as store:
        every = _quarantined(store)
        chosen, line = _chosen(every, [file]), None
        if not chosen and ":" in file:
            name, _, number = file.rpartition(":")
            chosen, line = _chosen(every, [name]), int(number) if number.isdecimal() else 0
        rows = [
            (quarantined, row)
            for quarantined in chosen
            for row in quarantined.rows.sort("line_number", "part").rows(named=True)
            if line is None or row["line_number"] == line
        ]
        if not rows:
            raise UserError(f"{file}: no line of it is quarantined; tokenspread quarantine list names those that have")
        with closing(Reader(store.staging, settings.bounds)) as reader:
            where = Whereabouts(store, settings, reader)
            shown = []
            for quarantined in chosen:
                some = [row for of, row in rows[:limit] if of is quarantined]
                shown += _shown(where, quarantined, some, with_content) if some else []
    return shown, len(rows)


def _shown(where: Whereabouts, quarantined: Quarantined, rows: list[dict], with_content: bool) -> Iterator[Shown]:
    found = where.lines(quarantined.content, {row["line_number"] for row in rows})
    lines = dict(line for file in found.files for line in file)
    for row in rows:
        line = lines.get(row["line_number"])
        if line is None or note_of(line) == row["reason"]:  # of which nothing is at hand
            yield Shown(row["line_number"], row["part"], row["reason"], None, None, None)
            continue
        record = records.parse(line)
        fields = None if isinstance(record, str) else records.paths_of(record)
        text = line.rstrip(b"\r\n").decode(errors="backslashreplace") if with_content else None
        source = "log" if found.log else "kept"
        yield Shown(row["line_number"], row["part"], row["reason"], source, fields, text)


def retry(settings: Settings, files: list[str]) -> Retried:
    """Reads quarantined lines again, of all files or of these, and takes in what they tell of, in one commit. Raises
    UserError, LedgerBusy."""
    with night_book.alone(settings.data, settings.wait_seconds), _opened(settings) as store:
        with closing(Reader(store.staging, settings.bounds)) as reader:
            where = Whereabouts(store, settings, reader, _logs(files))
            every = _quarantined(store)
            chosen = _chosen(every, files, where) if files else every
            if files and not chosen:
                raise UserError(f"{', '.join(files)}: no line of it is quarantined; see tokenspread quarantine list")
            draft = Draft(store.staging, settlement.settle)
            users = build_inputs.users_of(store, settings)
            with store.manifest.run("retry") as done:
                terms = readings.Terms(users, settings.bounds, store.manifest.latest_start())
                retrying = Retrying(where, settings, draft, terms, lambda kind, key: _live_rows(store, kind, key))
                results = [retrying.read(quarantined) for quarantined in chosen]
                call_count = _commit(store, settings, draft, [result for result in results if result.has_changed])
                done(line_count=sum(result.came_in_count for result in results), call_count=call_count)
        is_new = any(result.has_changed for result in results)
        return Retried(results, call_count, store.manifest.version(), is_new)


def _commit(store: Ledger, settings: Settings, draft: Draft, results: list[Result]) -> int:
    """Returns the count of calls that are new."""
    if not results:
        return 0
    read = pl.concat([_lines(result, result.read) for result in results])
    left = pl.concat([result.quarantine for result in results])
    for result in results:
        draft.add("quarantine", result.quarantine)
    replaced = store.settle_with_ledger(draft)
    calls = sum(file.row_count for file in draft.files if file.kind == "ledger") - store.row_count(replaced)
    replaced += _without(store, draft, read)
    came_in = read.join(left, on=LINE, how="anti")
    replaced += kept_lines.without(store, draft, lambda frame: _are_in(frame, came_in))

    def also(connection: sqlite3.Connection, _version: int) -> None:
        for result in results:
            connection.execute(
                "update content set call_line_count = call_line_count + ?, other_line_count = other_line_count + ?, "
                "quarantined_line_count = quarantined_line_count - ? where content_id = ?",
                (result.call_line_count, result.other_line_count, result.came_in_count, result.quarantined.content_id),
            )

    store.commit(draft, replaced, [], settings.reading_digest, also)
    return calls


def _lines(result: Result, numbers: pl.Series) -> pl.DataFrame:
    content_id = pl.lit(result.quarantined.content_id, pl.Int64).alias("content_id")
    return numbers.alias("line_number").to_frame().select(content_id, "line_number")


def _without(store: Ledger, draft: Draft, lines: pl.DataFrame) -> list[str]:
    """Puts into the draft what files of quarantined lines are to be without these. Returns their paths."""
    replaced = []
    for row in store.manifest.live_files("quarantine"):
        frame = pl.read_parquet(store.data / row["path"], glob=False)
        rest = frame.join(lines, on=LINE, how="anti", maintain_order="left")
        if rest.height < frame.height:
            replaced.append(row["path"])
            if rest.height:
                path = draft.next_path("quarantine")
                rest.write_parquet(path, compression="zstd", compression_level=1, statistics=False)
                draft.files.append(DraftFile(path, "quarantine", "all", rest.height))
    return replaced


def _are_in(frame: pl.DataFrame, lines: pl.DataFrame) -> pl.Series:
    marked = lines.unique().with_columns(is_in=pl.lit(True))
    return frame.join(marked, on=LINE, how="left", maintain_order="left")["is_in"].fill_null(False)


def _quarantined(store: Ledger) -> list[Quarantined]:
    paths = store.paths("quarantine")
    if not paths:
        return []
    rows = pl.read_parquet(paths, glob=False, hive_partitioning=False)
    contents = {row["content_id"]: row for row in store.manifest.rows("select * from content")}
    parts = rows.partition_by("content_id", as_dict=True)
    found = [Quarantined(contents[content_id], some) for (content_id,), some in parts.items()]
    return sorted(found, key=lambda quarantined: (quarantined.content["path"], quarantined.content_id))


def _chosen(every: list[Quarantined], files: list[str], where: Whereabouts | None = None) -> list[Quarantined]:
    """Those of the files that are named: by path, folder, end of the path or glob, or by where the log is today."""
    if not files:
        return every
    logs = [lines for file in where.named if (lines := where.as_lines(file))] if where else []
    return [
        quarantined
        for quarantined in every
        if any(_is_named(quarantined.content["path"], file) for file in files)
        or any(begins_with(log, quarantined.content, where.reader.bounds) for log in logs)
    ]


def _is_named(path: str, file: str) -> bool:
    absolute = os.path.realpath(os.path.expanduser(file))
    return path == absolute or path.startswith(absolute + "/") or path.endswith("/" + file) or fnmatchcase(path, file)


def _logs(files: list[str]) -> list[log_files.LogFile]:
    """What is there of the files, folders and globs that are named."""
    found = []
    for file in files:
        with suppress(UserError):
            found += log_files.find([file]).files
    return found


def _live_rows(store: Ledger, kind: str, content_id: int) -> pl.DataFrame:
    paths = store.paths(kind)
    if not paths:
        return schemas.empty(schemas.LEDGER if kind == "ledger" else schemas.OUTCOMES)
    rows = pl.scan_parquet(paths, glob=False, hive_partitioning=False)
    return rows.filter(pl.col("content_id") == content_id).collect(engine="streaming")


@contextmanager
def _opened(settings: Settings) -> Iterator[Ledger]:
    if not (settings.data / "manifest.sqlite").exists():
        raise UserError(f"{settings.data}: no data folder of tokenspread; check --data")
    with ledger.opened(settings.data, settings.wait_seconds) as store:
        yield store

"""Calls of days that are over take their leave of the ledger, in one commit, with the outcomes that only they have.

Files of the ledger are of one day each, so a day is dropped by its files and no row is moved; files of outcomes are
written anew. What is known of log files stays: nothing is read again. A copy of pruned lines that comes in with another
file is taken for new, since no row is left to tell that it is not, and the next prune takes it out again.
"""

import sqlite3
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipelines import erasure, kept_lines
from pipelines.draft import Draft, DraftFile
from pipelines.ledger import Ledger
from pipelines.settings import Settings
from transforms import schemas

LINE = list(schemas.LINE_KEYS)
UNTIMED = "unknown"  # the day, in the manifest, of calls that tell no time


@dataclass(frozen=True)
class Plan:
    """What a prune takes out, and what it leaves although it is old."""

    before: date
    gone: list[dict]  # files of the ledger: path, day, row_count, byte_count
    kept: list[str]  # absolute paths of the others
    subjects: pl.DataFrame  # subject_id: of outcomes of which every call is in `gone`
    outcome_count: int  # tellings of these
    outcome_paths: list[str]  # files of outcomes that have any of them, below the data folder
    untimed_count: int
    reports: list[Path]
    run_count: int
    night_count: int
    kept_line_count: int  # what quarantined lines say, by when it was kept: they are of no day

    @property
    def call_count(self) -> int:
        return sum(file["row_count"] for file in self.gone)

    @property
    def days(self) -> list[str]:
        return sorted({file["day"] for file in self.gone})


def plan(store: Ledger, before: date) -> Plan:
    """What there is to prune of the days before that one (UTC)."""
    query = "select path, day, row_count, byte_count from file where kind = 'ledger' and removed is null"
    files = store.manifest.rows(query)
    gone = [file for file in files if file["day"] != UNTIMED and file["day"] < before.isoformat()]
    paths = {file["path"] for file in gone}
    kept = [str(store.data / file["path"]) for file in files if file["path"] not in paths]
    subjects = _subjects(store, [str(store.data / path) for path in sorted(paths)], kept)
    counts = {
        path: rows_of([str(store.data / path)]).join(subjects.lazy(), on="subject_id", how="semi").select(pl.len())
        for path in (row["path"] for row in store.manifest.live_files("outcomes"))
        if subjects.height
    }
    told = {path: count.collect().item() for path, count in counts.items()}
    reports = [path for path in sorted((store.data / "reports").glob("*")) if path.name[:10] < before.isoformat()]
    return Plan(
        before=before,
        gone=gone,
        kept=kept,
        subjects=subjects,
        outcome_count=sum(told.values()),
        outcome_paths=[path for path, count in told.items() if count],
        untimed_count=sum(file["row_count"] for file in files if file["day"] == UNTIMED),
        reports=[path for path in reports if _is_of_day(path)],
        run_count=store.manifest.one(f"select count(*) from run where {OLD_RUNS}", before.isoformat()),
        night_count=store.manifest.one(f"select count(*) from night where {OLD_NIGHTS}", before.isoformat()),
        kept_line_count=kept_lines.count(store, kept_lines.are_before(before)),
    )


OLD_RUNS = "started_at < ? and status <> 'running'"
OLD_NIGHTS = "day < ? and status <> 'running'"


def carry_out(store: Ledger, settings: Settings, planned: Plan) -> None:
    """Commits what was planned: a new version where calls go, else only the old runs and nights."""
    for path in planned.reports:
        path.unlink(missing_ok=True)
    with store.manifest.transaction() as connection:
        connection.execute(f"delete from run where {OLD_RUNS}", (planned.before.isoformat(),))
        connection.execute(f"delete from night where {OLD_NIGHTS}", (planned.before.isoformat(),))
    if not planned.gone and not planned.kept_line_count:
        return
    draft = Draft(store.staging, lambda rows: rows)
    lines = _pruned_lines(store, planned, draft) if planned.gone else []

    def also(connection: sqlite3.Connection, version: int) -> None:
        connection.executemany(
            "update content set pruned_line_count = pruned_line_count + ? where content_id = ? and kind = ?", lines
        )
        if planned.gone:
            erasure.note(connection, erasure.CALLS, version)

    replaced = [file["path"] for file in planned.gone] + planned.outcome_paths
    replaced += kept_lines.without(store, draft, kept_lines.are_before(planned.before))
    with store.manifest.run("prune") as done:
        store.commit(draft, replaced, [], settings.reading_digest, also)
        done(call_count=planned.call_count)


def _pruned_lines(store: Ledger, planned: Plan, draft: Draft) -> list[tuple[int, int, str]]:
    """Count, content_id and kind of the lines that tell of nothing any more that is in the ledger; a line that tells of
    calls of several days does until the last of them goes. Puts the outcomes that stay into the draft."""
    gone = rows_of([str(store.data / file["path"]) for file in planned.gone])
    counts = [(*row[::-1], "calls") for row in _left_bare(gone, rows_of(planned.kept) if planned.kept else None)]
    if not planned.outcome_paths:
        return counts
    subjects = planned.subjects.lazy()
    live = rows_of(store.paths("outcomes"))
    bare = _left_bare(
        live.join(subjects, on="subject_id", how="semi"), live.join(subjects, on="subject_id", how="anti")
    )
    for path in planned.outcome_paths:
        target = draft.next_path("outcomes")
        rest = rows_of([str(store.data / path)]).join(subjects, on="subject_id", how="anti").collect()
        if rest.height:
            rest.write_parquet(target, compression="zstd", compression_level=1, statistics=False)
            draft.files.append(DraftFile(target, "outcomes", "all", rest.height))
    return counts + [(*row[::-1], "outcomes") for row in bare]


def _left_bare(gone: pl.LazyFrame, kept: pl.LazyFrame | None) -> list[tuple[int, int]]:
    """content_id and count of the lines of `gone` that have no row in `kept`."""
    lines = gone.select(LINE).unique()
    if kept is not None:
        contents = gone.select("content_id").unique()
        lines = lines.join(kept.select(LINE).join(contents, on="content_id", how="semi"), on=LINE, how="anti")
    return lines.group_by("content_id").agg(pl.len()).collect(engine="streaming").rows()


def _subjects(store: Ledger, gone: list[str], kept: list[str]) -> pl.DataFrame:
    """Subjects of outcomes that a call of `gone` has, as its action, response or call id, and none of `kept`."""
    paths = store.paths("outcomes")
    if not paths or not gone:
        return pl.DataFrame(schema={"subject_id": pl.String})
    asked = rows_of(paths).select("subject_id").unique().collect(engine="streaming")
    found = _named(asked, gone)
    return found.join(_named(found, kept), on="subject_id", how="anti") if kept else found


def _named(asked: pl.DataFrame, paths: list[str]) -> pl.DataFrame:
    is_key = pl.col("subject_id").str.contains("^[0-9A-Fa-f]{32}$")
    halves = {"key_hi": (0, 16), "key_lo": (16, 16)}
    keyed = asked.filter(is_key).with_columns(
        pl.col("subject_id").str.slice(*place).str.to_integer(base=16, dtype=pl.UInt64).alias(name)
        for name, place in halves.items()
    )
    calls = rows_of(paths)
    parts = [asked.lazy().join(calls, left_on="subject_id", right_on=name, how="semi") for name in NAMED_BY]
    parts.append(keyed.lazy().join(calls, on=list(halves), how="semi").select("subject_id"))
    return pl.concat(parts).unique().collect(engine="streaming")


NAMED_BY = ("action_id", "response_id")


def rows_of(paths: list[str]) -> pl.LazyFrame:
    """The rows of files of the ledger, whatever stands in their paths."""
    return pl.scan_parquet(paths, glob=False, hive_partitioning=False)


def _is_of_day(path: Path) -> bool:
    try:
        return bool(date.fromisoformat(path.name[:10]))
    except ValueError:
        return False

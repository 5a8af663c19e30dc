"""What a run has staged, made into the files that are committed: each call told once, and few files for each day.

All of it is on disk and streamed: DuckDB's limit and one bucket of duplicates bound the memory, whatever the size of
the ledger. No index is kept: hash tables are built on the staged keys, and the ledger is streamed against them.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from pipelines.draft import Draft, DraftFile
from pipelines.durable import refuses_writing
from pipelines.log_files import as_glob
from pipelines.warehouse_sources import literal, literals

ERRORS = (duckdb.Error, pl.exceptions.PolarsError)
MEMORY_LIMIT, MOST_THREADS = "400MB", 4  # every thread holds buffers of its own
DUPLICATES_AT_ONCE = 75_000  # rows that are settled together; twice as many take 200 MB more, and no less time
MERGED_ROWS = 100_000  # a file of as many rows is left as it is: to write it again would cost more than it saves
ADDRESS = ["content_id", "line_number", "part"]


@dataclass(frozen=True)
class _Losers:
    """Rows of one file that tell of a call which is told better elsewhere; their addresses are in the table `loser`."""

    file_number: int
    row_count: int


Lost = dict[Path, _Losers]


def assemble(draft: Draft, live: list[DraftFile]) -> list[Path]:
    """Leaves in the draft the files to commit. Returns those of `live` (the ledger's files) that they replace, because
    a row in them is superseded."""
    if not draft.files:
        return []
    staged = [file for file in draft.files if file.kind == "ledger"]
    with closing(_connection(draft.staging)) as connection:
        lost = _find_losers(connection, staged, live, draft) if staged else {}
        replaced = [file for file in live if file.path in lost]
        by_day: dict[tuple[str, str], list[DraftFile]] = {}
        for file in draft.files + replaced:
            by_day.setdefault((file.kind, file.day), []).append(file)
        draft.files = [
            _merged(connection, group, lost, draft) for files in by_day.values() for group in _groups(files, lost)
        ]
    return [file.path for file in replaced]


def _connection(staging: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"python_enable_replacements": False})
    connection.execute(
        f"set memory_limit = '{MEMORY_LIMIT}'; set threads = {min(MOST_THREADS, os.cpu_count() or 1)}; "
        f"set temp_directory = {literal(str(staging / 'spilled'))}; set TimeZone = 'UTC'; "
        "set enable_progress_bar = false"
    )
    return connection


def _find_losers(
    connection: duckdb.DuckDBPyConnection, staged: list[DraftFile], live: list[DraftFile], draft: Draft
) -> Lost:
    connection.execute(
        "create temp table again as select key_hi, key_lo, count(*) as telling_count "
        f"from {_rows_of(staged)} group by all having count(*) > 1"
    )
    if live:
        connection.execute(
            f"insert into again select key_hi, key_lo, 2 from {_rows_of(live)} "
            f"semi join (select key_hi, key_lo from {_rows_of(staged)}) using (key_hi, key_lo)"
        )
    (row_count,) = connection.execute("select coalesce(sum(telling_count), 0)::bigint from again").fetchall()[0]
    if not row_count:
        return {}
    folder, files = draft.staging / "again", staged + live
    _write_buckets(connection, files, row_count // DUPLICATES_AT_ONCE + 1, folder)
    for number, frame in enumerate(_losers_of_buckets(folder, draft.settle)):
        frame.write_parquet(draft.staging / f"losers-{number}.parquet")
    losers = literals([as_glob(path) for path in draft.staging.glob("losers-*.parquet")])
    # in the order of the files, so that one file's losers are found without looking at the others'
    connection.execute(f"create temp table loser as select * from read_parquet({losers}) order by file_number")
    counts = connection.execute("select file_number, count(*) from loser group by all").fetchall()
    return {files[number].path: _Losers(number, count) for number, count in counts}


def _write_buckets(
    connection: duckdb.DuckDBPyConnection, files: list[DraftFile], bucket_count: int, folder: Path
) -> None:
    """Every row of a call that is told again, in one pass over all files; all tellings of a call in one bucket."""
    numbers = ", ".join(f"({literal(str(file.path))}, {number})" for number, file in enumerate(files))
    connection.execute(f"create temp table source as from (values {numbers}) as source (filename, file_number)")
    connection.execute(
        f"copy (select told.* exclude (filename), file_number, (key_lo % {bucket_count})::int as bucket "
        f"from {_rows_of(files, filename=True)} as told left join source using (filename) "
        f"semi join again using (key_hi, key_lo)) to {literal(str(folder))} (format parquet, partition_by (bucket))"
    )


def _losers_of_buckets(folder: Path, settle: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for bucket in sorted(folder.iterdir()):
        parts = sorted(bucket.iterdir())
        rows = pl.concat([pl.read_parquet(part, glob=False, hive_partitioning=False) for part in parts])
        if rows["file_number"].null_count():
            raise AssertionError("a row of no known file; nothing was committed")
        winners = settle(rows.drop("file_number"))
        yield rows.join(winners, on=ADDRESS, how="anti").select("file_number", *ADDRESS)
        for part in parts:
            part.unlink()


def _groups(files: list[DraftFile], lost: Lost) -> Iterator[list[DraftFile]]:
    """The files of one day that have rows left, in groups of which each is to become one file."""
    group: list[DraftFile] = []
    row_count = 0
    for file in files:
        if file.path in lost and lost[file.path].row_count == file.row_count:
            continue
        if group and row_count + file.row_count > MERGED_ROWS:
            yield group
            group, row_count = [], 0
        group.append(file)
        row_count += file.row_count
    if group:
        yield group


def _merged(connection: duckdb.DuckDBPyConnection, group: list[DraftFile], lost: Lost, draft: Draft) -> DraftFile:
    """One staged file of the rows of `group` without the losers."""
    losing = [lost[file.path] for file in group if file.path in lost]
    if len(group) == 1 and not losing:
        return group[0]
    rest, address = "", ", ".join(ADDRESS)
    if losing:
        numbers = ", ".join(str(losers.file_number) for losers in losing)
        rest = f"anti join (select {address} from loser where file_number in ({numbers})) using ({address})"
    path = draft.next_path(group[0].kind)
    ((row_count,),) = connection.execute(
        f"copy (select told.* from {_rows_of(group)} as told {rest}) to {literal(str(path))} "
        "(format parquet, compression zstd, compression_level 1)"
    ).fetchall()
    expected = sum(file.row_count for file in group) - sum(losers.row_count for losers in losing)
    if row_count != expected:
        raise AssertionError(f"{row_count} rows are left of {group[0].day}, not {expected}; nothing was committed")
    for file in group:
        if file.path.parent == draft.staging:
            file.path.unlink()
    return DraftFile(path, group[0].kind, group[0].day, row_count)


def _rows_of(files: list[DraftFile], filename: bool = False) -> str:
    paths = literals([as_glob(file.path) for file in files])
    return f"read_parquet({paths}, hive_partitioning = false, filename = {str(filename).lower()})"


def is_of_disk(error: Exception) -> bool:
    """Whether DuckDB's error tells of the disk (or of memory that it could not spill), not of what was asked."""
    is_known = isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException) or refuses_writing(error)
    # a commit that fails is no IOException
    return is_known or any(words in str(error) for words in (os.strerror(errno.EIO), "fsync failed"))

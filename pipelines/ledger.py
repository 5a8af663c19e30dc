"""The ledger on disk: immutable Parquet by day and one manifest; committed whole or not at all.

A commit: lock; write and fsync Parquet in `staging/`; rename into place and fsync the folders; one SQLite transaction
that adds the files, what of each log file is in, and the version. Only that transaction makes it so: what a killed run
leaves is not in the manifest, and the next run removes it before it writes. Readers see published catalogues only.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import xxhash

from pipelines.draft import KINDS, Draft, DraftFile
from pipelines.log_files import as_glob
from pipelines.manifest import Manifest, assert_balance, now, record_taking
from pipelines.new_lines import Taking
from pipelines.settings import LedgerBusy, UserError

DUPLICATES_AT_ONCE = 200_000
KEPT_VERSIONS, KEPT_SECONDS = 14, 7 * 86400
ADDRESS = ["content_id", "line_number", "part"]


class Ledger:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.manifest = Manifest(data / "manifest.sqlite")
        self.staging = data / "staging"
        self._recover()

    def _recover(self) -> None:
        """Removes what a killed run left. Safe to repeat, and to be killed in."""
        shutil.rmtree(self.staging, ignore_errors=True)
        self.staging.mkdir()
        known = {row["path"]: row for row in self.manifest.rows("select path, byte_count, removed from file")}
        for kind in KINDS:
            for path in sorted((self.data / kind).rglob("*.parquet")):
                if str(path.relative_to(self.data)) not in known:
                    path.unlink()
        for path, row in known.items():
            if row["removed"] is None and _size(self.data / path) != row["byte_count"]:
                raise UserError(
                    f"{self.data / path}: the ledger's file is missing or changed; restore it from a backup, "
                    "or read the logs again into a new --data folder"
                )

    def paths(self, kind: str) -> list[str]:
        return [str(self.data / path) for path in self.manifest.live_files(kind)]

    def settle_with_ledger(self, draft: Draft) -> list[str]:
        """Resolves calls that the draft tells of twice, or that the ledger already has.

        Returns the ledger's files (below the data folder) that the draft replaces, because a row in them is superseded.
        """
        draft.flush()
        staged = [file for file in draft.files if file.kind == "ledger"]
        if not staged:
            return []
        live = self.manifest.live_files("ledger")
        paths = {str(file.path): file for file in staged} | {str(self.data / path): path for path in live}
        with duckdb.connect() as connection:
            connection.execute("set memory_limit = '600MB'; set enable_progress_bar = false")
            connection.execute(f"set temp_directory = '{str(self.staging).replace(chr(39), chr(39) * 2)}'")
            staged_paths, live_paths = [str(file.path) for file in staged], self.paths("ledger")
            losers = _losers(connection, staged_paths, live_paths, draft.settle, self.staging)
            touched = _files_with(connection, list(paths), losers) if losers else []
        replaced = []
        for path in touched:
            file = paths[path]
            rest = pl.scan_parquet(path, glob=False).join(pl.scan_parquet(losers, glob=False), on=ADDRESS, how="anti")
            rest = rest.collect()
            if isinstance(file, DraftFile):
                draft.files.remove(file)
            else:
                replaced.append(file)
            if rest.height:
                draft.write("ledger", rest)
        return replaced

    def commit(self, draft: Draft, replaced: list[str], takings: list[Taking]) -> int:
        """Makes the draft and what was taken of each log file part of the ledger. Returns the new version."""
        version = self.manifest.version() + 1
        placed = [self._place(file, version, number) for number, file in enumerate(draft.files)]
        for folder in sorted({(self.data / path).parent for path, _, _ in placed}):
            _fsync(folder)
            _fsync(folder.parent)
        with self.manifest.transaction() as connection:
            connection.execute("insert into version values (?, ?)", (version, now()))
            connection.executemany(
                "insert into file values (?, ?, ?, ?, ?, ?, ?, null)",
                [
                    (path, f.kind, f.day, f.row_count, _size(self.data / path), digest, version)
                    for path, f, digest in placed
                ],
            )
            connection.executemany("update file set removed = ? where path = ?", [(version, path) for path in replaced])
            for taking in takings:
                record_taking(connection, taking, version)
            assert_balance(connection)
        return version

    def _place(self, file: DraftFile, version: int, number: int) -> tuple[str, DraftFile, str]:
        digest = xxhash.xxh3_128(file.path.read_bytes()).hexdigest()
        folder = self.data / file.kind / (f"day={file.day}" if file.kind == "ledger" else "")
        folder.mkdir(parents=True, exist_ok=True)
        final = folder / f"v{version}-{number}.parquet"
        _fsync(file.path)
        os.rename(file.path, final)
        return str(final.relative_to(self.data)), file, digest

    def row_count(self, paths: list[str]) -> int:
        marks = ", ".join("?" * len(paths))
        return self.manifest.one(f"select coalesce(sum(row_count), 0) from file where path in ({marks})", *paths)

    def remove_old(self) -> None:
        """Removes what no recent version needs. A reader that still has an old catalogue open keeps a week for it."""
        limit = time.time() - KEPT_SECONDS
        catalogues = sorted((self.data / "catalog").glob("*.duckdb"), key=_changed_at)
        for path in catalogues[:-KEPT_VERSIONS]:
            if _changed_at(path) < limit:
                path.unlink()
        rows = self.manifest.rows("select path from file where removed <= ?", self.manifest.version() - KEPT_VERSIONS)
        for path in (self.data / row["path"] for row in rows):
            if path.exists() and _changed_at(path) < limit:
                path.unlink()

    def close(self) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)
        self.manifest.close()


@contextmanager
def opened(data: Path) -> Iterator[Ledger]:
    """The ledger in folder `data`, made where it is missing, under its lock. Raises LedgerBusy or UserError."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / ".lock").open("w")
    except OSError as error:
        raise UserError(f"{data}: cannot be written ({error.strerror}); choose another --data folder") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LedgerBusy(
            f"{data}: another tokenspread run is writing here; wait for it, or use another --data"
        ) from None
    with lock:
        ledger = Ledger(data.resolve())
        try:
            yield ledger
        finally:
            ledger.close()


def _losers(
    connection: duckdb.DuckDBPyConnection,
    staged: list[str],
    live: list[str],
    settle: Callable[[pl.DataFrame], pl.DataFrame],
    folder: Path,
) -> Path | None:
    """A Parquet file with the address of each row whose call is told better elsewhere; None where there is none.

    The hash tables are built on the staged keys, and the ledger is streamed against them: no index is kept.
    """
    connection.execute(
        "create temp table again as select key_hi, key_lo from read_parquet(?) group by all having count(*) > 1",
        [_globs(staged)],
    )
    if live:
        connection.execute(
            "insert into again select key_hi, key_lo from read_parquet(?) semi join "
            "(select key_hi, key_lo from read_parquet(?)) using (key_hi, key_lo)",
            [_globs(live), _globs(staged)],
        )
    (count,) = connection.execute("select count(*) from again").fetchall()[0]
    if not count:
        return None
    buckets = count // DUPLICATES_AT_ONCE + 1
    path = folder / "losers.parquet"
    parts = []
    for bucket in range(buckets):
        rows = pl.DataFrame(
            connection.sql(
                "select * from read_parquet(?) semi join again using (key_hi, key_lo) where key_lo % ? = ?",
                params=[_globs(staged + live), buckets, bucket],
            )
        )
        parts.append(rows.join(settle(rows), on=ADDRESS, how="anti").select(ADDRESS))
    pl.concat(parts).write_parquet(path)
    return path


def _files_with(connection: duckdb.DuckDBPyConnection, paths: list[str], losers: Path) -> list[str]:
    rows = connection.execute(
        "select distinct filename "
        "from (select filename, content_id, line_number, part from read_parquet(?, filename = true)) "
        "semi join (select * from read_parquet(?)) using (content_id, line_number, part)",
        [_globs(paths), _globs([str(losers)])],
    ).fetchall()
    return sorted(name for (name,) in rows)


def _globs(paths: list[str]) -> list[str]:
    return [as_glob(path) for path in paths]


def _changed_at(path: Path) -> float:
    """When the directory entry came to be: a rename or the change of mode at publication, not the content."""
    return path.stat().st_ctime


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

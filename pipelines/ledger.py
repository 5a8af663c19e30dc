"""The ledger on disk: immutable Parquet by day and one manifest; committed whole or not at all.

A commit: lock; write and fsync Parquet in `staging/`; rename into place and fsync the folders; one SQLite transaction
that adds the files, what of each log file is in, and the version. Only that transaction makes it so: what a killed run
leaves is not in the manifest, and the next run removes it before it writes. Readers see published catalogues only.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import xxhash

from pipelines import assembly
from pipelines.data_folder import locked, make_folder, naming_trouble, refuse_what_is_not_ours
from pipelines.draft import KEPT_LINES, KINDS, Draft, DraftFile
from pipelines.durable import fsync, lend
from pipelines.errors import UserError
from pipelines.log_files import shown
from pipelines.manifest import Manifest, ReadingDigest, assert_balance, now, record_taking
from pipelines.new_lines import Taking

KEPT_VERSIONS, KEPT = 14, timedelta(days=7)
Also = Callable[[sqlite3.Connection, int], None]


def _nothing(_connection: sqlite3.Connection, _version: int) -> None:
    pass


class Ledger:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.staging = data / "staging"
        path = data / "manifest.sqlite"
        is_new = not _size(path)  # an empty one knows nothing of what lies beside it, which would be removed
        if is_new:
            refuse_what_is_not_ours(data)
        self.manifest = Manifest(path)
        if is_new:
            fsync(data)
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
        self.remove_superseded_lines()
        for path, row in known.items():
            if row["removed"] is None and _size(self.data / path) != row["byte_count"]:
                raise UserError(
                    f"{self.data / path}: the ledger's file is missing or changed; restore it from a backup, "
                    "or read the logs again into a new --data folder"
                )

    def remove_superseded_lines(self) -> None:
        """Kept lines that are not to be kept any more: no catalogue needs them, so they do not wait for one."""
        rows = self.manifest.rows("select path from file where kind = ? and removed is not null", KEPT_LINES)
        for row in rows:
            (self.data / row["path"]).unlink(missing_ok=True)
        with self.manifest.transaction() as connection:
            connection.executemany("delete from file where path = ?", [(row["path"],) for row in rows])

    def paths(self, kind: str) -> list[str]:
        return [str(self.data / row["path"]) for row in self.manifest.live_files(kind)]

    def settle_with_ledger(self, draft: Draft) -> list[str]:
        """Resolves calls that the draft tells of twice, or that the ledger already has, and gathers small pieces.

        Returns the ledger's files (below the data folder) that the draft replaces, because a row in them is superseded.
        """
        draft.flush()
        live = [
            DraftFile(self.data / row["path"], "ledger", row["day"], row["row_count"])
            for row in self.manifest.live_files("ledger")
        ]
        return [str(path.relative_to(self.data)) for path in assembly.assemble(draft, live)]

    def commit(
        self, draft: Draft, replaced: list[str], takings: list[Taking], digest_of: ReadingDigest, also: Also = _nothing
    ) -> int:
        """Makes the draft and what was taken of each log file part of the ledger. `also` is given the connection and
        the version, for what must hold with it or not at all. Returns the new version."""
        version = self.manifest.version() + 1
        placed = [self._place(file, version, number) for number, file in enumerate(draft.files)]
        folders = {folder for path, _, _ in placed for folder in (self.data / path).parents}
        for folder in sorted(folders - set(self.data.parents), reverse=True):
            fsync(folder)
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
                record_taking(connection, taking, version, digest_of)
            also(connection, version)
            assert_balance(connection)
        self.remove_superseded_lines()
        return version

    def _place(self, file: DraftFile, version: int, number: int) -> tuple[str, DraftFile, str]:
        folder = self.data / file.kind
        folder.mkdir(exist_ok=True)
        if file.kind == "ledger" and not (folder := folder / f"day={file.day}").exists():
            folder.mkdir()
            lend(folder, 0o700)
        final = folder / f"v{version}-{number}.parquet"
        digest = _digest(file.path)
        fsync(file.path)
        os.rename(file.path, final)
        if file.kind != KEPT_LINES:  # which are nobody else's, whoever was let into the folder
            lend(final, 0o600)
        return str(final.relative_to(self.data)), file, digest

    def row_count(self, paths: list[str]) -> int:
        """Calls in those of the ledger's live files."""
        counts = {row["path"]: row["row_count"] for row in self.manifest.live_files("ledger")}
        return sum(counts.get(path, 0) for path in paths)  # a file that is no longer live holds no calls

    def new_catalogue(self) -> Path:
        """A path that no catalogue ever had: a reader may have the one before it open, published or not recorded."""
        folder = self.data / "catalog"
        make_folder(folder)
        built = [row["catalogue"] for row in self.manifest.rows("select catalogue from build")]
        numbers = [_number(name) for name in built + os.listdir(folder)]
        return folder / f"warehouse-{max(numbers, default=0) + 1}.duckdb"

    def last_catalogue(self) -> Path | None:
        """The catalogue that was published last, where it is still there."""
        name = self.manifest.one("select catalogue from build order by id desc limit 1")
        path = self.data / "catalog" / name if name else None
        return path if path and path.exists() else None

    def remove_old(self, at: datetime | None = None) -> None:
        """Removes what no recent version needs. A reader that still has an old catalogue open keeps a week for it,
        from when the next one was published."""
        limit = ((at or datetime.now(UTC)) - KEPT).isoformat()
        builds = self.manifest.rows("select catalogue, version, at from build order by id")
        catalogues = sorted((self.data / "catalog").glob("warehouse-*.duckdb"), key=lambda path: _number(path.name))
        for path in catalogues[:-KEPT_VERSIONS]:
            later = [build["at"] for build in builds if _number(build["catalogue"]) > _number(path.name)]
            if later and later[0] < limit:
                path.unlink()
        removed = self.manifest.rows(
            # a file is in catalogues until one is published that is made without it
            "select path, (select min(at) from build where build.version >= file.removed) as gone_at "
            "from file where removed <= ?",
            self.manifest.version() - KEPT_VERSIONS,
        )
        gone = [row["path"] for row in removed if row["gone_at"] and row["gone_at"] < limit]
        for path in gone:
            (self.data / path).unlink(missing_ok=True)
        with self.manifest.transaction() as connection:
            connection.executemany("delete from file where path = ?", [(path,) for path in gone])

    def close(self) -> None:
        shutil.rmtree(self.staging, ignore_errors=True)
        self.manifest.close()


@contextmanager
def opened(data: Path, wait_seconds: float = 0) -> Iterator[Ledger]:
    """The ledger in folder `data`, made where it is missing, under its lock, which is waited for. Raises LedgerBusy or
    UserError."""
    if shown(data.absolute()) != str(data.absolute()):
        raise UserError(f"{shown(data.absolute())}: this path is not UTF-8; choose another --data folder")
    with locked(data, ".lock", wait_seconds), naming_trouble(data):
        ledger = Ledger(data.resolve())
        try:
            yield ledger
        finally:
            ledger.close()


def _number(name: str) -> int:
    """Of a catalogue's file name, whatever follows its number."""
    digits = name.removeprefix("warehouse-").partition(".")[0]
    return int(digits) if digits.isdecimal() else 0


def _digest(path: Path) -> str:
    hasher = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest()


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None

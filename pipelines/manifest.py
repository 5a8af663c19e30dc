"""The manifest: one SQLite file that says what the ledger holds. Its transactions are the only commit points."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import UserError
from pipelines.log_files import LogFile
from pipelines.manifest_schema import CHANGES, SCHEMA_NUMBER
from pipelines.new_lines import Known, Prefix, Taking
from transforms import schemas

ReadingDigest = Callable[[str, str], str]  # of a kind and a shape, see Settings.reading_digest


class Manifest:
    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        try:
            for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
                self.connection.execute(f"pragma {pragma}")
            _refuse_damage(self.one("pragma quick_check"))
        except sqlite3.OperationalError:
            raise  # of the disk, not of what is on it
        except sqlite3.DatabaseError:
            raise UserError(
                f"{path}: the manifest is damaged; restore it from a backup, or start a new --data folder"
            ) from None
        self._make_tables(path)

    def _make_tables(self, path: Path) -> None:
        number = self.one("pragma user_version")
        if number == SCHEMA_NUMBER:
            return
        if number not in CHANGES or (not number and self.one("select count(*) from sqlite_master")):
            raise UserError(f"{path}: of another version of tokenspread; read the logs into a new --data folder")
        with self.transaction() as connection:
            for statement in CHANGES[number].split(";"):
                connection.execute(statement)
            connection.execute(f"pragma user_version = {SCHEMA_NUMBER}")

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        self.connection.execute("begin immediate")
        try:
            yield self.connection
            self.connection.execute("commit")
        except BaseException:
            if self.connection.in_transaction:  # SQLite may have rolled back by itself, when the disk is full
                self.connection.execute("rollback")
            raise

    def one(self, query: str, *parameters: Any) -> Any:
        row = self.connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in self.connection.execute(query, parameters)]

    def latest_start(self) -> datetime:
        """When the latest run began, this one among them: a clock that was set back since does not count."""
        return datetime.fromisoformat(self.one("select max(started_at) from run"))

    def frame(self, table: str, schema: dict[str, Any]) -> pl.DataFrame:
        """The columns of `schema` of a table; instants are stored as ISO text."""
        stored = {name: pl.String if dtype == schemas.INSTANT else dtype for name, dtype in schema.items()}
        rows = [tuple(row) for row in self.connection.execute(f"select {', '.join(schema)} from {table}")]
        frame = pl.DataFrame(rows, schema=stored, orient="row", strict=False)
        instants = [name for name, dtype in schema.items() if dtype == schemas.INSTANT]
        return frame.with_columns(pl.col(instants).str.to_datetime(time_unit="us", time_zone="UTC"))

    def last_build(self) -> str | None:
        return self.one("select inputs from build order by id desc limit 1")

    def record_build(self, inputs: str, catalogue: str) -> None:
        with self.transaction() as connection:
            connection.execute(
                "insert into build (inputs, catalogue, version, at) values (?, ?, ?, ?)",
                (inputs, catalogue, self.version(), now()),
            )

    def version(self) -> int:
        return self.one("select coalesce(max(id), 0) from version")

    def next_content_id(self) -> int:
        return self.one("select coalesce(max(content_id), 0) + 1 from content")

    def live_files(self, kind: str) -> list[dict[str, Any]]:
        """The files that the current version is made of: path (below the data folder), day and row_count of each."""
        query = "select path, day, row_count from file where kind = ? and removed is null order by path"
        return self.rows(query, kind)

    def known(self, kind: str) -> Known:
        """Every prefix that was taken of a content of this kind, to recognise files by."""
        rows = self.rows(
            "select s.*, c.head_length, c.head_hash, c.path, "
            "s.to_byte = max(s.to_byte) over (partition by s.content_id) as is_latest "
            "from segment s join content c using (content_id) where c.kind = ?",
            kind,
        )
        return Known(
            [
                (
                    row["head_length"],
                    row["head_hash"],
                    Prefix(
                        row["content_id"],
                        row["to_byte"],
                        row["prefix_hash"],
                        row["line_count"],
                        bool(row["is_open"]),
                        bool(row["is_latest"]),
                        row["path"],
                    ),
                )
                for row in rows
            ]
        )

    def changed(self, kind: str, files: list[LogFile]) -> list[LogFile]:
        """Those that are not as they were when last read as `kind`. A file that was written in the two seconds before
        it was looked at may have changed since without a trace (as git holds it), so it is looked at again."""
        seen = {row["path"]: row for row in self.rows("select * from seen where kind = ?", kind)}

        def is_unchanged(file: LogFile) -> bool:
            row = seen.get(str(file.path))
            return bool(row and row["state"] == str(file.state) and row["scanned_ns"] - file.modified_ns > 2 * 10**9)

        return [file for file in files if not is_unchanged(file)]

    def remember(self, kind: str, files: list[LogFile], scanned_ns: int) -> None:
        with self.transaction() as connection:
            connection.executemany(
                "insert or replace into seen values (?, ?, ?, ?)",
                [(str(file.path), kind, str(file.state), scanned_ns) for file in files],
            )

    def read_otherwise(self, kind: str, files: list[LogFile], digest_of: ReadingDigest) -> list[Path]:
        """Those of which lines were taken under other mappings or rules of attribution than now."""
        rows = self.rows("select path, shape, reading_digest from content where kind = ?", kind)
        stale = {row["path"] for row in rows if row["reading_digest"] != digest_of(kind, row["shape"])}
        return [file.path for file in files if str(file.path) in stale]

    @contextmanager
    def run(self, kind: str) -> Iterator[Callable[..., None]]:
        """A row of `run` for what happens within; the block is given a function that takes figures to note there."""
        with self.transaction() as connection:
            connection.execute("update run set status = 'died', ended_at = ? where status = 'running'", (now(),))
            cursor = connection.execute(
                "insert into run (kind, started_at, status) values (?, ?, 'running')", (kind, now())
            )
        figures: dict[str, Any] = {}
        try:
            yield figures.update
        except BaseException:
            self._end_run(cursor.lastrowid, "failed", figures)
            raise
        self._end_run(cursor.lastrowid, "done", figures)

    def _end_run(self, run_id: int | None, status: str, figures: dict[str, Any]) -> None:
        values = {"status": status, "ended_at": now(), "version": self.version(), **figures}
        sets = ", ".join(f"{name} = ?" for name in values)
        with self.transaction() as connection:
            connection.execute(f"update run set {sets} where run_id = ?", (*values.values(), run_id))


def _refuse_damage(found: str) -> None:
    """What `quick_check` found: pages that hold nonsense, or that the disk does not give (SQLite's error 10)."""
    if any(int(code) & 0xFF == sqlite3.SQLITE_IOERR for code in re.findall(r"error code=(\d+)", found)):
        raise sqlite3.OperationalError("disk I/O error")
    if found != "ok":
        raise sqlite3.DatabaseError("quick_check")


def record_taking(connection: sqlite3.Connection, taking: Taking, version: int, digest_of: ReadingDigest) -> None:
    counts, at = taking.counts, now()
    names = ("line_count", "call_line_count", "other_line_count", "blank_line_count", "quarantined_line_count")
    values = [taking.line_count, *(counts.get(name, 0) for name in names[1:])]
    if taking.is_new:
        connection.execute(
            f"insert into content values (?, ?, ?, ?, ?, ?, ?, {', '.join('?' * len(names))}, ?, ?, ?, 0)",
            (taking.content_id, taking.kind, taking.shape, digest_of(taking.kind, taking.shape), str(taking.file.path),
             taking.head_length, taking.head_hash, *values, taking.to_byte, at, at),
        )  # fmt: skip
    else:
        sets = ", ".join(f"{name} = {name} + ?" for name in names)
        connection.execute(
            f"update content set {sets}, path = ?, byte_count = ?, last_taken_at = ? where content_id = ?",
            (*values, str(taking.file.path), taking.to_byte, at, taking.content_id),
        )
    lines_so_far = taking.from_line + taking.line_count
    connection.execute(
        "insert into segment values (?, ?, ?, ?, ?, ?, ?)",
        (
            taking.content_id,
            taking.from_byte,
            taking.to_byte,
            lines_so_far,
            taking.prefix_hash,
            taking.is_open,
            version,
        ),
    )


def assert_balance(connection: sqlite3.Connection) -> None:
    """Promises 1 and 2, checked inside the transaction that would break them."""
    unbalanced = connection.execute(
        "select path from content where line_count <> "
        "call_line_count + other_line_count + blank_line_count + quarantined_line_count"
    ).fetchall()
    torn = connection.execute(
        "select content_id from (select *, lag(to_byte) over (partition by content_id order by to_byte) as before "
        "from segment) where before is not null and before <> from_byte"
    ).fetchall()
    if unbalanced or torn:
        raise AssertionError(f"lines do not balance in {[row[0] for row in unbalanced + torn]}; nothing was committed")


def now() -> str:
    return datetime.now(UTC).isoformat()

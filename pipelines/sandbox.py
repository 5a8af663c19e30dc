"""The published catalogue, asked: read-only, in a sandbox, with nothing of the outside but the ledger's own files."""

import re
import tempfile
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import duckdb
import polars as pl

from pipelines.errors import StorageTrouble, UserError
from pipelines.log_files import as_glob
from pipelines.warehouse import connect, frame_of, load_table, make_macros, make_tables
from pipelines.warehouse_models import (
    KEPT_DURING_BUILD,
    MEASURING,
    OF_ALL,
    PUBLISHED,
    SCALAR_MACROS,
    SQL,
    TABLE_MACROS,
    TABLES,
    UNPUBLISHED,
    VIEWS,
    model_sql,
    models_behind,
)
from pipelines.warehouse_sources import (
    FILE_SOURCES,
    PUBLISHED_DAYS,
    SCENARIO_SOURCES,
    TABLE_SOURCES,
    Ask,
    literal,
    literals,
)
from transforms import schemas

Connection = duckdb.DuckDBPyConnection
UNPRINTABLE = re.compile(r"\b(INTERVAL|UNION|BIGNUM|VARIANT|BIT|GEOMETRY)\b|TIME WITH TIME ZONE")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")  # names within a type
# Of a table of the catalogue alone: the ledger's files, which may be gone since, are not read.
DAYS_TOLD = f"""
select try_cast(name as date) as day, {", ".join(name for name in PUBLISHED_DAYS if name != "day")}
from unit_economics
where dimension = 'day'
"""


def query(link: Path, sql: str) -> pl.DataFrame:
    """Rows of one SELECT over the published catalogue; anything that could write, or read another file, is refused."""
    check_published(link)
    catalogue = link.resolve()
    try:
        with connect_sandboxed(link) as connection:
            return _rows(connection, sql)
    except duckdb.Error as error:
        if link.resolve() != catalogue:  # an erasure takes away at once what was published before
            return query(link, sql)
        raise _told(error, link) from error


@contextmanager
def asking(link: Path) -> Iterator[Ask]:
    """What asks as `query` does, all of it of one publication, whatever is published meanwhile. Raises UserError."""
    check_published(link)
    catalogue = link.resolve()
    try:
        with connect_sandboxed(catalogue) as connection:
            yield partial(_rows, connection)
    except duckdb.Error as error:
        if not catalogue.exists():
            raise UserError(f"{catalogue}: an erasure took it away while it was asked; ask again") from error
        raise _told(error, link) from error


def _rows(connection: Connection, sql: str) -> pl.DataFrame:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UserError("only one SELECT (or DESCRIBE, SHOW, SUMMARIZE) at a time can be asked")
    _refuse_writes(connection, sql)
    _refuse_unprintable(connection, sql)
    return frame_of(connection, sql)


def _told(error: duckdb.Error, link: Path) -> UserError | StorageTrouble:
    missing = re.search(r"with name (\w+) does not exist", str(error))
    if missing and missing[1] in {*TABLE_MACROS, *PUBLISHED}:
        return UserError(f"{link}: another version published it, without {missing[1]}; run `tokenspread build` anew")
    if isinstance(error, duckdb.IOException | duckdb.PermissionException) and (gone := _first_gone(link)):
        fact = f"{gone}: not there, where {link} looks for it"
        return UserError(f"{fact}; after the data folder was moved, run `tokenspread build` anew")
    if isinstance(error, duckdb.IOException):
        return StorageTrouble(f"{link}: cannot be read ({error}); mend that, then run again")
    return UserError(f"the query failed: {error}")


def check_published(link: Path) -> None:
    if not link.exists():
        raise UserError(f"{link}: nothing is published yet; run `tokenspread build` first")


def connect_sandboxed(link: Path, written: Path | None = None) -> duckdb.DuckDBPyConnection:
    """`written` is the one file that may be written."""
    # Attached to a database of its own in memory: connections to one path share their settings within a process. Of the
    # target, not of the link, which may be moved on while this is open.
    # What does not fit goes to a folder of its own, which DuckDB makes when it is needed, and removes.
    spilled = Path(tempfile.gettempdir()) / f"tokenspread-{uuid.uuid4().hex}"
    connection = connect(memory_limit="700MB", temp_directory=str(spilled))
    connection.execute(f"attach {literal(str(link.resolve()))} as warehouse (read_only); use warehouse")
    files = [row[0] for row in connection.sql("select path from source.parquet_files").fetchall()]
    allowed = literals(sorted({*files, *map(as_glob, files), *([str(written)] if written else [])}))
    connection.execute(f"set allowed_paths = {allowed}")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _first_gone(link: Path) -> str | None:
    """A Parquet file that the catalogue names by its absolute path and that is not there."""
    with connect() as connection:
        connection.execute(f"attach {literal(str(link.resolve()))} as warehouse (read_only)")
        paths = connection.sql("select path from warehouse.source.parquet_files order by path").fetchall()
    return next((path for (path,) in paths if not Path(path).exists()), None)


def published_days(catalogue: Path | None) -> pl.DataFrame:
    """PUBLISHED_DAYS: what a catalogue says of each day; no rows where there is none, or where another version
    published it, whose figures cannot be asked for by these names."""
    if catalogue is None:
        return schemas.empty(PUBLISHED_DAYS)
    try:
        with connect_sandboxed(catalogue) as connection:
            days = frame_of(connection, DAYS_TOLD)
    except duckdb.Error:
        return schemas.empty(PUBLISHED_DAYS)
    return schemas.conform(days.cast(PUBLISHED_DAYS), PUBLISHED_DAYS)


def open_room(connection: duckdb.DuckDBPyConnection, sources: dict[str, pl.DataFrame], again: Collection[str]) -> None:
    """In a sandboxed connection, a database in memory that shows what is published, but for `sources`, which it has of
    its own, and for the scenarios' sources and the models made `again`, which it lacks yet."""
    connection.execute("use memory; create schema source")
    for macros in SCALAR_MACROS:
        connection.execute((SQL / macros).read_text())
    for name in {*TABLE_SOURCES, *FILE_SOURCES} - sources.keys():
        connection.execute(f"create view source.{name} as from warehouse.source.{name}")
    for name, frame in sources.items():
        load_table(connection, name, frame, TABLE_SOURCES[name])
    for name in {*VIEWS, *TABLES} - {*again, *UNPUBLISHED}:
        connection.execute(f"create view {name} as from warehouse.main.{name}")
    make_macros(connection, MEASURING)


def open_part(
    connection: duckdb.DuckDBPyConnection, below: str, shown: Mapping[str, str], names: Collection[str]
) -> None:
    """In a sandboxed connection, a database above the one called `below`, whose sources, models OF_ALL and macros it
    shows, or the SELECTs of `shown` in their place; of the other models it has `names`, and what they read, anew."""
    made = models_behind(names)
    connection.execute("attach ':memory:' as part; use part; create schema source")
    for macros in SCALAR_MACROS:
        connection.execute((SQL / macros).read_text())
    for name in (*TABLE_SOURCES, *FILE_SOURCES, *SCENARIO_SOURCES):
        select = shown.get(f"source.{name}", f"from {below}.source.{name}")
        connection.execute(f"create view source.{name} as {select}")
    for name in (*VIEWS, *TABLES):
        is_of_all = name in OF_ALL
        if is_of_all or name in VIEWS:
            # what several models read is kept
            kind = "table" if name in KEPT_DURING_BUILD and name in made else "view"
            select = shown.get(name, f"from {below}.main.{name}") if is_of_all else model_sql(name)
            connection.execute(f"create {kind} {name} as {select}")
    make_tables(connection, made.difference(OF_ALL))
    make_macros(connection, made)


def _refuse_writes(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    # DuckDB 2.0 runs COPY ... TO inside the WITH of a SELECT, and the ledger's own files are allowed paths. Only the
    # text of a statement can hold one (a table function's cannot), so nothing else pays for the plan.
    if "copy" not in sql.lower():
        return
    plan = connection.sql(f"explain (format json) {sql}").fetchall()[0][1]
    if re.search(r'"name": *"[A-Z_]*COPY', plan):
        raise UserError("the published tables are read-only: a query cannot COPY to a file")


def _refuse_unprintable(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise UserError for a column that a frame cannot hold: polars ends in a panic on some types."""
    rows = connection.sql(sql)
    if repeated := [name for name in rows.columns if rows.columns.count(name) > 1]:
        raise UserError(f"the query has two columns {repeated[0]}; give each one a name of its own, with `as`")
    for name, dtype in zip(rows.columns, rows.types, strict=True):
        if unprintable := UNPRINTABLE.search(QUOTED.sub("", str(dtype))):
            raise UserError(f"column {name} is of type {unprintable[0]}, which has no output; cast it: {name}::varchar")

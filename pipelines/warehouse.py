"""The published catalogue: one read-only DuckDB file with views over the ledger's Parquet and small tables above it.

What a table means is in `sql/models`, one SELECT per file; this module binds the sources that they name, runs them in
order, runs `sql/checks`, and swaps the finished file in. Readers keep the file that they have open.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import duckdb
import nanoarrow
import polars as pl

from pipelines.bounds import Bounds
from pipelines.durable import fsync, lend
from pipelines.errors import NotPublished, StorageTrouble, UserError
from pipelines.log_files import as_glob
from pipelines.warehouse_models import (
    BY_DIMENSION,
    CUBE,
    GONE_AFTER,
    KEPT_DURING_BUILD,
    MEASURING,
    SCALAR_MACROS,
    SQL,
    TABLE_MACROS,
    TABLES,
    UNPUBLISHED,
    VIEWS,
    model_header,
    model_sql,
    models_behind,
    scalar_macros,
    signature,
    words,
)
from pipelines.warehouse_sources import (
    CONTENTS,
    FILE_SOURCES,
    RUNS,
    SCENARIO_SOURCES,
    TABLE_SOURCES,
    Inputs,
    arrow_of,
    identifier,
    literal,
    literals,
    select_from_files,
    table_columns,
)
from transforms import schemas

__all__ = ["CONTENTS", "RUNS", "CheckFailed", "Inputs", "build", "distinct_price_refs", "publish"]

ERRORS = duckdb.Error


class CheckFailed(NotPublished):
    """A query of `sql/checks` returned rows, so the catalogue was not published."""


def distinct_price_refs(ledger_files: list[str]) -> pl.DataFrame:
    """What a price is asked for: schemas.PRICE_REFS, one row for each distinct combination in the ledger; the model is
    the one that served, else the one that was asked for, as the model `calls` has it."""
    columns = ", ".join(name for name in schemas.PRICE_REFS if name != "model")
    with connect() as connection:
        ledger = select_from_files(schemas.PRICE_REFS | {"model_requested": pl.String}, ledger_files)
        query = f"select distinct {columns}, coalesce(model, model_requested) as model from ({ledger}) as ledger"
        return frame_of(connection, f"{query} order by all").select(list(schemas.PRICE_REFS))


def distinct_names(files: list[str], columns: dict[str, str], bounds: Bounds, temp_directory: Path) -> dict[str, int]:
    """How many names the Parquet files have in each of `columns`, by bound; but for those that are certainly fewer."""
    if not files:
        return {}
    rows = f"read_parquet({literals(map(as_glob, files))}, hive_partitioning = false)"
    with connect(memory_limit="400MB", temp_directory=str(temp_directory)) as connection:
        counts = ", ".join(f"approx_count_distinct({column})" for column in columns.values())
        about = dict(zip(columns, connection.sql(f"select {counts} from {rows}").fetchall()[0], strict=True))
        exact = {}
        for bound, column in columns.items():
            if 2 * about[bound] > getattr(bounds, bound):  # it errs by an eighth, seldom by more
                query = f"select count(*) from (select distinct {column} from {rows} where {column} is not null)"
                ((exact[bound],),) = connection.sql(query).fetchall()
        return exact


def build(inputs: Inputs, path: Path, memory_limit: str = "560 MiB", temp_directory: Path | None = None) -> None:
    """Write a complete catalogue to `path`; raises CheckFailed, and leaves no file, when a check returns rows.

    `temp_directory` takes what does not fit `memory_limit`; by default a folder beside `path`, removed by DuckDB.
    """
    if "?" in str(path):
        # DuckDB takes what follows for a URL's query and puts its write-ahead log before it.
        raise UserError(f"{path}: DuckDB takes no database below a name with a question mark; rename the data folder")
    unfinished = path.with_name(path.name + ".building")
    for leftover in path.parent.glob("*.building*"):  # of a build that was killed, whatever its number
        leftover.unlink(missing_ok=True)
    config = {
        "memory_limit": memory_limit,
        "temp_directory": str(temp_directory or f"{path}.tmp"),
        # So that older clients open the file.
        "storage_compatibility_version": "v1.0.0",
        "preserve_insertion_order": False,
    }
    try:
        with connect(unfinished, **config) as connection:
            fill(connection, inputs)
            run_checks(connection)
            connection.execute("checkpoint")  # closing would too, but it hides that the disk was full
        os.replace(unfinished, path)
    except duckdb.OutOfMemoryException:
        fact = f"{path.parent}: the build takes more than {memory_limit} of memory ([bounds] build_bytes)"
        raise StorageTrouble(
            f"{fact}; raise it in tokenspread.toml, or make room on the disk that it spills to"
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def fill(connection: duckdb.DuckDBPyConnection, inputs: Inputs) -> None:
    """Bind the sources and make every view and table of `sql/models` in the connection's database."""
    connection.execute("create schema source")
    for name, files in inputs.files_by_source.items():
        connection.execute(f"create view source.{name} as {select_from_files(FILE_SOURCES[name], files)}")
    for name, frame in inputs.tables_by_source.items():
        load_table(connection, name, frame, TABLE_SOURCES[name])
    make_cube(connection)
    for name, frame in inputs.scenario_tables(lambda query: frame_of(connection, query)).items():
        load_table(connection, name, frame, SCENARIO_SOURCES[name])
    make_models(connection)


def make_cube(connection: duckdb.DuckDBPyConnection, names: Iterable[str] | None = None) -> None:
    """Make macros, views and the usage cube over the schema `source`: what scenarios are told from."""
    chosen = models_behind(VIEWS + TABLES + TABLE_MACROS if names is None else names)
    for macros in SCALAR_MACROS:
        connection.execute((SQL / macros).read_text())
    for name in VIEWS:
        if name in chosen:
            connection.execute(f"create view {name} as {model_sql(name)}")
    for name in KEPT_DURING_BUILD:
        if name in chosen:
            # A temporary table hides the view of its name until the connection closes.
            connection.execute(f"create temporary table {name} as from main.{name}")
    if CUBE in chosen:
        connection.execute(f"create table {CUBE} as {model_sql(CUBE)}")
    make_macros(connection, chosen.intersection(MEASURING))


def make_models(connection: duckdb.DuckDBPyConnection, names: Iterable[str] | None = None) -> None:
    """Make the tables over the usage cube, and comment on all: every one, or `names` and what they read."""
    chosen = models_behind(VIEWS + TABLES + TABLE_MACROS if names is None else names)
    make_tables(connection, chosen - {CUBE})
    make_macros(connection, chosen.difference(MEASURING))
    _comment(connection, chosen - {*UNPUBLISHED})


def make_macros(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Make those table macros, whose tables are there."""
    for name in TABLE_MACROS:
        if name in names:
            connection.execute(f"create macro {signature(name)} as table {model_sql(name)}")


def make_tables(connection: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
    """Make those tables alone, in build order."""
    for name in TABLES:
        if name in names:
            # in a room above another, a temporary one takes the place of the other's
            begun = f"create or replace {UNPUBLISHED.get(name, 'table')} {name} as"
            for dimension in BY_DIMENSION.get(name, [None]):
                connection.execute("set variable dimension = ?", [dimension])
                connection.execute(f"{begun} {model_sql(name)}")
                begun = f"insert into {name} by name"
            if name in GONE_AFTER:
                connection.execute(f"drop table if exists {GONE_AFTER[name]}")


def _comment(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> None:
    """Put what the files say of themselves beside what was made of them; in one transaction, since each of the hundreds
    would be written through to the disk by itself."""
    connection.execute("begin")
    database = connection.sql("select current_database()").fetchall()[0][0]
    for name in names:
        grain, columns = model_header(name)
        place = f"{identifier(database)}.main.{name}"
        if name in TABLE_MACROS:
            connection.execute(f"comment on macro table {place} is {literal(f'{signature(name)}: {grain}')}")
            continue
        connection.execute(f"comment on {'view' if name in VIEWS else 'table'} {place} is {literal(grain)}")
        for column, meaning in columns.items():
            connection.execute(f"comment on column {place}.{column} is {literal(meaning)}")
    for name, meaning in scalar_macros().items():
        connection.execute(f"comment on macro {identifier(database)}.main.{name} is {literal(meaning)}")
    connection.execute("commit")


def run_checks(connection: duckdb.DuckDBPyConnection, made: set[str] | None = None) -> None:
    """Raise CheckFailed for the first query of `sql/checks` that returns rows; of those that read nothing but the
    models `made`, where these are given."""
    for check in sorted((SQL / "checks").glob("*.sql")):
        if made is not None and not words(check.read_text()) & {*VIEWS, *TABLES} <= made:
            continue
        failing = frame_of(connection, check.read_text())
        if failing.height:
            sample = "; ".join(str(row) for row in failing.head(3).to_dicts())
            raise CheckFailed(f"sql/checks/{check.name}: {failing.height} failing rows, the first: {sample}")


def publish(path: Path, link: Path) -> None:
    """Make `link` a symlink to the catalogue at `path`, durably and in one step; open readers keep what they have."""
    fsync(path)
    lend(path, 0o400)
    fsync(path.parent)
    new_link = link.with_name(f".{link.name}.new")
    new_link.unlink(missing_ok=True)
    new_link.symlink_to(os.path.relpath(path, link.parent))
    os.replace(new_link, link)
    fsync(link.parent)


def connect(path: Path | str = ":memory:", read_only: bool = False, **config) -> duckdb.DuckDBPyConnection:
    """A connection whose answers depend on nothing around it: UTC, no Python variables, no progress bar in between."""
    # Without this setting a query could name this process's Python variables as tables.
    config["python_enable_replacements"] = False
    connection = duckdb.connect(str(path), read_only=read_only, config=config)
    connection.execute("set enable_progress_bar = false; set TimeZone = 'UTC'")
    return connection


def frame_of(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> pl.DataFrame:
    """The rows of one SELECT; money as Decimal, sums of tokens as Int128."""
    # Through nanoarrow: a relation that polars reads itself makes DuckDB 2.0 report leaks on stderr at exit.
    try:
        frame = pl.DataFrame(nanoarrow.c_array_stream(connection.sql(sql, params=parameters or None)))
    except pl.exceptions.ComputeError as error:  # behind the first rows DuckDB's error comes through the stream
        raise duckdb.Error(str(error).removeprefix("got external error: ")) from None
    # Arrow has no 128-bit integer: HUGEINT crosses as a decimal without decimals.
    return frame.with_columns(pl.col(pl.Decimal(38, 0)).cast(pl.Int128))


def load_table(connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame, schema: dict) -> None:
    """Make table source.`name` of `schema` from a frame that conforms to it."""
    connection.execute(f"create table source.{name} ({table_columns(schema)})")
    connection.register("loading", arrow_of(frame, schema))
    connection.execute(f"insert into source.{name} by name from loading")
    connection.unregister("loading")

"""What a build of the warehouse reads: the schema `source`, as DuckDB is told of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipelines.log_files import as_glob
from transforms import scenario_schemas, schemas

USD = pl.Decimal(38, 12)
Ask = Callable[[str], pl.DataFrame]
# What a ref of the ledger is called where prices are asked for, by the user's aliases.
PRICE_NAMES = schemas.PRICE_REFS | {"as_provider": pl.String, "as_model": pl.String}
CONTENTS = {
    "content_id": pl.Int64,
    "path": pl.String,
    "kind": pl.String,  # calls, outcomes
    "shape": pl.String,
    "line_count": pl.Int64,
    "call_line_count": pl.Int64,  # lines that told of at least one call
    "other_line_count": pl.Int64,
    "blank_line_count": pl.Int64,
    "quarantined_line_count": pl.Int64,
    "pruned_line_count": pl.Int64,  # call lines of which nothing is left in the ledger, because it was pruned
    "byte_count": pl.Int64,
    "first_seen_at": schemas.INSTANT,
    "last_taken_at": schemas.INSTANT,
}
RUNS = {
    "run_id": pl.String,
    "kind": pl.String,
    "started_at": schemas.INSTANT,
    "ended_at": schemas.INSTANT,
    "status": pl.String,
    "version": pl.Int64,
    "price_book_hash": pl.String,
    "line_count": pl.Int64,
    "call_count": pl.Int64,
}
# What the catalogue published before says of its days; grain: day.
PUBLISHED_DAYS = {
    "day": pl.Date,  # null: calls without a day
    "call_count": pl.Int64,
    "input_tokens": pl.Int128,
    "cache_read_tokens": pl.Int128,
    "output_tokens": pl.Int128,
    "cost_usd": USD,
    "unpriced_call_count": pl.Int64,
    "labelled_count": pl.Int64,
    "success_count": pl.Int64,
    "labelled_cost_usd": USD,
    "cost_per_outcome_usd": USD,
}
CONTEXT_BOUNDS = {"context_above": pl.Int64}
TABLE_SOURCES = {
    "contents": CONTENTS,
    "price_names": PRICE_NAMES,
    "price_book": schemas.PRICE_BOOK,
    "price_rules": schemas.PRICE_RULES,
    "rate_cards": schemas.RATE_CARDS,
    "book_rates": schemas.BOOK_RATES,
    "context_bounds": CONTEXT_BOUNDS,
    "unmatched_rates": schemas.PRICE_RULES,
    "contract_terms": schemas.CONTRACT_TERMS,
    "revenue": schemas.REVENUE,
    "runs": RUNS,
    "published_days": PUBLISHED_DAYS,
    "settings": {"key": pl.String, "value": pl.String},
    "parquet_files": {"path": pl.String},
}
# Told from the usage cube, so bound after it is made.
SCENARIO_SOURCES = {
    "scenarios": scenario_schemas.SCENARIOS,
    "scenario_scopes": scenario_schemas.SCENARIO_SCOPES,
    "scenario_rates": scenario_schemas.SCENARIO_RATES,
    "scenario_swaps": scenario_schemas.SCENARIO_SWAPS,
    "left_terms": scenario_schemas.LEFT_TERMS,
}
FILE_SOURCES = {"ledger": schemas.LEDGER, "outcomes": schemas.OUTCOMES, "quarantine": schemas.QUARANTINE}

SQL_TYPES = {
    pl.String: "varchar",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.Int128: "hugeint",
    pl.UInt64: "ubigint",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.Date: "date",
    schemas.INSTANT: "timestamp with time zone",
    USD: "decimal(38, 12)",
}


@dataclass(frozen=True)
class Inputs:
    """Everything that a build reads; file lists are absolute paths of live Parquet files and may be empty."""

    ledger_files: list[str]
    outcome_files: list[str]
    quarantine_files: list[str]
    contents: pl.DataFrame
    price_names: pl.DataFrame
    price_book: pl.DataFrame
    price_rules: pl.DataFrame  # the contract and the imported corrections, for models that calls may move to
    rate_cards: pl.DataFrame
    book_rates: pl.DataFrame  # what another book says on the same cards
    scenario_tables: Callable[[Ask], dict[str, pl.DataFrame]]  # SCENARIO_SOURCES, from queries to the usage cube
    context_bounds: list[int]
    unmatched_rates: pl.DataFrame  # of the user's price file, those that speak of no call
    contract_terms: pl.DataFrame
    revenue: pl.DataFrame
    runs: pl.DataFrame
    settings: dict[str, str]
    # of the catalogue that this one replaces; none where nothing was published
    published_days: pl.DataFrame = field(default_factory=lambda: schemas.empty(PUBLISHED_DAYS))

    @property
    def files_by_source(self) -> dict[str, list[str]]:
        return {"ledger": self.ledger_files, "outcomes": self.outcome_files, "quarantine": self.quarantine_files}

    @property
    def tables_by_source(self) -> dict[str, pl.DataFrame]:
        """The small sources; `parquet_files` are the only files that a reader of the catalogue may touch."""
        files = sum(self.files_by_source.values(), [])
        lists = {
            "context_bounds": {"context_above": self.context_bounds},
            "settings": {"key": list(self.settings), "value": list(self.settings.values())},
            "parquet_files": {"path": files},
        }
        made = {name: pl.DataFrame(columns, schema=TABLE_SOURCES[name]) for name, columns in lists.items()}
        made["runs"] = self._ended_runs()
        return {name: getattr(self, name) for name in TABLE_SOURCES if name not in made} | made

    def _ended_runs(self) -> pl.DataFrame:
        """The build that still runs is done in what it publishes: the catalogue is seen only if it is."""
        version, book = self.settings.get("ledger_version"), self.settings.get("price_book_hash")
        ended = {
            "ended_at": pl.lit(datetime.now(UTC)).cast(RUNS["ended_at"]),
            "version": pl.lit(version).cast(RUNS["version"]),
            "price_book_hash": pl.lit(book, RUNS["price_book_hash"]),
            "status": pl.lit("done"),
        }
        is_running = pl.col("status") == "running"
        return self.runs.with_columns(
            pl.when(is_running).then(value).otherwise(pl.col(name)).alias(name) for name, value in ended.items()
        )


class ArrowStream:
    """A frame that shows DuckDB nothing but its Arrow stream: for a polars frame as such it would import pyarrow."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.frame.__arrow_c_stream__(requested_schema)


def arrow_of(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> ArrowStream:
    """A frame that conforms to `schema`, for DuckDB; Int128 crosses as a decimal, since Arrow has no such integer."""
    wide = [pl.col(column).cast(pl.Decimal(38, 0)) for column, dtype in schema.items() if dtype == pl.Int128]
    return ArrowStream(schemas.conform(frame, schema).with_columns(wide))


def table_columns(schema: dict[str, pl.DataType]) -> str:
    return ", ".join(f"{column} {SQL_TYPES[dtype]}" for column, dtype in schema.items())


def select_from_files(schema: dict[str, pl.DataType], files: list[str]) -> str:
    """A SELECT of the columns of `schema` from Parquet files; without any file it has the columns and no row."""
    columns = ", ".join(f"{column}::{SQL_TYPES[dtype]} as {column}" for column, dtype in schema.items())
    if files:
        rows = f"read_parquet({literals(map(as_glob, files))}, hive_partitioning = false)"
    else:
        rows = "(select " + ", ".join(f"null as {column}" for column in schema) + " where false)"
    return f"select {columns} from {rows}"


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    return "[" + ", ".join(map(literal, texts)) + "]"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

"""Rates and their differences as rows for `query.write`: whole for CSV and JSON, narrow for a table."""

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TextIO

import polars as pl

from pipelines.report import query
from pipelines.report.text import UNKNOWN

UNITS = {
    "request": "request", "web_search": "search", "file_search": "search", "code_session": "session",
    "compute_second": "second",
}  # fmt: skip
TOKENS = "million"
ALWAYS = "always"
BATCH = {True: "batch", False: "no batch", None: None}
REF = ("provider", "model", "service_tier", "region", "is_batch")
Row = dict[str, Any]


def write_rates(rates: pl.DataFrame, with_history: bool, output: str, stream: TextIO) -> None:
    """The rates of price_answers.Shown. Raises UserError for an unknown format."""
    dated = ("recorded_at", "superseded_at") if with_history else ()
    if output == "table":
        columns: dict[str, Callable[[Row], Any]] = {
            "model": model_of,
            "class": lambda row: row["token_class"],
            "USD": lambda row: usd(row["rate_pico"], row["token_class"]),
            "per": lambda row: unit(row["token_class"]),
            "holds": holds,
            "status": lambda row: row["price_status"],
            "source": lambda row: row["source"],
            **{name: lambda row, name=name: row[name] and f"{row[name]:%Y-%m-%d %H:%M}" for name in dated},
            "note": lambda row: row["note"],
        }
    else:
        copied = (*REF, "token_class", "context_above", "window", "valid_from", "valid_to")
        rest = ("price_status", "source", "source_url", "recorded_at", *dated[1:], "note")
        columns = {name: lambda row, name=name: row[name] for name in (*copied, *rest)}
        columns |= {"usd": lambda row: usd(row["rate_pico"], row["token_class"])}
        columns |= {"per": lambda row: unit(row["token_class"])}
    _write(rates.iter_rows(named=True), columns, output, stream)


def write_differences(rows: pl.DataFrame, output: str, stream: TextIO) -> None:
    """The rows of price_answers.Differing. Raises UserError for an unknown format."""
    money: dict[str, Callable[[Row], Any]] = {
        "published": lambda row: row["published_source"],
        "USD": lambda row: usd(row["published_pico"], row["token_class"]),
        "other": lambda row: row["source"],
        "other_USD": lambda row: usd(row["rate_pico"], row["token_class"]),
        "per": lambda row: unit(row["token_class"]),
        "quantity": lambda row: row["quantity"],
        "calls": lambda row: row["call_count"],
        "worth_USD": lambda row: exact(row["worth_pico"]),
    }
    if output == "table":
        names = {"model": model_of, "class": lambda row: row["token_class"], "holds": holds}
    else:
        copied = (*REF, "token_class", "context_above", "window")
        names = {name: lambda row, name=name: row[name] for name in copied}
    _write(rows.iter_rows(named=True), names | money, output, stream)


def write_lines(lines: list[Row], output: str, stream: TextIO) -> None:
    """The lines of price_answers.Explained. Raises UserError for an unknown format."""
    copied = ("token_class", "quantity", "source", "source_url", "note", "context_above", "window")
    columns: dict[str, Callable[[Row], Any]] = {
        **{name: lambda row, name=name: row[name] for name in (*copied, "valid_from", "valid_to")},
        "usd": lambda row: usd(row["rate_pico"], row["token_class"]),
        "per": lambda row: unit(row["token_class"]),
        "cost_usd": lambda row: exact(row["cost_pico"]),
    }
    _write(lines, columns, output, stream)


def write_totals(totals: pl.DataFrame, stream: TextIO) -> None:
    columns: dict[str, Callable[[Row], Any]] = {
        "published": lambda row: row["published_source"],
        "other": lambda row: row["source"],
        "differences": lambda row: row["difference_count"],
        "worth_USD": lambda row: exact(row["worth_pico"]),
    }
    _write(totals.iter_rows(named=True), columns, "table", stream)


def model_of(row: Row) -> str:
    """Provider and model, and what else the price is for."""
    told = [row["service_tier"], row["region"], BATCH[row["is_batch"]]]
    rest = ", ".join(part for part in told if part)
    return f"{row['provider'] or UNKNOWN}/{row['model'] or UNKNOWN}" + (f" ({rest})" if rest else "")


def holds(row: Row) -> str:
    """For which calls: above how many input tokens, in which hours, from when to when."""
    above, window = row["context_above"], row["window"]
    told = [f"> {above:,} tokens"] if above else []
    told += [window] if window not in (None, ALWAYS) else []
    start, end = instant(row.get("valid_from")), instant(row.get("valid_to"))
    told += [text for text in (start and f"from {start}", end and f"until {end}") if text]
    return ", ".join(told) or ALWAYS


def instant(at: datetime | None) -> str | None:
    if at is None:
        return None
    return f"{at:%Y-%m-%d}" if at.time() == at.min.time() else f"{at:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def usd(rate_pico: int | None, token_class: str) -> str | None:
    """USD for one `unit` of the class, exact."""
    return None if rate_pico is None else exact(rate_pico * (1 if token_class in UNITS else 10**6))


def unit(token_class: str) -> str:
    return UNITS.get(token_class, TOKENS)


def exact(pico: int | None) -> str | None:
    """USD with all its digits, but for zeros at the end."""
    if pico is None:
        return None
    text = f"{Decimal(pico).scaleb(-12):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write(rows: Iterable[Row], columns: dict[str, Callable[[Row], Any]], output: str, stream: TextIO) -> None:
    told = [[value(row) for value in columns.values()] for row in rows]
    # every column by its name alone: what is null in all rows of an answer is a column still
    frame = pl.DataFrame(told, schema=list(columns), orient="row", infer_schema_length=None)
    query.write(frame, output, stream)

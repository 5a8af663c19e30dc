"""What the commands of `tokenspread prices` answer with."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Shown:
    rates: pl.DataFrame  # PRICE_BOOK, with `window` in words in place of its seconds
    unpriced: list[str]  # models of the ledger, provider in front, of which no rate is believed


@dataclass(frozen=True)
class Explained:
    call: dict[str, Any]  # a row of sql/questions/told_calls.sql; `card_window` in words
    lines: list[dict[str, Any]]  # of sql/questions/class_lines.sql; `window` in words
    terms: list[dict[str, Any]]  # of sql/questions/told_terms.sql


@dataclass(frozen=True)
class Differing:
    first_day: date | None
    last_day: date | None
    undated_call_count: int  # calls of no day, of which nothing is compared
    litellm: Path | None  # the price map that was compared
    rows: pl.DataFrame  # see transforms.prices.imports.worth
    totals: pl.DataFrame
    idle_count: int  # differences in which the ledger has nothing


@dataclass(frozen=True)
class Exported:
    text: str
    rate_count: int
    untold: list[str]  # price refs of which a price file cannot tell all that is believed
    unsure_count: int  # rates that are not of an exact match
    unsure: list[str]  # their price_status
    terms: list[str]  # kinds of contract terms that are not in it, in words


@dataclass(frozen=True)
class Imported:
    rate_count: int
    models: list[str]  # that it speaks of, as it writes them
    idle: list[str]  # models that no call names
    # "provider/model class", of a price map: see transforms.prices.imports.corrections
    left_out: list[str]
    kept: list[str]
    exposed: list[str]
    former: str | None  # the file that was imported before, and is replaced; null: none
    former_count: int  # its rates
    # rates of the next build beside those of one without this import
    gained_count: int
    changed_count: int
    lost_count: int

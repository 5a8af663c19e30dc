"""The user's revenue file: what a feature, user, customer or success earned."""

import csv
from datetime import date
from decimal import Context, Decimal, InvalidOperation, Overflow
from pathlib import Path

import polars as pl

from pipelines.errors import UserError
from pipelines.sniff import named
from transforms import schemas

DIMENSIONS = ("feature", "user_id", "customer_id", "outcome")
COLUMNS = ("period_start", "period_end", *DIMENSIONS, "revenue_usd", "revenue_per_success_usd")
MOST_PICO = 2**63 - 1


def read_revenue_file(path: Path) -> pl.DataFrame:
    """schemas.REVENUE from CSV. Columns (any may be left out but one amount): period_start, period_end (dates, the end
    exclusive), feature, user_id, customer_id, outcome (empty: not restricted to one), and either revenue_usd for the
    period or revenue_per_success_usd for each success of the outcome. Raises UserError that names place, fact, fix."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            unknown = sorted(set(reader.fieldnames or ()) - set(COLUMNS))
            if unknown or not reader.fieldnames:
                raise UserError(f"{path}:1: no column {named(unknown) or 'at all'}; known are {', '.join(COLUMNS)}")
            rows = [_row(cells, f"{path}:{reader.line_num}") for cells in reader]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path given to --revenue") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not CSV in UTF-8; save it as such") from None
    return pl.DataFrame(rows, schema=schemas.REVENUE, orient="row")


def _row(cells: dict[str | None, str | None], place: str) -> dict[str, object]:
    if None in cells or None in cells.values():
        raise UserError(f"{place}: the line has not as many cells as the header; quote cells that hold a comma")
    texts = {str(name): (value or "").strip() for name, value in cells.items()}
    per_period = _pico(texts.get("revenue_usd"), place)
    per_success = _pico(texts.get("revenue_per_success_usd"), place)
    if (per_period is None) == (per_success is None):
        raise UserError(f"{place}: give one of revenue_usd and revenue_per_success_usd")
    if per_success is not None and not texts.get("outcome"):
        raise UserError(f"{place}: revenue_per_success_usd needs the outcome that earns it; fill in the column outcome")
    start, end = (_date(texts.get(name), place, name) for name in ("period_start", "period_end"))
    if start and end and start >= end:
        raise UserError(f"{place}: the period ends at {end}, not after it starts ({start}); period_end is exclusive")
    return {
        "period_start": start,
        "period_end": end,
        **{name: texts.get(name) or None for name in DIMENSIONS},
        "revenue_pico": per_period,
        "revenue_per_success_pico": per_success,
    }


def _pico(text: str | None, place: str) -> int | None:
    """USD as written -> pico-USD; exact or refused."""
    if not text:
        return None
    try:
        pico = Decimal(text).scaleb(12, Context(prec=len(text) + 12))  # of that precision, so that nothing is rounded
    except (InvalidOperation, Overflow):
        raise UserError(f"{place}: {text!r} is not an amount in USD; write it like 1250.00") from None
    if not pico.is_finite() or abs(pico) > MOST_PICO or pico % 1:
        raise UserError(f"{place}: {text!r} has more than 12 decimals or is too large; write it like 1250.00")
    return int(pico)


def _date(text: str | None, place: str, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(f"{place}: {name} {text!r} is not a date; write it like 2026-11-01") from None

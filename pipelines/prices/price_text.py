"""Rates as the text of a price file, which `price_file` reads."""

import csv
import io
from datetime import datetime
from decimal import Decimal

import polars as pl

from pipelines.prices.rules import UNIT_CLASSES
from transforms.prices import week
from transforms.schemas import PRICE_REFS

COLUMNS = (
    "provider", "model", "token_class", "service_tier", "region", "is_batch", "context_above", "weekdays", "time_from",
    "time_to", "usd_per_million", "usd_per_unit", "valid_from", "valid_to", "source_url", "note",
)  # fmt: skip
UNSURE = ("prefix_match", "fallback_provider", "context_unmatched")  # what is read again is believed as it stands
OWN = ("contract", "correction")  # what came from a price file has its own note already


def price_text(rates: pl.DataFrame) -> str:
    """A CSV price file of `rates` (PRICE_BOOK): lines of kind price, windows of the week by weekdays and hours.

    Who said so, and when it was recorded, goes into the note. A rate that is null is left out: a price file has no word
    for what is known to have no price. Rates that a price file cannot tell apart (names match in any case) are written
    once. Cells are written as they are, also one that a spreadsheet would take for a formula: the file is read again.
    """
    lines: dict[tuple, dict] = {}
    told = rates.filter(pl.col("rate_pico").is_not_null())
    for row in week.joined(told).iter_rows(named=True):
        windows = [tuple(window.values()) for window in row["windows"]]
        for days, start, end in week.day_parts(windows):
            line = _line(row) | _hours(days, start, end)
            key = tuple(str(line[name]).lower() for name in COLUMNS[:10]) + (line["valid_from"],)
            lines.setdefault(key, line)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines.values())
    return text.getvalue()


def _line(row: dict) -> dict:
    is_unit = row["token_class"] in UNIT_CLASSES
    usd = Decimal(row["rate_pico"]).scaleb(-12 if is_unit else -6)
    return {
        **{name: row[name] for name in (*PRICE_REFS, "token_class", "source_url")},
        "is_batch": None if row["is_batch"] is None else str(row["is_batch"]).lower(),
        "context_above": row["context_above"] or None,
        "usd_per_unit" if is_unit else "usd_per_million": plain(usd),
        "valid_from": _instant(row["valid_from"]),
        "valid_to": _instant(row["valid_to"]),
        "note": _note(row),
    }


def plain(amount: Decimal) -> str:
    """All digits, without zeros at the end and without an exponent."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _hours(days: tuple[int, ...], start: int, end: int) -> dict:
    is_all_day = (start, end) == (0, week.DAY_SECONDS)
    return {
        "weekdays": None if len(days) == len(week.NAMES) else week.weekdays(days),
        "time_from": None if is_all_day else week.clock(start),
        "time_to": None if is_all_day else week.clock(end),
    }


def _instant(at: datetime | None) -> str | None:
    if at is None:
        return None
    return f"{at:%Y-%m-%d}" if at.time() == at.min.time() else at.isoformat().replace("+00:00", "Z")


def _note(row: dict) -> str | None:
    if row["source"] in OWN and row["note"]:
        return row["note"]
    told = [row["source"], row["recorded_at"] and f"recorded {row['recorded_at']:%Y-%m-%d}"]
    told += [row["price_status"]] if row["price_status"] in UNSURE else []
    return "; ".join(part for part in (", ".join(filter(None, told)), row["note"]) if part)

"""Step 7, where sources of prices disagree: the same ref, class, context, time of the week and span of time."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import polars as pl

from transforms.prices.grid import cells
from transforms.schemas import INSTANT, PRICE_DIFFERENCES, PRICE_REFS, WEEK_SECONDS

KEYS = (*PRICE_REFS, "token_class")
TOLD = ("source", "rate_pico", "price_status", "source_url", "note")
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
WEEK = timedelta(seconds=WEEK_SECONDS)


def differences(sources: pl.DataFrame, first_day: date, last_day: date) -> pl.DataFrame:
    """PRICE_DIFFERENCES between the `sources` (PRICE_BOOK rows; a source is the first word of `source`).

    One row for each source that states a rate, wherever two or more of them do and not all are equal; a null rate
    states none. Only what holds for calls of `first_day` to `last_day` (both inclusive, UTC): spans are cut to them,
    and a window of the week that none of their days has is left out. Of a class's rows of one source the highest
    context's holds; but for contexts the rows of a source do not overlap. difference_id counts from 1, by ref, class,
    time, context and window.
    """
    start, end = pl.lit(first_day).cast(INSTANT), pl.lit(last_day + timedelta(days=1)).cast(INSTANT)
    within = sources.with_columns(
        pl.max_horizontal("valid_from", start).alias("valid_from"),  # a null is no bound: the other one is
        pl.min_horizontal("valid_to", end).alias("valid_to"),
        pl.col("source").str.extract(r"^(\S+)"),
    ).filter(pl.col("valid_from") < pl.col("valid_to"))
    by_class: dict[tuple, list[dict]] = defaultdict(list)
    for row in within.iter_rows(named=True):
        by_class[tuple(row[name] for name in KEYS)].append(row)
    rows: list[dict] = []
    number = 0
    for values in sorted(by_class, key=lambda values: [(value is not None, value) for value in values]):
        for bounds, told in cells(by_class[values], _disagreement):
            cell = dict(bounds)
            if _occurs(cell):
                number += 1
                cell |= dict(zip(KEYS, values, strict=True)) | {"difference_id": number}
                rows += [cell | dict(zip(TOLD, each, strict=True)) for each in told]
    return pl.DataFrame(rows, schema=PRICE_DIFFERENCES, orient="row")


def _disagreement(rows: list[dict]) -> tuple | None:
    """What each source states where exactly `rows` cover; None where no two of them differ."""
    by_source = {row["source"]: row for row in sorted(rows, key=lambda row: row["context_above"])}
    told = [tuple(row[name] for name in TOLD) for _, row in sorted(by_source.items()) if row["rate_pico"] is not None]
    return tuple(told) if len({row[TOLD.index("rate_pico")] for row in told}) > 1 else None


def _occurs(cell: dict) -> bool:
    """Whether the cell's window of the week comes within its span of time, which may be shorter than a week."""
    begin = (cell["valid_from"] - MONDAY) % WEEK
    end = begin + (cell["valid_to"] - cell["valid_from"])
    opens, closes = (timedelta(seconds=cell[name]) for name in ("week_second_from", "week_second_to"))
    return end - begin >= WEEK or any(begin < closes + later and opens + later < end for later in (0 * WEEK, WEEK))

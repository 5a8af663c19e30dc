"""Lines that could not be read, as those that follow them see it: what one said may change what the next ones mean."""

import polars as pl

from transforms.schemas import LINE_KEYS

UNREAD = "$unread"  # a column of LINES that is there where some line is: how many of its log before this one


def with_unread(lines: pl.DataFrame, rejects: pl.DataFrame) -> pl.DataFrame:
    """LINES of logs of which the reader quarantined `rejects`; each log's lines are in order."""
    if rejects.is_empty():
        return lines
    counts = rejects.select(*LINE_KEYS).unique().sort(*LINE_KEYS)
    counts = counts.with_columns(pl.int_range(1, pl.len() + 1).over("content_id").alias(UNREAD))
    found = lines.join_asof(counts, on="line_number", by="content_id", check_sortedness=False)
    return found.with_columns(pl.col(UNREAD).fill_null(0))  # before the first of them there is none


def and_unread(lines: pl.DataFrame, is_unread: pl.Expr) -> pl.DataFrame:
    """LINES in which some rows are found to say nothing that is understood."""
    if not lines.select(is_unread.any()).item():
        return lines
    return lines.with_columns((before(lines) + is_unread.cum_sum().over("content_id")).cast(pl.Int64).alias(UNREAD))


def before(lines: pl.DataFrame) -> pl.Expr:
    return pl.col(UNREAD) if UNREAD in lines.columns else pl.lit(0, pl.Int64)

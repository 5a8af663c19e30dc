"""Trees of spans, as tracers export them: a model's call may be told by several spans, one inside another.

A wrapper's span repeats or sums up what the spans within it tell. It counts only where none of these tells usage, for
example because the inner one was a stream without it.
"""

import polars as pl

_DEEPEST = 100  # generations that are looked at; no trace is deeper


def is_wrapper(lines: pl.DataFrame, ids: str, parents: str, is_call: pl.Expr, has_usage: pl.Expr) -> pl.Expr:
    """Whether a call's span has another call's within, however deep, that says as much: usage, or neither does."""
    tree = lines.select(ids=ids, parents=parents, is_call=is_call, has_usage=is_call & has_usage)
    around_calls, around_usage = (pl.col(ids).is_in(_around(tree, chosen)) for chosen in ("is_call", "has_usage"))
    return (around_usage | (around_calls & ~has_usage)).fill_null(False)


def took(start: str, end: str) -> pl.Expr:
    """Seconds from one instant to the other; null where the clock went back."""
    seconds = (pl.col(end) - pl.col(start)).dt.total_seconds(fractional=True).round(6)
    return pl.when(seconds >= 0).then(seconds)


def _around(tree: pl.DataFrame, chosen: str) -> pl.Series:
    """The ids of all spans that a chosen one lies in."""
    # what is its own parent lies in nothing
    tree = tree.filter(pl.col("ids").ne_missing(pl.col("parents")) & pl.col("parents").is_not_null())
    edges = tree.select("ids", "parents").drop_nulls()
    next_ones = tree.filter(chosen)["parents"].unique()
    found = next_ones
    for _ in range(_DEEPEST):
        if next_ones.is_empty() or edges.is_empty():
            break
        above = edges.filter(pl.col("ids").is_in(next_ones.implode()))["parents"].unique()
        next_ones = above.filter(~above.is_in(found.implode()))
        found = pl.concat([found, next_ones])
    return found.implode()

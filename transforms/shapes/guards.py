"""What is found wrong with the counts of a call. It is kept with the call, counted and shown; the counts stay as the
log tells them, but for an input that is proven to leave cached tokens out, to which these are added.
"""

import polars as pl

from transforms.schemas import QUANTITIES

CACHE_OUTSIDE = "cached tokens exceed the input: counted on top of it"
PARTS_EXCEED = "cached tokens exceed the input"
REASONING_EXCEEDS = "reasoning tokens exceed the output"
TOTAL_DIFFERS = "input and output are not the total that the log tells"
AMBIGUOUS = "the log does not tell whether the input includes cached tokens"
AMBIGUOUS_OUTPUT = "the log does not tell whether the output includes reasoning tokens"
NO_LIFETIME = "cache writes of unknown lifetime"
SPLIT_EXCEEDS = "cache writes by lifetime exceed all cache writes"


def with_cache_outside(
    counted: pl.Expr, read: pl.Expr, *written: pl.Expr, output: pl.Expr | None = None, total: pl.Expr | None = None
) -> tuple[pl.Expr, pl.Expr]:
    """(all input, whether it had to be mended) of a log that counts cached tokens as a part of the input, except where
    they exceed it, which proves that here they are not: all of them, or the writes alone where the total says so."""
    parts, writes = pl.sum_horizontal(read, *written), pl.sum_horizontal(pl.lit(0), *written)
    outside = (parts > counted).fill_null(False)
    if total is not None and output is not None:
        fits = (writes > 0) & (parts - writes <= counted)
        parts = pl.when(fits & (total == counted + writes + output)).then(writes).otherwise(parts)
    return pl.when(outside).then(counted + parts).otherwise(counted), outside


def without_lifetime(written: pl.Expr, split: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """(the cache writes that their split by lifetime leaves over, whether it exceeds them: then all of it stands)."""
    return pl.coalesce(written - split, written).clip(0), (split > written).fill_null(False)


def guarded(calls: pl.DataFrame, read: pl.DataFrame, guards: dict[str, pl.Expr], total: pl.Expr | None) -> pl.DataFrame:
    """`calls` with what the guards find: the shape's own, and those that hold of every call."""
    cached = pl.sum_horizontal("cache_read_tokens", *(name for name in QUANTITIES if name.startswith("cache_write")))
    found = {
        PARTS_EXCEED: cached > pl.col("input_tokens"),
        REASONING_EXCEEDS: pl.col("reasoning_tokens") > pl.col("output_tokens"),
    }
    if total is not None:
        calls = calls.with_columns(read.select(total.alias("$total")))
        found[TOTAL_DIFFERS] = pl.col("$total") != pl.col("input_tokens") + pl.col("output_tokens")
    told = {what: read.select(holds.alias(what)).to_series() for what, holds in guards.items()}
    told |= calls.select(**found).to_dict()
    told = {what: holds for what, holds in told.items() if holds.any()}
    if told:
        texts = [pl.when(holds).then(pl.lit(what)) for what, holds in told.items()]
        joined = pl.concat_str(texts, separator="; ", ignore_nulls=True)
        is_call = pl.col("verdict").is_null() & pl.col("status").ne_missing("cache_hit")
        calls = calls.with_columns(guard=pl.when(is_call & (joined != "")).then(joined))
    return calls.drop("$total", strict=False)

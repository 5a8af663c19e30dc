"""Cost that calls have beside their tokens and fees: a bill may hold it, what is compared with the bill does not."""

from collections.abc import Mapping
from datetime import date

import polars as pl

# one row for each provider and kind
APART = {
    "provider": pl.String,  # null: allocated to no call, so of no provider and no day
    "kind": pl.String,  # compute, time, volume_tier, commitment
    "cost_pico": pl.Int128,  # a discount is negative
}


def apart(costs: pl.DataFrame, periods: Mapping[str, tuple[date, date]]) -> pl.DataFrame:
    """APART of `costs` (is_allocated, provider, day, kind, cost_pico): that of the days that each provider's bill tells
    of, and what is allocated to no call."""
    days = [(provider, *period) for provider, period in periods.items()]
    bounds = pl.DataFrame(days, schema={"provider": pl.String, "start": pl.Date, "after": pl.Date}, orient="row")
    compared = costs.join(bounds, on="provider", how="left").filter(
        ~pl.col("is_allocated") | pl.col("day").is_between("start", "after", closed="left")
    )
    sums = compared.group_by("provider", "kind").agg(pl.col("cost_pico").cast(pl.Int128).sum())
    told = sums.filter(pl.col("cost_pico") != 0).select(pl.col(name).cast(dtype) for name, dtype in APART.items())
    return told.sort("provider", "kind", nulls_last=True)

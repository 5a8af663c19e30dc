"""Sums over RECONCILIATION: totals, by one dimension, and by cause."""

import re
from fractions import Fraction
from typing import Any

import polars as pl

from transforms.reconciliation.causes import (
    CLASS_NOT_BILLED,
    CLASS_NOT_LOGGED,
    DAY_NOT_BILLED,
    DAY_NOT_LOGGED,
    MODEL_NOT_BILLED,
    MODEL_NOT_LOGGED,
    PRICE,
    QUANTITY,
    UNPRICED,
)

PARTS = ("missing_pico", "unpriced_pico", "price_pico", "quantity_pico")
MONEY = ("computed_pico", "billed_pico", "gap_pico", "explained_pico", "residual_pico")
DIMENSIONS = {"day": ("day",), "model": ("provider", "model"), "token_class": ("token_class",)}
# what names a part of the gap, beside its cause and provider
NAMED_BY = {
    DAY_NOT_LOGGED: ("day",), DAY_NOT_BILLED: ("day",),
    MODEL_NOT_LOGGED: ("model",), MODEL_NOT_BILLED: ("model",),
    CLASS_NOT_LOGGED: ("model", "token_class"), CLASS_NOT_BILLED: ("model", "token_class"),
    UNPRICED: ("model",), PRICE: ("model", "price_change_share"), QUANTITY: ("model",),
}  # fmt: skip
AMOUNTS = {UNPRICED: "unpriced_pico", PRICE: "price_pico", QUANTITY: "quantity_pico"}
EXPLAINED = {
    "cause": pl.String, "provider": pl.String, "day": pl.Date, "model": pl.String, "token_class": pl.String,
    "price_change_share": pl.Float64, "amount_pico": pl.Int128,
}  # fmt: skip


def totals(rows: pl.DataFrame) -> dict[str, Any]:
    """MONEY of all rows, gap_share and residual_share of what was billed (null: nothing was), and `deviation_pico`, the
    sum of the absolute amounts that each cause, the residual too, comes to at each provider."""
    found = _with_shares(_with_explained(rows).select(_sums())).row(0, named=True)
    return found | {"deviation_pico": None if found["gap_pico"] is None else _deviation(rows)}


def tolerance_of(text: str | None) -> Fraction | None:
    """The share that "1%" is. Raises ValueError."""
    if text is None:
        return None
    if not re.fullmatch(r"(\d{1,6}\.?\d{0,9}|\.\d{1,9})%", text.strip(), re.ASCII):
        raise ValueError("not a percentage; write one such as 1% or 0.5%")
    return Fraction(text.strip().removesuffix("%")) / 100


def is_within(totals: dict[str, Any], tolerance: Fraction) -> bool:
    """Whether the deviation is no more than `tolerance` of what was billed. Not the gap, in which a day that is billed
    twice makes up for one that is not billed: only within one cause of one provider do amounts net, as calls do that
    are billed a day later. Not the residual: a gap that is explained is money all the same."""
    return totals["deviation_pico"] <= tolerance * abs(totals["billed_pico"])


def grouped(rows: pl.DataFrame, by: str) -> pl.DataFrame:
    """MONEY and gap_share by "day", "model" (within its provider) or "token_class", in that order."""
    names = DIMENSIONS[by]
    sums = _with_explained(rows).group_by(names).agg(_sums())
    return _with_shares(sums).sort(names, nulls_last=True)


def explained(rows: pl.DataFrame) -> pl.DataFrame:
    """EXPLAINED: one row for each cause and what it is of, the largest amount of a cause first. The amounts add up to
    the gap without the residual. `price_change_share` is of whole percents."""
    parts = []
    for cause, names in NAMED_BY.items():
        amount = AMOUNTS.get(cause, "missing_pico")
        is_its = pl.col("cause") == cause if amount == "missing_pico" else pl.lit(True)
        found = rows.filter(is_its & (pl.col(amount) != 0)).with_columns(pl.col("price_change_share").round(2))
        sums = found.group_by("provider", *names).agg(pl.col(amount).sum().alias("amount_pico"))
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in EXPLAINED.items() if name not in sums.columns]
        sums = sums.with_columns(missing).with_columns(pl.lit(cause).alias("cause")).select(*EXPLAINED)
        parts.append(sums.sort(pl.col("amount_pico").abs(), *list(EXPLAINED)[1:-1], descending=[True] + [False] * 5))
    return pl.concat(parts)


def _deviation(rows: pl.DataFrame) -> int:
    nets = explained(rows).group_by("provider", "cause").agg(pl.col("amount_pico").sum())["amount_pico"]
    residuals = rows.group_by("provider").agg(pl.col("residual_pico").sum())["residual_pico"]
    return sum(map(abs, (*nets, *residuals)))


def _with_explained(rows: pl.DataFrame) -> pl.DataFrame:
    """Without the rows of which the bill tells quantities only: there is no gap in money."""
    compared = rows.filter(pl.col("gap_pico").is_not_null())
    return compared.with_columns(pl.sum_horizontal(*PARTS).cast(pl.Int128).alias("explained_pico"))


def _sums() -> list[pl.Expr]:
    """Null where no row tells the amount. By count: polars 2.1 holds that an empty column has some that is_not_null."""
    return [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in MONEY]


def _with_shares(sums: pl.DataFrame) -> pl.DataFrame:
    billed = pl.when(pl.col("billed_pico") != 0).then(pl.col("billed_pico").cast(pl.Float64))
    return sums.with_columns(
        (pl.col(f"{part}_pico").cast(pl.Float64) / billed).alias(f"{part}_share") for part in ("gap", "residual")
    )

"""Outcomes: what an action led to, told in a file of its own or by the call's own line."""

from typing import Any

import polars as pl

from transforms import schemas
from transforms.shapes.fields import BOOLEAN, USD, text, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape

_SUBJECTS = ("action_id", "response_id", "call_id", "subject_id")
_KINDS = {"is_success": BOOLEAN, "success": BOOLEAN, "value_usd": USD, "occurred_at": INSTANT_KINDS["any"],
          "time": INSTANT_KINDS["any"]}  # fmt: skip


def matches(record: dict[str, Any]) -> bool:
    return "outcome" in record and any(name in record for name in _SUBJECTS)


def tellings(lines: pl.DataFrame) -> pl.DataFrame:
    """LINES of an outcomes file -> OUTCOMES with `verdict`: an action, response or call id; the outcome's name; success
    or not (null: not yet known); its value in USD; when."""
    read = typed(lines, _KINDS)
    subject = text(*_SUBJECTS)
    missing = pl.when(subject.is_null()).then(pl.lit("no action_id, response_id or call_id"))
    unnamed = pl.when(text("outcome").is_null()).then(pl.lit("no outcome"))
    return read.select(
        *schemas.LINE_KEYS,
        subject.alias("subject_id"),
        text("outcome").alias("outcome"),
        pl.coalesce("is_success", "success").alias("is_success"),
        pl.col("value_usd").alias("value_pico"),
        pl.coalesce("occurred_at", "time").alias("occurred_at"),
        pl.coalesce("fault", missing, unnamed).alias("verdict"),
    )


SHAPE = Shape("outcomes", (*_SUBJECTS, "outcome", *_KINDS), matches, tellings)


def told_inline(calls: pl.DataFrame) -> pl.DataFrame:
    """OUTCOMES that calls' own lines tell; the subject is the call's action. `calls` has CALLS' outcome columns and the
    action of the ledger."""
    if all(calls[name].null_count() == calls.height for name in ("outcome", "is_success")):
        return schemas.empty(schemas.OUTCOMES)
    told = calls.filter(pl.col("outcome").is_not_null() | pl.col("is_success").is_not_null())
    return schemas.conform(
        told.with_columns(
            subject_id=pl.col("action_id"),
            outcome=pl.col("outcome").fill_null("outcome"),
            occurred_at=pl.col("called_at"),
        ),
        schemas.OUTCOMES,
    )

"""Anthropic's message batch results: `{"custom_id": ..., "result": {"type": ..., "message": {...}}}`.

A result is succeeded, errored, canceled or expired; only the first is billed, at the batch's price, so the others are
refused calls. The message is a response of anthropic_messages, its counts are explained in anthropic_usage. A line
tells no time, and what failed no model.

Identity: the message's id, the failed request's (`request_id`), else the `custom_id`. The custom id is the
application's own name of the piece of work, told apart within one batch only; it is what a result is joined to its
request by, and so the action. Source: Anthropic API reference (batch results), types of its Python SDK 2.12.
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_MESSAGE = "result.message"
_USAGE = f"{_MESSAGE}.usage"
_FIELDS = (
    "custom_id",
    "result.type",
    "result.error.request_id",
    f"{_MESSAGE}.id",
    f"{_MESSAGE}.model",
    *anthropic_usage.fields(_USAGE),
)
_STATUS = {"succeeded": "success", "errored": "refused", "canceled": "refused", "expired": "refused"}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = anthropic_usage.opened(lines, _USAGE, f"{_MESSAGE}.model")
    own_id = text(f"{_MESSAGE}.id", "result.error.request_id", "custom_id")
    status = pl.col("result.type").replace_strict(_STATUS, default=None, return_dtype=pl.String)
    columns = {
        **anthropic_usage.columns(_USAGE),
        "part": pl.col("part"),
        "provider": pl.lit("anthropic"),
        "model": text(f"{_MESSAGE}.model"),
        "response_id": anthropic_usage.part_id(own_id, f"{_MESSAGE}.model"),
        "status": status,
        "is_batch": pl.lit(True),
        "action_id": text("custom_id"),
    }
    reasons = {"result.type is not succeeded, errored, canceled or expired": status.is_null()}
    return to_calls(
        typed(lines, anthropic_usage.kinds(_USAGE)),
        "anthropic_batch",
        columns,
        reasons=reasons,
        guards=anthropic_usage.guards(_USAGE),
    )


ANTHROPIC_BATCH = Shape("anthropic_batch", _FIELDS, matcher("anthropic_batch"), calls)

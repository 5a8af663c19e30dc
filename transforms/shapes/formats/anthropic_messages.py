"""Anthropic Messages: a response body, bare or with its request. The counts are explained in anthropic_usage.

The body has no time: called_at is the envelope's, or unknown. A request tells the user (`metadata.user_id`) and nothing
else about whom it was for; the envelope's `metadata` may tell more. An error body is a call without an
answer: exchange.status says which of them were refused.
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage, exchange
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_BODY = ("id", "type", "model", *anthropic_usage.fields("usage"))
_KINDS = {"time": INSTANT_KINDS["any"], **exchange.KINDS, **anthropic_usage.kinds("usage")}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = anthropic_usage.opened(exchange.unwrapped(lines, _BODY), "usage", "model")
    answered = (pl.col("type") == "message").fill_null(False)
    refused = (pl.col("type") == "error").fill_null(False) | text("error", "response.error").is_not_null()
    columns = {
        **exchange.columns(),
        **anthropic_usage.columns("usage"),
        "part": pl.col("part"),
        "provider": pl.lit("anthropic"),
        "model": text("model"),
        "response_id": anthropic_usage.part_id(text("id"), "model"),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
    }
    reasons = {"not a message": ~answered & ~refused & text("request.model").is_null()}
    guards = anthropic_usage.guards("usage")
    return to_calls(typed(lines, _KINDS), "anthropic_messages", columns, reasons=reasons, guards=guards)


ANTHROPIC_MESSAGES = Shape(
    "anthropic_messages", (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS), matcher("anthropic_messages"), calls
)

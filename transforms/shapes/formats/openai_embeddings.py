"""OpenAI embeddings: a response body, bare or with its request.

The body has neither an id nor a time: called_at is the envelope's, or unknown, and a call is known by its line alone.
vLLM and a few more write both; where they are told, they are taken. Embeddings have no output: where usage counts none,
it is what the total leaves, which is nothing. The vectors are not read. The provider is what the model's name tells
(hosts). Source: OpenAI API reference (list of embeddings).
"""

import polars as pl

from transforms.shapes.dialects import exchange, hosts
from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = ("usage.prompt_tokens", "usage.completion_tokens", "usage.total_tokens")
_BODY = ("id", "object", "created", "model", *_COUNTS)
_KINDS = {"time": INSTANT_KINDS["any"], **exchange.KINDS, **dict.fromkeys(_COUNTS, COUNT)}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = exchange.unwrapped(lines, _BODY).with_columns(time=pl.coalesce("time", "created"))
    answered = pl.col("object").is_not_null() | pl.col("usage.prompt_tokens").is_not_null()
    refused = text("error", "response.error").is_not_null()
    rest = (pl.col("usage.total_tokens") - pl.col("usage.prompt_tokens")).clip(0)
    columns = exchange.columns() | {
        "provider": hosts.by_model(lines.select(text("model", "request.model")).to_series()),
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
        "input_tokens": pl.col("usage.prompt_tokens"),
        "output_tokens": pl.coalesce("usage.completion_tokens", rest),
    }
    reasons = {
        "object is no list": pl.col("object") != "list",
        "not a list of embeddings": ~answered & ~refused & text("request.model").is_null(),
    }
    total = pl.col("usage.total_tokens")
    return to_calls(typed(lines, _KINDS), "openai_embeddings", columns, reasons=reasons, total=total)


OPENAI_EMBEDDINGS = Shape(
    "openai_embeddings",
    (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS),
    matcher("openai_embeddings"),
    calls,
)

"""Ollama's own API: what /api/chat, /api/generate and /api/embed answer, bare or with their request.

`prompt_eval_count` is the input, less what was still in the model's memory from the call before: it may be small, or
absent, which is unknown. `eval_count` includes thinking; embeddings have none. Durations are nanoseconds; `created_at`
is when the answer, or this piece of it, was written. There is no id. Of a stream only the last piece counts, and it
counts the whole: those before it tell of no call. Source: Ollama API documentation.

/api/generate writes its answer's text where an exchange has an object: `response` is read whole, and looked into here.
"""

import polars as pl

from transforms.shapes.dialects import exchange
from transforms.shapes.fields import COUNT, NANOSECONDS, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = ("prompt_eval_count", "eval_count")
_BODY = ("model", "created_at", "done", "total_duration", *_COUNTS)
_INSIDE = ("error", *_BODY)
_FIELDS = tuple(dict.fromkeys((*_BODY, "response", *(path for path in exchange.FIELDS if path != "response.error"))))
_KINDS = {
    "time": INSTANT_KINDS["any"],
    "total_duration": NANOSECONDS,
    **exchange.KINDS,
    **dict.fromkeys(_COUNTS, COUNT),
}


def _opened(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with what an exchange's response holds; a text that the model wrote, JSON too, is none."""
    is_bare = text("model", *_COUNTS, "total_duration").is_not_null()
    inside = pl.when(~is_bare & pl.col("response").str.starts_with("{")).then("response")
    return lines.with_columns(inside.str.json_path_match(f"$.{name}").alias(f"response.{name}") for name in _INSIDE)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = exchange.unwrapped(_opened(lines), _BODY).with_columns(time=pl.coalesce("time", "created_at"))
    answered = pl.any_horizontal(pl.col(name).is_not_null() for name in ("total_duration", *_COUNTS))
    refused = text("error", "response.error").is_not_null()
    told = exchange.columns()
    columns = told | {
        "provider": pl.lit("ollama"),
        "model": text("model"),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
        "latency_seconds": pl.coalesce(told["latency_seconds"], "total_duration"),
        "input_tokens": pl.col("prompt_eval_count"),
        "output_tokens": pl.col("eval_count"),
    }
    is_piece = pl.col("done").eq_missing(pl.lit("false")) & ~answered
    reasons = {"not an answer of Ollama": ~answered & ~refused & text("request.model").is_null()}
    return to_calls(typed(lines, _KINDS), "ollama", columns, other=is_piece, reasons=reasons)


OLLAMA = Shape("ollama", _FIELDS, matcher("ollama"), calls)

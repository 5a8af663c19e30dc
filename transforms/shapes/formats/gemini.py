"""Gemini generateContent: a response body or a stream's chunk, bare or with its request.

The Gemini API's or Vertex AI's. REST writes camelCase, the Python SDK's `model_dump` snake_case; both are read. The
counts are explained in gemini_usage. Every chunk of a stream repeats the counts so far, under the same `responseId`:
each is a telling of the one call, and settlement keeps the largest; they must never be summed. Chunks of the Live API
and of versions that wrote no id cannot be told to be one call. `modelVersion` is what was served. `createTime` is
Vertex's; the Gemini API gives no time, so an envelope's goes first. Whom a call was for is in the request alone:
Vertex's `labels`.

Google answers a refusal with its HTTP code in the body (`error.code`); a stream that breaks off may end with a 5xx one,
so only 4xx codes count as the response's own. Source: Gemini API reference, python-genai types.
"""

import re

import polars as pl

from transforms.shapes.dialects import exchange, gemini_usage, labels
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.guards import CACHE_OUTSIDE
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher


def _snake(path: str) -> str:
    return re.sub("([A-Z])", lambda letter: "_" + letter[0].lower(), path)


_SNAKE = {path: _snake(path) for path in gemini_usage.BODY if _snake(path) != path}
_BODY = (*gemini_usage.BODY, *_SNAKE.values())
_LABELS = ("request.labels.", "request.config.labels.")
_KINDS = {"time": INSTANT_KINDS["any"], **exchange.KINDS, **gemini_usage.KINDS}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = exchange.unwrapped(lines, _BODY)
    lines = lines.with_columns(pl.coalesce(camel, snake).alias(camel) for camel, snake in _SNAKE.items())
    error = text("response.error", "error")
    lines = gemini_usage.opened(lines).with_columns(
        time=pl.coalesce("time", "createTime"),
        status_code=pl.coalesce("status_code", error.str.extract(r'"code"\s*:\s*(4\d\d)\b')),
    )
    told = exchange.columns()
    named = labels.columns(*_LABELS)
    columns = {
        **told,
        **gemini_usage.columns(),
        **{name: pl.coalesce(told[name], label) for name, label in named.items()},
        "provider": pl.lit("google"),
        "model_requested": text("request.model").str.extract(r"([^/]+)/*$"),
        "response_id": text("responseId"),
        "called_at": pl.col("time"),
        "status": exchange.status(gemini_usage.answered()),
    }
    nothing = ~gemini_usage.answered() & text("error", "response.error", "request.model").is_null()
    return to_calls(
        typed(lines, _KINDS),
        "gemini",
        columns,
        reasons={"not a Gemini response": nothing},
        guards={CACHE_OUTSIDE: gemini_usage.is_cache_outside()},
        total=gemini_usage.total(),
    )


_FIELDS = (
    *_BODY,
    *exchange.in_response(_BODY),
    *exchange.FIELDS,
    *(path for at in _LABELS for path in labels.fields(at)),
)
GEMINI = Shape("gemini", _FIELDS, matcher("gemini"), calls)

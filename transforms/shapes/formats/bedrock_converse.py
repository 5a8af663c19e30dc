"""Bedrock Converse: a response as the SDKs give it, bare or with its request. The counts are explained in bedrock.

The response names neither its model nor, beyond the HTTP headers, its time: the model is the request's `modelId`, the
time an envelope's, else the header's. Identity is the request id of the HTTP response, which the invocation log has
too; SDKs put it under `ResponseMetadata` or `$metadata`. A response of an OpenAI model does not tell whether it was
streamed, on which hangs what its input includes: its counts are taken as exclusive, and the call is flagged.
`totalTokens` sums all, in older responses all but cached tokens. What boto3 keeps of a refusal has the HTTP status too.
Source: Amazon Bedrock API reference (Converse), boto3.
"""

import polars as pl

from transforms.shapes.dialects import bedrock, exchange, labels
from transforms.shapes.dialects.flat_lists import counted
from transforms.shapes.fields import COUNT, MILLISECONDS, Kind, text, to_calls, typed
from transforms.shapes.guards import AMBIGUOUS
from transforms.shapes.instants import INSTANT_KINDS, strptime_kind
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = (
    "usage.inputTokens",
    "usage.outputTokens",
    "usage.totalTokens",
    "usage.cacheReadInputTokens",
    "usage.cacheReadInputTokenCount",
    "usage.cacheWriteInputTokens",
    "usage.cacheWriteInputTokenCount",
)
_DETAILS = "usage.cacheDetails"
_LIVES = {f"{_DETAILS}.{life}": life for life in ("5m", "1h")}
_IDS = ("ResponseMetadata.RequestId", '"$metadata".requestId')
_CODES = ("ResponseMetadata.HTTPStatusCode", '"$metadata".httpStatusCode')
_DATE = "ResponseMetadata.HTTPHeaders.date"
_BODY = (*_COUNTS, _DETAILS, "stopReason", "metrics.latencyMs", *bedrock.TIERS, *_IDS, *_CODES, _DATE)
_LABELS = "request.requestMetadata."
_KINDS = {
    **dict.fromkeys((*_COUNTS, *_LIVES), COUNT),
    **exchange.KINDS,
    "time": INSTANT_KINDS["any"],
    _DATE: Kind("an instant", strptime_kind("%a, %d %b %Y %H:%M:%S GMT").read, lenient=True),
    "metrics.latencyMs": MILLISECONDS,
}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = exchange.unwrapped(lines, _BODY).with_columns(
        *(counted(_DETAILS, life, "inputTokens").alias(path) for path, life in _LIVES.items()),
        status_code=pl.coalesce("status_code", *_CODES),
    )
    model_id = text("request.modelId", "modelId")
    read = pl.coalesce("usage.cacheReadInputTokens", "usage.cacheReadInputTokenCount")
    written = pl.coalesce("usage.cacheWriteInputTokens", "usage.cacheWriteInputTokenCount")
    columns = exchange.columns()
    named = labels.columns(_LABELS)
    answered = text("stopReason").is_not_null() | pl.col("usage.inputTokens").is_not_null()
    columns |= {
        **bedrock.input_columns(pl.col("usage.inputTokens"), read, written, *map(pl.col, _LIVES)),
        **{name: pl.coalesce(columns[name], label) for name, label in named.items()},
        "provider": pl.lit("aws"),
        "model": bedrock.model(model_id),
        "model_requested": model_id,
        "response_id": text(*_IDS),
        "called_at": pl.coalesce("time", _DATE),
        "status": exchange.status(answered),
        "service_tier": bedrock.tier(*map(text, bedrock.TIERS)),
        "latency_seconds": pl.coalesce(columns["latency_seconds"], "metrics.latencyMs"),
        "output_tokens": pl.col("usage.outputTokens"),
    }
    cached = pl.sum_horizontal(read, written)
    counted_twice = bedrock.is_openai(model_id) & (cached > 0) & (pl.col("usage.inputTokens") >= cached)
    guards = {AMBIGUOUS: counted_twice, **bedrock.guards(written, *map(pl.col, _LIVES))}
    nothing = ~answered & model_id.is_null() & text("error", "response.error").is_null()
    return to_calls(
        typed(lines, _KINDS),
        "bedrock_converse",
        columns,
        reasons={"not a Converse response": nothing},
        guards=guards,
        total=_total(),
    )


def _total() -> pl.Expr:
    """The total that is told, where it sums all."""
    uncached = pl.col("usage.inputTokens") + pl.col("usage.outputTokens")
    return pl.when(pl.col("usage.totalTokens") != uncached).then(pl.col("usage.totalTokens"))


_OWN = ("request.modelId", "modelId", *labels.fields(_LABELS))
BEDROCK_CONVERSE = Shape(
    "bedrock_converse",
    (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS, *_OWN),
    matcher("bedrock_converse"),
    calls,
)

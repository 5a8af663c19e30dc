"""Bedrock's model invocation log, as S3 and CloudWatch hold it. The counts are explained in bedrock.

Identity is `requestId`, one for each attempt: a retry is a call of its own, the same call in S3 and CloudWatch is one.
Time is in whole seconds. The counts at `input` and `output` are taken; the response body, where it was logged, adds
what they do not tell: the lifetime of cache writes, latency, tier, and counts that are missing. It is an object
(Converse, InvokeModel) or the list of a stream's events (InvokeModelWithResponseStream), read by pattern: there every
text of the model is inside a JSON text, where quotes are escaped.

An OpenAI model on a streaming operation counts cached tokens as input, unless they exceed it; that this log does so too
is likely, not certain, so the call is flagged. `errorCode` without any output is a refusal, but for time-outs and
streams that broke off. The region is where the model ran (`inferenceRegion`), else where it was called. The user is
whom the metadata names, else the person in `identity.arn`; the role of a service is none.
Source: Amazon Bedrock user guide (model invocation logging) and API reference.
"""

import polars as pl

from transforms.shapes.dialects import bedrock, labels
from transforms.shapes.dialects.flat_lists import counted, number
from transforms.shapes.fields import COUNT, MILLISECONDS, text, to_calls, typed
from transforms.shapes.guards import AMBIGUOUS
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_BODY = "output.outputBodyJson"
_USAGE = f"{_BODY}>usage"
_LATENCY = f"{_BODY}>metrics.latencyMs"
_TIERS = tuple(f"{_BODY}>{path}" for path in bedrock.TIERS)
_MODEL = f"{_BODY}>model"
_LABELS = "requestMetadata."
# count: (where the log has it, what Converse calls it in the body, what Anthropic and what a stream's last event do)
_COUNTS = {
    "input": ("input.inputTokenCount", "inputTokens|input_tokens|inputTokenCount"),
    "read": (
        "input.cacheReadInputTokenCount",
        "cacheReadInputTokens|cache_read_input_tokens|cacheReadInputTokenCount",
    ),
    "written": (
        "input.cacheWriteInputTokenCount",
        "cacheWriteInputTokens|cache_creation_input_tokens|cacheWriteInputTokenCount",
    ),
    "output": ("output.outputTokenCount", "outputTokens|output_tokens|outputTokenCount"),
}
_FIELDS = (
    "timestamp",
    "requestId",
    "operation",
    "modelId",
    "region",
    "inferenceRegion",
    "errorCode",
    "identity.arn",
    *(path for path, _ in _COUNTS.values()),
    _BODY,
    _USAGE,
    _LATENCY,
    *_TIERS,
    _MODEL,
    *labels.fields(_LABELS),
)
_PARTS = ("short", "long", "total")
_KINDS = {
    "timestamp": INSTANT_KINDS["any"],
    **dict.fromkeys((*(path for path, _ in _COUNTS.values()), *_PARTS), COUNT),
    "latency": MILLISECONDS,
}
_MAY_BE_BILLED = ("ModelTimeoutException", "ModelStreamErrorException")  # 408, and 424 in the middle of an answer
_PERSON = r":user/(?:.*/)?([^/]+)$|:assumed-role/AWSReservedSSO_[^/]+/(.+)$"


def _opened(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with what the bodies add, as text."""
    events = pl.when(pl.col(_BODY).str.starts_with("[")).then(pl.col(_BODY))
    lines = lines.with_columns(events=events)
    lines = lines.with_columns(
        short=pl.coalesce(counted(_USAGE, "5m", "inputTokens"), _number(_USAGE, "ephemeral_5m_input_tokens")),
        long=pl.coalesce(counted(_USAGE, "1h", "inputTokens"), _number(_USAGE, "ephemeral_1h_input_tokens")),
        total=_number(_USAGE, "totalTokens"),
        latency=pl.col(_LATENCY),
        served=pl.col(_MODEL),
    )
    missing = [path for path, _ in _COUNTS.values() if lines[path].null_count()]
    if missing and lines[_USAGE].null_count() < lines.height:
        flat = pl.col(_USAGE).str.replace_all(r"\[[^\[\]]*\]", "")  # lists repeat names: cacheDetails, iterations
        told = {path: number(flat, f"(?:{names})") for path, names in _COUNTS.values() if path in missing}
        lines = lines.with_columns(pl.coalesce(path, count).alias(path) for path, count in told.items())
    return lines if lines["events"].null_count() == lines.height else _with_events(lines)


def _with_events(lines: pl.DataFrame) -> pl.DataFrame:
    """A stream's events: usage at the message's start, metrics of all of it in the last one."""
    last = pl.col("events").str.extract(r'"amazon-bedrock-invocationMetrics"\s*:\s*(\{[^{}]*\})')
    lines = lines.with_columns(last=last)
    counts = {path: [number(pl.col("last"), f"(?:{names})")] for path, names in _COUNTS.values()}
    for name in ("read", "written"):  # metrics that leave them out
        path, names = _COUNTS[name]
        counts[path].append(_number("events", f"(?:{names})"))
    return lines.with_columns(
        *(pl.coalesce(path, *found).alias(path) for path, found in counts.items()),
        short=pl.coalesce("short", _number("events", "ephemeral_5m_input_tokens")),
        long=pl.coalesce("long", _number("events", "ephemeral_1h_input_tokens")),
        latency=pl.coalesce("latency", number(pl.col("last"), "invocationLatency")),
        served=pl.coalesce("served", pl.col("events").str.extract(r'"model"\s*:\s*"([^"]+)"')),
    )


def _number(column: str, key: str) -> pl.Expr:
    return number(pl.col(column), key)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = typed(_opened(lines), _KINDS)
    counted_in, read, written, output = (pl.col(path) for path, _ in _COUNTS.values())
    cached = pl.sum_horizontal(read, written)
    is_stream = text("operation").str.ends_with("Stream").fill_null(False)
    is_inclusive = bedrock.is_openai(pl.col("modelId")) & is_stream & (cached > 0) & (counted_in >= cached)
    uncached = pl.when(is_inclusive).then(counted_in - cached).otherwise(counted_in)
    named = labels.columns(_LABELS)
    person = pl.coalesce(pl.col("identity.arn").str.extract(_PERSON, group) for group in (1, 2))
    columns = named | bedrock.input_columns(uncached, read, written, pl.col("short"), pl.col("long"))
    columns |= {
        "provider": pl.lit("aws"),
        "model": pl.coalesce(bedrock.model(text("modelId")), text("served")),
        "model_requested": text("modelId"),
        "response_id": text("requestId"),
        "called_at": pl.col("timestamp"),
        "status": _status(output),
        "service_tier": bedrock.tier(*map(text, _TIERS)),
        "region": text("inferenceRegion", "region"),
        "latency_seconds": pl.col("latency"),
        "output_tokens": output,
        "user_id": pl.coalesce(named["user_id"], person),
    }
    guards = {AMBIGUOUS: is_inclusive, **bedrock.guards(written, pl.col("short"), pl.col("long"))}
    # the total of OpenAI's streams, and that of older responses, leaves cached tokens out or has them twice
    total = pl.when(~is_inclusive & (pl.col("total") != counted_in + output)).then(pl.col("total"))
    return to_calls(lines, "bedrock_invocation", columns, guards=guards, total=total)


def _status(output: pl.Expr) -> pl.Expr:
    code = text("errorCode")
    # Bedrock writes no count or a 0 beside an error that came before any output
    refused = code.is_not_null() & (output.fill_null(0) == 0) & ~code.is_in(_MAY_BE_BILLED).fill_null(False)
    failed = pl.when(code.is_not_null()).then(pl.lit("error")).otherwise(pl.lit("success"))
    return pl.when(refused).then(pl.lit("refused")).otherwise(failed)


BEDROCK_INVOCATION = Shape("bedrock_invocation", _FIELDS, matcher("bedrock_invocation"), calls)

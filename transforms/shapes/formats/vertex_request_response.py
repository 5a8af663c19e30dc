"""Vertex AI request-response logging: rows of its BigQuery table, or of what was extracted from it.

`full_response` is Gemini's generateContent response (see gemini_usage) or Claude's Message (see anthropic_usage); JSON
columns are objects or texts that hold JSON. Identity: the response's own id, which other sources of the call have too
and a table that was exported twice repeats; else `request_id`. `model` names the model that was asked for,
`full_response` the one that served. Time is `createTime`, when the request came in; Claude tells none, so it is
`logging_time`, which is after the answer. `metadata.request_latency` is in milliseconds. The region is the endpoint's.
Google sells both families under its own name, so the provider is google. The table may be a sample
(`samplingRate` of its configuration); no row says so. Source: Vertex AI documentation (request-response logs).
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage, gemini_usage, labels
from transforms.shapes.fields import CODE, MILLISECONDS, is_refusal, text, to_calls, typed
from transforms.shapes.guards import CACHE_OUTSIDE
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_RESPONSE = "full_response>"
_USAGE = f"{_RESPONSE}usage"  # Claude's
_CLAUDE_MODEL = f"{_RESPONSE}model"
_LABELS = "full_request>labels."
_LATENCY = "metadata>request_latency"
_CODE = f"{_RESPONSE}error.code"
# Read whole and unpacked here: each step into a JSON text parses all of it, prompts and answers too.
_UNPACKED = {
    _USAGE: anthropic_usage.fields(_USAGE),
    f"{_RESPONSE}usageMetadata": tuple(f"{_RESPONSE}{path}" for path in gemini_usage.BODY if "." in path),
    _LABELS.removesuffix("."): labels.fields(_LABELS),
}
_FIELDS = (
    "logging_time",
    "request_id",
    "model",
    "endpoint",
    "otel_log>traceId",
    _LATENCY,
    _CODE,
    f"{_RESPONSE}error",
    f"{_RESPONSE}id",
    f"{_RESPONSE}type",
    _CLAUDE_MODEL,
    *(f"{_RESPONSE}{path}" for path in gemini_usage.BODY if "." not in path),
    *_UNPACKED,
)
_KINDS = {
    "called_at": INSTANT_KINDS["any"],
    _LATENCY: MILLISECONDS,
    _CODE: CODE,
    **anthropic_usage.kinds(_USAGE),
    **gemini_usage.KINDS,
}


def _unpacked(lines: pl.DataFrame) -> pl.DataFrame:
    for column, paths in _UNPACKED.items():
        is_told = lines[column].null_count() < lines.height
        inner = {path: pl.col(column).str.json_path_match("$" + path.removeprefix(column)) for path in paths}
        lines = lines.with_columns(
            **{path: value if is_told else pl.lit(None, pl.String) for path, value in inner.items()}
        )
    return lines.with_columns(pl.col(f"{_RESPONSE}{path}").alias(path) for path in gemini_usage.BODY)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = anthropic_usage.opened(gemini_usage.opened(_unpacked(lines)), _USAGE, _CLAUDE_MODEL)
    lines = lines.with_columns(called_at=pl.coalesce(text("createTime"), "logging_time"))
    is_claude = (pl.col(f"{_RESPONSE}type") == "message").fill_null(False)
    of_gemini = gemini_usage.columns()
    of_claude = anthropic_usage.columns(_USAGE) | {"model": text(_CLAUDE_MODEL)}
    own_id = text("responseId", f"{_RESPONSE}id", "request_id")
    columns = {
        **{
            name: pl.when(is_claude).then(of_claude.get(name)).otherwise(of_gemini.get(name))
            for name in of_gemini | of_claude
        },
        **labels.columns(_LABELS),
        "part": pl.col("part"),
        "provider": pl.lit("google"),
        "model_requested": text("model").str.extract(r"([^/]+)/*$"),
        "response_id": anthropic_usage.part_id(own_id, _CLAUDE_MODEL),
        "called_at": pl.col("called_at"),
        "status": _status(is_claude | gemini_usage.answered()),
        "region": text("endpoint").str.extract(r"/locations/([^/]+)"),
        "latency_seconds": pl.col(_LATENCY),
    }
    columns["action_id"] = pl.coalesce(columns["action_id"], text("otel_log>traceId"))
    return to_calls(
        typed(lines, _KINDS),
        "vertex_request_response",
        columns,
        guards={CACHE_OUTSIDE: gemini_usage.is_cache_outside() & ~is_claude, **anthropic_usage.guards(_USAGE)},
        total=pl.when(~is_claude).then(gemini_usage.total()),
    )


def _status(answered: pl.Expr) -> pl.Expr:
    refused = is_refusal(pl.col(_CODE)) & ~answered
    failed = pl.when(text(f"{_RESPONSE}error").is_not_null()).then(pl.lit("error")).otherwise(pl.lit("success"))
    return pl.when(refused).then(pl.lit("refused")).otherwise(failed)


VERTEX_REQUEST_RESPONSE = Shape("vertex_request_response", _FIELDS, matcher("vertex_request_response"), calls)

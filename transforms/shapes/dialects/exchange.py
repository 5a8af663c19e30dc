"""What an application writes around a response: `{"request": {...}, "response": {...}}` with time, status and metadata.

    {"time": ..., "latency_ms": ..., "status_code": 200, "error": null, "metadata": {...},
     "request": {"model": ..., "user": ..., "metadata": {"feature": ..., "action_id": ...}}, "response": {...}}

Only `request` and `response` need be there. The same shape reads a bare response: it has none of this.
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.fields import CODE, MILLISECONDS, Kind, is_refusal, text

TIMES = ("time", "timestamp", "created_at", "started_at")
FIELDS = (
    *TIMES,
    "latency_ms",
    "duration_ms",
    "status_code",
    "error",
    "response.error",
    "request.model",
    "request.user",
    "request.safety_identifier",
    *(f"request.metadata.{name}" for name in ATTRIBUTES),
    *(f"metadata.{name}" for name in ATTRIBUTES),
)
KINDS: dict[str, Kind] = {"latency_ms": MILLISECONDS, "duration_ms": MILLISECONDS, "status_code": CODE}


def in_response(paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"response.{path}" for path in paths)


def unwrapped(lines: pl.DataFrame, body: tuple[str, ...]) -> pl.DataFrame:
    """`lines` with each path of `body` taken from inside `response` where the line has it there; and `time`, the first
    of the times that an envelope may give."""
    inside = [path for path in body if lines[f"response.{path}"].null_count() < lines.height]
    body_columns = (pl.coalesce(f"response.{path}", path).alias(path) for path in inside)
    return lines.with_columns(*body_columns, time=pl.coalesce(TIMES))


def columns() -> dict[str, pl.Expr]:
    """The call columns that the envelope tells."""
    attributes = {name: text(f"request.metadata.{name}", f"metadata.{name}") for name in ATTRIBUTES}
    attributes["user_id"] = pl.coalesce(attributes["user_id"], text("request.user", "request.safety_identifier"))
    return {
        "model_requested": text("request.model"),
        "latency_seconds": pl.coalesce("latency_ms", "duration_ms"),
        **attributes,
    }


def status(answered: pl.Expr) -> pl.Expr:
    """refused where the status code says so and there is no answer; error where the log tells of one, or of neither
    an answer nor a status code.

    An error in the body alone is no refusal: both OpenAI and Anthropic break off a stream, which they bill, with one.
    Source: providers bill for what a response's `usage` counts, and an HTTP error has none.
    """
    refused = is_refusal(pl.col("status_code")) & ~answered
    told = text("error", "response.error").is_not_null() | (pl.col("status_code") >= 400).fill_null(False)
    silent = ~answered & pl.col("status_code").is_null()
    failed = pl.when(told | silent).then(pl.lit("error")).otherwise(pl.lit("success"))
    return pl.when(refused).then(pl.lit("refused")).otherwise(failed)

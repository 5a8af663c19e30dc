"""Replicate's predictions, as its API lists them and its webhooks deliver them.

A model that is sold by the token tells token counts in `metrics`. Any other is sold by the time that it ran:
`metrics.predict_time`, seconds, is billed, whether the prediction succeeded, failed or was cancelled; waiting and
starting up (the rest of `total_time`) is not. On which hardware it ran, and so at what price, the record does not tell.
Webhooks and polls tell of one prediction several times while its status changes: each telling has the same id, those
before the end have no counts. What was cancelled or ran out of time before it started was not run, and not billed.
Older records name only the version that they ran. Source: Replicate HTTP API reference, its pages on billing and on the
lifecycle of predictions.
"""

import polars as pl

from transforms.shapes.fields import COUNT, MICROSECONDS_OF_SECONDS, SECONDS, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_INSTANTS = ("created_at", "started_at", "completed_at")
_INPUT, _OUTPUT = "metrics>input_token_count", "metrics>output_token_count"
_KINDS = {
    **dict.fromkeys(_INSTANTS, INSTANT_KINDS["any"]),
    _INPUT: COUNT,
    _OUTPUT: COUNT,
    "metrics>predict_time": MICROSECONDS_OF_SECONDS,
    "metrics>total_time": SECONDS,
}
_FIELDS = ("id", "model", "version", "status", *_KINDS)
_STATUSES = ("starting", "processing", "succeeded", "failed", "canceled", "aborted")


def _status() -> pl.Expr:
    """A prediction that is still running has no answer yet; the telling of its end is to win over that."""
    never_ran = pl.col("status").is_in(["canceled", "aborted"]) & pl.col("started_at").is_null()
    never_ran &= pl.col("metrics>predict_time").is_null()
    otherwise = pl.when(pl.col("status") == "succeeded").then(pl.lit("success")).otherwise(pl.lit("error"))
    return pl.when(never_ran).then(pl.lit("refused")).otherwise(otherwise)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    by_token = pl.col(_INPUT).is_not_null() | pl.col(_OUTPUT).is_not_null()
    took = (pl.col("completed_at") - pl.col("created_at")).dt.total_seconds(fractional=True).round(6)
    columns = {
        "provider": pl.lit("replicate"),
        "model": pl.coalesce(text("model"), text("version")),
        "response_id": text("id"),
        "called_at": pl.col("created_at"),
        "status": _status(),
        "latency_seconds": pl.coalesce("metrics>total_time", pl.when(took >= 0).then(took)),
        "input_tokens": pl.col(_INPUT),
        "output_tokens": pl.col(_OUTPUT),
        "compute_microseconds": pl.when(~by_token).then(pl.col("metrics>predict_time")),
    }
    reasons = {"status is none of a prediction's": ~pl.col("status").is_in(_STATUSES).fill_null(False)}
    return to_calls(typed(lines, _KINDS), "replicate", columns, reasons=reasons)


REPLICATE = Shape("replicate", _FIELDS, matcher("replicate"), calls)

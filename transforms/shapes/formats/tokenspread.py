"""Our own flat shape: one record for each call, its fields named like ours. JSONL, CSV or Parquet.

field                    meaning (empty or missing: unknown)
call_id                  the provider's id of the response, or your own; two records with the same one (and the same
                         provider) are one call
called_at                ISO 8601 (no zone: UTC), or a number since 1970
provider, model          genai-prices' provider id; the model as served
model_requested
input_tokens             all input, cached tokens included
cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_write_other_tokens
output_tokens            all output, reasoning included
reasoning_tokens, input_audio_tokens, output_audio_tokens, web_search_count
feature, user_id, customer_id, action_id, environment
service_tier, region, is_batch
status                   success (also where it is missing), error (no answer came), refused (answered with an HTTP
                         error) or cache_hit (nothing was sent to a provider); the last two are not billed
cache_read_audio_tokens, input_image_tokens, output_image_tokens, input_video_tokens   parts of the counts above
file_search_count, code_session_count
compute_seconds          GPU or prediction time that is billed as such
latency_seconds, recorded_cost_usd
outcome, is_success, value_usd
"""

import polars as pl

from transforms.schemas import ATTRIBUTES, QUANTITIES
from transforms.shapes.fields import (
    BOOLEAN,
    COUNT,
    MICROSECONDS_OF_SECONDS,
    SECONDS,
    STATUS_FAULT,
    STATUSES,
    USD,
    text,
    to_calls,
    typed,
)
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_TEXTS = ("provider", "model", "model_requested", "service_tier", "region", "outcome", *ATTRIBUTES)
_COUNTS = tuple(name for name in QUANTITIES if name != "compute_microseconds")
_KINDS = {
    **{name: COUNT for name in _COUNTS},
    "compute_seconds": MICROSECONDS_OF_SECONDS,
    "called_at": INSTANT_KINDS["any"],
    "recorded_cost_usd": USD,
    "value_usd": USD,
    "latency_seconds": SECONDS,
    "is_batch": BOOLEAN,
    "is_success": BOOLEAN,
}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    columns = {
        **{name: text(name) for name in _TEXTS},
        **{name: pl.col(name) for name in ("called_at", "latency_seconds", "is_batch", "is_success", *_COUNTS)},
        "compute_microseconds": pl.col("compute_seconds"),
        "response_id": text("call_id"),
        "status": pl.coalesce(text("status"), pl.lit("success")),
        "recorded_cost_pico": pl.col("recorded_cost_usd"),
        "value_pico": pl.col("value_usd"),
    }
    told = pl.any_horizontal(text(name).is_not_null() for name in ("model", "model_requested", "call_id"))
    counted = pl.col("input_tokens").is_not_null() | pl.col("output_tokens").is_not_null()
    reasons = {
        STATUS_FAULT: ~columns["status"].is_in(STATUSES),
        "no usage and no model": ~told & ~counted,
    }
    return to_calls(typed(lines, _KINDS), "tokenspread", columns, reasons=reasons)


TOKENSPREAD = Shape("tokenspread", ("call_id", "status", *_TEXTS, *_KINDS), matcher("tokenspread"), calls)

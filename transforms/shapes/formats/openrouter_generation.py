"""OpenRouter's record of one generation (`GET /generation`).

`native_tokens_*` are the provider's counts, which are billed; `tokens_*` are recounted with one tokeniser for all
models and are never read. The prompt includes cached tokens, the completion includes reasoning and images; cache writes
are not told. `total_cost` is in USD and is all that was spent, unless the key was one's own (`is_byok`): then it is
OpenRouter's fee, and the provider's bill, `upstream_inference_cost`, comes on top; where that is not told, neither is
the cost. A generation with a `response_cache_source_id` replays another one. One that was cancelled may have been
billed. `latency` is the time to the first token on streams, so the longer of it and `generation_time` counts. The
action is the session, or the request whose generations OpenRouter tried; the feature is the app (`origin`).
Source: OpenRouter API reference (generation) and its SDK's types.
"""

import polars as pl

from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, COUNT, MILLISECONDS, USD, text, to_calls, typed
from transforms.shapes.guards import CACHE_OUTSIDE, with_cache_outside
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = (
    "native_tokens_prompt",
    "native_tokens_completion",
    "native_tokens_completion_images",
    "native_tokens_reasoning",
    "native_tokens_cached",
)
_KINDS = {
    **dict.fromkeys(_COUNTS, COUNT),
    "created_at": INSTANT_KINDS["any"],
    "latency": MILLISECONDS,
    "generation_time": MILLISECONDS,
    "total_cost": USD,
    "upstream_inference_cost": USD,
    "is_byok": BOOLEAN_OR_NONSENSE,
    "cancelled": BOOLEAN_OR_NONSENSE,
}
_FIELDS = (
    "id",
    "model",
    "finish_reason",
    "response_cache_source_id",
    "service_tier",
    "data_region",
    "session_id",
    "request_id",
    "external_user",
    "origin",
    "app_id",
    *_KINDS,
)


def _status() -> pl.Expr:
    broken_off = pl.col("cancelled").fill_null(False) | pl.col("finish_reason").eq_missing("error")
    hit = text("response_cache_source_id").is_not_null()
    otherwise = pl.when(broken_off).then(pl.lit("error")).otherwise(pl.lit("success"))
    return pl.when(hit).then(pl.lit("cache_hit")).otherwise(otherwise)


def _cost() -> pl.Expr:
    own_key = pl.col("is_byok").fill_null(False)
    spent = pl.col("total_cost")
    return pl.when(own_key).then(spent + pl.col("upstream_inference_cost")).otherwise(spent)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    prompt, cached = pl.col("native_tokens_prompt"), pl.col("native_tokens_cached")
    input_tokens, outside = with_cache_outside(prompt, cached)
    columns = {
        "provider": pl.lit("openrouter"),
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.col("created_at"),
        "status": _status(),
        "service_tier": text("service_tier"),
        "region": pl.when(pl.col("data_region") != "global").then(text("data_region")),
        "latency_seconds": pl.max_horizontal("latency", "generation_time"),
        "recorded_cost_pico": _cost(),
        "input_tokens": input_tokens,
        "cache_read_tokens": cached,
        "output_tokens": pl.col("native_tokens_completion"),
        "reasoning_tokens": pl.col("native_tokens_reasoning"),
        "output_image_tokens": pl.col("native_tokens_completion_images"),
        "action_id": text("session_id", "request_id"),
        "feature": text("origin", "app_id"),
        "user_id": text("external_user"),
    }
    guards = {CACHE_OUTSIDE: outside}
    return to_calls(typed(lines, _KINDS), "openrouter_generation", columns, guards=guards)


OPENROUTER_GENERATION = Shape("openrouter_generation", _FIELDS, matcher("openrouter_generation"), calls)

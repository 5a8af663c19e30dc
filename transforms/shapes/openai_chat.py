"""OpenAI Chat Completions: a response body, bare or with its request.

`usage.prompt_tokens` includes cached and cache-written tokens, `completion_tokens` includes reasoning, audio and both
kinds of prediction tokens: our own convention, so counts are taken as they are. OpenAI's cache writes live 30 minutes:
cache_write_other. An absent detail is unknown (vLLM leaves it out though it caches), never zero. `model` is what was
served; `service_tier` is the response's, which is the one that is billed. The body gives whole seconds and no latency,
so an envelope's time goes before `created`. An error body is a call without an answer: exchange.status says which of
them were refused. Source: OpenAI API reference (chat completion object).
"""

from typing import Any

import polars as pl

from transforms.shapes import exchange
from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape

_COUNTS = (
    "usage.prompt_tokens",
    "usage.completion_tokens",
    "usage.total_tokens",
    "usage.prompt_tokens_details.cached_tokens",
    "usage.prompt_tokens_details.cache_write_tokens",
    "usage.prompt_tokens_details.audio_tokens",
    "usage.completion_tokens_details.reasoning_tokens",
    "usage.completion_tokens_details.audio_tokens",
    "usage.cached_tokens",  # Together, Kimi
    "usage.prompt_cache_hit_tokens",  # DeepSeek; its miss count is no cache write
)
_BODY = ("id", "object", "created", "model", "service_tier", *_COUNTS)
_KINDS = {"time": INSTANT_KINDS["any"], **exchange.KINDS, **dict.fromkeys(_COUNTS, COUNT)}


def matches(record: dict[str, Any]) -> bool:
    body = exchange.body_of(record)
    if body is not None and body.get("object") == "chat.completion":
        return not str(body.get("id")).startswith("gen-")  # OpenRouter's, with a cost of its own
    if body is not None and body.keys() == {"error"}:
        return isinstance(body["error"], dict) and "code" in body["error"]
    request = exchange.request_of(record)
    return body is None and "messages" in request and not str(request.get("model")).startswith("claude")


def _output_tokens() -> pl.Expr:
    """xAI usually counts reasoning on top of completion_tokens; the total tells."""
    output = pl.col("usage.completion_tokens")
    reasoning = pl.col("usage.completion_tokens_details.reasoning_tokens")
    on_top = (reasoning > 0) & (pl.col("usage.total_tokens") == pl.col("usage.prompt_tokens") + output + reasoning)
    return pl.when(on_top).then(output + reasoning).otherwise(output)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = exchange.unwrapped(lines, _BODY).with_columns(time=pl.coalesce("time", "created"))
    answered = pl.col("object").is_not_null() | pl.col("usage.prompt_tokens").is_not_null()
    refused = text("error", "response.error").is_not_null()
    columns = exchange.columns() | {
        "provider": pl.lit("openai"),
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
        "service_tier": text("service_tier"),
        "input_tokens": pl.col("usage.prompt_tokens"),
        "cache_read_tokens": pl.coalesce(
            "usage.prompt_tokens_details.cached_tokens", "usage.cached_tokens", "usage.prompt_cache_hit_tokens"
        ),
        "cache_write_other_tokens": pl.col("usage.prompt_tokens_details.cache_write_tokens"),
        "output_tokens": _output_tokens(),
        "reasoning_tokens": pl.col("usage.completion_tokens_details.reasoning_tokens"),
        "input_audio_tokens": pl.col("usage.prompt_tokens_details.audio_tokens"),
        "output_audio_tokens": pl.col("usage.completion_tokens_details.audio_tokens"),
    }
    reasons = {
        "object is not chat.completion": pl.col("object") != "chat.completion",
        "not a chat completion": ~answered & ~refused & text("request.model").is_null(),
    }
    return to_calls(typed(lines, _KINDS), "openai_chat", columns, reasons=reasons)


OPENAI_CHAT = Shape("openai_chat", (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS), matches, calls)

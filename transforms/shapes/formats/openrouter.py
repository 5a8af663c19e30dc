"""OpenRouter's responses: a Chat Completions body, bare or with its request, whole or in chunks.

The counts are those of the model's own tokenizer, and inclusive, as explained in openai_usage; `model` is what was
served. What it cost is explained in openrouter_cost. In a stream usage stands on the last chunk. `provider`, who served
it, is told in the body, but bills OpenRouter, not the caller. Source: OpenRouter API reference (usage accounting).
"""

import polars as pl

from transforms.shapes.dialects import exchange, openai_usage, openrouter_cost
from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_OTHERS = {
    "input_video_tokens": "usage.prompt_tokens_details.video_tokens",
    "output_image_tokens": "usage.completion_tokens_details.image_tokens",
    "web_search_count": "usage.server_tool_use_details.web_search_requests",
}
_BODY = (
    "id",
    "object",
    "created",
    "model",
    "service_tier",
    *openrouter_cost.FIELDS,
    *_OTHERS.values(),
    *openai_usage.fields("usage", openai_usage.CHAT),
)
_KINDS = {
    "time": INSTANT_KINDS["any"],
    **openrouter_cost.KINDS,
    **exchange.KINDS,
    **dict.fromkeys(_OTHERS.values(), COUNT),
    **openai_usage.kinds("usage", openai_usage.CHAT),
}
_OBJECTS = ("chat.completion", "chat.completion.chunk")


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = exchange.unwrapped(lines, _BODY).with_columns(time=pl.coalesce("time", "created"))
    answered = pl.col("object").is_not_null() | pl.col("usage.prompt_tokens").is_not_null()
    refused = text("error", "response.error").is_not_null()
    columns = exchange.columns() | {
        "provider": pl.lit("openrouter"),
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
        "service_tier": text("service_tier"),
        "recorded_cost_pico": openrouter_cost.cost(),
        **openai_usage.chat_columns(),
        **{name: pl.col(path) for name, path in _OTHERS.items()},
    }
    reasons = {
        "object is no completion": ~pl.col("object").is_in(_OBJECTS),
        "not a chat completion": ~answered & ~refused & text("request.model").is_null(),
    }
    checks = openai_usage.chat_checks()
    return to_calls(typed(lines, _KINDS), "openrouter", columns, reasons=reasons, **checks)


OPENROUTER = Shape("openrouter", (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS), matcher("openrouter"), calls)

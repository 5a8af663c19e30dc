"""OpenRouter's responses: a Chat Completions body, bare or with its request, whole or in chunks.

The counts are those of the model's own tokenizer, and inclusive, as explained in openai_usage; `model` is what was
served. `usage.cost` is what OpenRouter takes, in USD: the whole price, of which `cost_details` is a breakdown; or, with
a key of one's own at the provider (`is_byok`), its fee only, on top of which the provider bills
`upstream_inference_cost`. In a stream usage stands on the last chunk. `provider`, who served it, is told in the body,
but bills OpenRouter, not the caller. Source: OpenRouter API reference (usage accounting, BYOK).
"""

import polars as pl

from transforms.shapes.dialects import exchange, openai_usage
from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, COUNT, USD, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COST, _UPSTREAM = "usage.cost", "usage.cost_details.upstream_inference_cost"
_BYOK = "usage.is_byok"
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
    _COST,
    _UPSTREAM,
    _BYOK,
    *_OTHERS.values(),
    *openai_usage.fields("usage", openai_usage.CHAT),
)
_KINDS = {
    "time": INSTANT_KINDS["any"],
    _COST: USD,
    _UPSTREAM: USD,
    _BYOK: BOOLEAN_OR_NONSENSE,
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
        "recorded_cost_pico": pl.when(_BYOK).then(pl.col(_COST) + pl.col(_UPSTREAM)).otherwise(_COST),
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

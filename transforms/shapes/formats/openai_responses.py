"""OpenAI Responses: a response body, bare, with its request, or within an event of its stream; and what the Realtime
API tells of a response in `response.done`. The counts are explained in openai_usage.

The same response may be told many times, by its id: queued and in progress, without usage, then with it. `incomplete`
is billed as what it used; `failed` and `cancelled` ones, and those that were not seen to end, are errors. Its times are
seconds, the latency their difference. It echoes the request's `metadata` and who the user is; what a conversation ties
together is one action. Tools that are billed by use are counted in `output`. Events without a response (deltas of text,
errors that follow one which failed) tell of no call.

Realtime writes "token" without s in its details and tells neither time nor model; its cached audio is a part of the
cached tokens. xAI, Groq and others have this API too: the provider is what the model's name tells (hosts). OpenRouter's
is known by what it writes of cost (openrouter_cost).
Source: OpenAI API reference (response object, streaming events, realtime server events).
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.dialects import exchange, hosts, openai_usage, openrouter_cost
from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_REALTIME = {
    "cache_read_tokens": "usage.input_token_details.cached_tokens",
    "cache_read_audio_tokens": "usage.input_token_details.cached_tokens_details.audio_tokens",
    "input_audio_tokens": "usage.input_token_details.audio_tokens",
    "input_image_tokens": "usage.input_token_details.image_tokens",
    "output_audio_tokens": "usage.output_token_details.audio_tokens",
}
_BODY = (
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "model",
    "service_tier",
    "output",
    "user",
    "safety_identifier",
    "conversation>id",
    *(f"metadata.{name}" for name in ATTRIBUTES),
    *openai_usage.fields("usage", openai_usage.RESPONSES),
    *_REALTIME.values(),
    *openrouter_cost.FIELDS,
)
_FIELDS = tuple(dict.fromkeys((*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS, "type")))
_KINDS = {
    **dict.fromkeys(("time", "created_at", "completed_at"), INSTANT_KINDS["any"]),
    **exchange.KINDS,
    **openai_usage.kinds("usage", openai_usage.RESPONSES),
    **dict.fromkeys(_REALTIME.values(), COUNT),
    **openrouter_cost.KINDS,
}
_OBJECTS = ("response", "realtime.response")
_ANSWERED = ("completed", "incomplete")


def _status(answered: pl.Expr) -> pl.Expr:
    ended = pl.col("status").is_in(_ANSWERED) | pl.col("status").is_null()
    return pl.when(answered & ~ended).then(pl.lit("error")).otherwise(exchange.status(answered))


def _columns(lines: pl.DataFrame, answered: pl.Expr) -> dict[str, pl.Expr]:
    told, usage = exchange.columns(), openai_usage.responses_columns()
    took = (pl.col("completed_at") - pl.col("created_at")).dt.total_seconds(fractional=True).round(6)
    realtime = {name: pl.col(path) for name, path in _REALTIME.items()}
    by_model = hosts.by_model(lines.select(text("model", "request.model")).to_series())
    is_openrouter = pl.col(openrouter_cost.BYOK).is_not_null()
    return {
        **told,
        "provider": pl.when(is_openrouter).then(pl.lit("openrouter")).otherwise(by_model),
        "recorded_cost_pico": openrouter_cost.cost(),
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.coalesce("time", "created_at"),
        "status": _status(answered),
        "service_tier": text("service_tier"),
        "latency_seconds": pl.coalesce(told["latency_seconds"], pl.when(took >= 0).then(took)),
        "action_id": pl.coalesce(told["action_id"], text("conversation>id")),
        "user_id": pl.coalesce(told["user_id"], text("safety_identifier", "user")),
        **realtime,
        **usage,
        "cache_read_tokens": pl.coalesce(usage["cache_read_tokens"], realtime["cache_read_tokens"]),
        **{name: pl.col(name) for name in openai_usage.TOOL_COUNTS},
    }


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = openrouter_cost.without_others(exchange.unwrapped(lines, _BODY))
    lines = openai_usage.with_tool_counts(lines, "output")
    answered = pl.col("object").is_not_null() | pl.col("usage.input_tokens").is_not_null()
    refused = text("error", "response.error").is_not_null()
    is_event = text("type").is_not_null() & ~answered & text("id").is_null() & text("request.model").is_null()
    reasons = {
        "object is no response": ~pl.col("object").is_in(_OBJECTS),
        "not a response": ~answered & ~refused & text("request.model").is_null(),
    }
    return to_calls(
        typed(lines, _KINDS),
        "openai_responses",
        _columns(lines, answered),
        other=is_event,
        reasons=reasons,
        **openai_usage.responses_checks(),
    )


OPENAI_RESPONSES = Shape("openai_responses", _FIELDS, matcher("openai_responses"), calls)

"""Portkey's log export (JSONL, its columns chosen by the user).

`cost` is in US cents. `req_units` and `res_units` are Portkey's counts, without cached or reasoning tokens; where the
export has the response's body, its `usage` tells more: OpenAI's (Chat Completions, Responses), Anthropic's, or
Anthropic's as Portkey translates it to Chat Completions, with cached tokens beside `prompt_tokens` but in the total.
Both units 0 are not told. Each attempt of a fallback chain and of a load balancer is a row, the rows of a request share
their `trace_id`; a failed one has no usage. A cache hit (HIT, SEMANTIC HIT) repeats the body of the call that filled
the cache, its id too: it goes by the row's own id. Guardrails answer 246 and 446, perhaps after the
provider has answered. Source: Portkey's documentation (logs export) and the code of its gateway.
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage, gateways, labels, openai_usage
from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, CENTS, CODE, COUNT, MILLISECONDS, text, to_calls, typed
from transforms.shapes.guards import AMBIGUOUS, CACHE_OUTSIDE, SPLIT_EXCEEDS, with_cache_outside
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_BODY = "response>body>"
_MODEL = f"{_BODY}model"
_USAGE = f"{_BODY}usage"
_OPENAI = (*openai_usage.CHAT, *openai_usage.RESPONSES)
_UNITS = ("req_units", "res_units", "total_units")
_KINDS = {
    "created_at": INSTANT_KINDS["any"],
    "is_success": BOOLEAN_OR_NONSENSE,
    "response_status_code": CODE,
    "response_time": MILLISECONDS,
    "cost": CENTS,
    **dict.fromkeys(_UNITS, COUNT),
    **openai_usage.kinds(_USAGE, _OPENAI),
    **anthropic_usage.kinds(_USAGE),
}
_FIELDS = (
    "id",
    "trace_id",
    "ai_org",
    "ai_model",
    "cost_currency",
    "cache_status",
    "prompt_slug",
    "request>body>model",
    *(f"{_BODY}{name}" for name in ("id", "type", "model", "service_tier")),
    *_KINDS,
    *(path for path in anthropic_usage.fields(_USAGE) if path not in _KINDS),
    *labels.fields("metadata>"),
    "metadata>_user",
    "metadata>_environment",
)


def _told(name: str) -> pl.Expr:
    return pl.col(f"{_USAGE}.{name}")


_PROMPT, _TOTAL = _told("prompt_tokens"), _told("total_tokens")
_IS_CHAT = _PROMPT.is_not_null() | _told("completion_tokens").is_not_null()
_NO_USAGE = ~_IS_CHAT & _told("input_tokens").is_null() & _told("output_tokens").is_null()
_NAMES_CACHE_AS_ANTHROPIC = pl.any_horizontal(
    _told(name).is_not_null() for name in ("cache_read_input_tokens", "cache_creation_input_tokens")
)
_IS_ANTHROPIC = ~_IS_CHAT & ((pl.col(f"{_BODY}type") == "message").fill_null(False) | _NAMES_CACHE_AS_ANTHROPIC)


def _chat() -> tuple[dict[str, pl.Expr], pl.Expr]:
    """(call columns of a Chat Completions usage, whether its input had to be mended)"""
    columns = openai_usage.chat_columns(_USAGE)
    reading = pl.coalesce(columns["cache_read_tokens"], _told("cache_read_input_tokens"))
    writing = pl.coalesce(columns["cache_write_other_tokens"], _told("cache_creation_input_tokens"))
    mended, is_outside = with_cache_outside(_PROMPT, reading, writing, output=columns["output_tokens"], total=_TOTAL)
    cached = pl.sum_horizontal(reading, writing)
    # translated from Anthropic's: the total proves it
    is_beside = ((cached > 0) & (_PROMPT + columns["output_tokens"] + cached == _TOTAL)).fill_null(False)
    columns |= {
        "input_tokens": pl.when(is_beside).then(_PROMPT + cached).otherwise(mended),
        "cache_read_tokens": reading,
        "cache_write_other_tokens": writing,
    }
    return columns, is_outside & ~is_beside


def _units() -> dict[str, pl.Expr]:
    """Portkey's own counts, of a row that has no usage."""
    told = gateways.used(pl.col("req_units"), pl.col("res_units"))
    return {name: pl.when(told).then(name) for name in _UNITS}


def _usage(chat: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    """Call columns, of whichever dialect the body speaks."""
    units, none = _units(), pl.lit(None)
    of_units = {"input_tokens": units["req_units"], "output_tokens": units["res_units"]}
    # embeddings have no completion; Portkey counts it
    chat = chat | {"output_tokens": pl.coalesce(chat["output_tokens"], units["res_units"])}
    anthropic, responses = anthropic_usage.columns(_USAGE), openai_usage.responses_columns(_USAGE)
    usage = {
        name: pl.when(_NO_USAGE)
        .then(of_units.get(name, none))
        .when(_IS_ANTHROPIC)
        .then(anthropic.get(name, none))
        .when(_IS_CHAT)
        .then(chat.get(name, none))
        .otherwise(responses.get(name, none))
        for name in {**anthropic, **chat, **responses}
    }
    return usage | {"service_tier": pl.coalesce(usage["service_tier"], text(f"{_BODY}service_tier"))}


def _attributes() -> dict[str, pl.Expr]:
    """`_user` and `_environment` are Portkey's names for them."""
    told = labels.columns("metadata>")
    return told | {
        "action_id": pl.coalesce(text("trace_id"), told["action_id"]),
        "feature": pl.coalesce(told["feature"], text("prompt_slug")),
        "user_id": pl.coalesce(told["user_id"], text("metadata>_user")),
        "environment": pl.coalesce(told["environment"], text("metadata>_environment")),
    }


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = anthropic_usage.opened(lines, _USAGE, _MODEL)
    hit = pl.col("cache_status").str.to_uppercase().str.ends_with("HIT").fill_null(False)
    failed = ~pl.col("is_success").fill_null(True) | (pl.col("response_status_code") >= 400).fill_null(False)
    chat, is_outside = _chat()
    of_response = openai_usage.responses_checks(_USAGE)["guards"][CACHE_OUTSIDE]
    is_outside = pl.when(_IS_CHAT).then(is_outside).otherwise(~_IS_ANTHROPIC & of_response)
    usage = _usage(chat)
    used = gateways.used(usage["input_tokens"], usage["output_tokens"])
    own_id = pl.coalesce(pl.when(~hit).then(text(f"{_BODY}id")), text("id"))
    is_first = pl.col("part") == 0
    provider, model = provider_id(text("ai_org")), text(_MODEL, "ai_model")
    is_usd = pl.col("cost_currency").str.to_uppercase().fill_null("USD").is_in(["USD", ""])
    columns = {
        **_attributes(),
        **usage,
        "part": pl.col("part"),
        "provider": provider,
        "model": model,
        "model_requested": text("request>body>model"),
        "response_id": pl.when(is_first).then(own_id).otherwise(own_id + ":" + pl.col(_MODEL)),
        "called_at": pl.col("created_at"),
        "status": gateways.status(hit=hit, failed=failed, code=pl.col("response_status_code"), used=used),
        "latency_seconds": pl.col("response_time"),
        "recorded_cost_pico": pl.when(is_first & is_usd).then(pl.col("cost")),
    }
    guards = {
        CACHE_OUTSIDE: is_outside,
        SPLIT_EXCEEDS: _IS_ANTHROPIC & anthropic_usage.guards(_USAGE)[SPLIT_EXCEEDS],
        AMBIGUOUS: _NO_USAGE & used & gateways.counts_cache_beside(provider, model),
    }
    total = pl.when(_NO_USAGE).then(_units()["total_units"]).when(~is_outside).then(_TOTAL)
    return to_calls(typed(lines, _KINDS), "portkey", columns, guards=guards, total=total)


PORTKEY = Shape("portkey", _FIELDS, matcher("portkey"), calls)

"""Helicone's request rows, from its exporter or its API (`query-clickhouse`): JSON, JSONL or CSV.

`prompt_tokens` is the provider's own number: Anthropic's, and that of its models on Bedrock and Vertex, leaves cached
tokens out (of OpenAI's models on Bedrock it does not); all others include them. `total_tokens` is prompt and completion
as they are told. A reference to a cached request that is not the zero UUID says that Helicone's own cache answered.

`cost` is USD in the API's rows, and a whole number of 1e-9 USD in raw rows of the table, under the same name. What has
a fraction is USD. What is 1000 or more is 1e-9 USD: no call costs so much. A whole number from 1 to 999 may be either,
so that the cost is unknown. Identity: `request_id`; `response_id` is Helicone's own too. Properties are the headers
that the app sent. Source: Helicone's exporter and row types; PR 3326.
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.fields import CODE, COUNT, MILLISECONDS, USD, is_refusal, text, to_calls, typed
from transforms.shapes.guards import CACHE_OUTSIDE, with_cache_outside
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = ("prompt_tokens", "prompt_cache_read_tokens", "prompt_cache_write_tokens", "completion_tokens",
           "total_tokens")  # fmt: skip
_PROPERTIES = ("request_properties", "properties")
_NAMES = {
    **{name: (name,) for name in ATTRIBUTES},
    "action_id": ("Helicone-Session-Id", "action_id", "session_id"),
    "feature": ("feature", "Feature", "Helicone-Session-Name"),
    "environment": ("environment", "Environment"),
}
_PATHS = {
    name: tuple(f'{properties}>"{key}"' for properties in _PROPERTIES for key in keys) for name, keys in _NAMES.items()
}
_FIELDS = (
    "request_id",
    "request_created_at",
    "response_status",
    "provider",
    "request_model",
    "response_model",
    "model",
    "model_override",
    "delay_ms",
    "cost",
    "cache_reference_id",
    "request_user_id",
    *_COUNTS,
    *(path for paths in _PATHS.values() for path in paths),
)
_KINDS = {
    "request_created_at": INSTANT_KINDS["any"],
    "response_status": CODE,
    "delay_ms": MILLISECONDS,
    "cost": USD,
    **dict.fromkeys(_COUNTS, COUNT),
}
# names of Helicone's own; None: a door, which says nothing about who is behind it
_PROVIDERS = {"x": "x-ai", "custom": None, "helicone": None}
_NO_REFERENCE = r"^[0-]*$"
_NANO_USD = 10**9


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    is_own_code = pl.col("response_status").str.starts_with("-").fill_null(False)
    lines = lines.with_columns(
        cost=_usd(),
        provider=text("provider").str.to_lowercase(),
        served=text("model_override", "response_model", "model", "request_model"),
        is_own_code=is_own_code,
    )
    read = typed(lines, _KINDS).with_columns(status=_status())
    # without an answer, zeros stand for "not told"
    told = (pl.col("status") == "success") | (pl.col("completion_tokens") > 0)
    counts, is_outside = _counts()
    columns = {
        **{name: pl.when(told).then(count) for name, count in counts.items()},
        "provider": provider_id(pl.col("provider").replace(_PROVIDERS)),
        "model": pl.col("served"),
        "model_requested": text("request_model"),
        "response_id": text("request_id"),
        "called_at": pl.col("request_created_at"),
        "status": pl.col("status"),
        "latency_seconds": pl.col("delay_ms"),
        "recorded_cost_pico": pl.col("cost"),
        **{name: text(*paths) for name, paths in _PATHS.items()},
    }
    columns["user_id"] = pl.coalesce(text("request_user_id"), columns["user_id"])
    told_total, ours = pl.col("total_tokens"), pl.col("prompt_tokens") + pl.col("completion_tokens")
    total = pl.when(told & (told_total != ours)).then(told_total)
    return to_calls(read, "helicone", columns, guards={CACHE_OUTSIDE: is_outside & told}, total=total)


def _counts() -> tuple[dict[str, pl.Expr], pl.Expr]:
    """The columns of counts, and whether an input that should include cached tokens had to be mended."""
    prompt, exclusive = pl.col("prompt_tokens"), _leaves_cache_out()
    cached = pl.col("prompt_cache_read_tokens"), pl.col("prompt_cache_write_tokens")
    mended, is_outside = with_cache_outside(
        prompt, *cached, output=pl.col("completion_tokens"), total=pl.col("total_tokens")
    )
    return {
        "input_tokens": pl.when(exclusive).then(prompt + pl.sum_horizontal(*cached)).otherwise(mended),
        "cache_read_tokens": cached[0],
        "cache_write_other_tokens": cached[1],
        "output_tokens": pl.col("completion_tokens"),
    }, is_outside & ~exclusive


def _usd() -> pl.Expr:
    """The text of the cost in USD; none where its unit cannot be told."""
    cost = text("cost")
    amount = cost.cast(pl.Decimal(38, 12), strict=False)
    is_either = cost.str.contains(r"^\d{1,3}$") & (amount != 0)
    nano_usd = (amount / _NANO_USD).cast(pl.String)
    return pl.when(amount >= 1000).then(nano_usd).when(~is_either.fill_null(False)).then(cost)


def _status() -> pl.Expr:
    """Codes below zero are Helicone's own: cancelled, timed out, still waiting."""
    is_hit = ~text("cache_reference_id").str.contains(_NO_REFERENCE).fill_null(True)
    code = pl.col("response_status")
    answered = pl.when(code.is_null()).then(pl.col("completion_tokens").is_not_null()).otherwise(code < 400)
    failed = pl.when(answered & ~pl.col("is_own_code")).then(pl.lit("success")).otherwise(pl.lit("error"))
    no_call = pl.when(is_hit).then(pl.lit("cache_hit")).when(is_refusal(code)).then(pl.lit("refused"))
    return no_call.otherwise(failed)


def _leaves_cache_out() -> pl.Expr:
    provider, name = pl.col("provider"), pl.col("served").str.to_lowercase()
    on_bedrock = provider.is_in(["aws", "bedrock"]) & ~name.str.contains(r"(^|\.)openai\.|^gpt").fill_null(False)
    on_vertex = provider.str.starts_with("google") & name.str.contains("claude")
    return ((provider == "anthropic") | on_bedrock | on_vertex).fill_null(False)


HELICONE = Shape("helicone", _FIELDS, matcher("helicone"), calls)

"""OpenAI Chat Completions: a response body, bare or with its request. The counts are explained in openai_usage.

Many hosts answer in this form. Which one did is in no body: fields of a host's own and the model's name tell of some
(hosts), else the provider is unknown. `model` is what was served; `service_tier` is the response's, which is the one
that is billed. The body gives whole seconds and no latency, so an envelope's time goes before `created`. An error body
is a call without an answer: exchange.status says which of them were refused. xAI tells its cost, in 1e-10 USD. Where
Google answers in this form, the total has the model's thoughts, which are billed as output, and no other count does.

A stream's chunks are tellings of one call, with one id: usage stands on the last, if it was asked for; vLLM and SGLang
can be told to write it on each, cumulated. Groq writes it in `x_groq.usage` of the last. All chunks must tell the same
provider, so theirs is told by the model alone: fields of a host's own stand on some of them only. Kimi writes a
stream's usage within `choices`, beside the text, where it is not read: such a call's usage is unknown. Azure's streams
begin with a chunk about the prompt's filters that has neither id nor model: of no call.
Source: OpenAI API reference (chat completion object, chunk object, completion object), the hosts' API references.
"""

import polars as pl

from transforms.shapes.dialects import exchange, hosts, openai_usage
from transforms.shapes.fields import TICKS, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_CHUNK = "chat.completion.chunk"
_OBJECTS = ("chat.completion", _CHUNK, "text_completion")
_TICKS = "usage.cost_in_usd_ticks"
_BODY = (
    "id",
    "object",
    "created",
    "model",
    "service_tier",
    *openai_usage.fields("usage", openai_usage.CHAT),
    _TICKS,
    "x_groq",
    "prompt_filter_results",
)
_KINDS = {
    "time": INSTANT_KINDS["any"],
    **exchange.KINDS,
    **openai_usage.kinds("usage", openai_usage.CHAT),
    _TICKS: TICKS,
}
_OWN_FIELDS = {"prompt_filter_results": "azure", "x_groq": "groq", _TICKS: "x-ai"}
_WEAK_FIELDS = {"usage.prompt_cache_hit_tokens": "deepseek"}  # hosts of its models copy it


def _provider(lines: pl.DataFrame) -> pl.Expr:
    by_model = hosts.by_model(lines.select(text("model", "request.model")).to_series())
    is_whole = pl.col("object").ne_missing(_CHUNK)
    own, weak = (
        [pl.when(is_whole & pl.col(path).is_not_null()).then(pl.lit(host)) for path, host in told.items()]
        for told in (
            {path: host for path, host in fields.items() if lines[path].null_count() < lines.height}
            for fields in (_OWN_FIELDS, _WEAK_FIELDS)
        )
    )
    return pl.coalesce(*own, by_model, *weak)


def _own_id(provider: pl.Expr) -> pl.Expr:
    """Ollama numbers its answers at random, from 0 to 998: only their time tells them apart."""
    of_ollama = provider.is_null() & pl.col("id").str.contains(r"^chatcmpl-[0-9]{1,3}$")
    return pl.when(of_ollama).then(text("id") + ":" + pl.col("created")).otherwise(text("id"))


def _with_usage_of_groq(lines: pl.DataFrame) -> pl.DataFrame:
    if lines["x_groq"].null_count() == lines.height:
        return lines
    inside = {f"usage.{name}": pl.col("x_groq").str.json_path_match(f"$.usage.{name}") for name in openai_usage.CHAT}
    return lines.with_columns(pl.coalesce(path, found).alias(path) for path, found in inside.items())


def _with_thoughts(told: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    """The columns of output, with thoughts that a Gemini model's usage counts in the total alone."""
    is_gemini = text("model").str.contains(r"^(?:models/|google/)?gemini-")
    rest = pl.col("usage.total_tokens") - pl.col("usage.prompt_tokens") - pl.col("usage.completion_tokens")
    thoughts = pl.when(is_gemini & told["reasoning_tokens"].is_null() & (rest > 0)).then(rest)
    return {
        "output_tokens": pl.coalesce(told["output_tokens"] + thoughts, told["output_tokens"]),
        "reasoning_tokens": pl.coalesce(told["reasoning_tokens"], thoughts),
    }


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = _with_usage_of_groq(exchange.unwrapped(lines, _BODY)).with_columns(time=pl.coalesce("time", "created"))
    about_filters = text("prompt_filter_results").is_not_null() & text("id", "model").is_null()
    answered = pl.col("object").is_not_null() | pl.col("usage.prompt_tokens").is_not_null()
    refused = text("error", "response.error").is_not_null()
    usage = openai_usage.chat_columns()
    provider = _provider(lines)
    columns = exchange.columns() | {
        "provider": provider,
        "model": text("model"),
        "response_id": _own_id(provider),
        "called_at": pl.col("time"),
        "status": exchange.status(answered),
        "service_tier": text("service_tier"),
        "recorded_cost_pico": pl.col(_TICKS),
        **usage,
        **_with_thoughts(usage),
    }
    reasons = {
        "object is no completion": ~pl.col("object").is_in(_OBJECTS),
        "not a chat completion": ~answered & ~refused & text("request.model").is_null(),
    }
    checks = openai_usage.chat_checks()
    return to_calls(typed(lines, _KINDS), "openai_chat", columns, other=about_filters, reasons=reasons, **checks)


OPENAI_CHAT = Shape(
    "openai_chat", (*_BODY, *exchange.in_response(_BODY), *exchange.FIELDS), matcher("openai_chat"), calls
)

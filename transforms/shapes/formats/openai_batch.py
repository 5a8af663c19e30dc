"""Results of OpenAI's Batch API, and of others that write them so (Azure, Groq): one line for each request.

    {"id": "batch_req_...", "custom_id": ..., "response": {"status_code": 200, "body": {...}}, "error": null}

The body is a chat completion, a response or a list of embeddings; its counts are explained in openai_usage. That a
batch served it, at half the price, is in no body. A line that has no answer, refused, expired or cancelled, is not
billed. Identity: the response's id, else the line's. `custom_id` is unique within one batch only and names no action.
The provider is what the model's name tells (hosts). Source: OpenAI API reference (batch request output).
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.dialects import hosts, openai_usage
from transforms.shapes.fields import CODE, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_BODY = "response.body"
_USAGE = f"{_BODY}.usage"
_TIMES = tuple(f"{_BODY}.{name}" for name in ("created", "created_at", "completed_at"))
_CODE = "response.status_code"
_COUNTS = tuple(dict.fromkeys((*openai_usage.CHAT, *openai_usage.RESPONSES)))
_FIELDS = (
    "id",
    "custom_id",
    "error",
    _CODE,
    *(f"{_BODY}.{name}" for name in ("id", "object", "status", "model", "service_tier", "output", "error")),
    *(f"{_BODY}.{name}" for name in ("user", "safety_identifier", "conversation>id", "prompt_filter_results")),
    *(f"{_BODY}.metadata.{name}" for name in ATTRIBUTES),
    *_TIMES,
    *openai_usage.fields(_USAGE, _COUNTS),
)
_KINDS = {_CODE: CODE, **dict.fromkeys(_TIMES, INSTANT_KINDS["any"]), **openai_usage.kinds(_USAGE, _COUNTS)}


def _status(answered: pl.Expr) -> pl.Expr:
    """refused for whatever has no answer: none of it is billed."""
    told = text("error", f"{_BODY}.error").is_not_null() | (pl.col(_CODE) >= 400).fill_null(False)
    unfinished = pl.col(f"{_BODY}.status").is_in(("failed", "cancelled")).fill_null(False)
    without = pl.when(told).then(pl.lit("refused")).otherwise(pl.lit("error"))
    return pl.when(~answered).then(without).when(unfinished).then(pl.lit("error")).otherwise(pl.lit("success"))


def _counts() -> dict[str, pl.Expr]:
    """Of whichever form the body has; embeddings count their input as chat does, and their output not at all."""
    chat, responses = openai_usage.chat_columns(_USAGE), openai_usage.responses_columns(_USAGE)
    counts = {name: pl.coalesce(told, responses[name]) if name in responses else told for name, told in chat.items()}
    rest = (pl.col(f"{_USAGE}.total_tokens") - pl.col(f"{_USAGE}.prompt_tokens")).clip(0)
    is_list = (pl.col(f"{_BODY}.object") == "list").fill_null(False)
    return {
        **counts,
        "output_tokens": pl.coalesce(counts["output_tokens"], pl.when(is_list).then(rest)),
        **{name: pl.col(name) for name in openai_usage.TOOL_COUNTS},
    }


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = openai_usage.with_tool_counts(lines, f"{_BODY}.output")
    answered = pl.col(f"{_BODY}.object").is_not_null()
    created, took_from, took_to = (pl.col(path) for path in _TIMES)
    took = (took_to - took_from).dt.total_seconds(fractional=True).round(6)
    is_azure = text(f"{_BODY}.prompt_filter_results").is_not_null()
    columns = {
        "provider": pl.when(is_azure).then(pl.lit("azure")).otherwise(hosts.by_model(lines[f"{_BODY}.model"])),
        "model": text(f"{_BODY}.model"),
        "response_id": text(f"{_BODY}.id", "id"),
        "called_at": pl.coalesce(created, took_from),
        "status": _status(answered),
        "service_tier": text(f"{_BODY}.service_tier"),
        "is_batch": pl.lit(True),
        "latency_seconds": pl.when(took >= 0).then(took),
        **{name: text(f"{_BODY}.metadata.{name}") for name in ATTRIBUTES},
        **_counts(),
    }
    columns["user_id"] = pl.coalesce(columns["user_id"], text(f"{_BODY}.safety_identifier", f"{_BODY}.user"))
    columns["action_id"] = pl.coalesce(columns["action_id"], text(f"{_BODY}.conversation>id"))
    reasons = {"not a line of a batch": text("custom_id").is_null()}
    checks = openai_usage.either_checks(_USAGE)
    return to_calls(typed(lines, _KINDS), "openai_batch", columns, reasons=reasons, **checks)


OPENAI_BATCH = Shape("openai_batch", _FIELDS, matcher("openai_batch"), calls)

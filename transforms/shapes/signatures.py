"""How each log format is told from all others: one table of what its records hold, specific before general.

A signature maps paths to what is found there. A format may have several (its lines differ); one that fits is enough.

    "*"          a value, whatever it is          "-"        none, or null          "?"  a key, with or without value
    "{}"  "[]"   an object; a list                "gen-*"    a text that begins so
    "a"          this text                        "!gen-*"   no text that begins so
    ("a", "b")   one of these

Paths are those of Shape.fields.
"""

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any

import polars as pl

from transforms.shapes.paths import find, steps

Want = str | tuple[str, ...]
Signature = dict[str, Want]
Wants = tuple[tuple[str, Want], ...]


class Weak(dict[str, Want]):
    """A signature that records of other formats may have too: it counts only beside others, or where it is the rule."""


# A response stands alone, or beside its request: {"request": {...}, "response": {...}} (see exchange).
_EXCHANGE: Signature = {"request": "{}"}


def _or_in_exchange(*signatures: Signature) -> tuple[Signature, ...]:
    inside = (
        type(each)({**_EXCHANGE, **{f"response.{path}": want for path, want in each.items()}}) for each in signatures
    )
    return (*(type(each)({"request": "-", **each}) for each in signatures), *inside)


def _unanswered(asked: str, model: str) -> Weak:
    """A request to such a model without an answer."""
    return Weak({**_EXCHANGE, "response": "-", asked: "*", "request.model": model, "request.modelId": "-"})


_OBSERVATIONS = ("GENERATION", "SPAN", "EVENT", "EMBEDDING", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR",
                 "GUARDRAIL")  # fmt: skip

# In the order in which they are tried. Sources: the formats' own documentation and code, see each shape.
SIGNATURES: dict[str, tuple[Signature, ...]] = {
    "tokenspread": ({"called_at": "?", "model": "?", "input_tokens": "?", "output_tokens": "?"},),
    # OTLP; the dialect is told span by span
    "otel": ({"resourceSpans": "[]"}, {"resourceLogs": "[]"}, {"resourceMetrics": "[]"}),
    "phoenix": ({'"context.span_id"': "*"}, {"context.span_id": "*", "span_kind": "*", "attributes": "*"}),
    # gateways whose records hold a provider's response
    "litellm_slp": ({"litellm_call_id": "*", "hidden_params": "*", "startTime": "*"},),
    "litellm_spendlogs": ({"request_id": "*", "spend": "*", "call_type": "*", "request_tags": "?"},),
    "vertex_request_response": ({"full_response": "*", "logging_time": "*", "api_method": "*"},),
    "bedrock_invocation": ({"schemaType": "ModelInvocationLog"},),
    "azure_openai_requests": ({"category": "RequestResponse", "resourceId": "*"},),
    "apim_gateway": ({"category": "GatewayLogs", "properties": "*"},),
    "apim_llm": ({"CorrelationId": "*", "PromptTokens": "*", "SequenceNumber": "*"},),
    "portkey": ({"ai_org": "*", "req_units": "?", "res_units": "?"},),
    "kong": ({"ai": "{}", "latencies": "*", "started_at": "*"},),
    # batch results: the line says that the price is halved, the body does not
    "openai_batch": (
        {"custom_id": "*", "response": "{}", "result": "-"},
        {"custom_id": "*", "error": "{}", "result": "-"},
    ),
    "anthropic_batch": ({"custom_id": "*", "result.type": "*"},),
    # tracers' and gateways' own records
    "langfuse": (
        {"usage_details": "*", "trace_id": "*", "provided_model_name": "*"},
        {"usageDetails": "*", "traceId": "*"},
        {"trace_id": "*", "type": _OBSERVATIONS, "project_id": "*"},
        {"traceId": "*", "type": _OBSERVATIONS, "startTime": "*"},
    ),
    "helicone": ({"request_created_at": "*", "response_status": "?", "delay_ms": "?"},),
    "cloudflare_gateway": ({"tokens_in": "?", "tokens_out": "?", "cached": "*"},),
    "cloudflare_logpush": ({"Gateway": "*", "StatusCode": "*", "RateLimited": "*"},),
    "langsmith": ({"run_type": "*", "dotted_order": "*"},),
    "openrouter_generation": ({"native_tokens_prompt": "*", "total_cost": "*"},),
    "openrouter_activity": ({"byok_usage_inference": "*", "requests": "*"},),
    "replicate": ({"version": "*", "urls": "{}", "created_at": "*", "status": "*"},),
    # coding agents
    "claude_code": (
        {"sessionId": "*", "uuid": "*", "type": "*", "timestamp": "*"},
        {"type": "summary", "leafUuid": "*"},
        {"type": "file-history-snapshot", "snapshot": "*"},
    ),
    "claude_print": ({"type": "result", "total_cost_usd": "*", "session_id": "*"},),
    "codex": (
        {"timestamp": "*", "payload": "{}", "type": ("session_meta", "turn_context", "event_msg", "response_item",
                                                     "token_usage_record", "compacted")},
    ),
    "codex_exec": (
        {"type": "thread.started", "thread_id": "*"},
        {"type": "turn.completed", "usage": "{}"},
        Weak({"type": ("turn.started", "turn.completed", "turn.failed", "item.started", "item.updated",
                       "item.completed", "thread.started")}),
    ),
    "gemini_cli": (
        {"sessionId": "*", "projectHash": "*"},
        {"type": "gemini", "id": "*", "timestamp": "*", "uuid": "-"},  # a user's line could be any chat's
        Weak({"$set": "{}"}),
        Weak({"$rewindTo": "*"}),
    ),
    "gemini_cli_telemetry": ({'attributes."event.name"': "gemini_cli.*", "hrTime": "*"},),
    # providers' responses, bare or beside their request
    "openrouter": _or_in_exchange({"object": ("chat.completion", "chat.completion.chunk"), "id": "gen-*"}),
    "openai_chat": (
        *_or_in_exchange(
            {"object": ("chat.completion", "chat.completion.chunk", "text_completion"), "id": "!gen-*"},
            Weak({"error.message": "*", "type": "-", "id": "-", "error.status": "-"}),
        ),
        _unanswered("request.messages", "!claude*"),
        {"prompt_filter_results": "[]", "id": ("",)},  # how a stream of Azure's begins
    ),
    "openai_responses": (
        # an event holds a response, or tells of one
        *_or_in_exchange(
            {"object": "response"}, {"type": "response.*", "response": "{}"}, Weak({"type": "response.*"}),
        ),
        _unanswered("request.input", "!text-embedding*"),
    ),
    "openai_embeddings": (
        *_or_in_exchange({"object": "list", "usage.prompt_tokens": "*"}),
        _unanswered("request.input", "text-embedding*"),
    ),
    "anthropic_messages": (
        *_or_in_exchange(
            {"type": "message", "usage": "{}"},
            Weak({"type": "error", "error": "{}"}),
        ),
        _unanswered("request.messages", "claude*"),
    ),
    "anthropic_stream": (
        {"type": "message_start", "message": "{}"},
        Weak({"type": ("message_delta", "message_stop", "content_block_start", "content_block_delta",
                       "content_block_stop", "ping")}),
        Weak({"type": "error", "error": "{}"}),  # within a stream; a body that stands alone is the same
        # server-sent events
        {"data>type": ("message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta",
                       "content_block_stop", "ping")},
        {"event": "error", "data>type": "error"},
    ),
    "gemini": (
        *_or_in_exchange(
            {"usageMetadata": "{}"}, {"usage_metadata": "{}"}, {"candidates": "[]"},
            Weak({"error.message": "*", "error.status": "*"}),
        ),
        _unanswered("request.contents", "*"),
    ),
    "ollama": _or_in_exchange(
        {"done": "*", "model": "*", "created_at": "*"}, {"total_duration": "*", "prompt_eval_count": "*"},
    ),
    "bedrock_converse": (
        *_or_in_exchange({"usage.inputTokens": "*", "stopReason": "*"}),
        {**_EXCHANGE, "response.ResponseMetadata.RequestId": "*", "request.modelId": "*"},  # boto3's errors too
        Weak({**_EXCHANGE, "response": "-", "request.modelId": "*"}),
    ),
    "cohere": _or_in_exchange({"usage.billed_units": "{}"}, {"meta.billed_units": "{}"}),
}  # fmt: skip

_TESTS: dict[str, Callable[[Any], bool]] = {
    "*": lambda found: found is not None,
    "?": lambda found: True,  # the key is there, see matcher
    "-": lambda found: found is None,
    "{}": lambda found: isinstance(found, dict),
    "[]": lambda found: isinstance(found, list),
}


def _is(found: Any, want: Want) -> bool:
    if isinstance(want, tuple):
        return isinstance(found, str) and found in want
    if want in _TESTS:
        return _TESTS[want](found)
    text = found if isinstance(found, str) else ""
    if want.endswith("*"):
        return text.startswith(want[:-1]) if want[0] != "!" else not text.startswith(want[1:-1])
    return text == want


def of_lines(name: str) -> pl.Expr:
    """`matches` for LINES that have the columns of `fields_of`."""
    return pl.any_horizontal(
        pl.all_horizontal(_holds(path, want) for path, want in each.items()) for each in SIGNATURES[name]
    ).fill_null(False)


def fields_of(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for each in SIGNATURES[name] for path in each))


def _holds(path: str, want: Want) -> pl.Expr:
    column = pl.col(path)
    if isinstance(want, tuple):
        return column.is_in(want)
    if want in ("*", "?", "-"):  # a reader cannot tell null from none
        return column.is_null() if want == "-" else column.is_not_null()
    if want in ("{}", "[]"):
        return column.str.starts_with(want[0])
    if want.endswith("*"):
        begins = column.str.starts_with(want.strip("!*")).fill_null(False)
        return ~begins if want[0] == "!" else begins
    return column == want


def matcher(name: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a record has one of the signatures of the shape `name`."""
    return lambda record: any(keys <= record.keys() and _holds_all(record, wants) for keys, wants, _ in _CHECKS[name])


def first_of(record: dict[str, Any], names: Collection[str]) -> tuple[str, bool] | None:
    """(the first shape of the table that has the record, of those in `names`; whether by a weak signature)."""
    for name, wants, is_weak in _candidates(tuple(record)):
        if name in names and _holds_all(record, wants):
            return name, is_weak
    return None


@lru_cache(1000)
def _candidates(keys: tuple[str, ...]) -> list[tuple[str, Wants, bool]]:
    """The signatures, in order, that a record with these keys can have: most records lack the keys of most formats, and
    a log's records have few sets of keys."""
    return [(name, *rest) for name, checks in _CHECKS.items() for own, *rest in checks if own <= set(keys)]


def _holds_all(record: dict[str, Any], wants: Wants) -> bool:
    return all(_is(find(record, path), want) for path, want in wants)


def _keys(signature: Signature) -> frozenset[str]:
    """The keys that a record with this signature has for sure."""
    return frozenset(steps(path)[0][1] for path, want in signature.items() if want != "-" and want[0] != "!")


_CHECKS = {
    name: [(_keys(each), tuple(each.items()), isinstance(each, Weak)) for each in several]
    for name, several in SIGNATURES.items()
}

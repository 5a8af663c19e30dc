"""OpenAI's two forms of `usage`, of Chat Completions and of Responses, which several shapes hold.

In both the input includes cached and cache-written tokens and the output includes reasoning, audio and both kinds of
prediction tokens: our own convention, so counts are taken as they are. OpenAI's cache writes live 30 minutes:
cache_write_other. An absent detail is unknown (vLLM leaves it out though it caches), never zero. Source: OpenAI API
reference (chat completion object, response object, realtime server events).

Hosts that answer in OpenAI's form deviate. Cached tokens: Together and Kimi write them one level up, DeepSeek beside it
as hit and miss, of which miss is no cache write. Reasoning: xAI usually counts it on top of the output; the total
tells. Cached tokens that exceed the input prove that they are counted outside it. Mistral's `num_cached_tokens` is not
read: it counts what its server still had (9 of 10 tokens), not what it bills as cached, which is whole blocks of 64 and
stands where OpenAI has it. Source: the hosts' API references.
"""

from typing import Any

import polars as pl

from transforms.shapes.fields import COUNT, Kind
from transforms.shapes.guards import CACHE_OUTSIDE, with_cache_outside
from transforms.shapes.paths import loads

CHAT = (
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "prompt_tokens_details.cached_tokens",
    "prompt_tokens_details.cache_write_tokens",
    "prompt_tokens_details.audio_tokens",
    "completion_tokens_details.reasoning_tokens",
    "completion_tokens_details.audio_tokens",
    "cached_tokens",  # Together, Kimi
    "prompt_cache_hit_tokens",  # DeepSeek
)
RESPONSES = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "input_tokens_details.cached_tokens",
    "input_tokens_details.cache_write_tokens",
    "output_tokens_details.reasoning_tokens",
)
_TOOLS = {"web_search_call": "web_search_count", "file_search_call": "file_search_count"}
TOOL_COUNTS = (*_TOOLS.values(), "code_session_count")
_USED = '"(web_search|file_search|code_interpreter)_call"'


def fields(usage: str, counts: tuple[str, ...]) -> tuple[str, ...]:
    """Paths of a usage object that lies at `usage` ("response.body.usage")."""
    return tuple(f"{usage}.{name}" for name in counts)


def kinds(usage: str, counts: tuple[str, ...]) -> dict[str, Kind]:
    return dict.fromkeys(fields(usage, counts), COUNT)


def chat_columns(usage: str = "usage") -> dict[str, pl.Expr]:
    """The call columns that a Chat Completions usage tells."""
    counted, reading, writing, _ = _chat_input(usage)
    return {
        "input_tokens": counted,
        "cache_read_tokens": reading,
        "cache_write_other_tokens": writing,
        "output_tokens": _chat_output(usage),
        "reasoning_tokens": pl.col(f"{usage}.completion_tokens_details.reasoning_tokens"),
        "input_audio_tokens": pl.col(f"{usage}.prompt_tokens_details.audio_tokens"),
        "output_audio_tokens": pl.col(f"{usage}.completion_tokens_details.audio_tokens"),
    }


def chat_checks(usage: str = "usage") -> dict[str, Any]:
    """What `to_calls` is to find wrong with them."""
    *_, is_outside = _chat_input(usage)
    # the total of an input that had to be mended is as wrong as the input was
    total = pl.when(~is_outside).then(f"{usage}.total_tokens")
    return {"total": total, "guards": {CACHE_OUTSIDE: is_outside}}


def _chat_input(usage: str) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """(all input, cache reads, cache writes, whether the input had to be mended)"""
    reads = ("prompt_tokens_details.cached_tokens", "cached_tokens", "prompt_cache_hit_tokens")
    reading = pl.coalesce(f"{usage}.{name}" for name in reads)
    writing = pl.col(f"{usage}.prompt_tokens_details.cache_write_tokens")
    prompt, output, total = (pl.col(f"{usage}.{name}") for name in CHAT[:3])
    counted, is_outside = with_cache_outside(prompt, reading, writing, output=output, total=total)
    return counted, reading, writing, is_outside


def _chat_output(usage: str) -> pl.Expr:
    output = pl.col(f"{usage}.completion_tokens")
    reasoning = pl.col(f"{usage}.completion_tokens_details.reasoning_tokens")
    total = pl.col(f"{usage}.prompt_tokens") + output + reasoning
    on_top = (reasoning > 0) & (pl.col(f"{usage}.total_tokens") == total)
    return pl.when(on_top).then(output + reasoning).otherwise(output)


def responses_columns(usage: str = "usage") -> dict[str, pl.Expr]:
    """The call columns that a Responses usage tells."""
    counted, reading, writing, _ = _responses_input(usage)
    return {
        "input_tokens": counted,
        "cache_read_tokens": reading,
        "cache_write_other_tokens": writing,
        "output_tokens": pl.col(f"{usage}.output_tokens"),
        "reasoning_tokens": pl.col(f"{usage}.output_tokens_details.reasoning_tokens"),
    }


def responses_checks(usage: str = "usage") -> dict[str, Any]:
    """What `to_calls` is to find wrong with them."""
    *_, is_outside = _responses_input(usage)
    return {"total": pl.when(~is_outside).then(f"{usage}.total_tokens"), "guards": {CACHE_OUTSIDE: is_outside}}


def either_checks(usage: str = "usage") -> dict[str, Any]:
    """The same of a usage that may be of either form."""
    is_outside = _chat_input(usage)[-1] | _responses_input(usage)[-1]
    return {"total": pl.when(~is_outside).then(f"{usage}.total_tokens"), "guards": {CACHE_OUTSIDE: is_outside}}


def _responses_input(usage: str) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """(all input, cache reads, cache writes, whether the input had to be mended)"""
    told, output, total, reading, writing = (pl.col(f"{usage}.{name}") for name in RESPONSES[:5])
    counted, is_outside = with_cache_outside(told, reading, writing, output=output, total=total)
    return counted, reading, writing, is_outside


def with_tool_counts(lines: pl.DataFrame, output: str) -> pl.DataFrame:
    """`lines` with what a response's list of outputs, at `output`, says of tools that are billed by use."""
    texts = lines[output]
    asked = texts.filter(texts.str.contains(_USED).fill_null(False)).unique()
    if asked.is_empty():
        return lines.with_columns(pl.lit(None, pl.Int64).alias(name) for name in TOOL_COUNTS)
    rows = [(text, *_tool_counts(text)) for text in asked]
    schema = {output: pl.String, **dict.fromkeys(TOOL_COUNTS, pl.Int64)}
    return lines.join(pl.DataFrame(rows, schema=schema, orient="row"), on=output, how="left", maintain_order="left")


def _tool_counts(text: str) -> tuple[int | None, ...]:
    """Searches of the web and of files, and containers; null for a tool that was not used.

    Of what a web search does, only the search is billed: opening a page that it found is free. A container is billed
    once, however often the model runs code in it.
    """
    items = _items(text)
    uses = [sum(item.get("type") == kind and _is_billed(item.get("action")) for item in items) for kind in _TOOLS]
    containers = {str(item.get("container_id")) for item in items if item.get("type") == "code_interpreter_call"}
    return tuple(count or None for count in (*uses, len(containers)))


def _is_billed(action: Any) -> bool:
    return not isinstance(action, dict) or action.get("type") in (None, "search")


def _items(text: str) -> list[dict[str, Any]]:
    try:
        found = loads(text)
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

"""Trap 4: whether cached tokens are inside the input differs by format, and some logs have it wrong."""

from typing import Any

import polars as pl

from tests.traps.laying import CACHED, Logs, Record, trap
from tests.traps.records import invocation, message, observation, payload
from tests.traps.sabotage import columns_told, instead, lines_changed
from tests.traps.spans import chat, spanned
from transforms.shapes.dialects import anthropic_usage, bedrock, langfuse_usage, litellm, openai_usage
from transforms.shapes.formats import otel
from transforms.shapes.formats.openai_chat import OPENAI_CHAT

USD_PER_TOKEN = {"input": 10, "cache_read": 1, "cache_write": 100, "output": 0}


def completion(**usage: Any) -> Record:
    known = {"prompt_tokens": 5000, "completion_tokens": 5, "total_tokens": 5005}
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": "gpt-5-mini"}
    return body | {"usage": known | {"prompt_tokens_details": {"cached_tokens": 4000}} | usage}


def costs(logs: Logs, provider: str, record: Record) -> Any:
    ((cost,),) = logs.asked("select cost_usd from calls", [record], prices={(provider, record["model"]): USD_PER_TOKEN})
    return cost


@trap(
    "4",
    right=12 * 10 + 8000,
    without={
        "Anthropic's input leaves cached tokens out": (
            columns_told(anthropic_usage, "columns", input_tokens=pl.col("usage.input_tokens")),
            None,  # -7988 tokens have no price
        )
    },
)
def test_trap_04_anthropic_counts_cached_tokens_beside_the_input(logs: Logs) -> Any:
    return costs(logs, "anthropic", message(input_tokens=12, cache_read_input_tokens=8000))


both = pl.col("usage.prompt_tokens") + pl.col("usage.prompt_tokens_details.cached_tokens")


@trap(
    "4",
    right=1000 * 10 + 4000,
    without={
        "OpenAI's input includes cached tokens": (
            columns_told(openai_usage, "chat_columns", input_tokens=both),
            5000 * 10 + 4000,
        )
    },
)
def test_trap_04_openai_counts_cached_tokens_in_the_input(logs: Logs) -> Any:
    return costs(logs, "openai", completion())


MISSES = "usage.prompt_cache_miss_tokens"


def misses_written(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(pl.col(MISSES).alias("usage.prompt_tokens_details.cache_write_tokens"))


@trap(
    "4",
    right=1000 * 10 + 4000,
    without={
        "DeepSeek's misses are no cache writes": (lines_changed(OPENAI_CHAT, misses_written, MISSES), 104_000),
        "its hits are cache reads": (columns_told(openai_usage, "chat_columns", cache_read_tokens=None), 5000 * 10),
    },
)
def test_trap_04_deepseek_writes_hits_beside_the_details(logs: Logs) -> Any:
    hits = {"prompt_cache_hit_tokens": 4000, "prompt_cache_miss_tokens": 1000, "prompt_tokens_details": None}
    return costs(logs, "deepseek", completion(**hits) | {"model": "deepseek-chat"})


def uncached(logs: Logs, *records: Record) -> int:
    rows = logs.calls(list(records))
    return rows.select(pl.col("input_tokens") - pl.sum_horizontal(CACHED)).item()


def mended_nowhere(holder: Any) -> Any:
    return instead(holder, "with_cache_outside", lambda counted, *_, **__: (counted, pl.lit(False)))


@trap("4", right=12, without={"cached tokens that exceed the input are not in it": (mended_nowhere(otel), -988)})
def test_trap_04_older_spans_leave_cached_tokens_out(logs: Logs) -> Any:
    cached = {"gen_ai__usage__cache_read_input_tokens": 800, "gen_ai__usage__cache_creation_input_tokens": 200}
    return uncached(logs, *spanned(chat("a", gen_ai__usage__input_tokens=12, **cached)))


def decided(is_input_whole: bool) -> Any:
    real = langfuse_usage.decided
    return lambda read, model: real(read, model).with_columns(is_input_whole=pl.lit(is_input_whole))


@trap(
    "4",
    right=904,
    without={"the total tells what is in the input": (instead(langfuse_usage, "decided", decided(False)), 5000)},
)
def test_trap_04_an_app_sent_langfuse_an_input_with_the_cache_in_it(logs: Logs) -> Any:
    return uncached(
        logs, observation(usage_details={"input": 5000, "input_cached_tokens": 4096, "output": 300, "total": 5300})
    )


@trap(
    "4",
    right=12,
    without={"langfuse's keys are disjoint": (instead(langfuse_usage, "decided", decided(True)), -7988)},
)
def test_trap_04_langfuse_means_its_keys_to_be_disjoint(logs: Logs) -> Any:
    return uncached(
        logs, observation(usage_details={"input": 12, "input_cache_read": 8000, "output": 200, "total": 8212})
    )


@trap(
    "4",
    right=2,
    without={
        "OpenAI's streams on Bedrock count cached tokens as input": (
            instead(bedrock, "is_openai", lambda _: pl.lit(False)),
            4995,
        )
    },
)
def test_trap_04_a_stream_of_openai_on_bedrock(logs: Logs) -> Any:
    counts = {"inputTokenCount": 4995, "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 4993}
    return uncached(logs, invocation(modelId="openai.gpt-oss-120b-1:0", operation="ConverseStream", input=counts))


@trap(
    "4",
    right=12,
    without={
        "all others on Bedrock count them beside it": (
            instead(bedrock, "is_openai", lambda _: pl.lit(True)),
            8,
        )
    },
)
def test_trap_04_a_stream_of_anthropic_on_bedrock(logs: Logs) -> Any:
    counts = {"inputTokenCount": 12, "cacheReadInputTokenCount": 4, "cacheWriteInputTokenCount": 0}
    return uncached(logs, invocation(operation="ConverseStream", input=counts))


@trap(
    "4",
    right=(12 * 10 + 8000, "exact", "cached tokens exceed the input: counted on top of it"),
    without={
        "cached tokens that exceed the input are not in it": (
            mended_nowhere(litellm),
            (None, "inconsistent_usage", "cached tokens exceed the input"),
        )
    },
)
def test_trap_04_an_older_litellm_leaves_the_cache_out(logs: Logs) -> Any:
    details = {"usage_object": {"prompt_tokens": 12, "prompt_tokens_details": {"cached_tokens": 8000}}}
    older = payload(custom_llm_provider="anthropic", model="claude-sonnet-4-5", prompt_tokens=12, metadata=details)
    query = "select cost_usd, price_status, guard from calls"
    (row,) = logs.asked(query, [older], prices={("anthropic", "claude-sonnet-4-5"): USD_PER_TOKEN})
    return row

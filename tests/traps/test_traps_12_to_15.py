"""Traps 12 to 15b: what an output leaves out, lifetimes of cache writes, streams, and classes that are dropped."""

from typing import Any

import polars as pl

from tests.pipelines.logs import chat
from tests.traps.laying import Logs, Record, trap
from tests.traps.records import invocation, message
from tests.traps.sabotage import (
    columns_told,
    every_telling_counts,
    instead,
    tellings_are_summed,
    the_first_telling_counts,
)
from tests.traps.spans import chat as call_span
from tests.traps.spans import spanned
from transforms.shapes.dialects import anthropic_usage, gemini_usage, openai_usage, otel_trees
from transforms.shapes.formats import bedrock_invocation, otel

# Trap 12: thoughts, reasoning and tools' prompts that are told apart.

PROMPT, ANSWER, THOUGHTS = (pl.col(f"usageMetadata.{name}TokenCount") for name in ("prompt", "candidates", "thoughts"))


def gemini(**counts: int) -> Record:
    told = {f"{name}TokenCount": count for name, count in counts.items()}
    return {"responseId": "r-1", "modelVersion": "gemini-2.5-pro", "candidates": [], "usageMetadata": told}


@trap(
    "12",
    right=(1, 120, 700),
    without={
        "thoughts are output": (instead(gemini_usage, "_output", lambda: ANSWER), (1, 120, 60)),
        "a tool's prompt is input": (instead(gemini_usage, "_prompt", lambda: PROMPT), (1, 100, 700)),
    },
)
def test_trap_12_gemini_tells_thoughts_and_tools_prompts_apart(logs: Logs) -> Any:
    return logs.sums([gemini(prompt=100, toolUsePrompt=20, candidates=60, thoughts=640, total=820)])


@trap(
    "12",
    right=(1, 100, 700),
    without={
        "the total may tell that thoughts are inside": (
            instead(gemini_usage, "_output", lambda: ANSWER + THOUGHTS),
            (1, 100, 1340),
        )
    },
)
def test_trap_12_a_version_of_gemini_that_counts_thoughts_in_the_answer(logs: Logs) -> Any:
    return logs.sums([gemini(prompt=100, candidates=700, thoughts=640, total=800)])


def told_output(usage: str) -> pl.Expr:
    return pl.col(f"{usage}.completion_tokens")


def output_and_reasoning(usage: str) -> pl.Expr:
    return told_output(usage) + pl.col(f"{usage}.completion_tokens_details.reasoning_tokens")


@trap(
    "12",
    right=[(100, 140), (100, 60)],
    without={
        "the total tells that reasoning is on top": (
            instead(openai_usage, "_chat_output", told_output),
            [(100, 60), (100, 60)],
        ),
        "or that it is not": (
            instead(openai_usage, "_chat_output", output_and_reasoning),
            [(100, 100), (100, 140)],
        ),
    },
)
def test_trap_12_xai_counts_reasoning_on_top_and_openai_does_not(logs: Logs) -> Any:
    counts = {"prompt_tokens": 100, "completion_tokens": 60}
    details = {"completion_tokens_details": {"reasoning_tokens": 80}}
    less = {"completion_tokens_details": {"reasoning_tokens": 40}}
    on_top = chat(1, **counts, total_tokens=240, **details) | {"model": "grok-4"}
    inside = chat(2, **counts, total_tokens=160, **less)
    return logs.told([on_top, inside], of=("input_tokens", "output_tokens"))


# Trap 13: lifetimes of cache writes.

PRICES = {"input": 4, "output": 0, "cache_read": 0, "cache_write_5m": 5, "cache_write_1h": 8, "cache_write_other": 5}
SHORT, LONG = (f"usage.cache_creation.ephemeral_{life}_input_tokens" for life in ("5m", "1h"))
all_written = pl.col("usage.cache_creation_input_tokens")


@trap(
    "13",
    right=10 * 4 + 100 * 5 + 200 * 8,
    without={
        "an hour's writes have a price of their own": (
            columns_told(anthropic_usage, "columns", cache_write_5m_tokens=all_written, cache_write_1h_tokens=None),
            10 * 4 + 300 * 5,
        ),
        "writes are input": (
            columns_told(
                anthropic_usage,
                "columns",
                input_tokens=pl.col("usage.input_tokens"),
                cache_write_5m_tokens=None,
                cache_write_1h_tokens=None,
            ),
            10 * 4,
        ),
    },
)
def test_trap_13_anthropic_writes_for_an_hour_and_for_five_minutes(logs: Logs) -> Any:
    lives = {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}
    written = message(input_tokens=10, cache_creation_input_tokens=300, cache_creation=lives)
    ((cost,),) = logs.asked(
        "select cost_usd from calls", [written], prices={("anthropic", "claude-sonnet-4-5"): PRICES}
    )
    return cost


@trap(
    "13",
    right=(1, 310, 100, 200, 0),
    without={
        "the body tells what the record does not": (
            instead(bedrock_invocation, "counted", lambda *_: pl.lit(None, pl.String)),
            (1, 310, None, None, 300),
        )
    },
)
def test_trap_13_bedrock_tells_lifetimes_in_the_body_only(logs: Logs) -> Any:
    lives = [{"ttl": "5m", "inputTokens": 100}, {"ttl": "1h", "inputTokens": 200}]
    counts = {"inputTokenCount": 10, "cacheWriteInputTokenCount": 300}
    output = {"outputTokenCount": 5, "outputBodyJson": {"usage": {"cacheDetails": lives}}}
    written = [f"cache_write_{life}_tokens" for life in ("5m", "1h", "other")]
    return logs.sums([invocation(input=counts, output=output)], of=("input_tokens", *written))


# Trap 14: the start and the deltas of a stream of Anthropic's.


@trap(
    "14",
    right=(1, 9, 200),
    without={
        "they are tellings of one call": (every_telling_counts, (3, 27, 350)),
        "of which one counts, not their sum": (tellings_are_summed, (1, 27, 350)),
    },
)
def test_trap_14_deltas_of_a_stream_are_cumulative(logs: Logs) -> Any:
    begun = message(input_tokens=9, output_tokens=1)
    deltas = [{"type": "message_delta", "usage": {"output_tokens": count}} for count in (150, 200)]
    return logs.sums([{"type": "message_start", "message": begun}, *deltas, {"type": "message_stop"}])


# Trap 15: usage so far on each chunk.


@trap(
    "15",
    right=(1, 100, 3),
    without={
        "chunks are tellings of one call": (every_telling_counts, (3, 300, 6)),
        "the last one is the whole": (the_first_telling_counts, (1, 100, 1)),
    },
)
def test_trap_15_vllm_writes_cumulative_usage_on_each_chunk(logs: Logs) -> Any:
    counts = [{"prompt_tokens": 100, "completion_tokens": n, "total_tokens": 100 + n} for n in (1, 2, 3)]
    chunk = chat(1) | {"object": "chat.completion.chunk", "model": "qwen3-32b"}
    return logs.sums([chunk | {"usage": usage} for usage in counts])


# Trap 15b: instrumentations that drop classes.

WRITTEN = "cache_write_other_tokens"
full = {"gen_ai__usage__cache_write__input_tokens": 500, "gen_ai__usage__reasoning__output_tokens": 12}


@trap(
    "15b",
    right=[(None, None)],
    without={
        "a class that is not told is unknown": (
            columns_told(otel, "_columns", cache_write_other_tokens=pl.lit(0), reasoning_tokens=pl.lit(0)),
            [(0, 0)],
        )
    },
)
def test_trap_15b_an_instrumentation_drops_cache_writes_and_reasoning(logs: Logs) -> Any:
    return logs.told(spanned(call_span("a", response="chatcmpl-1")), of=(WRITTEN, "reasoning_tokens"))


@trap(
    "15b",
    right=[(500, 12)],
    without={
        "of the spans of a response the one with most detail counts": (
            instead(otel_trees, "_RANK", (pl.col("$row"),)),
            [(None, 12)],  # what is kept of the others is no count of input
        )
    },
)
def test_trap_15b_another_instrumentation_tells_them(logs: Logs) -> Any:
    poor, rich = call_span("a", response="chatcmpl-1"), call_span("b", response="chatcmpl-1", **full)
    return logs.told(spanned(poor, rich), of=(WRITTEN, "reasoning_tokens"))


LONG_ID = "chatcmpl-Dk2m9QxW4rT7vB1s"


@trap(
    "15b",
    right=[(500, 12)],
    without={"of two logs of a call the one that tells more counts": (the_first_telling_counts, [(None, None)])},
)
def test_trap_15b_another_log_tells_them(logs: Logs) -> Any:
    details = {"prompt_tokens_details": {"cache_write_tokens": 500}}
    details["completion_tokens_details"] = {"reasoning_tokens": 12}
    body = chat(1, prompt_tokens=1012, completion_tokens=20, total_tokens=1032, **details) | {"id": LONG_ID}
    return logs.told(spanned(call_span("a", response=LONG_ID)), [body], of=(WRITTEN, "reasoning_tokens"))

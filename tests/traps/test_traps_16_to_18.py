"""Traps 16 to 18: one number under several keys, multipliers of a price, and iterations."""

from typing import Any

import polars as pl

from tests.pipelines.logs import chat
from tests.traps.laying import Logs, Record, trap
from tests.traps.records import TIME, message, payload
from tests.traps.sabotage import calls_changed, columns_told, instead, lines_changed
from tests.traps.spans import chat as call_span
from tests.traps.spans import spanned
from transforms.shapes.dialects import anthropic_usage, bedrock, gemini_usage, litellm, otlp
from transforms.shapes.formats.openai_batch import OPENAI_BATCH
from transforms.shapes.formats.openai_chat import OPENAI_CHAT

READ, WRITTEN = "cache_read_tokens", "cache_write_other_tokens"

# Trap 16: the same number under several keys.


bedrock_columns = bedrock.input_columns
both_reads = pl.sum_horizontal("usage.cacheReadInputTokens", "usage.cacheReadInputTokenCount")


def added_up(uncached: pl.Expr, read: pl.Expr, *written: pl.Expr) -> dict[str, pl.Expr]:
    return bedrock_columns(uncached, both_reads, *written)


@trap(
    "16",
    right=(1, 812, 800),
    without={"the first name that is there is taken": (instead(bedrock, "input_columns", added_up), (1, 1612, 1600))},
)
def test_trap_16_bedrocks_converse_has_twins(logs: Logs) -> Any:
    usage = {"inputTokens": 12, "outputTokens": 5, "totalTokens": 817}
    twins = {"cacheReadInputTokens": 800, "cacheReadInputTokenCount": 800}
    body = {"stopReason": "end_turn", "output": {}, "metrics": {"latencyMs": 9}, "usage": usage | twins}
    request = {"modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0", "messages": []}
    return logs.sums([{"time": TIME, "request": request, "response": body}], of=("input_tokens", READ))


summed = pl.sum_horizontal(f"metadata.usage_object.{path}" for path in litellm._WRITTEN)


@trap(
    "16",
    right=(1, 2012, 2000),
    without={
        "the first name that is there is taken": (
            columns_told(litellm, "columns", cache_write_other_tokens=summed),
            (1, 2012, 6000),
        )
    },
)
def test_trap_16_litellm_writes_cache_writes_three_times(logs: Logs) -> Any:
    details = {"cache_write_tokens": 2000, "cache_creation_tokens": 2000}
    usage = {"prompt_tokens": 2012, "prompt_tokens_details": details, "cache_creation_input_tokens": 2000}
    written = payload(prompt_tokens=2012, metadata={"usage_object": usage})
    return logs.sums([written], of=("input_tokens", WRITTEN))


def every_name_counts(lines: pl.DataFrame, keys: Any, shared: Any) -> pl.DataFrame:
    each = {f"{key} alone": (key,) for key in keys["input"]}
    found = otlp_opened(lines, {**keys, **each}, shared)
    total = pl.sum_horizontal(pl.col(name).cast(pl.Int64) for name in each)
    return found.with_columns(input=total.cast(pl.String)).drop(*each)


otlp_opened = otlp.opened


@trap(
    "16",
    right=(1, 1012),
    without={"the first name that is there is taken": (instead(otlp, "opened", every_name_counts), (1, 2024))},
)
def test_trap_16_a_span_has_the_old_names_beside_the_new(logs: Logs) -> Any:
    return logs.sums(spanned(call_span("a", gen_ai__usage__prompt_tokens=1012)), of=["input_tokens"])


# Trap 17: multipliers that are not visible, or only in the response.


def batched(record: Record) -> Record:
    response = {"status_code": 200, "body": record}
    return {"id": "batch_req_1", "custom_id": "r-1", "response": response, "error": None}


no_batch = calls_changed(OPENAI_BATCH, lambda calls, _: calls.with_columns(is_batch=pl.lit(None, pl.Boolean)))


@trap(
    "17",
    right=[(None, 2 * 110), (True, 110)],
    without={"the envelope tells that it was a batch": (no_batch, [(None, 2 * 110)] * 2)},
)
def test_trap_17_the_body_of_a_batch_says_default(logs: Logs) -> Any:
    alone, in_batch = (chat(number, prompt_tokens=100, total_tokens=110) for number in (1, 2))
    prices = {("openai", "gpt-5-mini"): 2, ("openai", "gpt-5-mini", "true"): 1}
    by_class = {ref: {"input": usd, "output": usd} for ref, usd in prices.items()}
    query = "select is_batch, cost_usd from calls order by response_id"
    return logs.asked(query, [alone], [batched(in_batch | {"service_tier": "default"})], prices=by_class)


def as_asked(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(pl.col("request.service_tier").alias("response.service_tier"))


@trap(
    "17",
    right=[("priority",)],
    without={
        "the response's tier is billed": (lines_changed(OPENAI_CHAT, as_asked, "request.service_tier"), [("fast",)])
    },
)
def test_trap_17_the_tier_that_was_asked_for_is_not_the_one_that_served(logs: Logs) -> Any:
    request = {"model": "gpt-5-mini", "messages": [], "service_tier": "fast"}
    return logs.told([{"request": request, "response": chat(1) | {"service_tier": "priority"}}], of=["service_tier"])


@trap(
    "17",
    right=[("fast", "us")],
    without={
        "speed goes before the tier": (
            columns_told(anthropic_usage, "columns", service_tier=pl.col("usage.service_tier")),
            [("standard", "us")],
        ),
        "the geography is a region": (columns_told(anthropic_usage, "columns", region=None), [("fast", None)]),
    },
)
def test_trap_17_anthropics_speed_and_geography(logs: Logs) -> Any:
    told = {"service_tier": "standard", "speed": "fast", "inference_geo": "us"}
    return logs.told([message(**told)], of=("service_tier", "region"))


@trap(
    "17",
    right=[("flex",), ("provisioned_throughput",)],
    without={
        "traffic types are tiers": (
            instead(gemini_usage, "_tier", lambda: pl.lit(None, pl.String)),
            [(None,), (None,)],
        )
    },
)
def test_trap_17_vertex_traffic_types(logs: Logs) -> Any:
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 1, "totalTokenCount": 10}
    bodies = [
        {"responseId": kind, "modelVersion": "gemini-2.5-pro", "usageMetadata": counts | {"trafficType": kind}}
        for kind in ("ON_DEMAND_FLEX", "PROVISIONED_THROUGHPUT")
    ]
    return logs.told(bodies, of=["service_tier"])


# Trap 18: iterations.


def on_top_alone(lines: pl.DataFrame, usage: str, model: str) -> pl.DataFrame:
    return lines.with_columns(part=pl.lit(0, pl.Int32))


OWN = {"type": "message", "input_tokens": 20, "output_tokens": 3}


def iterated(*iterations: Record) -> Record:
    return message(input_tokens=20, output_tokens=3, iterations=list(iterations)) | {"model": "claude-opus-4-6"}


@trap(
    "18",
    right=(1, 180, 13),
    without={
        "what is billed is the sum of the iterations": (
            instead(anthropic_usage, "opened", on_top_alone),
            (1, 20, 3),
        )
    },
)
def test_trap_18_compaction_is_outside_of_the_usage(logs: Logs) -> Any:
    compaction = {"type": "compaction", "input_tokens": 160, "output_tokens": 10}
    return logs.sums([iterated(compaction, OWN)])


@trap(
    "18",
    right=[("claude-opus-4-6", 23 * 10), ("claude-haiku-4-5", 110)],
    without={
        "each at its own model's price": (
            instead(anthropic_usage, "opened", on_top_alone),
            [("claude-opus-4-6", 23 * 10)],
        )
    },
)
def test_trap_18_an_advisor_is_another_model(logs: Logs) -> Any:
    advisor = {"type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 100, "output_tokens": 10}
    prices = {("anthropic", "claude-opus-4-6"): 10, ("anthropic", "claude-haiku-4-5"): 1}
    by_class = {ref: {"input": usd, "output": usd} for ref, usd in prices.items()}
    return logs.asked(
        "select model, cost_usd from calls order by cost_usd desc", [iterated(OWN, advisor)], prices=by_class
    )

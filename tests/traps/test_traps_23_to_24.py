"""Traps 23 and 24: retries, and fees beside tokens."""

from typing import Any

import polars as pl

from tests.traps.laying import Logs, trap
from tests.traps.records import TIME, message, payload
from tests.traps.sabotage import (
    all_of,
    calls_changed,
    columns_told,
    instead,
    lines_changed,
    the_first_telling_counts,
)
from transforms.shapes.dialects import anthropic_usage, gateways, gemini_usage, litellm, openai_usage
from transforms.shapes.formats.kong import KONG
from transforms.shapes.formats.litellm_slp import LITELLM_SLP
from transforms.shapes.formats.replicate import REPLICATE

ONE_USD = {"input": 1, "output": 1}

# Trap 23: retries.


ATTEMPTS = "select status, price_status, cost_usd, count(*) over (partition by action_id) from calls order by status"
PAID, NOT_BILLED = ("success", "exact", 110, 2), ("refused", "not_billed", 0, 2)


def by_call_id(calls: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    return calls.with_columns(response_id=lines["litellm_call_id"])


@trap(
    "23",
    right=[NOT_BILLED, PAID],
    without={
        "an attempt is known by its call id and its start": (
            all_of(calls_changed(LITELLM_SLP, by_call_id), the_first_telling_counts),
            [(*NOT_BILLED[:3], 1)],  # the paid one is lost
        ),
        "what was refused is not billed": (
            instead(litellm, "_failure", lambda _: pl.lit("error")),
            [("error", "usage_unknown", None, 2), PAID],
        ),
    },
)
def test_trap_23_litellms_attempts_share_their_call_id(logs: Logs) -> Any:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": 0}
    failed = payload(id="c-1", status="failure", error_information={"error_code": "429"}, **zeros)
    paid = payload(startTime=1_790_000_001.0)
    return logs.asked(ATTEMPTS, [failed, paid], prices={("openai", "gpt-5-mini"): ONE_USD})


@trap(
    "23",
    right=[NOT_BILLED, PAID],
    without={
        "a failed attempt is no answer": (
            instead(gateways, "status", lambda **_: pl.lit("success")),
            [PAID, ("success", "usage_unknown", None, 2)],
        )
    },
)
def test_trap_23_portkeys_fallback_is_a_row_for_each_attempt(logs: Logs) -> Any:
    told = {"created_at": TIME, "trace_id": "t-1", "ai_org": "openai", "ai_model": "gpt-5-mini", "mode": "FALLBACK"}
    failed = {"id": "p-1", "is_success": 0, "response_status_code": 429, "req_units": 0, "res_units": 0, "cost": 0}
    paid = {"id": "p-2", "is_success": 1, "response_status_code": 200, "req_units": 100, "res_units": 10, "cost": 1}
    query = f"select * from ({ATTEMPTS}) order by status, cost_usd nulls last"
    return logs.asked(query, [told | failed, told | paid], prices={("openai", "gpt-5-mini"): ONE_USD})


def first_try(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(pl.col("upstream_status").str.extract(r"^(\d+)"))


@trap(
    "23",
    right=[("success", 100, 10)],
    without={"the last try decides": (lines_changed(KONG, first_try), [("error", 100, 10)])},
)
def test_trap_23_kongs_tries_are_one_call(logs: Logs) -> Any:
    meta = {"provider_name": "openai", "response_model": "gpt-5-mini"}
    proxy = {"meta": meta, "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
    told = {"started_at": 1_790_000_000_000, "latencies": {"request": 9}, "request": {"id": "k-1"}}
    tries = {"tries": [{"balancer_start": 1}, {"balancer_start": 2}], "upstream_status": "502, 200"}
    return logs.told([told | tries | {"ai": {"proxy": proxy}}], of=("status", "input_tokens", "output_tokens"))


# Trap 24: fees beside tokens.

TOOLS = ("web_search_count", "file_search_count", "code_session_count")
FEES = {"web_search": 7, "file_search": 3, "code_session": 5} | ONE_USD


@trap(
    "24",
    right=[(2, 1, 1, 100 + 10 + 2 * 7 + 3 + 5)],
    without={
        "tools that are billed by use are counted": (
            instead(openai_usage, "_tool_counts", lambda _: (None,) * 3),
            [(None, None, None, 110)],
        ),
        "of a web search only the searches": (
            instead(openai_usage, "_is_billed", lambda _: True),
            [(3, 1, 1, 100 + 10 + 3 * 7 + 3 + 5)],
        ),
    },
)
def test_trap_24_openais_searches_and_containers(logs: Logs) -> Any:
    searches = [{"type": "web_search_call", "action": {"type": kind}} for kind in ("search", "search", "open_page")]
    runs = [{"type": "code_interpreter_call", "container_id": "cntr_1"}] * 2
    body = {"id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": "completed"}
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    record = body | {"model": "gpt-5-mini", "usage": usage, "output": [*searches, {"type": "file_search_call"}, *runs]}
    query = f"select {', '.join(TOOLS)}, cost_usd from calls"
    return logs.asked(query, [record], prices={("openai", "gpt-5-mini"): FEES})


@trap(
    "24",
    right=[(2, 100 + 10 + 2 * 7)],
    without={
        "searches are told in the usage": (
            columns_told(anthropic_usage, "columns", web_search_count=None),
            [(None, 110)],
        )
    },
)
def test_trap_24_anthropics_searches(logs: Logs) -> Any:
    searched = message(server_tool_use={"web_search_requests": 2})
    query = "select web_search_count, cost_usd from calls"
    return logs.asked(query, [searched], prices={("anthropic", "claude-sonnet-4-5"): FEES})


def no_searches(candidates: pl.Series) -> pl.Series:
    return pl.Series([None] * len(candidates), dtype=pl.Int64)


@trap(
    "24",
    right=[(2,), (1,)],
    without={"queries of grounding are searches": (instead(gemini_usage, "_searches", no_searches), [(None,)] * 2)},
)
def test_trap_24_gemini_grounds_its_answer(logs: Logs) -> Any:
    grounded = [{"groundingMetadata": {"webSearchQueries": ["rates", "rates today"]}}]
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 10, "totalTokenCount": 110}
    models = ("gemini-3-pro", "gemini-2.5-pro")  # up to 2.5 a grounded prompt is one search
    bodies = [{"responseId": model, "modelVersion": model, "candidates": grounded} for model in models]
    told = logs.told([body | {"usageMetadata": usage} for body in bodies], of=("response_id", "web_search_count"))
    return [(count,) for _, count in told[::-1]]


no_seconds = calls_changed(REPLICATE, lambda calls, _: calls.with_columns(compute_microseconds=pl.lit(None, pl.Int64)))


@trap("24", right=[(2_500_000,)], without={"the seconds of a prediction are billed": (no_seconds, [(None,)])})
def test_trap_24_replicate_bills_seconds(logs: Logs) -> Any:
    told = {"id": "p-1", "model": "lab/paint", "version": "v1", "status": "succeeded", "urls": {"get": "x"}}
    times = {"created_at": TIME, "metrics": {"predict_time": 2.5, "total_time": 9.0}}
    return logs.told([told | times], of=["compute_microseconds"])

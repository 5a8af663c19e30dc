"""Trap 5: spans around spans that tell the same usage, or its sum."""

from typing import Any

import polars as pl

from tests.traps.laying import Logs, Record, trap
from tests.traps.sabotage import all_of, calls_changed, instead
from tests.traps.spans import chat, logged, span, spanned
from transforms.shapes.dialects import otel_dialects, otel_trees, span_trees
from transforms.shapes.formats import langsmith
from transforms.shapes.formats.otel import AGGREGATES, OTEL

each_span_counts = instead(otel_trees, "one_telling", lambda spans, kept, detail: spans)
whatever_has_usage_is_a_call = instead(otel_dialects, "_is_call", lambda: pl.col("has_usage"))


@trap(
    "5",
    right=(1, 1000, 50),
    without={"a wrapper is no call": (all_of(whatever_has_usage_is_a_call, each_span_counts), (2, 2000, 100))},
)
def test_trap_05_the_ai_sdk_tells_a_call_and_again_around_it(logs: Logs) -> Any:
    told = {"ai__model__provider": "openai.chat", "ai__response__model": "gpt-5-mini", "ai__usage__inputTokens": 1000}
    outer, inner = "ai.streamText", "ai.streamText.doStream"
    told["ai__usage__outputTokens"] = 50
    return logs.sums(spanned(span(outer, scope="ai", **told), span(inner, outer, scope="ai", **told)))


@trap(
    "5",
    right=(2, 2024, 40),
    without={"an agent is no call": (all_of(whatever_has_usage_is_a_call, each_span_counts), (3, 4048, 80))},
)
def test_trap_05_an_agent_sums_up_its_calls(logs: Logs) -> Any:
    sums = {"gen_ai__usage__input_tokens": 2024, "gen_ai__usage__output_tokens": 40}
    agent = chat("agent", gen_ai__operation__name="invoke_agent", **sums)
    return logs.sums(spanned(agent, chat("one", "agent", "msg_1"), chat("two", "agent", "msg_2")))


no_twins = pl.DataFrame(schema={"$row": pl.Int64, "$stays": pl.Int64})
SDK = {
    "scope": "com.anthropic.sdk.python",
    "anthropic__usage__cache_creation__ephemeral_5m_input_tokens": 3,
    "anthropic__usage__cache_creation__ephemeral_1h_input_tokens": 4,
}
FIVE_MINUTES, ONE_HOUR = "cache_write_5m_tokens", "cache_write_1h_tokens"


@trap(
    "5",
    right=(1, 20, 3, 4),
    without={
        "of the spans of a response the SDK's counts": (
            instead(otel_trees, "_same_response", lambda _: no_twins),
            (1, 21, None, None),  # OpenLLMetry has a token too many where it reads a stream
        )
    },
)
def test_trap_05_anthropics_sdk_has_a_span_of_its_own_beside_the_instrumentation(logs: Logs) -> Any:
    other = chat("other", response="msg_1", gen_ai__usage__output_tokens=21)
    own = chat("own", response="msg_1", **SDK) | {"traceId": "t-2"}
    return logs.sums(spanned(other, own), of=("output_tokens", FIVE_MINUTES, ONE_HOUR))


@trap("5", right=(1, 1012, 20), without={"the span inside counts": (each_span_counts, (2, 2024, 40))})
def test_trap_05_a_span_without_an_id_around_that_of_the_sdk(logs: Logs) -> Any:
    return logs.sums(spanned(chat("outer"), chat("inner", "outer", "msg_1", **SDK)))


@trap(
    "5",
    right=(1, 20, 3),
    without={
        "the server's span is what the caller's tells already": (
            instead(otel_trees, "_PLATFORM", "none"),
            (1, 20, None),  # the inner one counts, which does not tell the lifetimes
        )
    },
)
def test_trap_05_anthropics_servers_trace_the_call_too(logs: Logs) -> Any:
    server = chat("server", "own", scope="com.anthropic.claude-platform", kind=2)
    return logs.sums(spanned(chat("own", response="msg_1", **SDK), server), of=("output_tokens", FIVE_MINUTES))


def run(name: str, kind: str, around: str | None = None) -> Record:
    told = {"id": name, "run_type": kind, "parent_run_id": around, "trace_id": "outer", "dotted_order": name}
    counts = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return told | counts | {"start_time": "2026-10-01T10:00:00", "end_time": "2026-10-01T10:00:01"}


nothing_wraps = instead(span_trees, "is_wrapper", lambda *_: pl.lit(False))


@trap(
    "5",
    right=(1, 100, 10),
    without={
        "a run of a model around another is none": (nothing_wraps, (2, 200, 20)),
        "chains sum up what is in them": (
            all_of(nothing_wraps, instead(langsmith, "_OF_A_MODEL", ("llm", "chain"))),
            (3, 300, 30),
        ),
    },
)
def test_trap_05_langsmith_rolls_up(logs: Logs) -> Any:
    return logs.sums([run("outer", "chain"), run("wrapper", "llm", "outer"), run("call", "llm", "wrapper")])


def metric(tokens: int) -> Record:
    point = {"asInt": str(tokens), "timeUnixNano": "1790000000000000000"}
    metrics = [{"name": "claude_code.token.usage", "sum": {"dataPoints": [point]}}]
    return {"resourceMetrics": [{"scopeMetrics": [{"scope": {"name": "claude_code"}, "metrics": metrics}]}]}


def as_a_call(calls: pl.DataFrame, _: pl.DataFrame) -> pl.DataFrame:
    told = {"verdict": None, "status": "success", "input_tokens": 9, "output_tokens": 4}
    is_metric = pl.col("verdict") == AGGREGATES
    return calls.with_columns(
        pl.when(is_metric).then(pl.lit(value)).otherwise(name).alias(name) for name, value in told.items()
    )


@trap(
    "5",
    right=(1, 9, 4),
    without={"metrics are never a source": (calls_changed(OTEL, as_a_call), (2, 18, 8))},
)
def test_trap_05_claude_code_tells_its_log_and_its_metrics(logs: Logs) -> Any:
    told = {"event__name": "api_request", "model": "claude-sonnet-4-5", "request_id": "req_1"}
    event = logged("claude_code.api_request", **told, input_tokens=9, output_tokens=4)
    return logs.sums([event], [metric(13)])

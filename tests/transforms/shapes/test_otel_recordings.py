"""Recorded OTLP files that are not part of the project: the same calls through several instrumentations each.

EXPECTED.json tells of them in words; here they are held in figures.
"""

import json
from typing import Any

import polars as pl
import pytest

from tests.builders import calls_of, lines_frame, record_of
from tests.transforms.shapes.test_recordings import IN_WORDS, SAMPLES, pytestmark, settled, told_by  # noqa: F401
from transforms.schemas import QUANTITIES
from transforms.shapes.formats.otel import OTEL

# The provider behind the recordings gave every reply one of these ids.
RECURRING = ("msg_01XyZ", "chatcmpl-REAL1")

ANTHROPIC = {
    "provider": "anthropic",
    "model": "claude-sonnet-4-5-20250929",
    "model_requested": "claude-sonnet-4-5",
    "status": "success",
    "service_tier": "standard",
    "input_tokens": 10012,
    "cache_read_tokens": 8000,
    "cache_write_5m_tokens": 1500,
    "cache_write_1h_tokens": 500,
    "cache_write_other_tokens": 0,
    "output_tokens": 200,
}
OPENAI = {
    "provider": "openai",
    "model": "gpt-5.6-2026-07-01",
    "status": "success",
    "input_tokens": 5000,
    "cache_read_tokens": 4096,
    "output_tokens": 700,
}
AI_SDK = {
    "provider": "anthropic",
    "model": "claude-sonnet-4-5-20250929",
    "model_requested": "claude-sonnet-4-5",
    "input_tokens": 10012,
    "cache_read_tokens": 8000,
    "output_tokens": 200,
    "response_id": "msg_01XyZ",
}
WRITTEN = {"cache_write_other_tokens": 2000}
THOUGHT = {"reasoning_tokens": 150}
UNKNOWN = dict.fromkeys(QUANTITIES)


def each_call_its_id(name: str) -> pl.DataFrame:
    """LINES of a recording in which every call has an id of its own, as it would from a real provider.

    Calls ran one after the other, while the spans of one call overlap in time: so an id is shared by the spans that do.
    """
    texts = (SAMPLES / name).read_text().splitlines()
    times = [(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])) for span in map(_span, texts)]
    starts: list[int] = []  # of calls
    latest = 0
    for start, end in sorted(times):
        starts += [start] if start > latest else []
        latest = max(latest, end)
    for number, (start, _) in enumerate(times):
        call = sum(begun <= start for begun in starts)
        for recurring in RECURRING:
            texts[number] = texts[number].replace(recurring, f"{recurring}-{call}")
    return lines_frame(enumerate(map(record_of, texts), 1), OTEL.fields)


def _span(text: str) -> dict[str, Any]:
    return json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]


def holds(calls: pl.DataFrame, *wanted: dict[str, Any]) -> None:
    told = calls.sort("called_at").to_dicts()
    assert [{name: call[name] for name in want} for call, want in zip(told, wanted, strict=True)] == list(wanted)


@pytest.mark.parametrize("instrumentation", ["genai", "openinference", "traceloop"])
def test_six_spans_of_anthropic_are_three_calls(instrumentation: str) -> None:
    """Each has a span of its SDK too, the only one that tells lifetimes; traceloop reads 201 from a stream of 200."""
    calls = settled(calls_of(OTEL, each_call_its_id(f"otlp_{instrumentation}_anthropic.jsonl")))
    holds(calls, *(ANTHROPIC | {"response_id": f"msg_01XyZ-{number}"} for number in (1, 2, 3)))


@pytest.mark.parametrize(
    ("instrumentation", "details", "silent"),
    [
        ("genai", {"cache_write_other_tokens": 512, "reasoning_tokens": 640}, {}),
        ("openinference", {"cache_write_other_tokens": 512, "reasoning_tokens": 640}, {}),
        ("traceloop", {"cache_write_other_tokens": None}, {"reasoning_tokens": None}),  # it loses both
    ],
)
def test_four_calls_of_openai_of_which_one_stream_tells_no_usage(
    instrumentation: str, details: dict[str, Any], silent: dict[str, Any]
) -> None:
    calls = settled(calls_of(OTEL, each_call_its_id(f"otlp_{instrumentation}_openai.jsonl")))
    full = OPENAI | details
    unknown = {"provider": "openai", "model": full["model"], "status": "success", **UNKNOWN}
    holds(calls, full | {"user_id": "u-17"}, unknown, full | silent, full)
    assert calls["latency_seconds"].min() > 0


@pytest.mark.parametrize("name", [name for name in IN_WORDS if name.startswith("otlp")])
def test_without_ids_of_their_own_they_are_one_call_for_each_id(name: str) -> None:
    ids = ["msg_01XyZ"] if "anthropic" in name else ["chatcmpl-REAL1", "resp_abc"]
    assert settled(told_by(SAMPLES / name))["response_id"].sort().to_list() == ids


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        # generateText of version 5 tells the cache only in its provider's metadata; streamText loses cache writes
        ("v5", [AI_SDK | WRITTEN | {"feature": "invoice-summary", "user_id": "u-17", "reasoning_tokens": None},
                AI_SDK | THOUGHT | {"feature": "chat", "response_id": "msg_02", "cache_write_other_tokens": None}]),
        ("v6", [AI_SDK | WRITTEN | THOUGHT | {"feature": "invoice-summary", "user_id": "u-17"}]),
        ("v7", [AI_SDK | WRITTEN | {"feature": "invoice-summary", "reasoning_tokens": None}]),
        ("v7_legacy", [AI_SDK | WRITTEN | THOUGHT | {"feature": "invoice-summary"}]),
    ],
)  # fmt: skip
def test_wrappers_of_the_ai_sdk_are_no_calls(version: str, wanted: list[dict[str, Any]]) -> None:
    holds(settled(told_by(SAMPLES / f"aisdk_{version}.otlp.jsonl")), *wanted)

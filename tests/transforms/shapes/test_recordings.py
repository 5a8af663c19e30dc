"""Real logs that are not part of the project, with the figures that are known of them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.builders import SHARED, calls_of, lines_frame, lines_of, records_of
from transforms import settlement
from transforms.schemas import LINE_KEYS
from transforms.shapes import ORDER, recognise
from transforms.shapes.formats.claude_code import CLAUDE_CODE
from transforms.shapes.providers import provider_id_of

SAMPLES = SHARED / "format_samples"
SESSIONS = SHARED / "data" / "claude_code_sessions"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared is absent: its recordings are not part of the project"
)

SHAPE_OF = {
    "aisdk_v5.otlp.jsonl": "otel",
    "aisdk_v6.otlp.jsonl": "otel",
    "aisdk_v7.otlp.jsonl": "otel",
    "aisdk_v7_legacy.otlp.jsonl": "otel",
    "anthropic_batch.jsonl": "anthropic_batch",
    "anthropic_messages.jsonl": "anthropic_messages",
    "anthropic_stream_events.jsonl": "anthropic_stream",
    "azure_apim_gatewaylogs.jsonl": "apim_gateway",
    "azure_apim_llmlog.jsonl": "apim_llm",
    "azure_requestresponse.jsonl": "azure_openai_requests",
    "bedrock_cloudwatch_insights.csv": "bedrock_invocation",  # records in the column @message
    "bedrock_invocation.jsonl": "bedrock_invocation",
    "claude_code.jsonl": "claude_code",
    "claude_print_result.jsonl": "claude_print",
    "cloudflare_aig_api.jsonl": "cloudflare_gateway",
    "cloudflare_aig_logpush.jsonl": "cloudflare_logpush",
    "codex_exec.jsonl": "codex_exec",
    "codex_rollout.jsonl": "codex",
    "codex_rollout_v2.jsonl": "codex",
    "gemini_cli_session.jsonl": "gemini_cli",
    "gemini_cli_telemetry.log": "gemini_cli_telemetry",
    "gemini_generatecontent.jsonl": "gemini",
    "gemini_stream.jsonl": "gemini",
    "helicone.jsonl": "helicone",
    "kong_ai.jsonl": "kong",
    "langfuse_api_v2.jsonl": "langfuse",
    "langfuse_observations_legacy.jsonl": "langfuse",
    "langfuse_observations_v2.jsonl": "langfuse",
    "langsmith_runs.jsonl": "langsmith",
    "litellm_slp.jsonl": "litellm_slp",
    "litellm_slp_router_retry.jsonl": "litellm_slp",
    "litellm_spendlogs.jsonl": "litellm_spendlogs",
    "openai_batch.jsonl": "openai_batch",
    "openai_chat.jsonl": "openai_chat",
    "openai_chat_stream.jsonl": "openai_chat",
    "openai_compat_deviations.jsonl": "openai_chat+ollama",
    "openai_responses.jsonl": "openai_responses",
    "openrouter_activity.csv": "openrouter_activity",
    "openrouter_generation.jsonl": "openrouter_generation",
    "openrouter_response.jsonl": "openrouter",
    "otlp_genai_anthropic.jsonl": "otel",
    "otlp_genai_openai.jsonl": "otel",
    "otlp_openinference_anthropic.jsonl": "otel",
    "otlp_openinference_openai.jsonl": "otel",
    "otlp_traceloop_anthropic.jsonl": "otel",
    "otlp_traceloop_openai.jsonl": "otel",
    "phoenix_spans_dataframe.jsonl": "phoenix",
    "portkey.jsonl": "portkey",
    "replicate_predictions.jsonl": "replicate",
    "vertex_request_response_bq.jsonl": "vertex_request_response",
}
# Files of which EXPECTED.json tells in words: see test_otel_recordings.
IN_WORDS = tuple(name for name, shape in SHAPE_OF.items() if shape == "otel")
# Files without a call: what is said of their lines.
QUARANTINED = {
    "claude_print_result.jsonl": "a run's total, not a call: the session's log has the calls",
    "cloudflare_aig_logpush.jsonl": (
        "encrypted, without time or tokens; export the AI Gateway's logs through Cloudflare's API instead"
    ),
    "openrouter_activity.csv": "a daily aggregate, not a call",
}
# What we have otherwise than EXPECTED.json: file -> id there -> field -> ours. Each with its reason.
WRAPPED = "resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpOb25lO3Jlc3BvbnNlX2lkOnJlc3BfYWJj"
AZURE = "5d0b7f8c-3c3d-4b0a-9a52-0c1d8ad3ee11"
OURS: dict[str, dict[str | None, dict[str, Any]]] = {
    "anthropic_batch.jsonl": {"inv-2": {"id": "req_011bad"}},  # the provider's id, the custom one recurs over batches
    "azure_apim_gatewaylogs.jsonl": {"chatcmpl-AzG1": {"user": "team-payments"}},  # there in words
    "azure_requestresponse.jsonl": {  # two calls of one correlation id
        AZURE: {"id": (f"{AZURE}:2024-05-03T10:22:41.1234567Z:842", f"{AZURE}:2024-05-03T10:22:55.0000000Z:842")}
    },
    # what failed or expired tells no usage: unknown, not none
    "openai_batch.jsonl": {"batch_req_r3": {"input_uncached": None, "output_total": None}},
    "openai_responses.jsonl": {"resp_0a2": {"input_uncached": None, "output_total": None}},
    "openai_compat_deviations.jsonl": {
        "chatcmpl-vllm1": {"provider": None},  # who served an open model under its own name, the body does not tell
        None: {"latency_s": 4.883583},  # to the microsecond
    },
    # a request that was throttled has no usage: unknown, not zero
    "bedrock_invocation.jsonl": {
        "0b0f53c2-1111-4a0e-9a51-52bd1ad3e002": {"input_uncached": None, "output_total": None}
    },
    # the thread and its counter name a call where the log does not; EXPECTED.json only numbers them
    "codex_exec.jsonl": {
        "turn 1": {"id": "0199-thread:32167:20224:156:7"},
        "turn 2": {"id": "0199-thread:65167:52224:456:107"},
    },
    "codex_rollout.jsonl": {
        "event 4": {"id": "0199-thread:32167:20224:156:7"},
        "event 6": {"id": "0199-thread:65167:52224:456:107"},
    },
    # a prompt's id, which all its calls share
    "gemini_cli_telemetry.log": {"s-1########0": {"id": "s-1:s-1########0:2026-08-21T09:00:05.000Z"}},
    "litellm_slp.jsonl": {
        WRAPPED: {"id": "resp_abc"},  # LiteLLM's wrapping undone
        # a cost of 0 beside "this model isn't mapped yet" is no cost
        "chatcmpl-64f25361-1a3b-43d4-91ce-3f7ed10f9c62": {"response_cost": None},
    },
    "litellm_spendlogs.jsonl": {WRAPPED: {"id": "resp_abc"}},
    # the response's id, which other sources of the call have too
    "vertex_request_response_bq.jsonl": {"5374205265901353984": {"id": "C0O_aL3QAc"}},
}
# Calls of EXPECTED.json that are a call before them, told again: file -> ids there.
AGAIN = {"vertex_request_response_bq.jsonl": ("5374205265901353985",)}  # the same row, exported in another way


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def told_by(path: Path) -> pl.DataFrame:
    """CALLS of a sample, read by the shape that it is recognised as."""
    found = records_of(path)
    shape = recognise([record for _, record in found])
    assert shape is not None and shape.name == SHAPE_OF[path.name]
    read = lines_frame(found, dict.fromkeys(shape.columns.values()))
    return calls_of(shape, read.select(*LINE_KEYS, **{name: pl.col(path) for name, path in shape.columns.items()}))


def settled(told: pl.DataFrame) -> pl.DataFrame:
    """One row for each call, in the order of the lines that tell of them first."""
    assert set(told["verdict"].drop_nulls()) <= {"other"}
    calls = settlement.keyed(settlement.with_action(told.filter(pl.col("verdict").is_null())))
    # in one number: of a group's structs, polars finds no least
    place = pl.col("line_number") * 2**settlement.PART_BITS + pl.col("part")
    first = calls.group_by(settlement.KEY).agg(place.min().alias("first"))
    return settlement.settle(calls).join(first, on=settlement.KEY).sort("first")


def in_words_of_expected(call: dict[str, Any]) -> dict[str, Any]:
    """There, what a provider leaves out counts as 0."""
    written = [call[f"cache_write_{life}_tokens"] for life in ("5m", "1h", "other")]
    read, write = call["cache_read_tokens"] or 0, sum(count or 0 for count in written)
    cost, latency, compute = call["recorded_cost_pico"], call["latency_seconds"], call["compute_microseconds"]
    return {
        "id": call["response_id"],
        "input_uncached": None if call["input_tokens"] is None else call["input_tokens"] - read - write,
        "prompt_tokens_inclusive": call["input_tokens"],
        "cache_read": read,
        "cache_write": write,
        "cache_write_5m": written[0],
        "cache_write_1h": written[1],
        "output_total": call["output_tokens"],
        "completion_tokens": call["output_tokens"],
        "reasoning": call["reasoning_tokens"] or 0,
        "web_search": call["web_search_count"],
        "web_search_calls": call["web_search_count"],
        "tier": call["service_tier"],
        "provider": call["provider"],
        "feature": call["feature"],
        "user": call["user_id"],
        "batch": call["is_batch"],
        "billed": call["status"] not in ("refused", "cache_hit"),
        "response_cache_hit": call["status"] == "cache_hit",
        "latency_s": latency,
        "latency_ms": latency and round(latency * 1000, 3),
        "billable_seconds": compute and compute / 10**6,
        "recorded_cost_usd": None if cost is None else cost / 1e12,
        "response_cost": None if cost is None else cost / 1e12,
        "trace_id": call["action_id"],
    }


SAME_STATUS = {  # what EXPECTED.json writes -> ours
    "failure": ("error", "refused"),
    "failed": ("error",),
    "error": ("error", "refused"),
    "incomplete (still billed)": ("success",),
    "success": ("success",),
    **dict.fromkeys(("429", "errored", "canceled", "expired"), ("refused",)),
    "ThrottlingException": ("refused",),
}
OF_THE_LOG = ("note", "dedupe", "litellm_call_id")  # not of the call


def check(name: str, call: dict[str, Any], expected: dict[str, Any]) -> None:
    got = in_words_of_expected(call)
    wanted = expected | OURS.get(name, {}).get(expected["id"], {})
    status = wanted.pop("status", None)
    if "provider" in wanted:
        wanted["provider"] = provider_id_of(wanted["provider"])  # EXPECTED.json has other spellings
    assert status is None or call["status"] in SAME_STATUS[status], (expected["id"], call["status"])
    if status == "failure":
        # LiteLLM's attempts share their call id, their start tells them apart; their zeros are no usage and no cost
        assert got["id"].startswith(f"{wanted['id']}:") and call["input_tokens"] is call["output_tokens"] is None
        wanted = {name: value for name, value in wanted.items() if name == "trace_id"}
    for key, value in wanted.items():
        if key not in OF_THE_LOG:
            unknown_as_zero = value is None and got[key] == 0 and key.startswith("cache")
            unused = value == 0 and got[key] is None and call["status"] == "refused"
            is_right = got[key] in value if isinstance(value, tuple) else got[key] == value
            assert unknown_as_zero or unused or is_right, (expected["id"], key)


@pytest.mark.parametrize("name", QUARANTINED)
def test_what_is_no_call_is_quarantined(name: str) -> None:
    assert set(told_by(SAMPLES / name)["verdict"]) == {QUARANTINED[name]}


@pytest.mark.parametrize("name", [name for name in SHAPE_OF if name not in (*QUARANTINED, *IN_WORDS)])
def test_the_samples_yield_what_is_expected_of_them(name: str) -> None:
    expected = json.loads((SAMPLES / "EXPECTED.json").read_text())[name]["expect"]
    expected = [call for call in expected if call["id"] not in AGAIN.get(name, ())]
    calls = settled(told_by(SAMPLES / name))
    assert calls.height == len(expected)
    for call, wanted in zip(calls.to_dicts(), expected, strict=True):
        check(name, call, wanted)


def test_attempts_of_one_request_stay_apart() -> None:
    calls = told_by(SAMPLES / "litellm_slp_router_retry.jsonl")
    assert calls["response_id"].n_unique() == 3
    assert calls["action_id"].n_unique() == 1
    assert calls["status"].to_list() == ["error", "error", "success"]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_line_is_of_one_shape_at_most(path: Path) -> None:
    """Of none, where only the lines around it tell what it is (a line of a session that tells of no call)."""
    for record in records(path):
        names = [shape.name for shape in ORDER if shape.matches(record)]
        assert len(names) <= 1, names
        assert set(names) <= set(SHAPE_OF.get(path.name, "").split("+"))


@pytest.mark.parametrize(
    ("folder", "line_count", "figures"),
    [
        ("claude-code-log", 1634, {"calls": 878, "uncached": 60_832, "output": 181_363, "cache_read": 36_970_931}),
        ("claude-code-viewer", 307, {"calls": 199, "uncached": 1_240, "output": 56_535, "cache_read": 4_075_332}),
    ],
)
def test_claude_code_sessions(folder: str, line_count: int, figures: dict[str, int]) -> None:
    paths = sorted((SESSIONS / folder).rglob("*.jsonl"))
    told = pl.concat(CLAUDE_CODE.calls(lines_of(path, CLAUDE_CODE.fields, n)) for n, path in enumerate(paths))
    assert set(told["verdict"].drop_nulls()) == {"other"}
    told = told.filter(pl.col("verdict").is_null())
    assert told.height == line_count
    calls = told.sort("output_tokens").unique("response_id", keep="last")
    cached = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens")
    assert figures == {
        "calls": calls.height,
        "uncached": calls["input_tokens"].sum() - sum(calls[name].sum() for name in cached),
        "output": calls["output_tokens"].sum(),
        "cache_read": calls["cache_read_tokens"].sum(),
    }

"""Real logs that are not part of the project, with the figures that are known of them."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.builders import SHARED, lines_of
from transforms.shapes import ORDER, RECORDS_TO_ASK, recognise
from transforms.shapes.claude_code import CLAUDE_CODE

SAMPLES = SHARED / "format_samples"
SESSIONS = SHARED / "data" / "claude_code_sessions"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared is absent: its recordings are not part of the project"
)

SHAPE_OF = {
    "openai_chat": "openai_chat",
    "openai_compat_deviations": "openai_chat",
    "anthropic_messages": "anthropic_messages",
    "claude_code": "claude_code",
    "litellm_slp": "litellm_slp",
    "litellm_slp_router_retry": "litellm_slp",
    "litellm_spendlogs": "litellm_spendlogs",
}
# What the samples' own reader leaves as LiteLLM wrote it, and we do not.
PRICE_NOT_KNOWN = "chatcmpl-64f25361-1a3b-43d4-91ce-3f7ed10f9c62"  # a cost of 0 beside "this model isn't mapped yet"
WRAPPED = "resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpOb25lO3Jlc3BvbnNlX2lkOnJlc3BfYWJj"


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def calls_of(path: Path) -> pl.DataFrame:
    shape = recognise(records(path)[:RECORDS_TO_ASK])
    assert shape is not None
    return shape.calls(lines_of(path, shape.fields))


def told(call: dict[str, Any]) -> dict[str, Any]:
    """A call in the words of EXPECTED.json. There, what a provider leaves out counts as 0."""
    written = [call[f"cache_write_{life}_tokens"] for life in ("5m", "1h", "other")]
    read, write = call["cache_read_tokens"] or 0, sum(count or 0 for count in written)
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
        "tier": call["service_tier"],
        "recorded_cost_usd": None if call["recorded_cost_pico"] is None else call["recorded_cost_pico"] / 1e12,
        "status": {"error": "failure", "refused": "failure"}.get(call["status"], call["status"]),
        "response_cache_hit": call["status"] == "cache_hit",
    }


@pytest.mark.parametrize("name", SHAPE_OF)
def test_the_samples_yield_what_is_expected_of_them(name: str) -> None:
    expected = json.loads((SAMPLES / "EXPECTED.json").read_text())[f"{name}.jsonl"]["expect"]
    calls = calls_of(SAMPLES / f"{name}.jsonl").filter(pl.col("verdict").is_null())
    if name == "claude_code":  # settlement's rule: the copy with the largest output
        calls = calls.sort("output_tokens", descending=True).unique("response_id", keep="first")
        expected = [{**expected[0], "id": "msg_017real:req_011CZGLb4HDH4fZWW1sEpFuw"}]
    if name == "openai_compat_deviations":
        expected = expected[:-1]  # Ollama's own format is not OpenAI's
        expected[5].pop("recorded_cost_usd")  # in ticks of 1e-10 USD
    assert calls.height == len(expected)
    for call, wanted in zip(calls.to_dicts(), expected, strict=True):
        got = told(call)
        wanted = {("recorded_cost_usd" if key == "response_cost" else key): value for key, value in wanted.items()}
        if wanted["id"] == WRAPPED:
            wanted["id"] = "resp_abc"
        if wanted["id"] == PRICE_NOT_KNOWN:
            wanted["recorded_cost_usd"] = None
        if wanted.get("status") == "failure":  # attempts share their id
            wanted = {key: value for key, value in wanted.items() if not key.endswith(("tokens", "inclusive", "total"))}
            wanted["id"] = got["id"] if got["id"].startswith(f"{wanted['id']}:") else "another"
        for key in got.keys() & wanted.keys():
            unknown_as_zero = wanted[key] is None and got[key] == 0 and key.startswith("cache")
            assert unknown_as_zero or got[key] == wanted[key], (wanted["id"], key)


def test_attempts_of_one_request_stay_apart() -> None:
    calls = calls_of(SAMPLES / "litellm_slp_router_retry.jsonl")
    assert calls["response_id"].n_unique() == 3
    assert calls["action_id"].n_unique() == 1
    assert calls["status"].to_list() == ["error", "error", "success"]


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_a_line_is_of_one_shape_at_most(path: Path) -> None:
    for record in records(path):
        names = [shape.name for shape in ORDER if shape.matches(record)]
        assert len(names) <= 1
        assert set(names) <= {SHAPE_OF.get(path.stem)}


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

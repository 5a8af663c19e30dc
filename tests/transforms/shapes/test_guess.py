"""The mapping that is guessed for an unknown log, and that it works as it is."""

import json
import tomllib
from typing import Any

import pytest

from tests.builders import lines
from transforms.shapes import ORDER, recognise
from transforms.shapes.guess import guess
from transforms.shapes.mapping import shape_from

APP = {  # an application's own log, with other events in it
    "event": "llm_call",
    "ts": "2026-10-01T09:00:00Z",
    "tenant": "harbor-coffee",
    "userName": "ana",
    "llm": {"vendor": "mistral", "modelName": "mistral-small", "tokensIn": 120, "tokensOut": 30, "cachedTokensIn": 20},
    "tookMs": 840,
    "useCase": "answer-ticket",
    "prompt": "…",
    "userMessage": "please help",
    "costCents": "0.02",
    "traceId": "t-1",
}
PER_MODEL = {
    "day": "2026-10-01",
    "run_id": "r-1",
    "models": {"gpt-5-mini": {"prompt_tokens": 7, "completion_tokens": 2}},
}
STEPS = {
    "when": 1790000000,
    "agent": "x",
    "steps": [{"model": "m", "in_tok": 5, "out_tok": 1}, {"model": "n", "in_tok": 6, "out_tok": 2}],
}


def calls_by_guess(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the guessed mapping makes of the records: of each call, what is not null."""
    found = guess(records)
    assert found is not None
    ((name, table),) = tomllib.loads(found.toml())["log"].items()
    shape = shape_from(name, table)
    assert recognise(records, [shape, *ORDER]) is shape
    of_log = [record for record in records if shape.matches(record)]
    calls = shape.calls(lines(of_log, shape.fields)).to_dicts()
    keys = ("content_id", "line_number", "part", "shape", "status")
    return [{name: value for name, value in call.items() if value is not None and name not in keys} for call in calls]


def test_an_applications_log() -> None:
    (call, _) = calls_by_guess([APP, APP | {"traceId": "t-2"}, {"event": "login", "ts": "2026-10-01T08:00:00Z"}])
    assert call.pop("called_at").isoformat() == "2026-10-01T09:00:00+00:00"
    assert call == {
        "provider": "mistral",
        "model": "mistral-small",
        "input_tokens": 120,
        "cache_read_tokens": 20,
        "output_tokens": 30,
        "latency_seconds": 0.84,
        "recorded_cost_pico": 200_000_000,
        "feature": "answer-ticket",
        "user_id": "ana",
        "customer_id": "harbor-coffee",
        "action_id": "t-1",
    }


def test_entries_by_the_name_of_their_model() -> None:
    (call,) = calls_by_guess([PER_MODEL])
    assert (call["model"], call["input_tokens"], call["output_tokens"], call["action_id"]) == (
        "gpt-5-mini",
        7,
        2,
        "r-1",
    )


def test_entries_of_a_list() -> None:
    calls = calls_by_guess([STEPS])
    assert [(call["model"], call["input_tokens"], call["output_tokens"]) for call in calls] == [
        ("m", 5, 1),
        ("n", 6, 2),
    ]


def test_tokens_in_a_text_that_holds_json() -> None:
    record = {"id": "a", "meta": json.dumps({"usage": {"input": 3, "output": 1}})}
    (call,) = calls_by_guess([record])
    assert (call["input_tokens"], call["output_tokens"], call["response_id"]) == (3, 1, "a")


def test_cached_tokens_that_exceed_the_input_are_beside_it() -> None:
    record = {"prompt_tokens": 10, "completion_tokens": 1, "cached_tokens": 90}
    (call,) = calls_by_guess([record])
    assert call["input_tokens"] == 100
    (call,) = calls_by_guess([record | {"prompt_tokens": 100}])
    assert call["input_tokens"] == 100


def test_an_id_that_repeats_is_none_of_the_response() -> None:
    records = [{"id": "same", "input_tokens": n, "output_tokens": 1} for n in (1, 2)]
    assert [call.get("response_id") for call in calls_by_guess(records)] == [None, None]


def test_what_people_wrote_is_no_label() -> None:
    text = guess([APP])
    assert text is not None and "userMessage" not in text.toml() and "please" not in text.toml()


@pytest.mark.parametrize(
    "record", [{}, {"a": 1}, {"max_tokens": 100, "model": "m"}, {"prompt_tokens": "many"}, {"x": [{}]}]
)
def test_no_tokens_no_guess(record: dict[str, Any]) -> None:
    assert guess([record]) is None


@pytest.mark.parametrize("key", ["a.b", 'a"b', "a>b", "ä", "\x7f", "😀", "$key", " "])
def test_any_key_makes_toml_that_reads_back(key: str) -> None:
    (call,) = calls_by_guess([{key: {"prompt_tokens": 5, "completion_tokens": 2, "model": "m"}}])
    assert (call["input_tokens"], call["model"]) == (5, "m")


@pytest.mark.parametrize("unnameable", ["\0", "\ud800"])
def test_a_key_that_no_path_can_name_is_left_out(unnameable: str) -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "model": "m"}
    assert guess([{unnameable: usage}]) is None
    assert guess([{f"a{unnameable}": [usage]}]) is None
    (call,) = calls_by_guess([{f"{unnameable}id": "x", **usage}])
    assert call == {"input_tokens": 5, "output_tokens": 2, "model": "m"}

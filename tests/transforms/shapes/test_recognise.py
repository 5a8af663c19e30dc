"""Which shape a log file is of."""

import pytest

from tests.builders import lines
from transforms.shapes import ORDER, recognise
from transforms.shapes.mapping import shape_from

CHAT = {"id": "c", "object": "chat.completion", "usage": {}}
MESSAGE = {"id": "m", "type": "message", "stop_reason": None, "usage": {}}


def exchange(response: dict | None, **request: object) -> dict:
    return {"request": {"messages": [], **request}, "response": response}


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (CHAT, "openai_chat"),
        (MESSAGE, "anthropic_messages"),
        (exchange(CHAT), "openai_chat"),
        (exchange(MESSAGE), "anthropic_messages"),
        (exchange({"error": {"message": "no", "code": None}}), "openai_chat"),
        (exchange({"type": "error", "error": {"type": "overloaded_error"}}), "anthropic_messages"),
        (exchange(None, model="gpt-5"), "openai_chat"),
        (exchange(None, model="claude-opus-4-6"), "anthropic_messages"),
        ({**CHAT, "id": "gen-1"}, None),  # OpenRouter's
        ({**CHAT, "object": "chat.completion.chunk"}, None),
        ({"type": "message", "role": "assistant", "content": []}, None),  # an item of a Responses output
        (
            {"litellm_call_id": "l", "response_cost": 0, "hidden_params": {}, "startTime": 0, "response": CHAT},
            "litellm_slp",
        ),
        ({"hello": "world"}, None),
        ({}, None),
    ],
)
def test_one_record(record: dict, name: str | None) -> None:
    assert [shape.name for shape in ORDER if shape.matches(record)] == ([name] if name else [])
    shape = recognise([record])
    assert (shape and shape.name) == name


def test_the_most_have_it_and_strangers_do_not_vote() -> None:
    strangers = [{"note": n} for n in range(15)]
    shape = recognise([*strangers, MESSAGE, CHAT, CHAT])
    assert shape is not None and shape.name == "openai_chat"
    assert recognise(strangers) is None
    assert recognise([]) is None


def test_a_mapping_of_the_users_goes_first() -> None:
    mine = shape_from(
        "mine", {"match": {"object": "chat.completion"}, "fields": {"input_tokens": "usage.prompt_tokens"}}
    )
    shape = recognise([CHAT], [mine, *ORDER])
    assert shape is mine
    assert mine.calls(lines([{"usage": {"prompt_tokens": 3}}], mine.fields))["input_tokens"].to_list() == [3]

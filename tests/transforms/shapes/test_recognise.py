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
        ({**CHAT, "id": "gen-1"}, "openrouter"),
        (exchange({**CHAT, "id": "gen-1"}), "openrouter"),
        ({"id": "", "object": "", "model": "", "prompt_filter_results": []}, "openai_chat"),
        ({"id": "cmpl-1", "object": "text_completion", "usage": {}}, "openai_chat"),
        ({"id": "r", "object": "response", "usage": None}, "openai_responses"),
        (exchange({"id": "r", "object": "response"}), "openai_responses"),
        ({"type": "response.created", "response": {"id": "r", "object": "response"}}, "openai_responses"),
        ({"type": "response.output_text.delta", "delta": "x"}, "openai_responses"),
        ({"request": {"model": "gpt-5", "input": "x"}, "response": None}, "openai_responses"),
        ({"request": {"model": "text-embedding-3-small", "input": "x"}, "response": None}, "openai_embeddings"),
        ({"object": "list", "data": [], "usage": {"prompt_tokens": 1}}, "openai_embeddings"),
        ({"object": "list", "data": []}, None),  # a list of models, say
        ({"custom_id": "t", "response": {"status_code": 200, "body": CHAT}, "error": None}, "openai_batch"),
        ({"custom_id": "t", "response": None, "error": {"code": "batch_expired"}}, "openai_batch"),
        ({"model": "m", "created_at": "d", "message": {}, "done": False}, "ollama"),
        ({"model": "m", "created_at": "d", "response": "a text", "done": True, "eval_count": 1}, "ollama"),
        (exchange({"model": "m", "created_at": "d", "done": True, "eval_count": 1}), "ollama"),
        ({**CHAT, "object": "chat.completion.chunk"}, "openai_chat"),
        ({"type": "message", "role": "assistant", "content": []}, None),  # an item of a Responses output
        (
            {"litellm_call_id": "l", "response_cost": 0, "hidden_params": {}, "startTime": 0, "response": CHAT},
            "litellm_slp",
        ),
        ({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 3}}, "anthropic_stream"),
        ({"event": "message_start", "data": '{"type": "message_start", "message": {}}'}, "anthropic_stream"),
        ({"event": "ping", "data": {"type": "ping"}}, "anthropic_stream"),
        ({"custom_id": "t", "result": {"type": "succeeded", "message": MESSAGE}}, "anthropic_batch"),
        ({"category": "RequestResponse", "resourceId": "r", "properties": "{}"}, "azure_openai_requests"),
        ({"category": "GatewayLogs", "resourceId": "r", "properties": {"responseBody": "{}"}}, "apim_gateway"),
        ({"CorrelationId": "c", "PromptTokens": "0", "SequenceNumber": "0"}, "apim_llm"),
        ({"ai_org": "openai", "req_units": 0, "res_units": 0, "request": {}, "response": {"body": CHAT}}, "portkey"),
        ({"ai": {}, "latencies": {}, "started_at": 1, "request": {}, "response": {"status": 200}}, "kong"),
        ({"tokens_in": 0, "tokens_out": 0, "cached": False, "provider": "openai"}, "cloudflare_gateway"),
        ({"Gateway": "g", "StatusCode": 200, "RateLimited": False}, "cloudflare_logpush"),
        ({"id": "gen-1", "native_tokens_prompt": 0, "total_cost": 0}, "openrouter_generation"),
        ({"date": "d", "byok_usage_inference": "0", "requests": "1"}, "openrouter_activity"),
        ({"id": "p", "version": "v", "status": "starting", "created_at": "d", "urls": {}}, "replicate"),
        (exchange({"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}), "gemini"),
        ({"request": {"model": "gemini-2.5-pro", "contents": []}, "response": None}, "gemini"),
        (exchange(None, modelId="us.amazon.nova-lite-v1:0"), "bedrock_converse"),
        (exchange({"stopReason": "end_turn", "usage": {"inputTokens": 1}}, modelId="m"), "bedrock_converse"),
        (exchange({"id": "c", "usage": {"billed_units": {"input_tokens": 1}}}), "cohere"),
        ({"hello": "world"}, None),
        ({}, None),
    ],
)
def test_one_record(record: dict, name: str | None) -> None:
    assert [shape.name for shape in ORDER if shape.matches(record)] == ([name] if name else [])
    shape = recognise([record])
    assert (shape and shape.name) == name


def test_strangers_do_not_vote() -> None:
    strangers = [{"note": n} for n in range(15)]
    shape = recognise([*strangers, CHAT])
    assert shape is not None and shape.name == "openai_chat"
    assert recognise(strangers) is None
    assert recognise([]) is None


def test_of_a_mapping_and_others_the_most_have_it() -> None:
    mine = shape_from("mine", {"match": {"event": "*"}, "fields": {}})
    for records, name in (([{"event": 1}, CHAT, CHAT], "openai_chat"), ([{"event": 1}, CHAT], "mine")):
        shape = recognise(records, [mine, *ORDER])
        assert shape is not None and shape.name == name


def test_a_mapping_of_the_users_goes_first() -> None:
    mine = shape_from(
        "mine", {"match": {"object": "chat.completion"}, "fields": {"input_tokens": "usage.prompt_tokens"}}
    )
    shape = recognise([CHAT], [mine, *ORDER])
    assert shape is mine
    assert mine.calls(lines([{"usage": {"prompt_tokens": 3}}], mine.fields))["input_tokens"].to_list() == [3]

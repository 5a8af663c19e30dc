"""Records of logs that several traps are laid in; a keyword changes a field, or adds one."""

from typing import Any

from tests.traps.laying import Record

TIME = "2026-10-01T10:00:00Z"
TOKENS = {"prompt_tokens": 100, "completion_tokens": 10}


def payload(**more: Any) -> Record:
    """LiteLLM's logging payload."""
    told = {"id": "chatcmpl-1", "litellm_call_id": "c-1", "hidden_params": {}, "startTime": 1_790_000_000.0}
    model = {"custom_llm_provider": "openai", "model": "gpt-5-mini", "trace_id": "t-1", "status": "success"}
    return told | model | TOKENS | more


def spend(**more: Any) -> Record:
    """A row of LiteLLM's spend table."""
    told = {"request_id": "chatcmpl-1", "call_type": "completion", "spend": 0.1, "startTime": TIME}
    model = {"custom_llm_provider": "openai", "model": "gpt-5-mini", "status": "success"}
    return told | model | TOKENS | {"request_tags": "[]", "metadata": "{}", "cache_hit": "False"} | more


def observation(**more: Any) -> Record:
    """A generation of Langfuse's export."""
    told = {"id": "o-1", "trace_id": "t-1", "type": "GENERATION", "start_time": "2026-10-01 10:00:00.000000"}
    return told | {"provided_model_name": "gpt-5-mini", "usage_details": {"input": 100, "output": 10}} | more


def invocation(**more: Any) -> Record:
    """A record of Bedrock's invocation log."""
    told = {"schemaType": "ModelInvocationLog", "timestamp": TIME, "requestId": "r-1", "operation": "Converse"}
    model = {"modelId": "anthropic.claude-sonnet-4-5-20250929-v1:0"}
    return told | model | {"input": {"inputTokenCount": 100}, "output": {"outputTokenCount": 10}} | more


def message(**usage: Any) -> Record:
    """A response of Anthropic's."""
    counts = {"input_tokens": 100, "output_tokens": 10}
    return {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5", "usage": counts | usage}

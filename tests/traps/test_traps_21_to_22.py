"""Traps 21 and 22: aggregates that look like calls, and aliases that hide the model."""

import re
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipelines.errors import UserError
from tests.pipelines.logs import chat, snapshot
from tests.traps.laying import Logs, Record, trap
from tests.traps.records import TIME, invocation, payload
from tests.traps.sabotage import (
    calls_changed,
    instead,
    lines_changed,
    taken_for_calls,
)
from transforms import shapes
from transforms.shapes.dialects import bedrock
from transforms.shapes.formats.apim_llm import APIM_LLM
from transforms.shapes.formats.claude_print import CLAUDE_PRINT
from transforms.shapes.formats.litellm_slp import LITELLM_SLP
from transforms.shapes.formats.openrouter_activity import OPENROUTER_ACTIVITY
from transforms.shapes.formats.phoenix import PHOENIX
from transforms.shapes.mapping import shape_from

ONE_USD = {"input": 1, "output": 1}

# Trap 21: aggregates that look like calls.

ACTIVITY = b"""date,model,requests,usage,byok_usage_inference,prompt_tokens,completion_tokens
2026-10-01,openai/gpt-5-mini,2,0.5,0,203,20
"""
counts = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}


@trap(
    "21",
    right=((2, 203, 20), 1),
    without={
        "a day's sum is no call": (taken_for_calls(OPENROUTER_ACTIVITY, model="model", **counts), ((3, 406, 40), 0))
    },
)
def test_trap_21_openrouters_activity_beside_its_calls(logs: Logs) -> Any:
    calls = [chat(number) | {"id": f"gen-{number}"} for number in (1, 2)]
    return logs.sums(calls, ACTIVITY), logs.quarantined()


usage = {"input_tokens": "usage.input_tokens", "output_tokens": "usage.output_tokens"}


@trap(
    "21",
    right=((1, 5, 42), 1),
    without={
        "a run's total is no call": (taken_for_calls(CLAUDE_PRINT, model={"const": "m"}, **usage), ((2, 10, 84), 0))
    },
)
def test_trap_21_what_claude_prints_beside_its_session(logs: Logs) -> Any:
    result = {"type": "result", "total_cost_usd": 0.5, "session_id": "s-1"}
    return logs.sums(
        [snapshot(1, 42)], [result | {"usage": {"input_tokens": 5, "output_tokens": 42}}]
    ), logs.quarantined()


def cumulative(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(pl.col(SUMS).alias('"attributes.llm.token_count.prompt"'))


SUMS = '"cumulative_llm_token_count.prompt"'


@trap(
    "21",
    right=(2, 300, 20),
    without={"sums over a subtree are not read": (lines_changed(PHOENIX, cumulative, SUMS), (2, 500, 20))},
)
def test_trap_21_phoenix_sums_over_subtrees(logs: Logs) -> Any:
    def spanned(name: str, around: str | None, prompt: int, below: int) -> Record:
        told = {"context.span_id": name, "parent_id": around, "span_kind": "LLM", "start_time": TIME, "end_time": TIME}
        tokens = {"attributes.llm.token_count.prompt": prompt, "attributes.llm.token_count.completion": 10}
        return told | tokens | {"cumulative_llm_token_count.prompt": below, "attributes.llm.model_name": "m"}

    return logs.sums([spanned("a", "root-1", 100, 200), spanned("b", "root-2", 200, 300)])


def batches_are_calls(patch: pytest.MonkeyPatch) -> None:
    naive = shape_from("batches", {"match": {"object": "batch"}, "fields": {"model": "model", **usage}})
    patch.setattr(shapes, "ORDER", (*shapes.ORDER, naive))


@trap(
    "21",
    right="no log shape fits",
    without={"a batch is no call": (batches_are_calls, (2, 202, 20))},
)
def test_trap_21_a_batch_tells_its_own_total_beside_its_results(logs: Logs) -> Any:
    line = {"id": "batch_req_1", "custom_id": "r-1", "response": {"status_code": 200, "body": chat(1)}, "error": None}
    batch = {"id": "batch_1", "object": "batch", "status": "completed", "created_at": 1_790_000_000, "model": "m"}
    try:
        return logs.sums([line], [batch | {"usage": {"input_tokens": 101, "output_tokens": 10}}])
    except UserError as refused:
        return next(iter(re.findall("no log shape fits", str(refused))), refused)


# Trap 22: aliases that hide the model.


def listed(logs: Logs, provider: str, model: str, *records: Record) -> Any:
    """(model, model asked for, cost) of each call, and the calls that are listed as unpriced."""
    query = "select model, model_requested, cost_usd from calls"
    found = logs.asked(query, list(records), prices={(provider, model): ONE_USD})
    return found, logs.asked_again("select model, price_status, call_count from unpriced where token_class is null")


by_alias = pl.col("model_requested").alias("model")


@trap(
    "22",
    right=([("gpt-5-mini", "fast-chat", 110)], []),
    without={
        "the model that served is the response's": (
            calls_changed(LITELLM_SLP, lambda calls, _: calls.with_columns(by_alias)),
            ([("fast-chat", "fast-chat", None)], [("fast-chat", "unknown_model", 1)]),
        )
    },
)
def test_trap_22_litellms_model_group(logs: Logs) -> Any:
    told = payload(model="fast-chat", model_group="fast-chat")
    return listed(logs, "openai", "gpt-5-mini", told | {"response": {"model": "gpt-5-mini"}})


@trap(
    "22",
    right=([("gpt-4o-2024-08-06", "chat-prod", 110)], []),
    without={
        "the deployment is what was asked for": (
            calls_changed(APIM_LLM, lambda calls, _: calls.with_columns(by_alias)),
            ([("chat-prod", "chat-prod", None)], [("chat-prod", "unknown_model", 1)]),
        )
    },
)
def test_trap_22_azures_deployment(logs: Logs) -> Any:
    told = {"CorrelationId": "c-1", "SequenceNumber": 0, "TimeGenerated": TIME, "DeploymentName": "chat-prod"}
    tokens = {"PromptTokens": 100, "CompletionTokens": 10, "TotalTokens": 110}
    return listed(logs, "azure", "gpt-4o-2024-08-06", told | tokens | {"ModelName": "gpt-4o-2024-08-06"})


PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HIDDEN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
SERVED = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


as_it_stands = instead(bedrock, "model", lambda model_id: model_id)


@trap(
    "22",
    right=([(SERVED, PROFILE, 110)], []),
    without={
        "an ARN may end in the model": (
            instead(bedrock, "model", lambda model_id: pl.when(~model_id.str.starts_with("arn:")).then(model_id)),
            # the catalogue finds the model in the text, the contract does not
            ([(None, PROFILE, Decimal("0.000495"))], []),
        )
    },
)
def test_trap_22_an_inference_profile_of_bedrock(logs: Logs) -> Any:
    return listed(logs, "aws", SERVED, invocation(modelId=PROFILE))


@trap(
    "22",
    right=([(None, HIDDEN, None)], [(HIDDEN, "unknown_model", 1)]),
    without={
        "a profile of one's own names no model": (
            as_it_stands,
            ([(HIDDEN, HIDDEN, None)], [(HIDDEN, "unknown_model", 1)]),
        )
    },
)
def test_trap_22_an_application_profile_is_kept_as_what_was_asked_for(logs: Logs) -> Any:
    return listed(logs, "aws", SERVED, invocation(modelId=HIDDEN))

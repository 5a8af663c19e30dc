"""Trap 6: the same call in two sources."""

import csv
import io
import json
from typing import Any

import polars as pl

from tests.pipelines.logs import chat
from tests.traps.laying import Logs, trap
from tests.traps.records import invocation, observation, payload
from tests.traps.sabotage import (
    calls_changed,
    each_line_is_a_call,
    every_telling_counts,
    instead,
    the_first_telling_counts,
)
from transforms import settlement
from transforms.shapes.dialects import litellm
from transforms.shapes.formats.langfuse import LANGFUSE

ID = "chatcmpl-Dk2m9QxW4rT7vB1s"
CLIENT = chat(1, prompt_tokens=100, total_tokens=110) | {"id": ID}
id_by_provider = instead(settlement, "_UNIQUE_ID", "^none$")


@trap(
    "6",
    right=(1, 100, 10),
    without={
        "the provider's id tells a call, in whichever log": (each_line_is_a_call, (2, 200, 20)),
        "whatever the logs call its provider": (id_by_provider, (2, 200, 20)),
    },
)
def test_trap_06_litellms_log_and_the_clients(logs: Logs) -> Any:
    return logs.sums([payload(id=ID, custom_llm_provider="azure")], [CLIENT])


WRAPPED = "resp_bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpOb25lO3Jlc3BvbnNlX2lkOnJlc3BfMQ=="


@trap(
    "6",
    right=(1, 100, 10),
    without={
        "ids that LiteLLM wrapped are unwrapped": (instead(litellm, "response_ids", lambda ids: ids), (2, 200, 20))
    },
)
def test_trap_06_litellm_wraps_the_ids_of_responses(logs: Logs) -> Any:
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    body = {"id": "resp_1", "object": "response", "created_at": 1_790_003_600, "model": "gpt-5-mini", "usage": usage}
    return logs.sums([payload(id=WRAPPED)], [body | {"status": "completed"}])


own_ids = calls_changed(LANGFUSE, lambda calls, lines: calls.with_columns(response_id=lines["id"]))


@trap(
    "6",
    right=(1, 100, 10),
    without={"LiteLLM's observations are known by the response": (own_ids, (2, 200, 20))},
)
def test_trap_06_litellm_and_its_callback_to_langfuse(logs: Logs) -> Any:
    return logs.sums([payload(id=ID)], [observation(id=f"time-10-00-00-250000_{ID}")])


@trap("6", right=(1, 100, 10), without={"an observation is known by its id": (each_line_is_a_call, (2, 200, 20))})
def test_trap_06_langfuse_exports_legacy_and_enriched_rows(logs: Logs) -> Any:
    enriched = observation(user_id="u-1", trace_name="reply", tags=[], release=None)
    return logs.sums([observation(project_id="p-1")], [enriched])


@trap(
    "6",
    right=(1, 100, 10),
    without={
        "of two exports of an observation one counts": (every_telling_counts, (2, 100, 10)),
        "the one with its usage": (the_first_telling_counts, (1, None, None)),
    },
)
def test_trap_06_langfuse_exports_a_window_again_after_an_update(logs: Logs) -> Any:
    early = observation(usage_details={}, updated_at="2026-10-01 15:13:21.000000")
    return logs.sums([early], [observation(updated_at="2026-10-01 16:00:00.000000")])


@trap("6", right=(1, 100, 10), without={"an attempt is known by its request": (each_line_is_a_call, (2, 200, 20))})
def test_trap_06_bedrock_logs_to_s3_and_to_cloudwatch(logs: Logs) -> Any:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["@timestamp", "@message"], ["2026-10-01 10:00:03.000", json.dumps(invocation())]])
    return logs.sums([invocation()], text.getvalue().encode())


def without_duplicates(ledger: pl.DataFrame) -> pl.DataFrame:
    return ledger.unique(["called_at", "model", "input_tokens", "output_tokens"])


@trap(
    "6",
    right=[(2, 200, 2)],
    without={
        "what has no id is told, never merged by its looks": (instead(settlement, "settle", without_duplicates), [])
    },
)
def test_trap_06_calls_without_an_id_that_look_alike_are_told(logs: Logs) -> Any:
    told = {"called_at": "2026-10-01T10:00:00Z", "provider": "lab", "model": "m"}
    call = told | {"input_tokens": 100, "output_tokens": 10}
    query = (
        "select call_count, (select sum(input_tokens)::bigint from calls) as input_tokens, file_count "
        "from possible_duplicates"
    )
    return logs.asked(query, [call], [call | {"feature": "reply"}])

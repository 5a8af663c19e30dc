"""Traps 9 and 10: usage and costs that are unknown, not zero."""

from typing import Any

import polars as pl

from tests.pipelines.logs import chat
from tests.traps.laying import Logs, Record, trap
from tests.traps.records import payload, spend
from tests.traps.sabotage import instead, lines_changed
from tests.traps.spans import chat as call_span
from tests.traps.spans import spanned
from transforms.shapes.dialects import openai_usage
from transforms.shapes.formats import (
    anthropic_stream,
    litellm_slp,
    litellm_spendlogs,
    otel,
)
from transforms.shapes.formats.litellm_slp import LITELLM_SLP

MILLI = 10**9  # a thousandth of a dollar, in pico-USD


def recorded(logs: Logs, *records: Record, **settings: Any) -> list[int | None]:
    """The recorded costs in pico-USD."""
    return [cost for (cost,) in logs.told(list(records), of=["recorded_cost_pico"], **settings)]


# Trap 9: streams without usage.

ASKED = "select price_status, cost_usd, input_tokens, output_tokens from calls order by output_tokens nulls first"
UNKNOWN = ("usage_unknown", None, None, None)
PRICES = {("openai", "gpt-5-mini"): {"input": 1, "output": 1}}


def none_is_zero(holder: Any, name: str, *columns: str) -> Any:
    def take_out(patch: Any) -> None:
        real = getattr(holder, name)

        def told(*args: Any) -> dict[str, pl.Expr]:
            found = real(*args)
            return found | {column: found[column].fill_null(0) for column in columns}

        patch.setattr(holder, name, told)

    return take_out


@trap(
    "9",
    right=[UNKNOWN, ("exact", 112, 102, 10)],
    without={
        "usage that is not told is unknown, and counted": (
            none_is_zero(openai_usage, "chat_columns", "input_tokens", "output_tokens"),
            [("exact", 0, 0, 0), ("exact", 112, 102, 10)],
        )
    },
)
def test_trap_09_a_stream_whose_client_did_not_ask_for_usage(logs: Logs) -> Any:
    chunks = [chat(1) | {"object": "chat.completion.chunk", "usage": None}] * 2
    return logs.asked(ASKED, [*chunks, chat(2)], prices=PRICES)


@trap(
    "9",
    right=[("success", 9, None)],
    without={
        "the output at a stream's start is provisional": (
            instead(anthropic_stream, "_OF_OUTPUT", ()),
            [("success", 9, 1)],
        )
    },
)
def test_trap_09_a_stream_of_anthropic_that_broke_off(logs: Logs) -> Any:
    message = {"id": "msg_1", "model": "claude-sonnet-4-5", "usage": {"input_tokens": 9, "output_tokens": 1}}
    events = [{"type": "message_start", "message": message}, {"type": "content_block_start", "index": 0}]
    return logs.told(events, of=("status", "input_tokens", "output_tokens"))


@trap(
    "9",
    right=[("success", None, None)],
    without={
        "a span without tokens is a call of unknown usage": (
            none_is_zero(otel, "_columns", "input_tokens", "output_tokens"),
            [("success", 0, 0)],
        )
    },
)
def test_trap_09_a_span_says_ok_and_tells_no_tokens(logs: Logs) -> Any:
    span = call_span("a") | {"status": {"code": 1}}
    span["attributes"] = [each for each in span["attributes"] if "usage" not in each["key"]]
    return logs.told(spanned(span), of=("status", "input_tokens", "output_tokens"))


# Trap 10: a recorded cost of 0 that means "unknown", and a breakdown whose parts hold one another.


@trap(
    "10",
    right=[None],
    without={"0 with a diagnostic is no cost": (instead(litellm_slp, "_COST_UNKNOWN", ("session_id",)), [0])},
)
def test_trap_10_litellm_knew_no_price(logs: Logs) -> Any:
    return recorded(logs, payload(response_cost=0.0, zero_cost_diagnostic="this model isn't mapped yet"))


unlisted = instead(litellm_spendlogs, "_BREAKDOWN", "request_id")


@trap("10", right=[None], without={"0 without a breakdown is no cost": (unlisted, [0])})
def test_trap_10_litellms_spend_table_knew_no_price(logs: Logs) -> Any:
    return recorded(logs, spend(spend=0.0))


PARTS = tuple(f"cost_breakdown.{name}_cost" for name in ("input", "output", "cache_read", "cache_creation"))


def summed_up(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.with_columns(response_cost=pl.sum_horizontal(pl.col(PARTS).cast(pl.Float64)).cast(pl.String))


@trap(
    "10",
    right=[14 * MILLI],
    without={
        "the cost of the input holds that of the cache": (lines_changed(LITELLM_SLP, summed_up, *PARTS), [23 * MILLI])
    },
)
def test_trap_10_litellms_breakdown_is_no_sum(logs: Logs) -> Any:
    parts = {"input_cost": 0.011, "output_cost": 0.003, "cache_read_cost": 0.002, "cache_creation_cost": 0.007}
    return recorded(logs, payload(response_cost=0.014, cost_breakdown=parts | {"total_cost": 0.014}))

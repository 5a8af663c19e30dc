"""Traps 7 and 8: units of costs, and costs that are not all."""

from dataclasses import replace
from typing import Any

import polars as pl

from tests.pipelines.logs import chat
from tests.traps.laying import Logs, Record, trap
from tests.traps.sabotage import entry, instead
from transforms.shapes import sources
from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, USD
from transforms.shapes.formats import (
    helicone,
    langfuse,
    openai_chat,
    openrouter,
    openrouter_generation,
    portkey,
)

MILLI = 10**9  # a thousandth of a dollar, in pico-USD


def recorded(logs: Logs, *records: Record, **settings: Any) -> list[int | None]:
    """The recorded costs in pico-USD."""
    return [cost for (cost,) in logs.told(list(records), of=["recorded_cost_pico"], **settings)]


# Trap 7: units of a recorded cost.

TIME = "2026-10-01T10:00:00Z"
PORTKEY_ROW = {"id": "p-1", "created_at": TIME, "ai_org": "openai", "ai_model": "gpt-5-mini", "req_units": 9,
               "res_units": 1, "is_success": 1, "cost": 1.5, "cost_currency": "USD"}  # fmt: skip


@trap("7", right=[15 * MILLI], without={"cents": (entry(portkey._KINDS, "cost", USD), [1500 * MILLI])})
def test_trap_07_portkey_writes_cents(logs: Logs) -> Any:
    return recorded(logs, PORTKEY_ROW)


def helicone_row(number: int, cost: float) -> Record:
    told = {"request_id": f"h-{number}", "request_created_at": TIME, "response_status": 200, "delay_ms": 10}
    counts = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    return told | {"provider": "OPENAI", "request_model": "gpt-5-mini", "cost": cost} | counts


@trap(
    "7",
    right=[15 * MILLI, 15 * MILLI],
    without={"whole numbers of nano-dollars": (instead(helicone, "_usd", lambda: pl.col("cost")), None)},
)
def test_trap_07_helicones_raw_rows_have_nano_dollars_its_api_dollars(logs: Logs) -> Any:
    found = recorded(logs, helicone_row(1, 0.015), helicone_row(2, 15_000_000))
    return found if len(found) == 2 else None  # 15 million dollars for a call are no cost, the row is quarantined


@trap(
    "7",
    right=[15 * MILLI],
    without={"ticks of 1e-10 USD": (entry(openai_chat._KINDS, "usage.cost_in_usd_ticks", USD), [])},
)
def test_trap_07_xai_writes_ticks(logs: Logs) -> Any:
    return recorded(logs, chat(1, cost_in_usd_ticks=150_000_000) | {"model": "grok-4"})


MAPPING = {"match": {"took": "*"}, "fields": {"model": "name", "recorded_cost_usd": {"path": "c", "unit": "micro_usd"}}}


@trap(
    "7",
    right=[15 * MILLI],
    without={"a unit that the user names": (entry(sources._USD_DIGITS, "micro_usd", 12), [15_000 * 10**12])},
)
def test_trap_07_a_gateway_writes_micro_dollars(logs: Logs) -> Any:
    return recorded(logs, {"took": 1, "name": "m", "c": 15_000}, log_mappings={"gateway": MAPPING})


def in_floats(values: pl.Series) -> pl.Series:
    return (values.cast(pl.Float64, strict=False) * 1e12).cast(pl.Int64)


@trap(
    "7",
    right=[123_456_123_456_789_013],
    without={
        "decimal texts are exact": (
            entry(langfuse._KINDS, "total_cost", replace(USD, read=in_floats)),
            [123_456_123_456_789_008],
        )
    },
)
def test_trap_07_langfuse_writes_decimal_texts(logs: Logs) -> Any:
    told = {"id": "o-1", "trace_id": "t-1", "type": "GENERATION", "start_time": "2026-10-01 10:00:00.000000"}
    usage = {"input": 9, "output": 1, "total": 10}
    cost = {"usage_details": usage, "total_cost": "123456.123456789013"}
    return recorded(logs, told | {"provided_model_name": "m"} | cost)


# Trap 8: a key of one's own at OpenRouter.


def routed(number: int, is_byok: bool, cost: float, upstream: float) -> Record:
    details = {"cost": cost, "is_byok": is_byok, "cost_details": {"upstream_inference_cost": upstream}}
    return chat(number, **details) | {"id": f"gen-{number}"}


def byok_is(value: bool) -> Any:
    return replace(BOOLEAN_OR_NONSENSE, read=lambda values: pl.Series([value] * len(values), dtype=pl.Boolean))


@trap(
    "8",
    right=[13 * MILLI, 20 * MILLI],
    without={
        "with a key of one's own the provider's bill comes on top": (
            entry(openrouter._KINDS, "usage.is_byok", byok_is(False)),
            [1 * MILLI, 20 * MILLI],
        ),
        "without one it is a part of the cost": (
            entry(openrouter._KINDS, "usage.is_byok", byok_is(True)),
            [13 * MILLI, 38 * MILLI],
        ),
    },
)
def test_trap_08_openrouter_with_a_key_of_ones_own(logs: Logs) -> Any:
    return recorded(logs, routed(1, False, 0.02, 0.018), routed(2, True, 0.001, 0.012))


total_cost, upstream_cost = pl.col("total_cost"), pl.col("upstream_inference_cost")


@trap(
    "8",
    right=[13 * MILLI, 20 * MILLI],
    without={
        "with a key of one's own the provider's bill comes on top": (
            instead(openrouter_generation, "_cost", lambda: total_cost),
            [1 * MILLI, 20 * MILLI],
        ),
        "without one it is a part of the cost": (
            instead(openrouter_generation, "_cost", lambda: total_cost + upstream_cost),
            [13 * MILLI, 38 * MILLI],
        ),
    },
)
def test_trap_08_openrouters_record_of_a_generation(logs: Logs) -> Any:
    told = {"created_at": TIME, "model": "x/m", "native_tokens_prompt": 9, "native_tokens_completion": 1}
    normal = told | {"id": "gen-1", "is_byok": False, "total_cost": 0.02, "upstream_inference_cost": 0.018}
    own_key = told | {"id": "gen-2", "is_byok": True, "total_cost": 0.001, "upstream_inference_cost": 0.012}
    return recorded(logs, normal, own_key)

"""Trap 11: what a gateway's cache answered repeats the tokens of the call that filled the cache."""

from typing import Any

import polars as pl
import pytest

from tests.pipelines.logs import chat
from tests.traps.laying import Logs, Record, trap
from tests.traps.records import TIME, payload, spend
from tests.traps.sabotage import calls_changed, instead
from transforms.shapes import fields
from transforms.shapes.formats import helicone, kong, openrouter_generation
from transforms.shapes.formats.cloudflare_gateway import CLOUDFLARE_GATEWAY
from transforms.shapes.formats.litellm_slp import LITELLM_SLP
from transforms.shapes.formats.litellm_spendlogs import LITELLM_SPENDLOGS
from transforms.shapes.formats.portkey import PORTKEY
from transforms.shapes.shape import Shape

FIGURES = "select call_count, input_tokens, cost_usd, cache_hits from ({})".format(
    "select count(*) as call_count, sum(input_tokens)::bigint as input_tokens, sum(cost_usd) as cost_usd, "
    "count(*) filter (status = 'cache_hit') as cache_hits from calls"
)
# of one call of 100 + 10 tokens at a dollar each, and of a hit that repeats it
RIGHT, PHANTOM, FORGOTTEN = (2, 100, 110, 1), (2, 200, 220, 0), (2, 200, 110, 1)


def figures(logs: Logs, provider: str, *records: Record, model: str = "gpt-5-mini") -> Any:
    (found,) = logs.asked(FIGURES, list(records), prices={(provider, model): {"input": 1, "output": 1}})
    return found


def taken_for_calls(shape: Shape) -> Any:
    """What the shape's own rule calls a hit passes for a call: its counts are put back with its status."""

    def change(calls: pl.DataFrame, _: pl.DataFrame) -> pl.DataFrame:
        hit = pl.col("status") == "cache_hit"
        told = {"input_tokens": 100, "output_tokens": 10, "status": "success"}
        return calls.with_columns(pl.when(hit).then(pl.lit(told[name])).otherwise(name).alias(name) for name in told)

    return calls_changed(shape, change)


def replay_is_kept(patch: pytest.MonkeyPatch) -> None:
    """Without the rule of every shape that a hit has no tokens."""
    patch.setattr(fields, "QUANTITIES", {})


@trap(
    "11",
    right=RIGHT,
    without={
        "a hit is no call of the provider's": (taken_for_calls(LITELLM_SLP), PHANTOM),
        "a hit has no tokens": (replay_is_kept, FORGOTTEN),
    },
)
def test_trap_11_litellms_payload_of_a_hit(logs: Logs) -> Any:
    return figures(logs, "openai", payload(), payload(litellm_call_id="c-2", cache_hit=True, response_cost=0.0))


@trap("11", right=RIGHT, without={"the word True": (taken_for_calls(LITELLM_SPENDLOGS), PHANTOM)})
def test_trap_11_litellms_spend_table(logs: Logs) -> Any:
    hit = spend(request_id="chatcmpl-1_cache_hit1790000001.5", cache_hit="True", spend=0.0)
    return figures(logs, "openai", spend(), hit)


@trap("11", right=RIGHT, without={"a reference that is not zero": (instead(helicone, "_NO_REFERENCE", ""), PHANTOM)})
def test_trap_11_helicone_refers_to_the_request_that_it_had(logs: Logs) -> Any:
    told = {"request_created_at": TIME, "response_status": 200, "delay_ms": 10, "provider": "OPENAI"}
    counts = {"prompt_tokens": 100, "completion_tokens": 10, "request_model": "gpt-5-mini"}
    zeros = "00000000-0000-0000-0000-000000000000"
    call = told | counts | {"request_id": "h-1", "cache_reference_id": zeros}
    return figures(logs, "openai", call, call | {"request_id": "h-2", "cache_reference_id": zeros.replace("0", "4")})


@trap("11", right=RIGHT, without={"cached: true": (taken_for_calls(CLOUDFLARE_GATEWAY), PHANTOM)})
def test_trap_11_cloudflares_cache(logs: Logs) -> Any:
    told = {"created_at": TIME, "provider": "openai", "model": "gpt-5-mini", "success": True, "status_code": 200}
    call = told | {"id": "l-1", "cached": False, "tokens_in": 100, "tokens_out": 10}
    return figures(logs, "openai", call, call | {"id": "l-2", "cached": True})


def through_kong(request: str, status: str) -> Record:
    meta = {"provider_name": "openai", "response_model": "gpt-5-mini"}
    proxy = {"meta": meta, "usage": {"prompt_tokens": 100, "completion_tokens": 10}, "cache": {"cache_status": status}}
    told = {"started_at": 1_790_000_000_000, "latencies": {"request": 9}, "request": {"id": request}}
    return told | {"response": {"status": 200}, "ai": {"proxy": proxy}}


@trap("11", right=RIGHT, without={"cache_status Hit": (instead(kong, "_IS_HIT", pl.lit(False)), PHANTOM)})
def test_trap_11_kongs_semantic_cache(logs: Logs) -> Any:
    return figures(logs, "openai", through_kong("k-1", "Miss"), through_kong("k-2", "Hit"))


@trap(
    "11",
    right=RIGHT,
    without={
        "a generation with a source is a replay": (
            instead(openrouter_generation, "_status", lambda: pl.lit("success")),
            PHANTOM,
        )
    },
)
def test_trap_11_openrouter_replays_a_generation(logs: Logs) -> Any:
    counts = {"native_tokens_prompt": 100, "native_tokens_completion": 10, "total_cost": 0.1}
    call = {"id": "gen-1", "created_at": TIME, "model": "openai/gpt-5-mini"} | counts
    hit = call | {"id": "gen-2", "response_cache_source_id": "gen-1", "total_cost": 0}
    return figures(logs, "openrouter", call, hit, model="openai/gpt-5-mini")


@trap("11", right=RIGHT, without={"cache_status HIT": (taken_for_calls(PORTKEY), PHANTOM)})
def test_trap_11_portkey_repeats_the_body_that_it_had_and_its_id(logs: Logs) -> Any:
    told = {"created_at": TIME, "ai_org": "openai", "ai_model": "gpt-5-mini", "is_success": 1, "cache_status": "MISS"}
    body = chat(1, prompt_tokens=100, total_tokens=110) | {"id": "chatcmpl-1"}
    call = told | {"id": "p-1", "req_units": 100, "res_units": 10, "response": {"body": body}}
    return figures(logs, "openai", call, call | {"id": "p-2", "cache_status": "SEMANTIC HIT"})

"""Traps 19 and 20: instants that fall on the wrong day, and logs that do not have every call."""

import json
import re
from datetime import date
from typing import Any

import polars as pl

from tests.traps.laying import Logs, Record, trap
from tests.traps.records import observation, spend
from tests.traps.sabotage import all_of, calls_changed, entry, instead, taken_for_calls, the_first_telling_counts
from transforms.shapes import instants
from transforms.shapes.formats import azure_openai_requests
from transforms.shapes.formats.cloudflare_logpush import CLOUDFLARE_LOGPUSH
from transforms.shapes.formats.vertex_request_response import VERTEX_REQUEST_RESPONSE

# Trap 19: zones, units, edges of days.

HALLOWEEN, ALL_SAINTS = date(2026, 10, 31), date(2026, 11, 1)
read_iso = instants._fast_iso


def days(logs: Logs, *records: Record) -> list[date]:
    return sorted(day for (day,) in logs.told(list(records), of=["day"]))


def of_a_clock_in_karachi(text: pl.Series) -> pl.Series:
    """A time without a zone is taken for a local one."""
    is_naive = ~text.str.contains(r"([Zz]|[+-]\d\d:?\d\d)$")
    return read_iso(pl.select(pl.when(is_naive).then(text + "+05:00").otherwise(text)).to_series())


naive_is_local = instead(instants, "_fast_iso", of_a_clock_in_karachi)


@trap("19", right=[ALL_SAINTS], without={"a time without a zone is UTC": (naive_is_local, [HALLOWEEN])})
def test_trap_19_langfuse_writes_utc_without_a_zone(logs: Logs) -> Any:
    return days(logs, observation(start_time="2026-11-01 01:30:00.250000"))


def run(start: str, **counts: int) -> Record:
    told = {"id": "r-1", "trace_id": "r-1", "run_type": "llm", "dotted_order": "r-1"}
    return told | {"start_time": start} | counts


@trap("19", right=[ALL_SAINTS], without={"a time without a zone is UTC": (naive_is_local, [HALLOWEEN])})
def test_trap_19_langsmith_does_too(logs: Logs) -> Any:
    return days(logs, run("2026-11-01T01:30:00.250000", prompt_tokens=9, completion_tokens=1))


@trap("19", right=[ALL_SAINTS], without={"a time without a zone is UTC": (naive_is_local, [HALLOWEEN])})
def test_trap_19_so_does_a_dump_of_litellms_spend_table(logs: Logs) -> Any:
    return days(logs, spend(startTime="2026-11-01 01:30:00.25"))


def zone_cut_off(text: pl.Series) -> pl.Series:
    return read_iso(text.str.replace(r"[+-]\d\d:\d\d$", "Z"))


def call(number: int, at: Any) -> Record:
    return {"call_id": f"c-{number}", "called_at": at, "model": "m", "input_tokens": 9, "output_tokens": 1}


@trap(
    "19",
    right=[HALLOWEEN, ALL_SAINTS],
    without={"the day is that of UTC": (instead(instants, "_fast_iso", zone_cut_off), [HALLOWEEN, ALL_SAINTS][::-1])},
)
def test_trap_19_an_offset_at_the_edge_of_a_day(logs: Logs) -> Any:
    edges = ("2026-11-01T00:30:00+02:00", "2026-10-31T22:30:00-05:00")
    return [day for _, day in logs.told([call(*each) for each in enumerate(edges)], of=("response_id", "day"))]


SECOND = 1_793_493_000  # 2026-11-01T00:30:00Z
seconds_only = instead(instants, "_LARGEST", {"unix_s": None})


@trap(
    "19",
    right=[ALL_SAINTS] * 4,
    without={"the size of a number tells its unit": (seconds_only, [ALL_SAINTS])},
)
def test_trap_19_seconds_and_their_thousandths(logs: Logs) -> Any:
    return days(logs, *(call(power, SECOND * 10**power) for power in (0, 3, 6, 9)))


def request() -> Record:
    told = {"category": "RequestResponse", "resourceId": "/ACCOUNTS/A", "correlationId": "c-1", "durationMs": 9}
    ticks = {"requestTime": (SECOND + 62_135_596_800) * 10**7, "modelDeploymentName": "chat", "modelName": "gpt-4o"}
    return told | {"properties": ticks}


as_any_number = entry(azure_openai_requests._KINDS, azure_openai_requests._TICKS, instants.INSTANT_KINDS["any"])


@trap("19", right=[ALL_SAINTS], without={"ticks count from the year 1": (as_any_number, [])})
def test_trap_19_azure_writes_ticks_of_dotnet(logs: Logs) -> Any:
    return days(logs, request())


def row(number: int, rate: float | None = None) -> Record:
    counts = {"promptTokenCount": 90, "candidatesTokenCount": 10, "totalTokenCount": 100}
    body = {"responseId": f"r-{number}", "modelVersion": "gemini-2.5-pro", "usageMetadata": counts}
    told = {"logging_time": "2026-11-01 00:30:00.25 UTC", "api_method": "generateContent", "model": "gemini-2.5-pro"}
    return told | {"full_response": json.dumps(body)} | ({} if rate is None else {"samplingRate": rate})


def z_alone(text: pl.Series) -> pl.Series:
    return read_iso(pl.select(pl.when(~text.str.ends_with("UTC")).then(text)).to_series())


utc_is_no_zone = all_of(
    instead(instants, "_fast_iso", z_alone),
    instead(instants, "_ISO", re.compile(instants._ISO.pattern.replace("|UTC", ""))),
)


@trap("19", right=[ALL_SAINTS], without={"UTC is a zone": (utc_is_no_zone, [])})
def test_trap_19_bigquery_ends_in_utc(logs: Logs) -> Any:
    return days(logs, row(1))


# Trap 20: logs that are sampled, capped, or not yet complete.


def scaled_up(calls: pl.DataFrame, _: pl.DataFrame) -> pl.DataFrame:
    return calls.with_columns(pl.col("input_tokens", "output_tokens") * 10)


@trap(
    "20",
    right=(2, 180, 20),
    without={
        "a sample tells of the calls that it has": (calls_changed(VERTEX_REQUEST_RESPONSE, scaled_up), (2, 1800, 200))
    },
)
def test_trap_20_a_sampled_log_is_not_scaled_up(logs: Logs) -> Any:
    return logs.sums([row(1, rate=0.1), row(2, rate=0.1)])


STARTED = "2026-11-01T01:30:00"


@trap(
    "20",
    right=(1, 90, 10),
    without={"the telling with usage counts, whenever it comes": (the_first_telling_counts, (1, None, None))},
)
def test_trap_20_langsmith_fills_in_its_sums_later(logs: Logs) -> Any:
    return logs.sums([run(STARTED)], [run(STARTED, prompt_tokens=90, completion_tokens=10)])


zeros = {name: {"const": "0"} for name in ("input_tokens", "output_tokens")}


@trap(
    "20",
    right=((0,), 2),
    without={
        "what cannot be counted is quarantined": (
            taken_for_calls(CLOUDFLARE_LOGPUSH, model="Model", provider="Provider", **zeros),
            ((2, 0, 0), 0),
        )
    },
)
def test_trap_20_cloudflares_feed_has_calls_without_figures(logs: Logs) -> Any:
    told = {"Gateway": "main", "Provider": "openai", "Model": "gpt-5-mini", "StatusCode": 200, "RateLimited": False}
    return logs.sums([told, told]), logs.quarantined()

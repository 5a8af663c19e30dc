"""Traps 1 to 3: one call told many times, in copies or in counters that only grow."""

from typing import Any

import polars as pl

from tests.pipelines.logs import snapshot
from tests.traps.laying import Logs, Record, trap
from tests.traps.sabotage import all_of, every_telling_counts, instead, tellings_are_summed, the_first_telling_counts
from transforms.shapes.dialects import codex_usage
from transforms.shapes.formats import codex

# Trap 1: one response over several lines, each with usage; copies across files.


@trap(
    "1",
    right=(2, 10, 49),
    without={
        "the telling with the most output counts, not the first": (the_first_telling_counts, (2, 10, 8)),
        "all lines of a message are one call": (every_telling_counts, (5, 25, 93)),
    },
)
def test_trap_01_a_claude_code_message_is_several_lines_and_again_in_a_forked_session(logs: Logs) -> Any:
    session = [snapshot(1, 1), snapshot(1, 1), snapshot(1, 42)]
    forked = [snapshot(1, 42, "s-2"), snapshot(2, 7, "s-2")]
    return logs.sums(session, forked)


# Trap 2: cumulative counters, events written again, forks that replay, records beside events.

TURN = "0199b000-0000-7000-8000-00000000000{}".format


def line(second: int, kind: str, **payload: Any) -> Record:
    return {"timestamp": f"2026-10-01T08:00:{second:02d}Z", "type": kind, "payload": payload}


def meta(thread: str, **more: str) -> Record:
    return line(0, "session_meta", id=thread, cwd="/home/dev/desk", **more)


def turn(number: int) -> Record:
    return line(1, "turn_context", turn_id=TURN(number), model="gpt-5-codex")


def usage(tokens: int) -> dict[str, int]:
    counts = {"input_tokens": tokens, "cached_input_tokens": 0, "output_tokens": tokens // 10}
    return {**counts, "reasoning_output_tokens": 0, "total_tokens": tokens + tokens // 10}


def event(second: int, total: int, last: int) -> Record:
    info = {"total_token_usage": usage(total), "last_token_usage": usage(last)}
    return line(second, "event_msg", type="token_count", info=info)


def counters_are_usage(_: str) -> codex_usage.Usage:
    return codex_usage.at("payload.info.total_token_usage")


each_event_is_a_call = all_of(
    instead(codex, "_is_call", lambda: pl.col("is_event")),
    instead(codex, "_usage_of_event", lambda: codex_usage.at("payload.info.last_token_usage")),
    every_telling_counts,
)


@trap(
    "2",
    right=(2, 1500, 150),
    without={
        "a call is the step between counters": (instead(codex_usage, "step", counters_are_usage), (2, 2500, 250)),
        "a counter that stands still tells of no call": (each_event_is_a_call, (3, 2500, 250)),
    },
)
def test_trap_02_codex_counters_grow_and_events_are_written_again(logs: Logs) -> Any:
    return logs.sums([meta("th-1"), turn(1), event(2, 1000, 1000), event(3, 1000, 1000), event(4, 1500, 500)])


@trap(
    "2",
    right=(2, 1600, 160),
    without={"an event is known by its turn and counter, in whichever file": (every_telling_counts, (3, 2600, 260))},
)
def test_trap_02_a_fork_of_codex_replays_its_parent(logs: Logs) -> Any:
    parent = [meta("th-1"), turn(1), event(2, 1000, 1000)]
    replayed = [record | {"timestamp": "2026-10-01T09:00:00Z"} for record in parent]
    fork = [meta("th-2", forked_from_id="th-1"), *replayed, turn(2), event(9, 1600, 600)]
    return logs.sums(parent, fork)


@trap(
    "2",
    right=(1, 1000, 100),
    without={
        "a file with records counts by these alone": (
            instead(codex, "_is_call", lambda: pl.col("is_record") | pl.col("is_event")),
            (2, 2000, 200),
        )
    },
)
def test_trap_02_codex_pairs_a_record_with_an_event(logs: Logs) -> Any:
    counts = {"usage": usage(1000), "thread_token_usage": usage(1000)}
    record = line(2, "token_usage_record", thread_id="th-1", response_id="resp_1", **counts)
    return logs.sums([meta("th-1"), turn(1), record, event(3, 1000, 1000)])


@trap(
    "2",
    right=(2, 1500, 150),
    without={
        "a turn is the step between counters": (
            instead(codex_usage, "step", lambda _: codex_usage.at("usage")),
            (2, 2500, 250),
        )
    },
)
def test_trap_02_codex_exec_prints_the_usage_of_the_whole_thread(logs: Logs) -> Any:
    turns = [{"type": "turn.completed", "usage": usage(total)} for total in (1000, 1500)]
    return logs.sums([{"type": "thread.started", "thread_id": "th-1"}, *turns])


# Trap 3: every chunk of a stream has the usage so far.


def chunk(tokens: int) -> Record:
    counts = {"promptTokenCount": 100, "candidatesTokenCount": tokens, "totalTokenCount": 100 + tokens}
    return {"responseId": "r-1", "modelVersion": "gemini-2.5-flash", "candidates": [], "usageMetadata": counts}


@trap(
    "3",
    right=(1, 100, 30),
    without={
        "chunks are tellings of one call": (every_telling_counts, (3, 300, 60)),
        "of tellings one counts, not their sum": (tellings_are_summed, (1, 300, 60)),
    },
)
def test_trap_03_a_gemini_stream_repeats_its_usage_on_every_chunk(logs: Logs) -> Any:
    return logs.sums([chunk(10), chunk(20), chunk(30)])

"""Forks and subagents of Codex begin with their parent's history: whichever file is read, each call counts once."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from tests.builders import lines_frame
from transforms import settlement
from transforms.shapes.formats.codex import CODEX

Record = dict[str, Any]
TURNS = [f"0199b000-0000-7000-8000-00000000000{number}" for number in range(3)]


def meta(thread: str, **more: Any) -> Record:
    return {"type": "session_meta", "payload": {"id": thread, "session_id": thread, "cwd": "/home/dev/desk", **more}}


def turn(turn_id: str | None) -> Record:
    return {"type": "turn_context", "payload": {"turn_id": turn_id, "model": "gpt-5-codex", "cwd": "/home/dev/desk"}}


def event(total: int, last: int) -> Record:
    usage = {"total_token_usage": usage_of(total), "last_token_usage": usage_of(last)}
    return {"type": "event_msg", "payload": {"type": "token_count", "info": usage}}


def usage_of(tokens: int) -> dict[str, str]:
    counts = {"input_tokens": tokens, "cached_input_tokens": 0, "output_tokens": tokens // 10}
    return {name: str(count) for name, count in {**counts, "reasoning_output_tokens": 0}.items()}


def at(hour: int, *records: Record) -> list[Record]:
    return [{"timestamp": f"2026-10-01T{hour:02d}:00:{second:02d}Z", **each} for second, each in enumerate(records)]


def counted(*logs: list[Record]) -> list[tuple[int, datetime, str]]:
    """(input, time, action) of each call of some logs."""
    frames = [lines_frame(enumerate(log, 1), CODEX.fields, number) for number, log in enumerate(logs)]
    told = CODEX.calls(pl.concat(frames)).filter(pl.col("verdict").is_null())
    calls = settlement.settle(settlement.keyed(settlement.with_action(told))).sort("called_at")
    return calls.select("input_tokens", "called_at", "action_id").rows()


def instant(hour: int, second: int) -> datetime:
    return datetime(2026, 10, 1, hour, 0, second, tzinfo=UTC)


@pytest.mark.parametrize("turns", [TURNS, [None] * 3], ids=["turns with ids", "turns without"])
def test_a_fork_of_a_fork_adds_what_it_asked_itself(turns: list[str | None]) -> None:
    history = [meta("th-1"), turn(turns[0]), event(1000, 1000), event(1500, 500)]
    first_fork = [meta("th-2", forked_from_id="th-1"), *history, turn(turns[1]), event(1500, 500), event(2200, 700)]
    second_fork = [meta("th-3", forked_from_id="th-2"), *first_fork, turn(turns[2]), event(2500, 300)]
    logs = [at(8, *history), at(9, *first_fork), at(10, *second_fork)]
    assert (
        counted(*logs)
        == counted(*reversed(logs))
        == [
            (1000, instant(8, 2), "th-1"),
            (500, instant(8, 3), "th-1"),
            (700, instant(9, 7), "th-2"),
            (300, instant(10, 10), "th-3"),
        ]
    )


def test_subagents_stay_apart_though_their_counters_are_alike() -> None:
    parent = at(8, meta("th-1"), turn(TURNS[0]), event(1000, 1000))
    spawned = {"session_id": "th-1", "source": {"subagent": {"thread_spawn": {"parent_thread_id": "th-1"}}}}
    one = at(9, meta("th-2", **spawned), meta("th-1"), turn(TURNS[1]), event(400, 400))
    other = at(10, meta("th-3", **spawned), meta("th-1"), turn(TURNS[2]), event(400, 400))
    assert counted(other, one, parent) == [
        (1000, instant(8, 2), "th-1"),
        (400, instant(9, 3), "th-1"),
        (400, instant(10, 3), "th-1"),
    ]


def test_a_subagent_counts_where_its_parent_is_gone() -> None:
    started = {"type": "event_msg", "payload": {"type": "task_started", "turn_id": TURNS[0]}}
    child = at(9, meta("th-2", parent_thread_id="th-1"), meta("th-1"), started, event(1000, 1000), turn(TURNS[1]),
               event(1000, 1000), event(1600, 600))  # fmt: skip
    assert [tokens for tokens, *_ in counted(child)] == [1000, 600]

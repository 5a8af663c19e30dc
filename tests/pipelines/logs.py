"""Small logs for the tests of reading and committing, and what the ledger holds of them."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import stages
from pipelines.settings import Settings

ADDRESSES = ("key_hi", "key_lo", "content_id", "line_number", "part", "action_id")


def chat(number: int, **usage: int) -> dict[str, Any]:
    """An OpenAI chat response with an id of its own."""
    usage = {"prompt_tokens": 100 + number, "completion_tokens": 10, "total_tokens": 110 + number} | usage
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_790_000_000 + number * 3600 % (90 * 86_400),  # no clock has reached more
        "model": "gpt-5-mini",
        "choices": [],
        "usage": usage,
    }


def without_id(number: int) -> dict[str, Any]:
    """A call of our own schema that has no id; equal numbers make equal lines."""
    return {"called_at": "2026-11-01T10:00:00Z", "model": "gpt-5-mini", "input_tokens": number, "output_tokens": 1}


def snapshot(message: int, output_tokens: int, session: str = "s-1") -> dict[str, Any]:
    """A Claude Code line: one of several that tell of one message, with growing usage."""
    return {
        "type": "assistant",
        "uuid": f"u-{message}-{output_tokens}",
        "parentUuid": None,
        "sessionId": session,
        "requestId": f"req_{message}",
        "timestamp": "2026-11-01T10:00:00.000Z",
        "cwd": "/home/dev/shop",
        "message": {
            "id": f"msg_{message}",
            "model": "claude-sonnet-4-5-20250929",
            "usage": {"input_tokens": 5, "output_tokens": output_tokens},
        },
    }


def jsonl(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def ingest(data: Path, *logs: Path, **settings: Any) -> stages.IngestSummary:
    return stages.ingest(Settings.load(data=data, logs=[str(path) for path in logs], **settings))


def ledger_rows(data: Path) -> pl.DataFrame:
    """All calls, read from the files that the manifest says are live."""
    return _live_rows(data, "ledger")


def quarantine_rows(data: Path) -> pl.DataFrame:
    return _live_rows(data, "quarantine")


def _live_rows(data: Path, kind: str) -> pl.DataFrame:
    import sqlite3

    connection = sqlite3.connect(data / "manifest.sqlite")
    query = "select path from file where kind = ? and removed is null"
    paths = [data / path for (path,) in connection.execute(query, (kind,))]
    connection.close()
    return pl.concat([pl.read_parquet(path, glob=False) for path in paths]) if paths else pl.DataFrame()


def figures(data: Path, leave_out: Sequence[str] = ADDRESSES) -> list[tuple]:
    """The calls without what depends on how they were read, in an order of their own."""
    rows = ledger_rows(data)
    return sorted(rows.drop(leave_out).rows(), key=repr) if rows.height else []


def balance(data: Path) -> list[dict[str, int]]:
    import sqlite3

    connection = sqlite3.connect(data / "manifest.sqlite")
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("select * from content")]
    connection.close()
    return rows


def are_told_apart(logs: list[bytes]) -> bool:
    """Whether no log begins with the whole of another: such a log is the other one grown, as far as anyone can tell."""
    told = [log for log in logs if log]
    return not any(one.startswith(other) for i, one in enumerate(told) for j, other in enumerate(told) if i != j)

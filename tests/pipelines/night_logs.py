"""A shop's logs as they stand before each of several nights, and every figure that is published of them."""

import gzip
import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines import sandbox
from pipelines.warehouse_models import PUBLISHED

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
MODELS = ("gpt-5-mini", "gpt-5.2", "claude-haiku-4-5-20251001")
# what tells how a log was read, or when, and no figure
NO_FIGURES = {"runs", "files", "about", "restatements", "price_book"}
OF_READING = {"content_id", "source_file", "line_number", "part", "cell_id", "card_id", "matched_card_id", "path"}


def call(number: int, day: int, randomly: random.Random, **more: Any) -> dict[str, Any]:
    """A call of our own schema, of an action that has two."""
    return {
        "call_id": f"r-{number}",
        "called_at": f"{FIRST + timedelta(days=day, seconds=number % 86_000):%Y-%m-%dT%H:%M:%SZ}",
        "model": randomly.choice(MODELS),
        "provider": None,
        "feature": randomly.choice(["search", "reply", "summary"]),
        "user_id": f"u-{number % 17}",
        "customer_id": f"c-{number % 5}",
        "action_id": f"a-{number // 2}",
        "input_tokens": randomly.randint(1, 5000),
        "output_tokens": randomly.randint(1, 500),
        **more,
    }


def outcome(number: int, is_success: bool, day: int) -> dict[str, Any]:
    at = FIRST + timedelta(days=day, hours=23)
    return {
        "action_id": f"a-{number}",
        "outcome": "done",
        "is_success": is_success,
        "occurred_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
    }


def jsonl(records: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


class Shop:
    """Files in `folder`. `all_calls` and `all_outcomes` are what the logs tell, each once."""

    def __init__(self, folder: Path, seed: int, calls_a_night: int = 120) -> None:
        self.logs, self.outcomes = folder / "logs", folder / "outcomes.jsonl"
        self.logs.mkdir(parents=True)
        self.outcomes.touch()
        self.randomly, self.calls_a_night = random.Random(seed), calls_a_night
        self.number = self.day = 0
        self.all_calls: list[dict[str, Any]] = []

    def night(self) -> None:
        """A day's calls: most in the file of the day and in one that grows, some days late, some delivered again. The
        file of the day before is compressed, the growing one is rotated now and then."""
        new = [self._next(self.day) for _ in range(self.calls_a_night)]
        late = [self._next(max(self.day - 3, 0)) for _ in range(self.calls_a_night // 10)]
        again = self.randomly.sample(self.all_calls, min(len(self.all_calls), 20))
        self._rotate()
        with (self.logs / "app.jsonl").open("ab") as growing:
            growing.write(jsonl(new[::2]))
        (self.logs / f"day-{self.day}.jsonl").write_bytes(jsonl(new[1::2] + late + again) + b"not a line\n")
        yesterday = self.logs / f"day-{self.day - 1}.jsonl"
        if yesterday.exists():
            yesterday.with_suffix(".jsonl.gz").write_bytes(gzip.compress(yesterday.read_bytes()))
            yesterday.unlink()
        self.all_calls += new + late
        self._tell_outcomes()
        self.day += 1

    def _next(self, day: int) -> dict[str, Any]:
        self.number += 1
        return call(self.number, day, self.randomly)

    def _rotate(self) -> None:
        growing = self.logs / "app.jsonl"
        if self.day % 2 and growing.exists():
            growing.rename(self.logs / f"app.{self.day}.jsonl")

    def _tell_outcomes(self) -> None:
        """Outcomes of today's actions, and what some of before turned out to be after all."""
        actions = [self.randomly.randrange(self.number // 2 + 1) for _ in range(self.calls_a_night // 4)]
        with self.outcomes.open("ab") as told:
            told.write(
                jsonl(outcome(action, self.randomly.random() < 0.6, self.day) for action in sorted(set(actions)))
            )


def published_figures(data: Path) -> dict[str, list[tuple]]:
    """The rows of every published table, in an order of their own, without what depends on how the logs were read."""
    told = {}
    for name in PUBLISHED:
        if name not in NO_FIGURES:
            rows = sandbox.query(data / "warehouse.duckdb", f"from {name}")
            kept = [column for column in rows.columns if column not in OF_READING]
            told[name] = sorted(rows.select(kept).rows(), key=repr)
    return told

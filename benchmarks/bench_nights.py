"""Nights: with nothing new, with one day more of a long history, and with a thousand small files.

A night with nothing new is to take under 2 s; of the others it tells where the time goes. A build works through all
days, so the night of one day more is compared with the one that took in the whole history.
"""

import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines import nights
from pipelines.settings import Settings

CALLS = 1_000_000
DAYS = 400
FEATURES = 20
USERS = 2_000
FILES = 1_000
FIRST = datetime(2025, 9, 1, tzinfo=UTC)
MODELS = ("gpt-5-mini", "gpt-5.2", "claude-haiku-4-5-20251001")


def lines(day: int, count: int, randomly: random.Random) -> Iterator[str]:
    for number in range(count):
        at = FIRST + timedelta(days=day, seconds=number * 86_400 // count)
        user = randomly.randrange(USERS)
        record = {
            "call_id": f"{day}-{number}",
            "called_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "model": MODELS[number % 3],
            "feature": f"feature-{randomly.randrange(FEATURES)}",
            "user_id": f"user-{user}",
            "customer_id": f"customer-{user % 50}",
            "action_id": f"{day}-{number // 2}",
            "input_tokens": randomly.randrange(10_000),
            "output_tokens": randomly.randrange(1_000),
        }
        yield json.dumps(record) + "\n"


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measured(name: str, settings: Settings, day: date) -> None:
    stages: dict[str, float] = {}

    def tell(stage: str, **figures: Any) -> None:
        stages[stage] = stages.get(stage, 0) + figures.get("seconds", 0)

    started, used = time.monotonic(), cpu_seconds()
    night = nights.run(settings, day, accept=True, tell=tell)
    took = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in stages.items() if seconds)
    print(
        f"{name:<34} {night.call_count:>9,} new calls  {time.monotonic() - started:6.1f} s  "
        f"{cpu_seconds() - used:6.1f} s CPU  ({took})",
        flush=True,
    )


def main() -> None:
    randomly = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="tokenspread-bench-") as folder:
        logs = Path(folder) / "logs"
        logs.mkdir()
        a_day = CALLS // DAYS
        for day in range(DAYS):
            (logs / f"{day:03}.jsonl").write_text("".join(lines(day, a_day, randomly)))
        settings = Settings(logs=(str(logs),), data=Path(folder) / "data")
        day = FIRST.date() + timedelta(days=DAYS)
        measured(f"{DAYS} days", settings, day - timedelta(days=1))
        measured("the same again", settings, day - timedelta(days=1))
        measured("nothing new, the next day", settings, day)
        (logs / "new.jsonl").write_text("".join(lines(DAYS, a_day, randomly)))
        measured("one day more", settings, day)
        for number in range(FILES):
            (logs / f"small-{number}.jsonl").write_text("".join(lines(DAYS + 1 + number, 3, randomly)))
        measured(f"{FILES} small files", settings, day)


if __name__ == "__main__":
    main()

"""A report of a part of the calls beside that of all: a million calls of 40 days, in a data folder made for it.

That of all asks tables that are there; that of a part makes its models anew over the part. Seconds are of one process,
the median of RUNS; the ratio is to the report of all.
"""

import io
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path

import polars as pl

from pipelines import selection, stages
from pipelines.report import terminal
from pipelines.selection import Selection
from pipelines.settings import Settings

CALLS, DAYS, FEATURES, USERS, MODELS = 1_000_000, 40, 20, 2_000, ("gpt-5", "gpt-5-mini", "gpt-4o", "gpt-4.1-mini")
RUNS = 3
FIRST = date(2026, 1, 1)
PARTS = {
    "all calls": Selection(),
    "one day": Selection(date(2026, 1, 20), date(2026, 1, 20)),
    "a week": Selection(date(2026, 1, 20), date(2026, 1, 26)),
    "one feature": Selection(where=(("feature", "feature-3"),)),
    "one user": Selection(where=(("user", "user-77"),)),
    "half of the days": Selection(since=date(2026, 1, 21)),
    "every day, made anew": Selection(since=FIRST),
}


def write_log(path: Path) -> None:
    number = pl.int_range(CALLS, eager=True).alias("number").to_frame()
    chance = pl.col("number").cast(pl.UInt64) * 2_654_435_761 % 2**32 // 2**8  # spread out, and the same in each run
    second = pl.col("number") * (DAYS * 86_400) // CALLS
    number.select(
        call_id=pl.format("call-{}", "number"),
        called_at=(pl.lit(FIRST).cast(pl.Datetime("us")) + pl.duration(seconds=second)).dt.strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        ),
        provider=pl.lit("openai"),
        model=pl.lit(list(MODELS)).list.get(chance % len(MODELS)),
        input_tokens=(chance % 5_000 + 500).cast(pl.Int64),
        output_tokens=(chance % 700).cast(pl.Int64),
        feature=pl.format("feature-{}", chance % FEATURES),
        user_id=pl.format("user-{}", chance // 64 % USERS),
        action_id=pl.format("action-{}", pl.col("number") // 2),
    ).write_parquet(path)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_log(Path(folder) / "log.parquet")
        settings = Settings(data=Path(folder) / "data", logs=(str(Path(folder) / "log.parquet"),))
        started = time.perf_counter()
        stages.ingest(settings)
        stages.build(settings)
        print(f"ingest and build {time.perf_counter() - started:.1f} s")
        whole = None
        for name, selected in PARTS.items():
            taken = []
            for _ in range(RUNS):
                started = time.perf_counter()
                with selection.asked(settings, selected, *terminal.MODELS) as (ask, part):
                    terminal.write(ask, "feature", "text", io.StringIO(), part)
                taken.append(time.perf_counter() - started)
            seconds = statistics.median(taken)
            whole = whole or seconds
            calls = part["call_count"] if part else CALLS
            print(f"{name:<22}{calls:>10,} calls  {seconds:6.2f} s  x {seconds / whole:.1f}")


if __name__ == "__main__":
    main()

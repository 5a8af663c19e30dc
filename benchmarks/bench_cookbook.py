"""The questions of sql/cookbook over a million calls, each asked as `tokenspread ask` asks it.

The target is under 0.2 s for each, in the warehouse that a run left: 400 days, 20 features that 2,000 users of 50
customers all use, so that the usage cube has hardly fewer cells than there are calls. Told are the median wall time of
the query in a connection that is open (DuckDB's, without its output), its median CPU time, and how long the same takes
with the connection's opening, which every `tokenspread ask` pays once.

    python -m benchmarks.bench_cookbook [DATA]      # DATA: made where it is not there, and kept
"""

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.bench_nights import CALLS, DAYS, FIRST, cpu_seconds, lines
from pipelines import cookbook, sandbox, stages, warehouse
from pipelines.settings import Settings

RUNS = 7
TARGET = 0.2
RISEN = 100  # of one call in so many


def told_more(line: str, number: int, randomly: random.Random) -> str:
    """The line of bench_nights with what it leaves out: caches, failures, latency, environments, outcomes, costs."""
    record = json.loads(line)
    record["cache_read_tokens"] = record["input_tokens"] * randomly.randrange(4) // 5
    record["latency_seconds"] = randomly.randrange(100, 20_000) / 1000
    record["environment"] = "production" if number % 10 else "development"
    record["status"] = "error" if number % 50 == 7 else "success"
    if number % 4 < 2:
        record |= {"outcome": "resolved", "is_success": randomly.random() < 0.8}
    if number % 20 == 0:
        record["recorded_cost_usd"] = f"{record['input_tokens'] * 25 // 100 + number % 3}e-6"
    if number % RISEN == 0:
        record |= {"model": "unheard-of-model", "input_tokens": 300_000 + number % 1000}
    if number % 500 == 0:
        del record["feature"]
    return json.dumps(record) + "\n"


def write_logs(folder: Path) -> None:
    randomly = random.Random(1)
    a_day = CALLS // DAYS
    for day in range(DAYS):
        told = [told_more(line, number, randomly) for number, line in enumerate(lines(day, a_day, randomly))]
        told += ["not a record\n"] * (day % 3)
        (folder / f"{day:03}.jsonl").write_text("".join(told))
    # two more files that tell of the same calls, without an id
    again = [json.loads(line) for line in lines(DAYS, 200, randomly)]
    for name in ("gateway", "sdk"):
        told = "".join(json.dumps(record | {"call_id": None, "region": name}) + "\n" for record in again)
        (folder / f"{name}.jsonl").write_text(told)
    month = FIRST.date().replace(day=1)
    rows = ["period_start,period_end,customer_id,revenue_usd"]
    while month < FIRST.date() + timedelta(days=DAYS):
        after = (month + timedelta(days=31)).replace(day=1)
        rows += [f"{month},{after},customer-{number},{number}.50" for number in range(50)]
        month = after
    (folder / "revenue.csv").write_text("\n".join(rows) + "\n")


def made(data: Path) -> Settings:
    if not (data / "warehouse.duckdb").exists():
        with tempfile.TemporaryDirectory(prefix="tokenspread-bench-") as folder:
            logs = Path(folder) / "logs"
            logs.mkdir()
            write_logs(logs)
            revenue = (logs / "revenue.csv").rename(Path(folder) / "revenue.csv")
            settings = Settings(logs=(str(logs),), revenue=revenue, data=data)
            start = time.monotonic()
            stages.ingest(settings)
            print(f"ingest {time.monotonic() - start:.1f} s", flush=True)
            start = time.monotonic()
            stages.build(settings)
            print(f"build {time.monotonic() - start:.1f} s", flush=True)
    return Settings(data=data)


def medians(work: Callable[[], object]) -> tuple[float, float]:
    """Median wall and CPU seconds of RUNS, after one that is not counted."""
    work()
    wall, used = [], []
    for _ in range(RUNS):
        start, start_used = time.perf_counter(), cpu_seconds()
        work()
        wall.append(time.perf_counter() - start)
        used.append(cpu_seconds() - start_used)
    return statistics.median(wall), statistics.median(used)


def main(data: Path) -> None:
    link = made(data).data / "warehouse.duckdb"
    slow: dict[str, list[str]] = {"wall": [], "CPU": []}
    with sandbox.connect_sandboxed(link) as connection:
        counts = connection.sql("select (select count(*) from calls), (select count(*) from usage_cube)").fetchall()[0]
        print(f"{counts[0]:,} calls, {counts[1]:,} cells; medians of {RUNS} runs; target {TARGET} s")
        for name, question in cookbook.questions().items():
            query = question.sql
            rows = warehouse.frame_of(connection, query).height
            wall, used = medians(lambda query=query: warehouse.frame_of(connection, query))
            for kind, seconds in (("wall", wall), ("CPU", used)):
                slow[kind] += [name] if seconds >= TARGET else []
            print(f"  {name:34} {wall:7.3f} s  {used:7.3f} s CPU  {rows:>7,} rows", flush=True)
    opened, opened_used = medians(lambda: sandbox.query(link, "select 1 as one"))
    print(f"  {'opening, and what every ask pays':34} {opened:7.3f} s  {opened_used:7.3f} s CPU")
    for kind, names in slow.items():  # on a busy machine the wall time says more of the others
        print(f"above the target in {kind} time: {', '.join(names) or 'none'}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="tokenspread-bench-") as folder:
            main(Path(folder) / "data")

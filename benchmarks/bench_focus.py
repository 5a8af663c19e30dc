"""FOCUS: a dataset of at least 4 million rows as Parquet and as CSV, with the memory that it takes.

The target is under 20 s for the Parquet file. What it comes to is compared with the ledger.
"""

import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.bench_scenarios import CARDS, FEATURES, USERS, Desk, told_ledger
from pipelines import exports, warehouse
from pipelines.settings import Settings

CALLS = 1_500_000  # of three classes each, no two alike in all that a row tells
ROWS = 4_000_000
TARGET_SECONDS = 20


def spread_ledger() -> pl.DataFrame:
    """Each feature, user and model meets on as many days as it takes."""
    number = pl.int_range(CALLS, eager=True).alias("number").to_frame()
    return told_ledger(
        number,
        day=pl.date(2026, 1, 1) + pl.duration(days=pl.col("number") // (FEATURES * USERS * CARDS)),
        model=pl.col("number") % CARDS,
        input_tokens=pl.col("number") % 5_000 + 500,
        feature=pl.col("number") // CARDS % FEATURES,
        user=pl.col("number") // (CARDS * FEATURES) % USERS,
    )


def make(data: Path) -> None:
    with warehouse.connect(data / "made.duckdb", memory_limit="2GB") as connection:
        Desk(connection, spread_ledger(), made=("about", "costs_apart", "allocated_costs", "contract_terms"))
    (data / "warehouse.duckdb").symlink_to("made.duckdb")


def write(data: Path, path: Path) -> None:
    start, used = time.perf_counter(), time.process_time()
    written = exports.export(Settings(data=data), ["focus"], None, path, False, None)[0]
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert written.row_count >= ROWS, f"{written.row_count:,} rows: the benchmark is stale"
    target = f" (target {TARGET_SECONDS} s)" if path.suffix == ".parquet" else ""
    print(
        f"  {path.suffix[1:]:8} {seconds:6.1f} s, {cpu:6.1f} s of CPU, {peak:,.0f} MB of memory, "
        f"{path.stat().st_size / 1e6:,.0f} MB of file, {written.row_count:,} rows{target}"
    )


def compare(data: Path, path: Path) -> None:
    with warehouse.connect(data / "warehouse.duckdb", read_only=True) as connection:
        ((billed,),) = connection.sql(f"select sum(BilledCost) from '{path}'").fetchall()
        ((cost,),) = connection.sql("select usd_from_pico(sum(cost_pico)) from usage_cube").fetchall()
    assert billed == cost, f"{billed} USD in the file, {cost} USD in the ledger"
    print(f"  {billed} USD, as the ledger has it")


def main() -> None:
    alone = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="tokenspread-") as folder:
        data, out = Path(folder) / "data", Path(folder) / "out"
        data.mkdir()
        out.mkdir()
        for work, *arguments in [(make, data), (write, data, out / "f.parquet"), (write, data, out / "f.csv")]:
            process = alone.Process(target=work, args=arguments)  # the peak of memory is a process's
            process.start()
            process.join()
            assert process.exitcode == 0
        compare(data, out / "f.parquet")


if __name__ == "__main__":
    main()

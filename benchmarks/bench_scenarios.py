"""Three scenarios over a built usage cube of 100,000 cells: cost, margin and break-even for every feature and user.

The target is under 0.1 s for `scenario_comparison`, whatever the number of calls behind the cube.
"""

import statistics
import time

import polars as pl

from pipelines import warehouse
from transforms import schemas

CELLS = 100_000
CARDS = 20
FEATURES = 20
USERS = 250
RUNS = 11
TARGET_SECONDS = 0.1
FACTORS = {"actual": (1, 1), "-30%": (7, 10), "+50%": (3, 2)}


def rate_cards() -> pl.DataFrame:
    """CARDS cards, each of its own model, with different whole rates."""
    cards = pl.DataFrame({"card_id": range(CARDS)}, schema={"card_id": pl.Int64})
    rates = {f"{name}_rate": pl.col("card_id") * 1_001 + 1_250_000 for name in schemas.TOKEN_CLASSES}
    whole = {"day_second_from": pl.lit(0, pl.Int32), "day_second_to": pl.lit(86400, pl.Int32)}
    told = {"provider": pl.lit("openai"), "model": pl.format("model-{}", "card_id"), "price_status": pl.lit("exact")}
    frame = cards.with_columns(context_above=pl.lit(0, pl.Int64), **told, **whole, **rates)
    missing = [
        pl.lit(None, dtype).alias(name) for name, dtype in schemas.RATE_CARDS.items() if name not in frame.columns
    ]
    return schemas.conform(frame.with_columns(missing), schemas.RATE_CARDS)


def scenario_rates(cards: pl.DataFrame) -> pl.DataFrame:
    frames = []
    for order, (scenario, (above, below)) in enumerate(FACTORS.items()):
        rates = [
            (pl.col(f"{name}_rate").cast(pl.Int128) * 10**6 * above // below).alias(f"{name}_rate")
            for name in schemas.TOKEN_CLASSES
        ]
        named = [pl.lit(scenario).alias("scenario"), pl.lit(order, pl.Int32).alias("scenario_order"), "card_id"]
        frames.append(cards.select(*named, *rates))
    return schemas.conform(pl.concat(frames), schemas.SCENARIO_RATES)


def ledger() -> pl.DataFrame:
    """CELLS calls that no two cells share: each feature, user and card meets on as many days as it takes."""
    number = pl.int_range(CELLS, eager=True).alias("number").to_frame()
    day = pl.date(2026, 1, 1) + pl.duration(days=pl.col("number") // (FEATURES * USERS * CARDS // 4))
    columns = {
        "key_hi": pl.lit(0, pl.UInt64),
        "key_lo": pl.col("number").cast(pl.UInt64),
        "day": day,
        "called_at": day.cast(schemas.INSTANT),
        "content_id": pl.lit(1, pl.Int64),
        "line_number": pl.col("number") + 1,
        "part": pl.lit(0, pl.Int32),
        "provider": pl.lit("openai"),
        "model": pl.format("model-{}", pl.col("number") % CARDS),
        "status": pl.lit("success"),
        "input_tokens": pl.col("number") % 5_000 + 500,
        "cache_read_tokens": pl.col("number") % 400,
        "output_tokens": pl.col("number") % 700,
        "action_id": pl.format("action-{}", pl.col("number") // 2),
        "feature": pl.format("feature-{}", pl.col("number") // CARDS % FEATURES),
        "user_id": pl.format("user-{}", pl.col("number") // (CARDS * FEATURES) % USERS),
    }
    frame = number.select(**columns)
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schemas.LEDGER.items() if name not in columns]
    return schemas.conform(frame.with_columns(missing), schemas.LEDGER)


def median_seconds(work, runs: int = RUNS) -> float:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    cards = rate_cards()
    frames = {"ledger": ledger(), "rate_cards": cards, "scenario_rates": scenario_rates(cards)}
    names = {"scenario": list(FACTORS), "scenario_order": range(len(FACTORS))}
    frames["scenarios"] = pl.DataFrame(names, schema=warehouse.TABLE_SOURCES["scenarios"])
    sources = warehouse.TABLE_SOURCES | warehouse.FILE_SOURCES
    with warehouse.connect() as connection:
        connection.execute("create schema source")
        for name, schema in sources.items():
            warehouse.load_table(connection, name, frames.get(name, schemas.empty(schema)), schema)
        warehouse.make_models(connection)
        cells = warehouse.frame_of(connection, "select count(*) as cells from usage_cube").item()
        print(f"usage cube: {cells:,} cells, {CARDS} rate cards, {len(FACTORS)} scenarios; median of {RUNS} runs")
        for name in ("scenario_comparison", "scenario_by_dimension"):
            query = f"create or replace temporary table timed as {warehouse.model_sql(name)}"
            seconds = median_seconds(lambda query=query: connection.execute(query))
            rows = warehouse.frame_of(connection, "select count(*) as rows from timed").item()
            verdict = "" if name != "scenario_comparison" else f" (target {TARGET_SECONDS} s)"
            print(f"{name:24} {seconds:7.3f} s, {rows:,} rows{verdict}")


if __name__ == "__main__":
    main()

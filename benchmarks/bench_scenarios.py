"""Scenarios over a built usage cube: three of them, a grid of 31, and one model for another under 2 million calls.

The targets are under 0.1 s for three scenarios over 100,000 cells, under 1 s for 31 with the reckoning of their rates,
and under 0.3 s for the swap, whatever the number of calls behind the cube. What the swap comes to is compared with each
call priced anew.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace

import duckdb
import polars as pl

from pipelines import scenario_desk, warehouse, what_if
from pipelines.pricing import LIST
from pipelines.warehouse_sources import PRICE_NAMES
from transforms import schemas
from transforms.scenarios import definitions

CELLS = 100_000
CALLS = 2_000_000
CARDS = 20
FEATURES = 20
USERS = 250
DAYS = 40
LONG_CONTEXT = 200_000
RUNS = 7
THREE = ("-30%", "+50%")  # and actual
SWAP = {"replace": "model-1", "with": "openai/model-2"}
# Made anew for other scenarios; the last two are what is asked for.
MADE = ("scenario_moves", "scenario_rates", "scenario_cells", "scenario_activity", "scenario_counts")
ASKED = ("scenario_comparison", "scenario_by_dimension")
EACH_CALL = f"""
with moved as (
    select
        calls.call_id,
        case when calls.model = 'model-1' then cost_of(calls, cards) else calls.cost_pico end as cost_pico,
    from (select *, 1 as call_count from calls) as calls
    left join source.rate_cards as cards
        on calls.model = 'model-1'
        and cards.model = 'model-2'
        and calls.input_tokens > cards.context_above
        and calls.input_tokens <= coalesce(cards.context_up_to, {2**62})
)

select
    count(*) as call_count,
    count(cost_pico) as priced_call_count,
    usd_from_pico(sum(cost_pico)) as cost_usd,
from moved
"""


def rate_cards() -> pl.DataFrame:
    """CARDS models with different whole rates, every second one dearer above LONG_CONTEXT."""
    cards = [
        {"model": f"model-{number}", "context_above": above, "context_up_to": up_to}
        | {f"{name}_rate": (number * 1_001 + 1_250_000) * (1 + bool(above)) for name in schemas.MAIN_CLASSES}
        for number in range(CARDS)
        for above, up_to in ([(0, LONG_CONTEXT), (LONG_CONTEXT, None)] if number % 2 else [(0, None)])
    ]
    whole = {"week_second_from": pl.lit(0, pl.Int32), "week_second_to": pl.lit(604_800, pl.Int32)}
    told = {"provider": pl.lit("openai"), "price_status": pl.lit("exact")}
    frame = pl.DataFrame(cards, infer_schema_length=None).with_columns(**whole, **told)
    return filled(frame.with_columns(card_id=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)), schemas.RATE_CARDS)


def spread_ledger() -> pl.DataFrame:
    """CELLS calls that no two cells share: each feature, user and card meets on as many days as it takes."""
    number = pl.int_range(CELLS, eager=True).alias("number").to_frame()
    return told_ledger(
        number,
        day=pl.date(2026, 1, 1) + pl.duration(days=pl.col("number") // (FEATURES * USERS * CARDS // 4)),
        model=pl.col("number") % CARDS,
        input_tokens=pl.col("number") % 5_000 + 500,
        feature=pl.col("number") // CARDS % FEATURES,
        user=pl.col("number") // (CARDS * FEATURES) % USERS,
    )


def busy_ledger() -> pl.DataFrame:
    """CALLS calls of some days: each user has a few features, each feature two models, and one call in 20 is long."""
    number = pl.int_range(CALLS, eager=True).alias("number").to_frame()
    chance = pl.col("number").cast(pl.UInt64) * 2_654_435_761 % 2**32 // 2**8  # spread out, and the same in each run
    user = chance % (USERS * 3)
    feature = (user + chance // 4_096 % 3) % FEATURES
    return told_ledger(
        number,
        day=pl.date(2026, 1, 1) + pl.duration(days=pl.col("number") * DAYS // CALLS),
        model=feature % (CARDS - 1) + chance // 16_384 % 2,
        input_tokens=pl.col("number") % 5_000 + 500 + pl.when(chance % 20 == 0).then(LONG_CONTEXT).otherwise(0),
        feature=feature,
        user=user,
    )


def told_ledger(number: pl.DataFrame, **told: pl.Expr) -> pl.DataFrame:
    """LEDGER of a call for each number, two to an action."""
    columns = {
        "key_hi": pl.lit(0, pl.UInt64),
        "key_lo": pl.col("number").cast(pl.UInt64),
        "day": told["day"],
        "called_at": told["day"].cast(schemas.INSTANT),
        "content_id": pl.lit(1, pl.Int64),
        "line_number": pl.col("number") + 1,
        "part": pl.lit(0, pl.Int32),
        "provider": pl.lit("openai"),
        "model": pl.format("model-{}", told["model"]),
        "status": pl.lit("success"),
        "input_tokens": told["input_tokens"].cast(pl.Int64),
        "cache_read_tokens": pl.col("number") % 400,
        "output_tokens": pl.col("number") % 700,
        "action_id": pl.format("action-{}", pl.col("number") // 2),
        "feature": pl.format("feature-{}", told["feature"]),
        "user_id": pl.format("user-{}", told["user"]),
    }
    return filled(number.select(**columns), schemas.LEDGER)


def filled(frame: pl.DataFrame, schema: dict) -> pl.DataFrame:
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return schemas.conform(frame.with_columns(missing), schema)


class Desk:
    """A catalogue in memory over `ledger`, in which scenarios are asked as `tokenspread reprice` asks them."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, ledger: pl.DataFrame, made: Iterable[str] | None = None
    ) -> None:
        self.connection = connection
        cards = rate_cards()
        names = cards.select(list(schemas.PRICE_REFS)).unique(maintain_order=True)
        frames = {"ledger": ledger, "rate_cards": cards}
        frames["price_names"] = names.with_columns(as_provider="provider", as_model="model").select(list(PRICE_NAMES))
        self.prices = SimpleNamespace(
            refs=frames["price_names"],
            rate_cards=cards,
            book_rates=filled(cards.with_columns(book=pl.lit(LIST)), schemas.BOOK_RATES),
            contract_terms=schemas.empty(schemas.CONTRACT_TERMS),
        )
        frames["context_bounds"] = cards.select("context_above").unique()
        connection.execute("create schema source")
        for name, schema in (warehouse.TABLE_SOURCES | warehouse.FILE_SOURCES).items():
            warehouse.load_table(connection, name, frames.get(name, schemas.empty(schema)), schema)
        warehouse.make_cube(connection)
        self.bind(self.resolved(definitions.parse_all(THREE)))
        warehouse.make_models(connection, made)

    def ask(self, sql: str) -> pl.DataFrame:
        return warehouse.frame_of(self.connection, sql)

    def resolved(self, scenarios: list) -> dict[str, pl.DataFrame]:
        return what_if.resolve(scenarios, self.prices, self.ask)

    def bind(self, tables: dict[str, pl.DataFrame]) -> None:
        for name, frame in tables.items():
            self.connection.execute(f"drop table if exists source.{name}")
            warehouse.load_table(self.connection, name, frame, warehouse.SCENARIO_SOURCES[name])

    def make(self) -> None:
        """What is told of scenarios before any is asked for."""
        for name in MADE:
            kind = warehouse.UNPUBLISHED[name].replace("temporary", "or replace temporary")
            self.connection.execute(f"create {kind} {name} as {warehouse.model_sql(name)}")

    def answer(self, name: str) -> None:
        self.connection.execute(f"create or replace temporary table timed_{name} as {warehouse.model_sql(name)}")

    def rows(self, name: str) -> int:
        """Rows of an answer, each of which has a cost."""
        counted = self.ask(f"select count(*) as rows, count(cost_usd) as costs from timed_{name}")
        rows, costs = counted.row(0)
        assert rows == costs > 0, f"{rows - costs} of {rows} rows of {name} have no cost: the benchmark is stale"
        return rows


def median_seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def shown(what: str, seconds: float, detail: str = "") -> None:
    print(f"  {what:44} {seconds:7.3f} s{detail}")


def told(desk: Desk, scenarios: list, target: float, whole: bool) -> None:
    """Times of one set of scenarios; `whole`: the target is for all steps together, else for scenario_comparison."""
    cells = desk.ask("select count(*) as cells from usage_cube").item()
    print(f"{len(scenarios) + 1} scenarios, {cells:,} cells; median of {RUNS} runs")
    resolve = median_seconds(lambda: desk.resolved(scenarios))
    tables = desk.resolved(scenarios)
    shown("rates and scopes, in Python", resolve)
    bind = median_seconds(lambda: desk.bind(tables))
    make = median_seconds(desk.make)
    shown("loaded, and what moves", bind + make)
    for name in ASKED:
        seconds = median_seconds(lambda name=name: desk.answer(name))
        ending = "" if whole or name != ASKED[0] else f" (target {target} s)"
        shown(name, seconds, f", {desk.rows(name):,} rows{ending}")
        if whole:
            shown(f"  all of it for {name}", resolve + bind + make + seconds, f" (target {target} s)")


def compare_with_each_call(desk: Desk) -> None:
    """The swap's total, from the cube, is that of each call priced by the card that it finds there."""
    start = time.perf_counter()
    call_count, priced_call_count, cost = desk.ask(EACH_CALL).row(0)
    seconds = time.perf_counter() - start
    assert call_count == priced_call_count == CALLS, "a call finds no card, or several"
    totals = desk.ask(f"select scenario_order, cost_usd from timed_{ASKED[1]} where dimension = 'all' order by 1")
    actual, swapped = totals["cost_usd"]
    assert swapped == cost != actual, f"{swapped} USD from the cube, {cost} USD call by call"
    shown("each call by itself, equal to the last digit", seconds)


def main() -> None:
    with warehouse.connect() as connection:
        desk = Desk(connection, spread_ledger())
        told(desk, definitions.parse_all(THREE), 0.1, whole=False)
        told(desk, definitions.parse_all(scenario_desk.grid_of("-50:100:5")), 1.0, whole=True)
    with warehouse.connect() as connection:
        desk = Desk(connection, busy_ledger())
        print(f"\n{CALLS:,} calls, one model for another, the same tokens")
        told(desk, [definitions.scenario_of("swap", SWAP)], 0.3, whole=True)
        compare_with_each_call(desk)


if __name__ == "__main__":
    main()

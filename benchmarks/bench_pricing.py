"""Pricing calls: the SQL model `calls` over a ledger file, into a table, against genai-prices asked for each call.

    python -m benchmarks.bench_pricing [CALLS]

Calls are random over the whole catalogue, at and around the edges of its dates, hours and context tiers, in every price
context. Each call of the sample must cost the same in both to the last digit. Left out of the ledger are calls that one
of the two does not price (unknown model, a class without a rate, a fee for each request) and those of prices that are
rounded to 1e-12 USD.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
from genai_prices.data_snapshot import get_snapshot

from pipelines.prices.catalogue import catalogue_rates
from tests import reference
from tests.pipelines.prices.test_catalogue import cards_of, genai_cost, is_cached_audio_twice, random_call
from transforms.prices import book
from transforms.schemas import LEDGER, PRICE_REFS, PRICE_RULES, RATE_CARDS, empty

SQL = Path(__file__).resolve().parent.parent / "sql"
POOL_COUNT, SAMPLE_COUNT, ROUNDS, TARGET_RATIO = 40_000, 5_000, 3, 100


def call_pool() -> tuple[list[dict], pl.DataFrame]:
    """Random calls that both sides can price, and the price refs of all that were drawn."""
    pick = random.Random(1)
    models = [(provider.id, model) for provider in get_snapshot().providers for model in provider.models]
    drawn = [random_call(pick, *pick.choice(models)) for _ in range(POOL_COUNT)]
    refs = pl.DataFrame([{name: call[name] for name in PRICE_REFS} for call in drawn], schema=PRICE_REFS).unique()
    rows = book.applicable(book.named(refs, {}), empty(PRICE_RULES), [catalogue_rates(refs)])
    by_model = {key: part.to_dicts() for key, part in rows.group_by("provider", "model")}
    pool = []
    for call in drawn:
        rows = by_model.get((call["provider"], call["model"]), [])
        is_rounded = any("rounded" in (row["note"] or "") for row in rows)
        rates = reference.card(call, rows)[0]
        # see cached_audio in the test of the catalogue
        is_apart = bool(call["cache_read_audio_tokens"] and rates and is_cached_audio_twice(rates))
        if not is_rounded and not is_apart and reference.price(call, rows)[0] is not None:
            pool.append(call)
    print(f"drew {POOL_COUNT:,} calls over {len(models):,} models; {len(pool):,} are priced exactly by both")
    return pool, refs


def write_ledger(pool: list[dict], call_count: int, path: Path) -> int:
    """The pool over and over as a ledger file; line_number counts on, each round has other outputs."""
    rows = [{name: value for name, value in call.items() if name != "context"} for call in pool]
    first = pl.DataFrame(rows, schema_overrides={name: LEDGER[name] for name in rows[0]})
    first = first.with_row_index("line_number", offset=1)
    rounds = [
        first.with_columns(
            line_number=(pl.col("line_number") + turn * len(pool)).cast(pl.Int64),
            output_tokens=pl.when(pl.col("output_tokens") > 0).then(pl.col("output_tokens") + turn).otherwise(0),
        )
        for turn in range(-(-call_count // len(pool)))
    ]
    ledger = pl.concat(rounds).head(call_count)
    unset = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in LEDGER.items() if name not in ledger.columns]
    ledger.with_columns(unset).select(LEDGER.keys()).write_parquet(path)
    return ledger.height


def catalogue(folder: Path, refs: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """A connection with the view `calls` over the ledger file and the cards of `refs`."""
    started = time.process_time()
    cards, _ = cards_of(refs)
    print(f"price book and cards of {refs.height:,} refs: {time.process_time() - started:.2f} s, once")
    cards.select(RATE_CARDS.keys()).write_parquet(folder / "cards.parquet")
    connection = duckdb.connect()
    connection.execute(f"""
        set TimeZone = 'UTC';
        set threads = 1; -- as genai-prices has
        create schema source;
        create view source.ledger as from read_parquet('{folder / "ledger.parquet"}');
        create table source.rate_cards as from read_parquet('{folder / "cards.parquet"}');
        create table source.contents (content_id bigint, path varchar);
    """)
    connection.execute((SQL / "macros.sql").read_text())
    connection.execute(f"create view calls as {(SQL / 'models' / 'calls.sql').read_text()}")
    return connection


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main(call_count: int) -> None:
    pool, refs = call_pool()
    sample = pool[:SAMPLE_COUNT]
    price_all = "create or replace table priced as select line_number, cost_pico, cost_usd, price_status from calls"
    with tempfile.TemporaryDirectory() as temporary:
        call_count = write_ledger(pool, call_count, Path(temporary) / "ledger.parquet")
        connection = catalogue(Path(temporary), refs)
        theirs = [genai_cost(call) for call in sample]  # also fills its cache of found models
        rounds = [
            (cpu_seconds(lambda: connection.execute(price_all)), cpu_seconds(lambda: [genai_cost(c) for c in sample]))
            for _ in range(ROUNDS)  # side by side, since the machine's speed varies
        ]
        query = f"select cost_pico from priced where line_number <= {len(sample)} order by line_number"
        ours = [cost_pico * reference.PICO for (cost_pico,) in connection.sql(query).fetchall()]
        unpriced_count = connection.sql("select count(*) from priced where cost_pico is null").fetchall()[0][0]
        connection.close()
    differing = [call for call, one, other in zip(sample, ours, theirs, strict=True) if one != other]
    assert not differing, f"{len(differing)} of {len(sample)} calls cost something else, the first: {differing[0]}"
    assert unpriced_count == 0, f"{unpriced_count} calls are not priced"
    sql_seconds, genai_seconds = (min(seconds) for seconds in zip(*rounds, strict=True))
    ours_per_second, theirs_per_second = call_count / sql_seconds, len(sample) / genai_seconds
    ratio = ours_per_second / theirs_per_second
    print(f"tokenspread:  {call_count:,} calls in {sql_seconds:.2f} CPU s = {ours_per_second:,.0f} calls/s")
    print(f"genai-prices: {len(sample):,} calls in {genai_seconds:.2f} CPU s = {theirs_per_second:,.0f} calls/s")
    print(f"ratio {ratio:,.0f} (target {TARGET_RATIO}); all {len(sample):,} sampled calls are equal to the last digit")
    assert ratio >= TARGET_RATIO, f"ratio {ratio:.0f} is below {TARGET_RATIO}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)

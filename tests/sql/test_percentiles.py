"""Percentiles from counts, which may leave the memory, are those of quantile_disc, whose lists may not."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from pipelines import warehouse

FROM_COUNTS = """
    with counts as (select value, count(*) as value_count from given group by value),
    ranks as (
        select value, sum(value_count) over (order by value) as rank, sum(value_count) over () as total from counts
    )
    select {columns} from ranks
"""
SHARES = (0.5, 0.9, 0.99)

values = st.lists(st.integers(0, 5) | st.integers(0, 10**25), min_size=1, max_size=300)


@given(values)
def test_percentiles_from_counts_are_those_of_the_values(numbers: list[int]) -> None:
    with warehouse.connect() as connection:
        connection.execute((warehouse.SQL / "macros.sql").read_text())
        connection.execute("create table given as select unnest(?::hugeint[]) as value", [numbers])
        columns = ", ".join(f"min(value) filter (where reaches({share}, total, rank))" for share in SHARES)
        (found,) = connection.sql(FROM_COUNTS.format(columns=columns)).fetchall()
        ((expected,),) = connection.sql(f"select quantile_disc(value, {list(SHARES)}) from given").fetchall()
    assert list(found) == expected


def test_duckdb_takes_the_least_value_that_the_share_is_reached_at() -> None:
    """Its index is as of 2.0: the least whole number of values that is not below the share of them."""
    tens = "select quantile_disc(value, [0.5, 0.9, 0.99]) from range(1, 11) as tens (value)"
    assert duckdb.sql(tens).fetchall() == [([5, 9, 10],)]

"""The forecast against plain Python on random ledgers, and its interval against the truth on simulated ones."""

import math
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import fmean, variance

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines import warehouse, warehouse_models

ONE_DAY = timedelta(days=1)
FIRST = date(2026, 1, 1)  # a Thursday
LEDGER = {"called_at": pl.Datetime("us", "UTC")}
CUBE = {"day": pl.Date, "call_count": pl.Int64}
BY_DAY = {"dimension": pl.String, "name": pl.String, "scenario": pl.String, "scenario_order": pl.Int32}
BY_DAY |= {"cost_usd": pl.String, "unpriced_call_count": pl.Int64}


def catalogue(costs: dict[str, list[float | None]], first: date = FIRST):
    """A database of what `forecast` reads: for each scenario USD by day from `first`; None: calls without a price, and
    a day of cost 0 has no call."""
    days = [
        ("day", str(first + number * ONE_DAY), scenario, order, None if usd is None else str(usd), int(usd is None))
        for order, (scenario, series) in enumerate(costs.items())
        for number, usd in enumerate(series)
        if usd != 0
    ]
    connection = warehouse.connect()
    connection.execute("create schema source")
    for macros in warehouse_models.SCALAR_MACROS:
        connection.execute((warehouse_models.SQL / macros).read_text())
    last = first + (max(map(len, costs.values())) - 1) * ONE_DAY
    night = [(datetime(last.year, last.month, last.day, 23, tzinfo=UTC),)]
    for name, schema, rows in (("ledger", LEDGER, night), ("usage_cube", CUBE, []), ("by_day", BY_DAY, days)):
        warehouse.load_table(connection, name, pl.DataFrame(rows, schema=schema, orient="row"), schema)
    connection.execute("create view usage_cube as from source.usage_cube")
    money = "cost_usd::decimal(38, 18) as cost_usd"
    connection.execute(f"create view scenario_by_dimension as select * replace ({money}) from source.by_day")
    sql = warehouse_models.model_sql("forecast")
    connection.execute(f"create macro {warehouse_models.signature('forecast')} as table {sql}")
    return connection


def month_end(day: date) -> date:
    return (day.replace(day=1) + 31 * ONE_DAY).replace(day=1) - ONE_DAY


def plain_forecast(series: dict[date, float | None], known_to: date, t95) -> dict:
    """What the header of forecast.sql says, for the days of `series` up to `known_to`."""
    end = month_end(known_to)
    left = [known_to + number * ONE_DAY for number in range(1, (end - known_to).days + 1)]
    known = {day: usd for day, usd in series.items() if known_to - 55 * ONE_DAY <= day <= known_to and usd is not None}
    by_weekday = defaultdict(list)
    for day, usd in known.items():
        by_weekday[day.weekday()].append(usd)
    told = [usd for day, usd in known.items() if day >= known_to.replace(day=1)]
    found = {"so_far": sum(told) if told else None, "rest": None, "low": None, "high": None}
    if not left:
        found |= {"method": "told", "rest": 0.0, "half": 0.0}
    elif len(by_weekday) == 7:
        found |= {"method": "weekday means", "rest": sum(fmean(by_weekday[day.weekday()]) for day in left)}
        found["half"] = plain_half_width(by_weekday, [day.weekday() for day in left], t95)
    else:
        found |= {"method": "daily mean" if known else None, "half": None}
        found["rest"] = len(left) * fmean(known.values()) if known else None
    found["month_end"] = None if found["rest"] is None or not told else found["so_far"] + found["rest"]
    if found["half"] is not None and found["month_end"] is not None:
        found["low"] = max(found["so_far"], found["month_end"] - found["half"])
        found["high"] = found["month_end"] + found["half"]
    return found


def plain_half_width(by_weekday: dict[int, list[float]], left: list[int], t95) -> float | None:
    """t times the root of the variance: of the days left, and of the means that each of them shares."""
    if any(len(by_weekday[weekday]) < 2 for weekday in left):
        return None
    parts = []
    for weekday in set(left):
        costs, times = by_weekday[weekday], left.count(weekday)
        parts.append((variance(costs) * (times + times**2 / len(costs)), len(costs) - 1))
    total = sum(part for part, _ in parts)
    freedom = total**2 / sum(part**2 / known for part, known in parts) if total else 1
    return t95(freedom) * math.sqrt(total)


def plain_past(series: dict[date, float | None], known_to: date, t95) -> list[tuple[dict, float]]:
    """The same for each complete month before, with as many days left, and what the month came to."""
    days_left, first = (month_end(known_to) - known_to).days, min(series)
    past, start = [], known_to.replace(day=1)
    while (start := (start - ONE_DAY).replace(day=1)) >= first:
        end = month_end(start)
        known = [usd for day, usd in series.items() if start <= day <= end and usd is not None]
        made = plain_forecast(series, max(start, end - days_left * ONE_DAY), t95)
        if made["month_end"] is not None and known:
            past.append((made, sum(known)))
    return past


usd = st.one_of(st.none(), st.just(0.0), st.integers(1, 10**6).map(lambda cents: cents / 100))


@settings(max_examples=50)
@given(series=st.lists(usd, min_size=1, max_size=120), skipped=st.integers(0, 31), back=st.integers(0, 40))
@example(series=[5.0] * 90, skipped=0, back=1)
@example(series=[1.0, 2.0, None, 0.0, 4.0, 9.0, 3.0] * 17, skipped=0, back=12)
def test_forecast_is_what_plain_python_makes_of_the_same_days(series, skipped, back):
    series = [*series, 1.0]  # the log's span ends with a day that has a call
    series[0] = 1.0
    first = FIRST + skipped * ONE_DAY
    days = {first + number * ONE_DAY: usd for number, usd in enumerate(series)}
    known_to = max(first, max(days) - back * ONE_DAY)
    with catalogue({"actual": series}, first) as connection:
        (found,) = warehouse.frame_of(connection, f"from forecast(as_of := '{known_to}')").to_dicts()

        def t95(freedom: float) -> float:
            return connection.sql("select t95(?)", params=[freedom]).fetchall()[0][0]

        plain, past = plain_forecast(days, known_to, t95), plain_past(days, known_to, t95)
    assert found["method"] == plain["method"]
    assert found["so_far_usd"] == (None if plain["so_far"] is None else Decimal(f"{plain['so_far']:.2f}"))
    for column, key in (
        ("expected_rest_usd", "rest"),
        ("month_end_usd", "month_end"),
        ("low_usd", "low"),
        ("high_usd", "high"),
    ):
        assert found[column] == (None if plain[key] is None else pytest.approx(plain[key], abs=1e-6)), column
    came_to = sum(truth for _, truth in past)
    errors = [made["month_end"] - truth for made, truth in past]
    assert found["past_forecast_count"] == len(past)
    if came_to:
        assert found["past_error_share"] == pytest.approx(sum(map(abs, errors)) / came_to, abs=1e-9)
        assert found["past_bias_share"] == pytest.approx(sum(errors) / came_to, abs=1e-9)
    else:
        assert found["past_error_share"] is found["past_bias_share"] is None
    with_interval = [(made, truth) for made, truth in past if made["half"] is not None]
    assert found["past_interval_count"] == len(with_interval)
    held = [abs(made["month_end"] - truth) <= made["half"] + truth * 1e-9 for made, truth in with_interval]
    assert found["past_held_count"] == sum(held)


def simulated(days: int, noise: float, memory: float, dice: random.Random) -> list[float]:
    """Cost by day: a working week of 100 USD a day, a weekend of 30, each times lognormal noise, whose logarithms have
    `memory` as correlation of a day with the day before."""
    series, shock = [], dice.gauss()
    for number in range(days):
        shock = memory * shock + math.sqrt(1 - memory**2) * dice.gauss()
        usual = 30 if number % 7 > 4 else 100
        series.append(round(usual * math.exp(noise * shock), 6))
    return series


@pytest.mark.parametrize(
    ("weeks", "noise", "memory", "least", "most"),
    [
        # Of two weeks the spread is not known well, and the interval is cautious; of wild days it is a little narrow.
        (2, 0.3, 0, 0.95, 0.995),
        (4, 0.3, 0, 0.93, 0.97),
        (8, 0.15, 0, 0.93, 0.97),
        (8, 0.3, 0, 0.93, 0.97),
        (8, 0.6, 0, 0.91, 0.96),
        # What it does not promise: days that hang together are taken for independent.
        (8, 0.3, 0.4, 0.80, 0.90),
    ],
)
def test_the_interval_holds_the_month(weeks, noise, memory, least, most):
    """1,000 logs each, forecast on 17 March, as scenarios of one catalogue and so in one query."""
    dice = random.Random(f"{weeks} {noise} {memory}")
    known_to = date(2026, 3, 17)
    first = known_to - (7 * weeks - 1) * ONE_DAY
    days = (month_end(known_to) - first).days + 1
    logs = {str(number): simulated(days, noise, memory, dice) for number in range(1000)}
    of_march = max((known_to.replace(day=1) - first).days, 0)
    truth = {name: sum(series[of_march:]) for name, series in logs.items()}
    with catalogue(logs, first) as connection:
        rows = warehouse.frame_of(connection, f"from forecast(as_of := '{known_to}')").to_dicts()
    coverage = fmean(row["low_usd"] <= truth[row["scenario"]] <= row["high_usd"] for row in rows)
    error = fmean(abs(row["month_end_usd"] / truth[row["scenario"]] - 1) for row in rows)
    print(f"{weeks} weeks, noise {noise}, memory {memory}: {coverage:.1%} held, mean error {error:.1%}")
    assert len(rows) == 1000
    assert least <= coverage <= most

"""Anomalies of spend against plain Python on random logs, and how often they cry wolf on simulated ones."""

import math
import random
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from statistics import fmean, median

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines import warehouse, warehouse_models

MACROS = ("spend_anomalies", "rolling_spend", "thin_days")
FIRST = date(2026, 1, 1)
LEDGER = {"called_at": pl.Datetime("us", "UTC")}
CUBE = {"cell_id": pl.Int64, "day": pl.Date, "call_count": pl.Int64, "cost_pico": pl.Int128}
CUBE |= dict.fromkeys(("feature", "user_id", "customer_id", "provider", "model"), pl.String)
DIMENSIONS = {"feature": "feature", "user": "user_id", "customer": "customer_id"}


@contextmanager
def catalogue(cells: list[dict]):
    """A database of what these macros read: a usage cube of `cells`, whose last day went on until the night."""
    connection = warehouse.connect()
    connection.execute("create schema source")
    for macros in warehouse_models.SCALAR_MACROS:
        connection.execute((warehouse_models.SQL / macros).read_text())
    last = max(cell["day"] for cell in cells if cell["day"])
    night = pl.DataFrame([(datetime(last.year, last.month, last.day, 23, tzinfo=UTC),)], schema=LEDGER, orient="row")
    cube = pl.DataFrame([{"cell_id": number} | cell for number, cell in enumerate(cells)], schema=CUBE)
    for name, schema, frame in (("ledger", LEDGER, night), ("usage_cube", CUBE, cube)):
        warehouse.load_table(connection, name, frame, schema)
    connection.execute("create view usage_cube as from source.usage_cube")
    for name in MACROS:
        sql = warehouse_models.model_sql(name)
        connection.execute(f"create macro {warehouse_models.signature(name)} as table {sql}")
    with connection:
        yield connection


def names_of(cell: dict) -> list[tuple[str, str]]:
    named = [(dimension, cell[column] or "unattributed") for dimension, column in DIMENSIONS.items()]
    model = f"{cell['provider']}/{cell['model'] or 'unknown'}"
    return [("all", "all"), ("model", model), *named]


def plain_median(values: list) -> Fraction | None:
    return Fraction(median(map(Fraction, values))) if values else None


def plain_days(cells: list[dict]) -> dict[tuple[str, str], dict[date, list[dict]]]:
    """The cells of each dimension and name by day."""
    found = {}
    for cell in cells:
        for name in names_of(cell) if cell["day"] else []:
            found.setdefault(name, {}).setdefault(cell["day"], []).append(cell)
    return found


def plain_cost(cells: list[dict]) -> int | None:
    """0 where there is no call; None: calls, but none with a price."""
    costs = [cell["cost_pico"] for cell in cells if cell["cost_pico"] is not None]
    return sum(costs) if costs or not cells else None


def unpriced_calls(cells: list[dict]) -> int:
    return sum(cell["call_count"] for cell in cells if cell["cost_pico"] is None)


def plain_anomaly(days: dict[date, list[dict]], before: list[date], day: date) -> dict:
    """What the header of spend_anomalies.sql says of one name, but for what the whole log usually costs."""
    costs = [cost for cost in (plain_cost(days.get(other, [])) for other in before) if cost is not None]
    cost, usual = plain_cost(days.get(day, [])), plain_median(costs)
    deviations = [abs(cost - usual) for cost in costs]
    mad = plain_median(deviations)
    spread = Fraction("1.4826") * mad if mad else Fraction("1.2533") * sum(deviations) / max(len(deviations), 1)
    return {
        "is_told": day in days or bool(usual),
        "cost": cost,
        "usual": usual,
        "spread": spread if costs else None,
        "impact": None if cost is None or usual is None else cost - usual,
        "weekday_count": len(costs),
        "unpriced_call_count": unpriced_calls(days.get(day, [])),
    }


def is_anomaly(found: dict, whole_usual: Fraction | None) -> bool | None:
    if found["weekday_count"] < 4 or found["impact"] is None:
        return None
    distance = abs(found["impact"])
    if not (distance > Fraction("3.5") * found["spread"] and distance > Fraction("0.3") * found["usual"]):
        return False
    return None if whole_usual is None else distance > whole_usual / 100


UNIT = 840 * 20_000  # what divides every cost, so that no median, MAD or mean of 8 has a fraction of a pico-USD
cell = st.fixed_dictionaries(
    {
        "day": st.one_of(st.none(), st.integers(0, 10).map(lambda week: FIRST + timedelta(weeks=week))),
        "call_count": st.integers(1, 3),
        "cost_pico": st.one_of(st.none(), st.sampled_from([0, 1, 2, 3, 100, 101, 10**6]).map(lambda of: of * UNIT)),
        "feature": st.sampled_from([None, "a", "b"]),
        "user_id": st.sampled_from([None, "ana", "unattributed"]),
        "customer_id": st.just(None),
        "provider": st.sampled_from(["openai", "azure"]),
        "model": st.sampled_from([None, "m"]),
    }
)
ONE = {"day": FIRST, "call_count": 1, "cost_pico": UNIT, "feature": "a", "user_id": None, "customer_id": None}
ONE |= {"provider": "openai", "model": "m"}
WEEKLY = [ONE | {"day": FIRST + timedelta(weeks=week)} for week in range(9)]


@settings(max_examples=60)
@given(cells=st.lists(cell, max_size=60), week=st.integers(0, 10))
@example(cells=WEEKLY, week=8)
@example(cells=[*WEEKLY[:8], ONE | {"day": WEEKLY[8]["day"], "cost_pico": 10 * UNIT}], week=8)
@example(cells=[*WEEKLY[:8], ONE | {"day": WEEKLY[8]["day"], "feature": "b"}], week=8)
@example(cells=[*WEEKLY, ONE | {"day": WEEKLY[2]["day"], "feature": "b", "cost_pico": None}], week=7)
def test_anomalies_are_what_plain_python_makes_of_the_same_cells(cells, week):
    # a call on the first Thursday and one after the last: the log spans all of them
    cells = [ONE, *cells, ONE | {"day": FIRST + timedelta(weeks=10, days=1)}]
    day = FIRST + timedelta(weeks=week)
    before = [day - timedelta(weeks=back) for back in range(1, 9) if day - timedelta(weeks=back) >= FIRST]
    plain = {name: plain_anomaly(days, before, day) for name, days in plain_days(cells).items()}
    whole_usual = plain["all", "all"]["usual"]
    plain = {name: told | {"is_anomaly": is_anomaly(told, whole_usual)} for name, told in plain.items()}
    with catalogue(cells) as connection:
        rows = warehouse.frame_of(connection, f"from spend_anomalies(as_of := '{day}')").to_dicts()
    found = {(row["dimension"], row["name"]): row for row in rows}
    assert len(found) == len(rows)
    assert found.keys() == {name for name, told in plain.items() if told["is_told"]}
    for name, row in found.items():
        told = plain[name]
        for column in ("cost", "usual", "spread", "impact"):
            assert row[f"{column}_usd"] == (None if told[column] is None else told[column] / Fraction(10**12)), column
        score = told["impact"] / told["spread"] if told["impact"] is not None and told["spread"] else None
        assert row["score"] == (None if score is None else pytest.approx(float(score)))
        for column in ("weekday_count", "unpriced_call_count", "is_anomaly"):
            assert row[column] == told[column], (name, column)
        assert row["day"] == day


@settings(max_examples=60)
@given(cells=st.lists(cell, max_size=40), day_count=st.integers(1, 80), week=st.integers(0, 10))
def test_rolling_spend_is_what_plain_python_adds_up(cells, day_count, week):
    cells = [ONE, *cells, ONE | {"day": FIRST + timedelta(weeks=10, days=1)}]
    last = FIRST + timedelta(weeks=week)
    first = max(FIRST, last - timedelta(days=day_count - 1))
    plain = {}
    for name, days in plain_days(cells).items():
        within = [cell for day, told in days.items() if first <= day <= last for cell in told]
        if within or name[0] == "all":
            calls = sum(cell["call_count"] for cell in within)
            plain[name] = (first, last, plain_cost(within), calls, unpriced_calls(within))
    with catalogue(cells) as connection:
        rows = warehouse.frame_of(connection, f"from rolling_spend({day_count}, as_of := '{last}')").rows()
    found = {(row[0], row[1]): (*row[2:4], None if row[4] is None else int(row[4] * 10**12), *row[5:]) for row in rows}
    assert found == plain
    assert len(rows) == len(plain)


def simulated(weeks: int, noise: float, dice: random.Random) -> list[int]:
    """The cost of one weekday, week after week, in pico-USD: 100 USD, times lognormal noise."""
    return [round(100 * 10**12 * math.exp(noise * dice.gauss())) for _ in range(weeks + 1)]


@pytest.mark.parametrize(
    ("weeks", "noise", "least", "most"),
    [(8, 0.1, 0.005, 0.015), (8, 0.3, 0.05, 0.075), (4, 0.1, 0.005, 0.02), (4, 0.3, 0.1, 0.14)],
)
def test_how_often_a_usual_day_is_called_an_anomaly(weeks, noise, least, most):
    """2,000 names as features of one log; the hundredth of the whole is left out of account by asking for the score."""
    dice = random.Random(f"{weeks} {noise}")
    cells = [
        ONE | {"day": FIRST + timedelta(weeks=week), "feature": str(number), "cost_pico": cost}
        for number in range(2000)
        for week, cost in enumerate(simulated(weeks, noise, dice))
    ]
    beyond = "abs(score) > 3.5 and abs(impact_usd) > 0.3 * usual_usd as is_beyond"
    with catalogue(cells) as connection:
        query = f"select {beyond}, is_anomaly from spend_anomalies() where dimension = 'feature'"
        rows = warehouse.frame_of(connection, query)
    share = fmean(rows["is_beyond"])
    print(f"{weeks} weeks, noise {noise}: {share:.2%} of usual days are beyond the first two bounds")
    assert rows["is_anomaly"].sum() == 0  # for none is a hundredth of the whole
    assert least <= share <= most

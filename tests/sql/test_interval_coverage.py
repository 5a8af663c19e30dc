"""The published intervals hold the truth as often as they say: generated ledgers, each run a feature of one ledger.

A run is COUNT labelled actions of one call. Cost is lognormal (the 99th percentile is ten times the median), and a
dearer action succeeds less often. Both truths have a closed form: the share of successes, and the mean cost over that.
"""

from math import erf, exp, sqrt

import numpy as np
import polars as pl
import pytest

from pipelines import warehouse
from tests.sql import builders
from transforms import schemas

RUNS, COUNT, SEED = 1000, 300, 20260301
SIGMA = 1.0  # of the logarithm of cost: exp(2.33) is a factor of ten
MEDIAN_TOKENS = 20_000
TOKEN_USD = 2e-6  # the card of builders.py
PULL = 0.4  # how much a dear action is less likely to succeed
# How far below its mean an action must be to succeed: mostly, or seldom.
THRESHOLDS = {"mostly": 0.8, "seldom": -1.2}


def ledger_and_outcomes(threshold: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """schemas.LEDGER and schemas.OUTCOMES of all runs; run number `i` is feature `i`."""
    dice = np.random.default_rng(SEED)
    spread = dice.normal(size=RUNS * COUNT)
    is_success = dice.normal(size=RUNS * COUNT) < threshold - PULL * spread
    number = pl.int_range(RUNS * COUNT, eager=True)
    action = pl.DataFrame({"action": number}).select(pl.format("action-{}", "action")).to_series()
    calls = {
        **{"key_hi": 0, "content_id": 1, "part": 0, "provider": "openai", "model": "model-a", "status": "success"},
        **{"key_lo": number, "line_number": number + 1, "day": builders.NOON.date(), "called_at": builders.NOON},
        **{"feature": (number // COUNT).cast(pl.String), "action_id": action, "output_tokens": 0},
        "input_tokens": np.rint(MEDIAN_TOKENS * np.exp(SIGMA * spread)).astype("int64"),
    }
    told = {
        "content_id": 2,
        "line_number": number + 1,
        "subject_id": action,
        "outcome": "done",
        "is_success": is_success,
    }
    return filled(calls, schemas.LEDGER), filled(told, schemas.OUTCOMES)


def filled(columns: dict, schema: dict) -> pl.DataFrame:
    """A frame of `schema`: `columns` are series or constants, null where none is given."""
    series = {name: pl.Series(value) for name, value in columns.items() if isinstance(value, (pl.Series, np.ndarray))}
    rest = {name: pl.lit(columns.get(name)).cast(dtype) for name, dtype in schema.items() if name not in series}
    cast = [pl.col(name).cast(schema[name]) for name in series]
    return schemas.conform(pl.DataFrame(series).with_columns(*cast, **rest), schema)


def economics(threshold):
    frames = builders.sources({})
    frames["ledger"], frames["outcomes"] = ledger_and_outcomes(threshold)
    with warehouse.connect() as connection:
        connection.execute("create schema source")
        for name, frame in frames.items():
            warehouse.load_table(connection, name, frame, dict(frame.schema))
        warehouse.make_cube(connection, ["unit_economics"])
        warehouse.make_models(connection, ["unit_economics"])
        return warehouse.frame_of(connection, "select * from unit_economics where dimension = 'feature'")


@pytest.mark.parametrize("kind", THRESHOLDS)
def test_intervals_hold_the_truth(kind):
    rows = economics(THRESHOLDS[kind])
    success_share = (1 + erf(THRESHOLDS[kind] / sqrt(1 + PULL**2) / sqrt(2))) / 2
    cost_per_outcome = MEDIAN_TOKENS * TOKEN_USD * exp(SIGMA**2 / 2) / success_share
    assert rows.height == RUNS
    assert rows["sampled_count"].unique().to_list() == [COUNT]
    assert rows["high_cost_per_outcome_usd"].null_count() == 0
    truths = {"success_share": success_share, "cost_per_outcome_usd": cost_per_outcome}
    for figure, truth in truths.items():
        low, high = rows[f"low_{figure}"], rows[f"high_{figure}"]
        held = ((low <= truth) & (truth <= high)).mean()
        print(
            f"successes {success_share:.1%}: the interval of {figure} held {truth:.4g} in {held:.1%} of {RUNS:,} runs"
        )
        assert 0.93 <= held <= 0.97
        assert ((low <= rows[figure].cast(pl.Float64)) & (rows[figure].cast(pl.Float64) <= high)).all()

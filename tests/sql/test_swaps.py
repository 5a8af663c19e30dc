"""Swaps on generated ledgers: intervals hold the truth as often as they say, and plain Python finds the same swaps."""

from datetime import timedelta
from fractions import Fraction
from itertools import groupby, pairwise

import numpy
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines import warehouse
from tests.sql import builders
from transforms import schemas

RUNS = 1_000
TRUE_RATIOS = {"input": 0.9, "output": 1.3, "total": (900 * 0.9 + 300 * 1.3) / (900 + 300)}
MEAN_TOKENS = {"input": 900, "output": 300}  # of a call on the first model
SPREAD = 0.8  # of the logarithm
SUCCESS_SHARES = {"model-a": 0.7, "model-b": 0.6}
TRUE_COST_RATIO = (900 * 0.9 * 2 + 300 * 1.3 * 10) / (900 * 2 + 300 * 10)  # both at the default rates


@pytest.fixture(scope="module")
def evidence():
    """swap_evidence over 1,000 features with one and the same swap: 200 actions before, 300 after; in every other
    feature the two models serve side by side."""
    dice = numpy.random.default_rng(20260301)
    ledgers, outcomes = zip(
        played("model-a", 200, dice, MEAN_TOKENS),
        played("model-b", 300, dice, {name: mean * TRUE_RATIOS[name] for name, mean in MEAN_TOKENS.items()}),
        strict=True,
    )
    with catalogue_of(pl.concat(ledgers), pl.concat(outcomes)) as connection:
        yield warehouse.frame_of(connection, "from swap_evidence('model-a', 'openai/model-b')")


def played(model: str, action_count: int, dice, means: dict[str, float]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(ledger, outcomes) of so many actions in each run, of one to three calls, their tokens lognormal."""
    actions = pl.DataFrame({"run": numpy.repeat(numpy.arange(RUNS), action_count)}).with_row_index("action")
    success = dice.random(actions.height) < SUCCESS_SHARES[model]
    days_on = pl.lit(0 if model == "model-a" else 1) * (pl.col("run") % 2)
    actions = actions.with_columns(
        action_id=pl.format("{}-{}", pl.lit(model), "action"),
        feature=pl.format("run-{}", "run"),
        called_at=pl.lit(builders.NOON) + pl.duration(days=days_on),
        call_count=pl.Series(dice.integers(1, 3, actions.height, endpoint=True)),
    )
    calls = actions.select(pl.all().repeat_by("call_count").explode()).drop("call_count")
    tokens = {
        f"{name}_tokens": numpy.rint(dice.lognormal(numpy.log(mean) - SPREAD**2 / 2, SPREAD, calls.height)).astype(int)
        for name, mean in means.items()
    }
    calls = calls.with_columns(model=pl.lit(model), day=pl.col("called_at").dt.date(), **tokens)
    told = actions.select(subject_id="action_id", is_success=pl.Series(success))
    return calls.drop("run", "action"), told


def catalogue_of(ledger: pl.DataFrame, outcomes: pl.DataFrame):
    """A catalogue of these columns and rows, the others by default, with the macros about swaps."""
    frames = builders.sources({"rate_cards": [{}, {"model": "model-b"}]})
    frames["ledger"] = filled(ledger, builders.ledger_row(1), schemas.LEDGER, "key_lo")
    frames["outcomes"] = filled(outcomes, builders.outcome_row(1), schemas.OUTCOMES, "line_number")
    connection = warehouse.connect()
    connection.execute("create schema source")
    for name, frame in frames.items():
        warehouse.load_table(connection, name, frame, dict(frame.schema))
    warehouse.make_cube(connection, ("swap_evidence", "model_swaps"))
    warehouse.make_models(connection, ("swap_evidence", "model_swaps"))
    return connection


def filled(frame: pl.DataFrame, defaults: dict, schema: dict, number: str) -> pl.DataFrame:
    defaults = {name: pl.lit(value) for name, value in defaults.items() if name not in frame.columns}
    defaults[number] = pl.int_range(pl.len())
    return frame.with_columns(**defaults).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


@pytest.mark.parametrize("token_class", list(TRUE_RATIOS))
def test_the_interval_of_a_ratio_holds_the_truth(evidence, token_class):
    rows = evidence.filter(token_class=token_class)
    held = (rows["ratio_low"] <= TRUE_RATIOS[token_class]) & (TRUE_RATIOS[token_class] <= rows["ratio_high"])
    print(f"{token_class}: {held.mean():.1%} of {rows.height}")
    assert rows.height == RUNS
    assert 0.93 <= held.mean() <= 0.97


def test_the_interval_of_the_cost_per_action_holds_the_truth(evidence):
    rows = evidence.filter(token_class="total")
    held = (rows["cost_ratio_low"] <= TRUE_COST_RATIO) & (rows["cost_ratio_high"] >= TRUE_COST_RATIO)
    print(f"cost: {held.mean():.1%} of {rows.height}")
    assert 0.93 <= held.mean() <= 0.97


def test_the_interval_of_a_change_in_success_holds_the_truth(evidence):
    rows = evidence.filter(token_class="total")
    change = SUCCESS_SHARES["model-b"] - SUCCESS_SHARES["model-a"]
    held = (rows["success_change_low_share"] <= change) & (change <= rows["success_change_high_share"])
    print(f"success: {held.mean():.1%} of {rows.height}")
    assert 0.93 <= held.mean() <= 0.97


def test_the_basis_is_told(evidence):
    assert dict(evidence["basis"].value_counts().iter_rows()) == {
        "side by side": RUNS * 5 // 2,
        "before and after": RUNS * 5 // 2,
    }


def test_side_by_side_only_the_days_of_both_are_compared():
    """Ten actions of 1,000 tokens before the other model came are no part of the comparison; 29 of each are too few to
    compare alone."""
    days = [{"model-a": 10}, {"model-a": 30, "model-b": 30}, {"model-b": 7}]
    few = [{"model-a": 10}, {"model-a": 29, "model-b": 30}, {"model-b": 7}]
    ledger = played_days([days, few]).with_columns(
        input_tokens=pl.when(pl.col("day") == FIRST_DAY).then(1_000).otherwise(pl.int_range(pl.len()) % 2),
        output_tokens=pl.lit(0),
    )
    with catalogue_of(ledger, NO_OUTCOMES) as connection:
        columns = "basis, from_action_count, to_action_count, from_first_day, to_last_day, from_tokens_per_action"
        query = (
            f"select {columns} from swap_evidence('model-a', 'model-b') where token_class = 'total' order by feature"
        )
        compared, uncompared = warehouse.frame_of(connection, query).rows()
    second, third = (FIRST_DAY + timedelta(days=number) for number in (1, 2))
    assert compared == ("side by side", 30, 30, second, second, 0.5)
    assert uncompared[:5] == ("partly side by side", 39, 37, FIRST_DAY, third)
    assert uncompared[5] > 250


# The finder

NO_OUTCOMES = pl.DataFrame(schema={"subject_id": pl.String, "is_success": pl.Boolean})
FIRST_DAY = builders.NOON.date()


@pytest.fixture(scope="module")
def no_calls():
    with catalogue_of(played_days([]), NO_OUTCOMES) as connection:
        yield connection


def played_days(histories: list[list[dict[str, int]]]) -> pl.DataFrame:
    """A ledger of so many actions of each model, of one call each, on each day in a row, by feature."""
    counts = [
        (f"feature-{place}", number, model, count)
        for place, days in enumerate(histories)
        for number, day in enumerate(days)
        for model, count in day.items()
        if count
    ]
    schema = {"feature": pl.String, "number": pl.Int64, "model": pl.String, "count": pl.Int64}
    frame = pl.DataFrame(counts, schema=schema, orient="row")
    frame = frame.select(pl.all().repeat_by("count").explode()).with_row_index("action")
    called_at = pl.lit(builders.NOON) + pl.duration(days="number")
    action_id = pl.format("action-{}", "action")
    return frame.select("feature", "model", action_id=action_id, called_at=called_at, day=called_at.dt.date())


def found_swaps(connection, histories: list[list[dict[str, int]]], least_action_count: int) -> list[list[tuple]]:
    ledger = filled(played_days(histories), builders.ledger_row(1), schemas.LEDGER, "key_lo")
    connection.execute("drop table source.ledger")
    warehouse.load_table(connection, "ledger", ledger, schemas.LEDGER)
    columns = "feature, swapped_on, from_model, to_model, from_action_count, to_action_count"
    query = f"select {columns} from model_swaps(least_action_count := {least_action_count}) order by swapped_on"
    rows = warehouse.frame_of(connection, query).rows()
    return [[row[1:] for row in rows if row[0] == f"feature-{place}"] for place in range(len(histories))]


def swaps_of(days: list[dict[str, int]], least_action_count: int) -> list[tuple]:
    """The same in plain Python. A run is [first day, last day, main model or None, actions]."""
    runs = []
    for number, day in enumerate(days):
        model, most = max(day.items(), key=lambda item: item[1], default=(None, 0))
        total = sum(day.values())
        if total:
            runs.append([number, number, *((model, most) if most * 3 >= total * 2 else (None, total))])
    least = 0
    while least < least_action_count:
        least = min(max(2 * least, 1), least_action_count)
        groups = groupby((run for run in runs if run[3] >= least), key=lambda run: run[2])
        runs = [
            [group[0][0], group[-1][1], model, sum(run[3] for run in group)]
            for model, group in ((model, list(group)) for model, group in groups)
        ]
    runs = [run for run in runs if run[2] and actions(days, run, run[2]) * 3 >= actions(days, run) * 2]
    reigns = [list(group) for _, group in groupby(runs, key=lambda run: run[2])]
    swaps = []
    for before, after in pairwise(reigns):
        models = before[0][2], after[0][2]
        if all(standard_errors_squared(days, before[-1], after[0], model) >= 25 for model in models):
            counts = (sum(actions(days, run, run[2]) for run in reign) for reign in (before, after))
            swaps.append((FIRST_DAY + timedelta(days=after[0][0]), *models, *counts))
    return swaps


def actions(days: list[dict[str, int]], run: list, model: str | None = None) -> int:
    span = days[run[0] : run[1] + 1]
    return sum(count for day in span for name, count in day.items() if model in (None, name))


def standard_errors_squared(days: list[dict[str, int]], before: list, after: list, model: str) -> Fraction:
    """Of the difference of two shares under their common share."""
    parts, wholes = zip(*((actions(days, run, model), actions(days, run)) for run in (before, after)), strict=True)
    share = Fraction(sum(parts), sum(wholes))
    difference = Fraction(parts[0], wholes[0]) - Fraction(parts[1], wholes[1])
    variance = share * (1 - share) * sum(Fraction(1, whole) for whole in wholes)
    return difference**2 / variance if variance else Fraction(0)


counts = st.one_of(st.just(0), st.integers(0, 4), st.integers(0, 60))
day = st.fixed_dictionaries({"model-a": counts, "model-b": counts, "model-c": st.one_of(st.just(0), counts)})


HISTORY = st.lists(st.one_of(day, st.sampled_from([{"model-a": 20}, {"model-b": 20}])), max_size=14)
INTERLUDE = [{"model-a": 30}, {"model-a": 10, "model-b": 20}, {"model-a": 30}, {"model-b": 40}]
MANY_INTERLUDES = [{"model-a": 12}, {"model-b": 5}] * 4 + [{"model-b": 12}, {"model-a": 5}] * 4
SHARED_DAY = [{"model-a": 50}, {"model-a": 50, "model-b": 50}, {"model-a": 30}, {"model-b": 30}]


@settings(max_examples=15, deadline=None)
@example([INTERLUDE, MANY_INTERLUDES, SHARED_DAY], 20)
@given(st.lists(HISTORY, min_size=1, max_size=12), st.integers(1, 40))
def test_the_finder_finds_what_plain_python_finds(no_calls, histories, least_action_count):
    found = found_swaps(no_calls, histories, least_action_count)
    assert found == [swaps_of(days, least_action_count) for days in histories]


def test_short_interludes_and_shared_days_are_no_swaps(no_calls):
    on = [FIRST_DAY + timedelta(days=number) for number in range(9)]
    # where 12 and 5 actions take turns, the 12 are the main model; the actions of a shared day are on neither side
    assert found_swaps(no_calls, [INTERLUDE, MANY_INTERLUDES, SHARED_DAY], 21) == [
        [(on[3], "model-a", "model-b", 70, 40)],
        [(on[7], "model-a", "model-b", 48, 53)],
        [(on[3], "model-a", "model-b", 80, 30)],
    ]


@pytest.mark.parametrize("per_day", [2, 10, 40, 100])
def test_one_swap_is_found_and_sharing_is_none(no_calls, per_day):
    """A year of even shares by chance; and one swap, from nine in ten to one in ten."""
    dice = numpy.random.default_rng(per_day)
    shares = [0.5] * 365, [0.9] * 50 + [0.1] * 50
    histories = [[split(dice.binomial(per_day, share), per_day) for share in days] for days in shares]
    chance, (swap,) = found_swaps(no_calls, histories, 20)
    assert chance == []
    assert swap[1:3] == ("model-a", "model-b")
    assert abs((swap[0] - FIRST_DAY).days - 50) <= (3 if per_day == 2 else 0)


def split(part: int, whole: int) -> dict[str, int]:
    return {"model-a": int(part), "model-b": whole - int(part)}

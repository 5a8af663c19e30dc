"""What the gap between computed and billed is made of: each cause alone, then laws over all of them."""

import random
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import reconciliation
from transforms.bill_schemas import BILL, COMPUTED, NOT_COMPARED, RECONCILIATION
from transforms.reconciliation import CAUSES
from transforms.reconciliation.names import same_models

FIRST = date(2026, 11, 1)
RATE = 2_000_000  # pico-USD per token
PARTS = ("missing_pico", "unpriced_pico", "price_pico", "quantity_pico", "residual_pico")
MODEL = "gpt-5.2-2025-12-11"
WEEK = {"openai": (FIRST, FIRST + timedelta(days=7))}


def day(number: int | None) -> date | None:
    return None if number is None else FIRST + timedelta(days=number)


def calls(number: int | None, quantity: int, cost: int | None, *, unpriced: int | None = None, **others: Any) -> dict:
    row = {"day": day(number), "provider": "openai", "model": MODEL, "token_class": "input", "quantity": quantity}
    return row | {"unpriced_quantity": unpriced, "cost_pico": cost} | others


def charge(number: int | None, billed: int | None, quantity: int | None = None, **others: Any) -> dict:
    start, end = (day(number), day(number + 1)) if number is not None else WEEK["openai"]
    row = {"source_file": "b", "row_number": 1, "provider": "openai", "day": day(number), "period_start": start,
           "period_end": end, "model": MODEL, "token_class": "input", "description": "x"}  # fmt: skip
    return row | {"quantity": quantity, "billed_pico": billed} | others


def compare(log: list[dict], bill: list[dict], periods: dict | None = None) -> pl.DataFrame:
    frames = pl.DataFrame(log, schema=COMPUTED, orient="row"), pl.DataFrame(bill, schema=BILL, orient="row")
    return reconciliation.reconcile(*frames, WEEK if periods is None else periods)[0]


def left_out(log: list[dict], bill: list[dict], periods: dict | None = None) -> list[tuple]:
    frames = pl.DataFrame(log, schema=COMPUTED, orient="row"), pl.DataFrame(bill, schema=BILL, orient="row")
    return reconciliation.reconcile(*frames, WEEK if periods is None else periods)[1].rows()


def only(rows: pl.DataFrame) -> dict[str, Any]:
    assert rows.height == 1
    return rows.row(0, named=True)


def parts(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in PARTS if row[name]}


def test_no_gap_has_no_cause():
    row = only(compare([calls(0, 100, 100 * RATE)], [charge(0, 100 * RATE, 100)]))
    assert (row["gap_pico"], row["cause"], parts(row)) == (0, None, {})


def test_a_day_that_one_side_lacks_is_named_whole():
    log = [calls(0, 5, 10), calls(0, 5, 7, model="b"), calls(1, 5, 10)]
    rows = compare(log, [charge(1, 10, 5), charge(2, 4, 1), charge(2, 3, 1, model="b")])
    assert rows.select("day", "model", "gap_pico", "cause").rows() == [
        (day(0), "b", -7, "day missing in the bill"),
        (day(0), MODEL, -10, "day missing in the bill"),
        (day(1), MODEL, 0, None),
        (day(2), "b", 3, "day missing in the log"),
        (day(2), MODEL, 4, "day missing in the log"),
    ]
    assert rows["gap_pico"].to_list() == rows["missing_pico"].to_list()


def test_a_model_or_class_that_one_side_lacks_is_named():
    log = [calls(0, 5, 10), calls(0, 5, 7, model="ours"), calls(0, 5, 3, token_class="output")]
    bill = [charge(0, 10, 5), charge(0, 4, model="theirs"), charge(0, 2, token_class="cache_read")]
    rows = compare(log, bill)
    named = rows.filter(pl.col("cause").is_not_null())
    assert named.select("model", "token_class", "cause", "missing_pico").rows() == [
        (MODEL, "cache_read", "token class missing in the log", 2),
        (MODEL, "output", "token class missing in the bill", -3),
        ("ours", "input", "model missing in the bill", -7),
        ("theirs", "input", "model missing in the log", 4),
    ]  # fmt: skip


def test_what_has_no_price_is_explained_by_what_was_billed():
    row = only(compare([calls(0, 100, None, unpriced=100)], [charge(0, 500, 100)]))
    assert (row["computed_pico"], row["cause"], parts(row)) == (None, "unpriced in tokenspread", {"unpriced_pico": 500})
    # a tenth has no price: at the rate of the rest
    row = only(compare([calls(0, 100, 90 * RATE, unpriced=10)], [charge(0, 100 * RATE, 100)]))
    assert (row["cause"], parts(row)) == ("unpriced in tokenspread", {"unpriced_pico": 10 * RATE})


@pytest.mark.parametrize(
    ("billed", "quantity", "cause", "expected"),
    [
        (110 * RATE, 100, "price differs", {"price_pico": 10 * RATE}),
        (120 * RATE, 120, "quantity differs", {"quantity_pico": 20 * RATE}),
        (132 * RATE, 120, "price differs; quantity differs", {"price_pico": 12 * RATE, "quantity_pico": 20 * RATE}),
        (100 * RATE + 1000, 100, None, {"residual_pico": 1000}),  # a rounding of the bill
        (5, 0, None, {"residual_pico": 5 - 100 * RATE}),  # money for nothing
        (0, 0, "quantity differs", {"quantity_pico": -100 * RATE}),
    ],
)
def test_price_and_quantity_are_told_apart(billed, quantity, cause, expected):
    row = only(compare([calls(0, 100, 100 * RATE)], [charge(0, billed, quantity)]))
    assert (row["cause"], parts(row)) == (cause, expected)
    if cause and "price" in cause:
        assert row["price_change_share"] == pytest.approx(0.1)


def test_without_quantities_a_price_is_told_by_its_constancy():
    log = [calls(n, 100 + n, (100 + n) * RATE) for n in range(5)]
    bill = [charge(n, (100 + n) * RATE * 11 // 10) for n in range(5)]
    rows = compare(log, bill)
    assert set(rows["cause"]) == {"price differs"} and rows["residual_pico"].sum() == 0
    bill[0]["billed_pico"] *= 2  # one day of five is off: the price holds, the rest is not explained
    rows = compare(log, bill)
    assert rows["residual_pico"].to_list() == [110 * RATE, 0, 0, 0, 0]
    bill[1]["billed_pico"] *= 3  # two of five: nothing is told
    assert set(compare(log, bill)["cause"]) == {None}
    assert compare(log[:1], bill[:1])["cause"].to_list() == [None]  # one ratio alone says nothing


def test_a_mispriced_class_is_told_among_others_that_are_not():
    log = [calls(n, 100, 100 * RATE, token_class=name) for n in range(4) for name in ("input", "output")]
    bill = [charge(n, 100 * RATE, token_class="input") for n in range(4)]
    bill += [charge(n, 150 * RATE, token_class="output") for n in range(4)]
    rows = compare(log, bill)
    named = rows.filter(pl.col("cause") == "price differs")
    assert set(named["token_class"]) == {"output"} and named["price_pico"].sum() == 200 * RATE
    # a bill of a month: the classes agree with one another
    rows = compare(log, [charge(None, 4 * 120 * RATE, token_class=name) for name in ("input", "output")])
    assert rows["price_change_share"].to_list() == [pytest.approx(0.2)] * 2
    assert rows["day"].to_list() == [None, None]


def test_the_coarser_grain_of_the_two_is_compared():
    writes = [calls(0, 5, 5, token_class="cache_write_5m"), calls(0, 7, 7, token_class="cache_write_1h")]
    assert only(compare(writes, [charge(0, 12, 12, token_class="cache_write")]))["token_class"] == "cache_write"
    fine = [charge(0, 12, 12, token_class="cache_write_5m")]  # both tell lifetimes: that one is missing is a finding
    assert compare(writes, fine)["cause"].to_list() == ["token class missing in the bill", "quantity differs"]
    spoken = [calls(0, 5, 5, token_class="output"), calls(0, 7, 7, token_class="reasoning")]
    row = only(compare(spoken, [charge(0, 12, 12, token_class="output")]))
    assert (row["token_class"], row["computed_quantity"], row["gap_pico"]) == ("output", 12, 0)
    row = only(compare([*spoken, calls(0, 1, 9, token_class="web_search")], [charge(0, 21, 12, token_class=None)]))
    assert (row["token_class"], row["computed_quantity"], row["gap_pico"]) == (None, 12, 0)
    row = only(compare([*spoken, calls(0, 5, 8, model="b")], [charge(0, 20, model=None, token_class=None)]))
    assert (row["model"], row["gap_pico"]) == (None, 0)
    searches = [calls(0, 2, 20, token_class="web_search"), calls(0, 1, 10, model="b", token_class="web_search")]
    rows = compare([*spoken, *searches], [charge(0, 30, 3, model=None, token_class="web_search"),
                                          charge(0, 12, 12, token_class="output")])  # fmt: skip
    assert rows.select("model", "token_class", "gap_pico").rows() == [(MODEL, "output", 0), (None, "web_search", 0)]


def test_quantities_come_from_an_export_of_usage_where_the_costs_have_none():
    log, usage = [calls(0, 100, 100 * RATE)], charge(0, None, 120)
    row = only(compare(log, [charge(0, 120 * RATE), usage]))
    assert (row["billed_quantity"], row["cause"]) == (120, "quantity differs")
    assert only(compare(log, [charge(0, 100 * RATE, 100), usage]))["billed_quantity"] == 100  # never both
    rows = compare(log, [usage])
    assert only(rows)["cause"] == "quantity differs"
    assert (only(rows)["gap_pico"], reconciliation.totals(rows)["computed_pico"]) == (None, None)
    assert left_out(log, [usage]) == [("openai", "its bill tells quantities only", 1, 100 * RATE)]


def test_a_monthly_fee_of_what_is_in_no_log_leaves_the_others_their_days():
    rows = compare([calls(0, 5, 10)], [charge(0, 10, 5), charge(None, 7, model="fee", token_class=None)])
    assert rows.select("day", "model", "gap_pico", "cause").rows() == [
        (day(0), MODEL, 0, None),
        (None, "fee", 7, "model missing in the log"),
    ]


def test_a_bill_without_a_charge_says_so():
    rows = compare([calls(0, 5, 10)], [])
    assert (only(rows)["gap_pico"], only(rows)["cause"]) == (-10, "day missing in the bill")


def test_usage_that_the_costs_do_not_reach_is_left_out():
    log, costs = [calls(0, 5, 10)], charge(0, 10)
    for usage in (charge(20, None, 5), charge(None, None, 5), charge(0, None, 5, model=None)):
        assert compare(log, [costs, usage]).height == 1
        assert [row[1] for row in left_out(log, [costs, usage])] == [
            "usage without money that is told more coarsely than the costs, or of other days"
        ]


def test_what_is_not_compared_is_listed_with_its_money():
    log = [calls(0, 1, 2), calls(7, 1, 3), calls(None, 1, 4), calls(0, 1, 5, provider=None),
           calls(0, 1, None, provider="anthropic", unpriced=1)]  # fmt: skip
    assert sorted(left_out(log, [charge(0, 2, 1)]), key=str) == [
        ("anthropic", "no bill of this provider", 1, None),
        ("openai", "outside the period of the bill", 1, 3),
        ("openai", "the log tells no time", 0, 4),
        (None, "the log names no provider", 1, 5),
    ]


@pytest.mark.parametrize(
    ("log", "bill", "same"),
    [
        ("gpt-5.2-2025-12-11", "gpt-5.2", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", True),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude4.5Sonnet", True),
        ("anthropic.claude-opus-5", "anthropic.claude-opus-5", True),
        ("amazon.nova-lite-v1:0", "NovaLite", True),
        ("amazon.nova-2-lite-v1:0", "Nova2.0Lite", True),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-5", "gpt-5.2", False),
        ("claude-haiku-4-5", "Claude Sonnet 4.5", False),
    ],
)
def test_names_of_the_same_model(log, bill, same):
    ours, theirs = same_models([log], [bill])
    assert (ours[log] == theirs[bill]) is same


def test_an_alias_on_one_side_puts_its_dated_models_together():
    dated = ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06"]
    ours, theirs = same_models(dated, ["gpt-4o"])
    assert {*ours.values(), *theirs.values()} == {"gpt-4o"}
    ours, theirs = same_models(dated, dated)
    assert ours == theirs == {name: name for name in dated}
    ours, theirs = same_models(["gpt-4o", dated[1]], [dated[1]])  # asked for by its alias, billed by its date
    assert len({*ours.values(), *theirs.values()}) == 1


NUMBERS = st.integers(0, 6)
MODELS = st.sampled_from([MODEL, "gpt-5.2", "claude-x-20250101", "Claude X", "b"])
CLASSES = st.sampled_from(["input", "output", "reasoning", "cache_write_5m", "cache_write_other", "web_search"])
PROVIDERS = st.sampled_from(["openai", "anthropic"])
MONEY = st.integers(-(10**6), 10**17)
CALLS = st.builds(
    lambda number, quantity, cost, unpriced, **others: calls(
        number, quantity, cost, unpriced=quantity if cost is None else min(unpriced, quantity) or None, **others
    ),
    st.integers(-1, 8) | st.none(), st.integers(1, 10**9), st.integers(0, 10**17) | st.none(), st.integers(0, 100),
    provider=PROVIDERS, model=MODELS | st.none(), token_class=CLASSES,
)  # fmt: skip
CHARGES = st.builds(
    charge, NUMBERS | st.none(), MONEY | st.none(), st.integers(0, 10**9) | st.none(), provider=PROVIDERS,
    model=MODELS | st.none(), token_class=CLASSES | st.just("cache_write") | st.none(),
).filter(lambda row: row["billed_pico"] is not None or row["quantity"] is not None)  # fmt: skip


@given(
    st.lists(CALLS, max_size=12), st.lists(CHARGES, max_size=12), st.sets(PROVIDERS), st.randoms(use_true_random=False)
)
def test_laws(log: list[dict], bill: list[dict], quiet: set[str], chance: random.Random):
    """`quiet` are providers whose bills tell of the week too, be it that nothing was charged."""
    periods = {name: WEEK["openai"] for name in {*[row["provider"] for row in bill], *quiet}}
    frames = pl.DataFrame(log, schema=COMPUTED, orient="row"), pl.DataFrame(bill, schema=BILL, orient="row")
    rows, aside = reconciliation.reconcile(*frames, periods)
    assert (dict(rows.schema), dict(aside.schema)) == (RECONCILIATION, NOT_COMPARED)
    # a gap is its parts, to the last digit, and billed less computed
    with_money = rows.filter(pl.col("gap_pico").is_not_null())
    for row in with_money.iter_rows(named=True):
        assert row["gap_pico"] == sum(row[name] for name in PARTS)
        assert row["gap_pico"] == (row["billed_pico"] or 0) - (row["computed_pico"] or 0)
        assert row["cause"] is None or set(row["cause"].split("; ")) <= set(CAUSES)
    # no money vanishes
    assert sum(rows["billed_pico"].drop_nulls()) == sum(row["billed_pico"] or 0 for row in bill)
    shown = [*with_money["computed_pico"].drop_nulls(), *aside["computed_pico"].drop_nulls()]
    assert sum(shown) == sum(row["cost_pico"] or 0 for row in log)
    # each cell once, whatever the order of the rows
    keys = rows.select("day", "provider", "model", "token_class")
    assert keys.unique().height == rows.height
    chance.shuffle(log), chance.shuffle(bill)
    again = (pl.DataFrame(log, schema=COMPUTED, orient="row"), pl.DataFrame(bill, schema=BILL, orient="row"))
    assert reconciliation.reconcile(*again, periods)[0].equals(rows)
    # every grouping, and the causes, add up to the same
    totals = reconciliation.totals(rows)
    for by in reconciliation.DIMENSIONS:
        frame = reconciliation.grouped(rows, by)
        for name in ("computed", "billed", "gap", "explained", "residual"):
            assert sum(frame[f"{name}_pico"].drop_nulls()) == (totals[f"{name}_pico"] or 0)
    assert sum(reconciliation.explained(rows)["amount_pico"]) == (totals["explained_pico"] or 0)
    assert (totals["gap_pico"] or 0) == (totals["explained_pico"] or 0) + (totals["residual_pico"] or 0)
    assert (totals["deviation_pico"] or 0) >= abs(totals["gap_pico"] or 0)


def test_only_within_a_cause_of_a_provider_do_amounts_net():
    log = [calls(n, 10, 10 * RATE, provider=name) for n in range(3) for name in ("openai", "anthropic")]
    weeks = WEEK | {"anthropic": WEEK["openai"]}

    def deviation(*billed: tuple[int, int, str]) -> int:
        """Quantities at our rate, of a day and provider."""
        bill = [charge(n, quantity * RATE, quantity, provider=name) for n, quantity, name in billed]
        totals = reconciliation.totals(compare(log, bill, weeks))
        assert totals["gap_pico"] == 0
        return totals["deviation_pico"] // RATE

    even = [(n, 10, "anthropic") for n in range(3)]
    assert deviation(*even, (0, 9, "openai"), (1, 11, "openai"), (2, 10, "openai")) == 0  # calls of midnight
    assert deviation(*even, (1, 20, "openai"), (2, 10, "openai")) == 20  # a day missing, another one double
    assert deviation(*even[:2], (2, 13, "anthropic"), (0, 7, "openai"), *((n, 10, "openai") for n in (1, 2))) == 6
    # a residual, of a bill without quantities, counts as a cause
    bill = [charge(0, 2 * RATE, model="b"), charge(1, 28 * RATE, 14)]
    totals = reconciliation.totals(compare([*log[:1], calls(1, 14, 28 * RATE), calls(0, 5, 3 * RATE, model="b")], bill))
    assert totals["deviation_pico"] == 10 * RATE + RATE


def test_the_deviation_of_quantities_alone_is_not_known():
    assert reconciliation.totals(compare([calls(0, 1, 1)], [charge(0, None, 2)]))["deviation_pico"] is None


def overlaps(*bill: dict) -> list[tuple]:
    return reconciliation.overlaps(pl.DataFrame(bill, schema=BILL, orient="row")).rows()


@pytest.mark.parametrize(
    ("second", "days"),
    [
        (charge(0, 5), 1),
        (charge(None, 5), 1),  # the week
        (charge(0, 5, model="GPT 5.2"), 1),
        (charge(0, 5, model=None), 1),
        (charge(0, 5, token_class=None), 1),
        (charge(0, 5, token_class="input_audio"), 1),
        (charge(0, 5, model=None, token_class=None), 1),
        (charge(1, 5), 0),
        (charge(0, 0), 0),
        (charge(0, None, 5), 0),  # usage
        (charge(0, 5, model="gpt-5.2-2026-01-01"), 0),
        (charge(0, 5, token_class="output"), 0),
        (charge(0, 5, model=None, token_class="output"), 0),
        (charge(0, 5, provider="azure"), 0),
    ],
)
def test_money_of_the_same_in_two_files_overlaps(second, days):
    first = charge(0, 3, source_file="a")
    assert overlaps(first, second) == ([("openai", "b", ["a"], 1, 5)] if days else [])
    other = [("openai", "a", ["b"], 1, 3)]  # whichever is coarser
    assert overlaps(second, first) == (other if days else [])
    assert overlaps(first, second | {"source_file": "a"}) == []


def test_an_overlap_counts_its_days_and_the_money_that_is_there_again():
    first = [charge(n, 7, source_file="a") for n in range(3)]
    second = [charge(n, 2**62, source_file="b", token_class=name) for n in range(1, 6) for name in ("input", None)]
    third = [charge(None, 100, source_file="c"), charge(9, 1, source_file="c")]
    assert overlaps(*first, *second, *third) == [
        ("openai", "b", ["a"], 2, 4 * 2**62),
        ("openai", "c", ["a", "b"], 6, 100),
    ]


def test_an_alias_may_be_any_of_its_dated_models_in_any_of_the_files():
    names = ["gpt-4o-2024-05-13", "gpt-4o-2024-08-06", "gpt-4o"]
    rows = [charge(0, 1, source_file=name, model=name) for name in names]
    assert overlaps(*rows[:2]) == []
    assert overlaps(*rows)[-1] == ("openai", "gpt-4o", names[:2], 1, 1)


def test_cost_apart_is_that_of_the_days_and_providers_that_are_compared():
    schema = {
        "is_allocated": pl.Boolean,
        "provider": pl.String,
        "day": pl.Date,
        "kind": pl.String,
        "cost_pico": pl.Int128,
    }
    rows = [
        (True, "openai", day(0), "volume_tier", -(10**30)), (True, "openai", day(6), "volume_tier", -1),
        (True, "openai", day(7), "volume_tier", -5), (True, "openai", None, "volume_tier", -5),
        (True, "anthropic", day(0), "volume_tier", -5), (True, None, day(0), "compute", 5),
        (True, "openai", day(0), "compute", 3), (True, "openai", day(1), "compute", -3),
        (False, None, None, "commitment", 9),
    ]  # fmt: skip
    found = reconciliation.apart(pl.DataFrame(rows, schema=schema, orient="row"), WEEK)
    assert found.rows() == [("openai", "volume_tier", -(10**30) - 1), (None, "commitment", 9)]
    assert reconciliation.apart(pl.DataFrame(schema=schema), WEEK).rows() == []
    assert reconciliation.apart(pl.DataFrame(rows, schema=schema, orient="row"), {}).rows() == [(None, "commitment", 9)]


def test_sums_beyond_64_bits_are_exact():
    log = [calls(0, 1, 10**30)]
    row = only(compare(log, [charge(0, 2**63 - 1, 1), charge(0, 2**63 - 1, 1)]))
    assert (row["billed_pico"], row["gap_pico"]) == (2**64 - 2, 2**64 - 2 - 10**30)


@pytest.mark.parametrize(
    ("text", "share"), [("1%", (1, 100)), ("0.5%", (5, 1000)), (".25%", (25, 10_000)), ("0%", (0, 1))]
)
def test_a_tolerance_is_a_percentage(text, share):
    assert reconciliation.tolerance_of(text) == Fraction(*share)


@pytest.mark.parametrize("text", ["0.01", "1 %%", "-1%", "one%", "1/0%", ""])
def test_what_is_no_percentage_is_refused(text):
    with pytest.raises(ValueError, match="not a percentage; write one such as 1%"):
        reconciliation.tolerance_of(text)


@pytest.mark.parametrize(
    ("billed", "within"), [(100, True), (99, True), (101, True), (102, False), (98, False), (0, False)]
)
def test_within_is_the_gap_as_a_share_of_what_was_billed(billed, within):
    totals = reconciliation.totals(compare([calls(0, 100, 100)], [charge(0, billed, 100)]))
    assert reconciliation.is_within(totals, Fraction(1, 99)) is within

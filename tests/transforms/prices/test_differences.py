from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from transforms.prices.differences import differences
from transforms.schemas import PRICE_BOOK, PRICE_DIFFERENCES, PRICE_REFS, WEEK_SECONDS

FIRST, LAST = date(2026, 3, 1), date(2026, 4, 30)
EARLIER, MARCH, MAY = (datetime(2026, *day, tzinfo=UTC) for day in ((2, 1), (3, 10), (5, 1)))
KEYS = [*PRICE_REFS, "token_class"]
SOURCES = ("genai-prices 0.2.3", "litellm 1f2e3d4c", "model-prices 0.0.5")


def row(source: str, rate_pico: int | None, **columns) -> dict:
    defaults = {
        "provider": "openai", "model": "gpt-5", "token_class": "input", "context_above": 0, "week_second_from": 0,
        "week_second_to": WEEK_SECONDS, "rate_pico": rate_pico, "price_status": "exact", "source": source,
    }  # fmt: skip
    return dict.fromkeys(PRICE_BOOK) | defaults | columns


def differing(*rows: dict, first: date = FIRST, last: date = LAST) -> list[dict]:
    return differences(pl.DataFrame(list(rows), schema=PRICE_BOOK, orient="row"), first, last).rows(named=True)


def test_every_source_that_states_a_rate_is_shown_beside_the_others() -> None:
    genai, litellm, model_prices = SOURCES
    told = differing(
        row(litellm, 3, note="rounded to 1e-12", source_url="https://b.example"),
        row(genai, 2, price_status="prefix_match", source_url="https://a.example"),
        row(model_prices, 3),
    )
    assert [list(row.values()) for row in told] == [
        [
            *(1, "openai", "gpt-5", None, None, None, "input", 0, None, 0, WEEK_SECONDS),
            *(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC), source, rate, status, link, note),
        ]
        for source, rate, status, link, note in (
            ("genai-prices", 2, "prefix_match", "https://a.example", None),
            ("litellm", 3, "exact", "https://b.example", "rounded to 1e-12"),
            ("model-prices", 3, "exact", None, None),
        )
    ]


def test_equal_rates_and_a_rate_that_is_not_known_are_no_difference() -> None:
    genai, litellm, model_prices = SOURCES
    assert differing(row(genai, 2), row(litellm, 2), row(model_prices, None)) == []
    assert differing(row(genai, 2), row(litellm, None)) == []
    assert differing(row(genai, 0), row(litellm, 2)) != []  # free is a rate


def test_refs_and_classes_are_not_mixed() -> None:
    genai, litellm, _ = SOURCES
    others = [{"model": "gpt-5-mini"}, {"is_batch": True}, {"region": "eu"}, {"token_class": "output"}]
    assert differing(row(genai, 2), *(row(litellm, 3, **other) for other in others)) == []
    told = differing(*(row(source, rate, region="eu") for rate, source in enumerate(SOURCES)))
    assert {row["region"] for row in told} == {"eu"}


def test_a_difference_lasts_while_both_hold() -> None:
    genai, litellm, _ = SOURCES
    told = differing(
        row(genai, 2, valid_to=MARCH),
        row(genai, 3, valid_from=MARCH),
        row(litellm, 3, valid_from=EARLIER),
        row(litellm, 9, valid_from=MAY),
    )
    assert {(row["valid_from"], row["valid_to"]) for row in told} == {(datetime(2026, 3, 1, tzinfo=UTC), MARCH)}
    assert [row["rate_pico"] for row in told] == [2, 3]
    assert differing(row(genai, 2, valid_to=MARCH), row(litellm, 3, valid_from=MARCH)) == []


def test_a_context_that_only_one_source_has_a_step_at() -> None:
    genai, litellm, _ = SOURCES
    told = differing(
        row(genai, 2), row(litellm, 2), row(litellm, 4, context_above=200), row(genai, 4, context_above=300)
    )
    assert {(row["context_above"], row["context_up_to"]) for row in told} == {(200, 300)}
    # above its step the source states nothing more
    assert differing(row(genai, 2), row(litellm, 2), row(litellm, None, context_above=200)) == []


def test_a_window_of_the_week_that_no_day_of_the_span_has() -> None:
    genai, litellm, _ = SOURCES
    saturday = 5 * 86_400
    rows = [
        row(genai, 2),
        row(litellm, 2, week_second_to=saturday),
        row(litellm, 1, week_second_from=saturday),
    ]
    monday, friday, sunday = date(2026, 3, 2), date(2026, 3, 6), date(2026, 3, 8)
    assert differing(*rows, first=monday, last=friday) == []
    for first, last in ((friday, sunday), (FIRST, monday), (monday, sunday), (FIRST, LAST)):
        told = differing(*rows, first=first, last=last)
        assert {(row["week_second_from"], row["week_second_to"]) for row in told} == {(saturday, WEEK_SECONDS)}
    # from Sunday on, Monday is in the next week
    mondays = [row(genai, 2), row(litellm, 1, week_second_to=86_400), row(litellm, 2, week_second_from=86_400)]
    assert {row["week_second_to"] for row in differing(*mondays, first=FIRST, last=monday)} == {86_400}
    assert differing(*mondays, first=FIRST, last=FIRST) == []


def test_no_sources_no_differences() -> None:
    assert differences(pl.DataFrame(schema=PRICE_BOOK), FIRST, LAST).schema == pl.Schema(PRICE_DIFFERENCES)


# The law: at any moment of the span and with any context, a difference is told if and only if the sources differ there.

DAYS = [datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in (-3, 2, 20, 90)]
SECONDS = [0, 3_600, 90_000, 500_000, WEEK_SECONDS]
CONTEXTS = [0, 100, 200]


@st.composite
def stated(draw) -> list[dict]:
    """Rows of some sources, each without overlap but for contexts, and with gaps."""
    rows = []
    for source in draw(st.lists(st.sampled_from(SOURCES), unique=True, max_size=3)):
        days = [None, *sorted(draw(st.sets(st.sampled_from(DAYS)))), None]
        seconds = sorted({0, WEEK_SECONDS} | draw(st.sets(st.sampled_from(SECONDS))))
        for model in draw(st.lists(st.sampled_from(["gpt-5", None]), unique=True, max_size=2)):
            for start, end in pairwise(days):
                for second_from, second_to in pairwise(seconds):
                    for above in draw(st.sets(st.sampled_from(CONTEXTS))):
                        bounds = {"valid_from": start, "valid_to": end}
                        window = {"week_second_from": second_from, "week_second_to": second_to}
                        rate, note = draw(st.sampled_from([None, 0, 1, 2])), draw(st.sampled_from([None, "rounded"]))
                        rows.append(row(source, rate, model=model, context_above=above, note=note, **bounds, **window))
    return draw(st.permutations(rows))


def holds(row: dict, model: str | None, at: datetime, context: int) -> bool:
    monday = datetime(at.year, at.month, at.day, tzinfo=UTC) - timedelta(days=at.weekday())
    second = (at - monday).total_seconds()
    return (
        row["model"] == model
        and (row["valid_from"] is None or row["valid_from"] <= at)
        and (row["valid_to"] is None or at < row["valid_to"])
        and row["week_second_from"] <= second < row["week_second_to"]
        and context > row["context_above"]
    )


@given(stated(), st.sampled_from([1, 5, 40]), st.data())
def test_law_sources_differ_if_and_only_if_a_difference_covers_the_moment(rows, day_count, data) -> None:
    last = FIRST + timedelta(days=day_count - 1)
    told = differing(*rows, first=FIRST, last=last)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    edges = [at for at in (begin, *DAYS, begin + timedelta(days=day_count)) if begin <= at]
    near = st.builds(
        lambda at, step: at + timedelta(microseconds=step), st.sampled_from(edges), st.sampled_from([-1, 0, 1])
    )
    weekly = st.builds(
        lambda second, day: datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=second, days=day),
        st.sampled_from(SECONDS[:-1]),
        st.sampled_from([-7, 0, 14]),
    )
    at = data.draw((near | weekly).filter(lambda at: begin <= at < begin + timedelta(days=day_count)), label="at")
    context = data.draw(st.sampled_from([1, 100, 101, 200, 201]), label="context")
    for model in ("gpt-5", None):
        rates = {}
        for one in sorted(
            (one for one in rows if holds(one, model, at, context)), key=lambda one: one["context_above"]
        ):
            rates[one["source"].split()[0]] = one["rate_pico"]
        rates = {source: rate for source, rate in rates.items() if rate is not None}
        expected = rates if len(set(rates.values())) > 1 else {}
        covering = [one for one in told if holds(one, model, at, context)]
        covering = [one for one in covering if one["context_up_to"] is None or context <= one["context_up_to"]]
        assert {one["source"]: one["rate_pico"] for one in covering} == expected
        assert len(covering) == len(expected)
        assert len({one["difference_id"] for one in covering}) == bool(expected)


@given(stated())
def test_law_every_difference_is_one_and_within_the_span(rows) -> None:
    told = differing(*rows)
    for number in {one["difference_id"] for one in told}:
        group = [one for one in told if one["difference_id"] == number]
        assert len({one["rate_pico"] for one in group}) > 1
        bounds = {(one["valid_from"], one["valid_to"], one["week_second_from"], one["context_above"]) for one in group}
        assert len(bounds) == 1
    assert all(datetime(2026, 3, 1, tzinfo=UTC) <= one["valid_from"] < one["valid_to"] <= MAY for one in told)

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations, pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import reference
from transforms import price_book
from transforms.schemas import PRICE_BOOK, PRICE_REFS, RATE_CARDS, TOKEN_CLASSES, empty

DAYS = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 5)]
EARLIER, LATER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
REFS = pl.DataFrame(
    [
        ("openai", "gpt-5", None, None, None),
        ("openai", "gpt-5", "flex", None, True),
        (None, "Gpt-5-mini", None, "eu", False),
    ],
    schema=PRICE_REFS,
    orient="row",
)
ONE = REFS.head(1)


def row(token_class: str = "input", rate_pico: int | None = 1, **columns) -> dict:
    defaults = {
        "provider": "openai", "model": "gpt-5", "token_class": token_class, "rate_pico": rate_pico, "context_above": 0,
        "day_second_from": 0, "day_second_to": 86_400, "price_status": "exact", "source": "genai-prices 1.0",
    }  # fmt: skip
    return dict.fromkeys(PRICE_BOOK) | defaults | columns


def deal(token_class: str = "input", rate_pico: int | None = 1, **columns) -> dict:
    return row(token_class, rate_pico, **{"provider": None, "source": "contract"} | columns)


def book_of(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PRICE_BOOK, orient="row")


def cards_of(contract: list[dict], catalogue: list[dict], refs: pl.DataFrame = REFS) -> pl.DataFrame:
    rows = price_book.applicable(book_of(*contract), book_of(*catalogue), refs)
    return price_book.rate_cards(rows, refs)


# Books and calls for the laws

bounds = st.sampled_from([None, *DAYS])
rates = st.integers(0, 5)


@st.composite
def catalogues(draw) -> list[dict]:
    """Rows of some refs as a catalogue flattens them: whole time and day covered, without overlap in a class."""
    rows = []
    for ref in draw(st.lists(st.sampled_from(REFS.to_dicts()), unique_by=str)):
        status = draw(st.sampled_from(price_book.STATUSES))
        for token_class in TOKEN_CLASSES:
            note = draw(st.sampled_from(["", price_book.AS_INPUT])) if token_class in price_book.CACHE_CLASSES else ""
            days = sorted(draw(st.sets(st.sampled_from(DAYS))))
            hours = sorted({0, 86_400} | draw(st.sets(st.sampled_from([3_600, 7_200]))))
            contexts = sorted({0} | draw(st.sets(st.sampled_from([100, 200]))))
            for (start, end), (day_from, day_to) in [
                (d, h) for d in pairwise([None, *days, None]) for h in pairwise(hours)
            ]:
                for above in contexts:
                    rows.append(
                        row(
                            token_class,
                            draw(st.none() | rates),
                            **ref,
                            valid_from=start,
                            valid_to=end,
                            context_above=above,
                        )
                        | {
                            "day_second_from": day_from,
                            "day_second_to": day_to,
                            "price_status": status,
                            "source": "genai-prices 1.0" + note,
                        }
                    )
    return rows


@st.composite
def contracts(draw) -> list[dict]:
    deals = st.builds(
        deal,
        st.sampled_from(TOKEN_CLASSES),
        rates,
        provider=st.sampled_from([None, "openai", "OpenAI", "azure"]),
        model=st.sampled_from(["gpt-5", "gpt-*", "*", "GPT-5-mini", "*mini", "gpt.5"]),
        service_tier=st.sampled_from([None, "flex"]),
        region=st.sampled_from([None, "eu"]),
        is_batch=st.sampled_from([None, True, False]),
        valid_from=bounds,
        valid_to=bounds,
        context_above=st.sampled_from([0, 150]),
    )
    rows = draw(st.lists(deals, max_size=5, unique_by=deal_key))
    return [row for row in rows if not (row["valid_from"] and row["valid_to"]) or row["valid_from"] < row["valid_to"]]


def deal_key(row: dict) -> tuple:
    """What a price file may hold once."""
    return tuple(str(row[name]).lower() for name in (*PRICE_REFS, "token_class", "context_above", "valid_from"))


@st.composite
def calls(draw) -> dict:
    at = draw(st.sampled_from(DAYS)) + timedelta(
        seconds=draw(st.sampled_from([0, 3_600, 7_200, 40_000])), microseconds=draw(st.sampled_from([-1, 0, 1]))
    )
    parts = st.none() | st.integers(0, 60)
    return {
        **draw(st.sampled_from(REFS.to_dicts())),
        "status": draw(st.sampled_from(["success", "error", "cache_hit"])),
        "called_at": draw(st.none() | st.just(at)),
        "input_tokens": draw(st.none() | st.sampled_from([0, 1, 99, 100, 101, 150, 151, 200, 201])),
        **{f"{name}_tokens": draw(parts) for name in reference.CACHE_CLASSES},
        "output_tokens": draw(st.none() | st.integers(0, 9)),
        "web_search_count": draw(st.none() | st.integers(0, 2)),
    }


def card_price(call: dict, cards: pl.DataFrame) -> tuple[Fraction | None, str]:
    """The call's cost and status as its only rate card has it."""
    at, tokens = call["called_at"] or reference.END_OF_TIME, max(call["input_tokens"], 1)
    second = at.hour * 3600 + at.minute * 60 + at.second
    found = [
        card
        for card in cards.to_dicts()
        if all(card[name] == call[name] for name in PRICE_REFS)
        and (card["valid_from"] is None or card["valid_from"] <= at)
        and (card["valid_to"] is None or at < card["valid_to"])
        and card["day_second_from"] <= second < card["day_second_to"]
        and (call["called_at"] or (card["day_second_from"], card["day_second_to"]) == (0, 86_400))
        and card["context_above"] < tokens <= (card["context_up_to"] or tokens)
    ]
    assert len(found) <= 1, found
    if not found:
        return None, "unknown_model"
    units = reference.usage(call)
    rates = {name: found[0][f"{name}_rate_pico"] for name in units}
    if any(units[name] and rates[name] is None for name in units):
        return None, "class_unpriced"
    return sum((units[name] * rates[name] * reference.PICO for name in units if units[name]), Fraction(0)), found[0][
        "price_status"
    ]


@given(contracts(), catalogues(), st.lists(calls(), min_size=1, max_size=8))
def test_cards_price_every_call_as_the_book_says(contract, catalogue, some_calls):
    cards = cards_of(contract, catalogue)
    for call in some_calls:
        cost, status = reference.price(call, contract + catalogue)
        if status not in ("not_billed", "usage_unknown", "inconsistent_usage"):
            assert (cost, status) == card_price(call, cards), call


@settings(max_examples=40)
@given(contracts(), catalogues(), st.randoms(use_true_random=False))
def test_cards_do_not_overlap_and_do_not_depend_on_order(contract, catalogue, random):
    rows = price_book.applicable(book_of(*contract), book_of(*catalogue), REFS)
    cards = price_book.rate_cards(rows, REFS)
    assert cards.schema == pl.Schema(RATE_CARDS)
    assert cards["card_id"].to_list() == list(range(1, cards.height + 1))
    for one, other in combinations(cards.to_dicts(), 2):
        assert any(one[name] != other[name] for name in PRICE_REFS) or are_apart(one, other), (one, other)
    shuffled_refs = REFS.sample(fraction=1, shuffle=True, seed=random.randint(0, 9))
    random.shuffle(contract)
    random.shuffle(catalogue)
    assert cards_of(contract, catalogue, shuffled_refs).equals(cards)


def are_apart(one: dict, other: dict) -> bool:
    """Whether two cards or rows of the same ref share no instant, no second of the day or no context."""
    since, until = datetime(1, 1, 1, tzinfo=UTC), reference.END_OF_TIME
    spans = [("valid_from", "valid_to", since, until), ("day_second_from", "day_second_to", 0, 0)]
    spans += [("context_above", "context_up_to", 0, 10**9)]
    return any(
        (one[end] or last) <= (other[start] or first) or (other[end] or last) <= (one[start] or first)
        for start, end, first, last in spans
    )


@settings(max_examples=40)
@given(contracts(), catalogues())
def test_applicable_rows_of_a_class_do_not_overlap(contract, catalogue):
    rows = price_book.applicable(book_of(*contract), book_of(*catalogue), REFS)
    key = [*PRICE_REFS, "token_class"]
    for _, part in rows.group_by(key):
        for one, other in combinations(part.with_columns(context_up_to=pl.lit(None, pl.Int64)).to_dicts(), 2):
            assert one["context_above"] != other["context_above"] or are_apart(one, other)


# What a contract does


def test_a_contract_holds_from_its_start_and_the_catalogue_before():
    cards = cards_of([deal("input", 2, valid_from=DAYS[0])], [row("input", 9), row("output", 8)], ONE)
    columns = "valid_from", "valid_to", "input_rate_pico", "output_rate_pico"
    assert cards.select(columns).rows() == [(None, DAYS[0], 9, 8), (DAYS[0], None, 2, 8)]


def test_a_contract_row_without_an_end_holds_until_the_next_one():
    cards = cards_of([deal(rate_pico=2, valid_from=DAYS[0]), deal(rate_pico=3, valid_from=DAYS[1])], [], ONE)
    assert cards.select("valid_from", "valid_to", "input_rate_pico").rows() == [
        (DAYS[0], DAYS[1], 2),
        (DAYS[1], None, 3),
    ]


def test_what_a_passing_price_covered_holds_again():
    contract = [deal(rate_pico=2), deal(rate_pico=1, valid_from=DAYS[0], valid_to=DAYS[1])]
    cards = cards_of(contract, [row(rate_pico=9)], ONE)
    assert cards["input_rate_pico"].to_list() == [2, 1, 2]


def test_the_more_specific_contract_row_holds():
    contract = [deal(rate_pico=1, model="*"), deal(rate_pico=2, model="gpt-*"), deal(rate_pico=3)]
    contract += [deal(rate_pico=4, provider="openai"), deal(rate_pico=5, service_tier="flex", provider="OPENAI")]
    cards = cards_of(contract, [])
    found = {
        (model, tier): rate for model, tier, rate in cards.select("model", "service_tier", "input_rate_pico").rows()
    }
    assert found == {("gpt-5", None): 4, ("gpt-5", "flex"): 5, ("Gpt-5-mini", None): 2}


def test_a_model_that_only_the_contract_knows_has_cached_input_at_its_input_rate():
    card = cards_of([deal("input", 4), deal("cache_read", 1)], [], ONE).to_dicts()[0]
    assert [card[f"{name}_rate_pico"] for name in TOKEN_CLASSES] == [4, 1, 4, 4, 4, None, None]


def test_classes_that_a_contract_leaves_out_are_the_catalogue_s():
    catalogue = [row("input", 9), row("cache_read", 3), row("cache_write_5m", 9, source="genai-prices 1.0, as input")]
    card = cards_of([deal("input", 4)], [*catalogue, row("output", 8)], ONE).to_dicts()[0]
    assert [card[f"{name}_rate_pico"] for name in TOKEN_CLASSES] == [4, 3, 4, 4, 4, 8, None]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("free", "free"), "free"),
        (("free", "exact"), "exact"),
        (("exact", "fallback_provider"), "fallback_provider"),
        (("prefix_match", "exact"), "prefix_match"),
    ],
)
def test_a_card_is_as_sure_as_its_least_sure_rate(statuses, expected):
    first, second = statuses
    rows = [row("input", price_status=first), row("output", price_status=second)]
    assert (
        cards_of([], [*rows, row("web_search", None, price_status="fallback_provider")])["price_status"][0] == expected
    )


def test_nothing_that_does_not_change_is_cut():
    windows = [(0, 3_600), (3_600, 86_400)]
    rows = [
        row("input", 1, day_second_from=start, day_second_to=end, valid_from=since, valid_to=until)
        for start, end in windows
        for since, until in [(None, DAYS[0]), (DAYS[0], None)]
    ]
    assert cards_of([], [*rows, row("input", 1, context_above=200)]).height == 1


def test_rates_that_speak_of_no_ref():
    spoken = [deal(model="GPT-*"), deal(model="gpt-5", service_tier="flex"), deal(provider="OpenAI"), deal("output")]
    idle = [deal(model="gpt-55"), deal(provider="anthropic"), deal(service_tier="batch"), deal(model="claude-*")]
    assert price_book.unmatched(book_of(*spoken, *idle), REFS).rows() == book_of(*idle).rows()
    assert price_book.unmatched(book_of(), REFS).is_empty()


def test_a_ref_without_rows_has_no_card():
    assert cards_of([], []).is_empty()
    assert cards_of([deal(model="claude-*")], [row("input", 1)]).select(*PRICE_REFS).rows() == [REFS.row(0)]


# Bitemporal


def rates_in(book: pl.DataFrame) -> set[tuple]:
    return set(book.select("provider", "model", "token_class", "rate_pico", pl.col("source").str.head(8)).rows())


ROWS = st.lists(
    st.builds(row, st.sampled_from(TOKEN_CLASSES), rates, model=st.sampled_from(["a", "b"]), valid_from=bounds)
    | st.builds(deal, st.sampled_from(TOKEN_CLASSES), rates, model=st.sampled_from(["a", "*"])),
    max_size=6,
)


@given(st.lists(ROWS, min_size=1, max_size=4))
def test_the_book_believes_what_was_said_last_and_remembers_the_rest(tellings):
    book = empty(PRICE_BOOK)
    for night, rows in enumerate(tellings):
        recorded_at, before = EARLIER + timedelta(days=night), book
        book = price_book.revise(book, book_of(*rows), recorded_at)
        assert price_book.revise(book, book_of(*rows), recorded_at + timedelta(hours=1)).equals(book), "twice is once"
        assert rates_in(price_book.current(book)) == rates_in(book_of(*rows))
        assert book.height >= before.height, "nothing is deleted"
        assert book.schema == pl.Schema(PRICE_BOOK)
    for night, rows in enumerate(tellings):
        seen = price_book.as_of(book, EARLIER + timedelta(days=night, hours=12))
        assert rates_in(seen) == rates_in(book_of(*rows)), "as known on that night"
    assert price_book.as_of(book, EARLIER - timedelta(days=1)).is_empty()


@given(ROWS, st.randoms(use_true_random=False))
def test_the_hash_is_of_the_rates_alone(rows, random):
    book = price_book.revise(empty(PRICE_BOOK), book_of(*rows), EARLIER)
    random.shuffle(rows)
    newer = [row | {"source": row["source"].replace("1.0", "2.0")} for row in rows]
    noisy = price_book.revise(empty(PRICE_BOOK), book_of(row("output", 77, model="gone")), EARLIER)
    noisy = price_book.revise(noisy, book_of(*newer), LATER)
    assert price_book.book_hash(noisy) == price_book.book_hash(book)
    assert price_book.book_hash(book_of(*rows, row(rate_pico=99))) != price_book.book_hash(book)


def test_a_changed_rate_supersedes_the_old_one():
    book = price_book.revise(empty(PRICE_BOOK), book_of(row(rate_pico=1), row("output", 2)), EARLIER)
    book = price_book.revise(book, book_of(row(rate_pico=3), row("output", 2)), LATER)
    assert book.select("token_class", "rate_pico", "recorded_at", "superseded_at").sort("rate_pico").rows() == [
        ("input", 1, EARLIER, LATER),
        ("output", 2, EARLIER, None),
        ("input", 3, LATER, None),
    ]


def test_what_was_not_asked_for_or_not_read_stands():
    said = book_of(row(model="a"), row(model="b"), deal(model="a"))
    book = price_book.revise(empty(PRICE_BOOK), said, EARLIER)
    only_a = pl.DataFrame([{"provider": "openai", "model": "a"}], schema=PRICE_REFS)
    after = price_book.revise(book, empty(PRICE_BOOK), LATER, refs=only_a, sources=("genai-prices",))
    assert price_book.current(after).select("model", "source").rows() == [("b", "genai-prices 1.0"), ("a", "contract")]
    after = price_book.revise(book, empty(PRICE_BOOK), LATER, refs=only_a)
    assert price_book.current(after).select("model", "source").rows() == [("b", "genai-prices 1.0")]


def test_a_new_version_with_the_same_rates_changes_nothing():
    book = price_book.revise(empty(PRICE_BOOK), book_of(row()), EARLIER)
    assert price_book.revise(book, book_of(row(source="genai-prices 2.0")), LATER).equals(book)
    noted = price_book.revise(book, book_of(row(source="genai-prices 2.0, as input")), LATER)
    assert price_book.current(noted)["source"].to_list() == ["genai-prices 2.0, as input"], "but a new note does"


def test_layers():
    contract, catalogue = price_book.layers(book_of(row(), deal()))
    assert (contract["source"].to_list(), catalogue["source"].to_list()) == (["contract"], ["genai-prices 1.0"])

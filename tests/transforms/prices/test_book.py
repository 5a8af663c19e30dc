import random as randomly
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import combinations, pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import reference
from transforms.prices import book as price_book
from transforms.prices.cards import STATUSES, rate_cards
from transforms.schemas import (
    BOOK_RATES,
    PRICE_BOOK,
    PRICE_REFS,
    PRICE_RULES,
    RATE_CARDS,
    TOKEN_CLASSES,
    WEEK_SECONDS,
    empty,
)

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
        "week_second_from": 0, "week_second_to": WEEK_SECONDS, "price_status": "exact", "source": "genai-prices 1.0",
    }  # fmt: skip
    return dict.fromkeys(PRICE_BOOK) | defaults | columns


def deal(token_class: str | None = "input", rate_pico: int | None = 1, **columns) -> dict:
    defaults = {
        "model": "gpt-5", "token_class": token_class, "rate_pico": rate_pico, "context_above": 0,
        "week_second_from": 0, "week_second_to": WEEK_SECONDS, "source": "contract",
    }  # fmt: skip
    return dict.fromkeys(PRICE_RULES) | defaults | columns


def times(multiplier: str, token_class: str | None = None, **columns) -> dict:
    return deal(token_class, None, **{"multiplier_nano": int(Fraction(multiplier) * 10**9)} | columns)


def book_of(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PRICE_BOOK, orient="row")


def rules_of(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PRICE_RULES, orient="row")


def rows_of(rules: list[dict], catalogue: list[dict], refs: pl.DataFrame = REFS, **aliases: str) -> pl.DataFrame:
    return price_book.applicable(price_book.named(refs, aliases), rules_of(*rules), [book_of(*catalogue)])


def cards_of(rules: list[dict], catalogue: list[dict], refs: pl.DataFrame = REFS) -> pl.DataFrame:
    return rate_cards({"now": rows_of(rules, catalogue, refs)}, refs)[0]


# Books and calls for the laws

bounds = st.sampled_from([None, *DAYS])
rates = st.integers(0, 5)
FEW_CLASSES = ("input", "cache_read", "cache_write_1h", "output", "input_audio", "reasoning", "request", "web_search")
HOURS = [3_600, 86_400, 90_000, 600_000]  # of the week


@st.composite
def catalogues(draw) -> list[dict]:
    """Rows of some refs as a catalogue flattens them: no overlap in a class; a class may be absent, or at times."""
    rows = []
    for ref in draw(st.lists(st.sampled_from(REFS.to_dicts()), unique_by=str)):
        status = draw(st.sampled_from(STATUSES))
        for token_class in draw(st.lists(st.sampled_from(FEW_CLASSES), unique=True)):
            days = sorted(draw(st.sets(st.sampled_from(DAYS))))
            hours = sorted({0, WEEK_SECONDS} | draw(st.sets(st.sampled_from(HOURS), max_size=2)))
            contexts = sorted({0} | draw(st.sets(st.sampled_from([100, 200]))))
            for start, end in pairwise([None, *days, None]):
                for second_from, second_to in pairwise(hours):
                    place = {"valid_from": start, "valid_to": end, "price_status": status}
                    place |= {"week_second_from": second_from, "week_second_to": second_to}
                    if draw(st.integers(0, 5)):
                        rows += [
                            row(token_class, draw(st.none() | rates), **ref, **place, context_above=above)
                            for above in contexts
                        ]
    return rows


@st.composite
def contracts(draw) -> list[dict]:
    said = {
        "provider": st.sampled_from([None, "openai", "OpenAI", "azure"]),
        "model": st.sampled_from(["gpt-5", "gpt-*", "*", "GPT-5-mini", "*mini", "gpt.5"]),
        "service_tier": st.sampled_from([None, "flex"]),
        "region": st.sampled_from([None, "eu"]),
        "is_batch": st.sampled_from([None, True, False]),
        "valid_from": bounds,
        "valid_to": bounds,
        "context_above": st.sampled_from([0, 150]),
        "source": st.sampled_from(["contract", "correction"]),
    }
    prices = st.builds(deal, st.sampled_from(FEW_CLASSES), rates, **said)
    factors = st.builds(times, st.sampled_from(["0", "0.5", "1.1"]), st.sampled_from([None, *FEW_CLASSES]), **said)
    rules = draw(st.lists(prices | factors, max_size=6, unique_by=deal_key))
    windows = [(0, WEEK_SECONDS), (3_600, 90_000)]
    for rule in rules:
        rule["week_second_from"], rule["week_second_to"] = draw(st.sampled_from(windows))
    return [
        rule for rule in rules if not (rule["valid_from"] and rule["valid_to"]) or rule["valid_from"] < rule["valid_to"]
    ]


def deal_key(rule: dict) -> tuple:
    """What a price file may hold once."""
    columns = (*PRICE_REFS, "token_class", "context_above", "valid_from", "source")
    return *(str(rule[name]).lower() for name in columns), rule["rate_pico"] is None


@st.composite
def calls(draw) -> dict:
    at = draw(st.sampled_from(DAYS)) + timedelta(
        seconds=draw(st.sampled_from([0, 3_600, 86_400, 90_000, 600_000])),
        microseconds=draw(st.sampled_from([-1, 0, 1])),
    )
    parts = st.none() | st.integers(0, 60)
    return {
        **draw(st.sampled_from(REFS.to_dicts())),
        "status": draw(st.sampled_from(["success", "error", "cache_hit"])),
        "called_at": draw(st.none() | st.just(at)),
        "input_tokens": draw(st.none() | st.sampled_from([0, 1, 99, 100, 101, 150, 151, 200, 201])),
        **{f"{name}_tokens": draw(parts) for name in reference.CACHE_CLASSES},
        "input_audio_tokens": draw(parts),
        "output_tokens": draw(st.none() | st.integers(0, 9)),
        "reasoning_tokens": draw(st.none() | st.integers(0, 9)),
        "web_search_count": draw(st.none() | st.integers(0, 2)),
    }


def card_price(call: dict, cards: pl.DataFrame) -> tuple[Fraction | None, str]:
    """The call's cost and status as its only rate card has it."""
    at, tokens = call["called_at"] or reference.END_OF_TIME, max(call["input_tokens"], 1)
    second = at.weekday() * 86_400 + at.hour * 3600 + at.minute * 60 + at.second
    found = [
        card
        for card in cards.to_dicts()
        if all(card[name] == call[name] for name in PRICE_REFS)
        and (card["valid_from"] is None or card["valid_from"] <= at)
        and (card["valid_to"] is None or at < card["valid_to"])
        and card["week_second_from"] <= second < card["week_second_to"]
        and (call["called_at"] or (card["week_second_from"], card["week_second_to"]) == (0, WEEK_SECONDS))
        and card["context_above"] < tokens <= (card["context_up_to"] or tokens)
    ]
    assert len(found) <= 1, found
    rates = {name: found[0][f"{name}_rate"] if found else None for name in reference.CLASSES}
    units = reference.usage(call, rates)
    if any(count < 0 for count in units.values()):
        return None, "inconsistent_usage"
    if not found or found[0]["price_status"] is None:
        return None, "unknown_model"
    if any(units[name] and rates[name] is None for name in units):
        return None, "class_unpriced"
    cost = sum((units[name] * rates[name] * reference.PICO for name in units if units[name]), Fraction(0))
    return cost, found[0]["price_status"]


@settings(max_examples=300)
@given(contracts(), catalogues(), st.lists(calls(), min_size=1, max_size=8))
def test_cards_price_every_call_as_the_book_says(contract, catalogue, some_calls):
    cards = cards_of(contract, catalogue)
    for call in some_calls:
        cost, status = reference.price(call, catalogue, contract)
        if status not in ("not_billed", "usage_unknown"):
            assert (cost, status) == card_price(call, cards), call


@settings(max_examples=40)
@given(contracts(), catalogues(), st.integers(0, 9))
def test_cards_do_not_overlap_and_do_not_depend_on_order(contract, catalogue, seed):
    cards = cards_of(contract, catalogue)
    assert cards.schema == pl.Schema(RATE_CARDS)
    assert cards["card_id"].to_list() == list(range(1, cards.height + 1))
    for one, other in combinations(cards.to_dicts(), 2):
        assert any(one[name] != other[name] for name in PRICE_REFS) or are_apart(one, other), (one, other)
    shuffle = randomly.Random(seed).shuffle
    shuffle(contract)
    shuffle(catalogue)
    assert cards_of(contract, catalogue, REFS.sample(fraction=1, shuffle=True, seed=seed)).equals(cards)


def are_apart(one: dict, other: dict) -> bool:
    """Whether two cards or rows of the same ref share no instant, no second of the week or no context."""
    since, until = datetime(1, 1, 1, tzinfo=UTC), reference.END_OF_TIME
    spans = [("valid_from", "valid_to", since, until), ("week_second_from", "week_second_to", 0, 0)]
    spans += [("context_above", "context_up_to", 0, 10**9)]
    return any(
        (one[end] or last) <= (other[start] or first) or (other[end] or last) <= (one[start] or first)
        for start, end, first, last in spans
    )


@settings(max_examples=40)
@given(contracts(), catalogues())
def test_applicable_rows_of_a_class_do_not_overlap(contract, catalogue):
    rows = rows_of(contract, catalogue)
    for _, part in rows.group_by([*PRICE_REFS, "token_class"]):
        for one, other in combinations(part.with_columns(context_up_to=pl.lit(None, pl.Int64)).to_dicts(), 2):
            assert one["context_above"] != other["context_above"] or are_apart(one, other)


@settings(max_examples=40)
@given(catalogues(), catalogues())
def test_another_book_on_the_same_cards_says_what_its_own_cards_say(catalogue, other):
    some = {"now": rows_of([], catalogue), "then": rows_of([], other)}
    cards, book_rates = rate_cards(some, REFS)
    assert book_rates.schema == pl.Schema(BOOK_RATES)
    alone = cards_of([], other)
    rates = [name for name in RATE_CARDS if name.endswith("_rate")]
    for card, told in zip(cards.to_dicts(), book_rates.to_dicts(), strict=True):
        assert (card["card_id"], told["book"]) == (told["card_id"], "then")
        found = [
            row for row in alone.to_dicts() if all(row[n] == card[n] for n in PRICE_REFS) and not are_apart(row, card)
        ]
        assert [told[name] for name in (*rates, "price_status")] in (
            [[row[name] for name in (*rates, "price_status")] for row in found] or [[None] * (len(rates) + 1)]
        )


# What a contract does


def test_a_contract_holds_from_its_start_and_the_catalogue_before():
    cards = cards_of([deal("input", 2, valid_from=DAYS[0])], [row("input", 9), row("output", 8)], ONE)
    columns = "valid_from", "valid_to", "input_rate", "output_rate"
    assert cards.select(columns).rows() == [(None, DAYS[0], 9, 8), (DAYS[0], None, 2, 8)]


def test_a_contract_row_without_an_end_holds_until_the_next_one():
    cards = cards_of([deal(rate_pico=2, valid_from=DAYS[0]), deal(rate_pico=3, valid_from=DAYS[1])], [], ONE)
    assert cards.select("valid_from", "valid_to", "input_rate").rows() == [
        (DAYS[0], DAYS[1], 2),
        (DAYS[1], None, 3),
    ]


def test_what_a_passing_price_covered_holds_again():
    contract = [deal(rate_pico=2), deal(rate_pico=1, valid_from=DAYS[0], valid_to=DAYS[1])]
    cards = cards_of(contract, [row(rate_pico=9)], ONE)
    assert cards["input_rate"].to_list() == [2, 1, 2]


def test_the_more_specific_contract_row_holds():
    contract = [deal(rate_pico=1, model="*"), deal(rate_pico=2, model="gpt-*"), deal(rate_pico=3)]
    contract += [deal(rate_pico=4, provider="openai"), deal(rate_pico=5, service_tier="flex", provider="OPENAI")]
    cards = cards_of(contract, [])
    found = {(model, tier): rate for model, tier, rate in cards.select("model", "service_tier", "input_rate").rows()}
    assert found == {("gpt-5", None): 4, ("gpt-5", "flex"): 5, ("Gpt-5-mini", None): 2}


def test_a_model_that_only_the_contract_knows_has_cached_input_at_its_input_rate():
    card = cards_of([deal("input", 4), deal("cache_read", 1)], [], ONE).to_dicts()[0]
    assert [card[f"{name}_rate"] for name in TOKEN_CLASSES[:6]] == [4, 1, 4, 4, 4, None]


def test_classes_that_a_contract_leaves_out_are_the_catalogue_s():
    catalogue = [row("input", 9), row("cache_read", 3), row("output", 8)]
    card = cards_of([deal("input", 4)], catalogue, ONE).to_dicts()[0]
    assert [card[f"{name}_rate"] for name in TOKEN_CLASSES[:6]] == [4, 3, 4, 4, 4, 8]


def test_a_multiplier_multiplies_what_the_layers_below_state():
    catalogue = [row("input", 1000), row("output", 10), row("cache_read", 5)]
    rules = [times("0.85"), times("0.5", "output"), deal("cache_read", 7), times("1.1", source="correction")]
    rows = {row["token_class"]: row for row in rows_of(rules, catalogue, ONE).to_dicts()}
    assert {name: rows[name]["rate_pico"] for name in ("input", "output", "cache_read")} == {
        "input": 935,  # 1000 x 1.1 x 0.85
        "output": 6,  # 11 x 0.5 = 5.5, a half goes to the even neighbour
        "cache_read": 7,  # the contract's own price is what it is
    }
    assert rows["input"]["note"] == "x 1.1 by correction; x 0.85 by contract"
    assert rows["output"]["note"] == "x 1.1 by correction; x 0.5 by contract; rounded to 1e-12"
    assert rows["cache_write_1h"]["rate_pico"] == 935, "as input, multiplied once"
    assert rows["cache_write_1h"]["note"] == "as input; x 1.1 by correction; x 0.85 by contract"


def test_a_multiplier_on_input_holds_where_input_stands_in():
    catalogue = [row("input", 1000), row("cache_read", 500, valid_from=DAYS[1])]
    rows = rows_of([times("0.8", "input")], catalogue, ONE)
    told = rows.filter(token_class="cache_read").select("valid_from", "valid_to", "rate_pico").rows()
    assert told == [(None, DAYS[1], 800), (DAYS[1], None, 500)]


def test_a_price_for_any_model_is_for_one_that_the_log_does_not_name():
    refs = pl.DataFrame([("lab", None, None, None, None)], schema=PRICE_REFS, orient="row")
    assert rows_of([deal(model="*")], [], refs)["rate_pico"].to_list() == [1] * 5, "input, and cached input as input"
    assert rows_of([deal(model="gpt*")], [], refs).is_empty()


def test_a_rule_for_calls_that_are_no_batch():
    refs = pl.DataFrame([("lab", "m", None, None, is_batch) for is_batch in (None, False, True)], schema=PRICE_REFS,
                        orient="row")  # fmt: skip
    rows = rows_of([deal(model="m", is_batch=False)], [], refs).filter(token_class="input")
    assert rows["is_batch"].to_list() == [False]


def test_a_fee_does_not_make_a_free_model_cost():
    catalogue = [row("input", 0, price_status="free"), row("output", 0, price_status="free"), row("web_search", 7)]
    assert cards_of([], catalogue, ONE)["price_status"].to_list() == ["free"]


def test_a_better_source_goes_before_the_catalogue_where_it_speaks():
    dated = row("input", 5, valid_to=DAYS[1], source="model-prices 0.1")
    named = price_book.named(ONE, {})
    rows = price_book.applicable(named, rules_of(), [book_of(dated), book_of(row("input", 9), row("output", 8))])
    told = rows.filter(token_class="input").select("valid_from", "valid_to", "rate_pico", "source").rows()
    assert told == [(None, DAYS[1], 5, "model-prices 0.1"), (DAYS[1], None, 9, "genai-prices 1.0")]


def test_a_deployment_is_priced_as_what_it_is_an_alias_of():
    refs = pl.DataFrame(
        [("azure", "prod-chat", None, None, None), ("openai", "prod-chat", None, None, None)],
        schema=PRICE_REFS, orient="row",
    )  # fmt: skip
    named = price_book.named(refs, {"Azure/Prod-Chat": "openai/gpt-5", "prod-chat": "gpt-5-mini"})
    assert named.select("as_provider", "as_model").rows() == [("openai", "gpt-5"), ("openai", "gpt-5-mini")]
    assert price_book.asked(named).select("provider", "model").rows() == [("openai", "gpt-5"), ("openai", "gpt-5-mini")]
    stated = price_book.answered(book_of(row("input", 9)), named)
    rows = price_book.applicable(named, rules_of(times("0.5", provider="openai")), [stated])
    assert rows.filter(token_class="input").select("provider", "model", "rate_pico").rows() == [
        ("azure", "prod-chat", 4)
    ]


def test_billed_by_time_is_a_card_without_any_rate_of_tokens():
    card = cards_of([deal("compute_second", 225_000_000)], [], ONE).to_dicts()[0]
    assert (card["price_status"], card["compute_second_rate"], card["input_rate"]) == (
        "billed_by_time",
        225_000_000,
        None,
    )


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
    windows = [(0, 3_600), (3_600, WEEK_SECONDS)]
    rows = [
        row("input", 1, week_second_from=start, week_second_to=end, valid_from=since, valid_to=until)
        for start, end in windows
        for since, until in [(None, DAYS[0]), (DAYS[0], None)]
    ]
    assert cards_of([], [*rows, row("input", 1, context_above=200)]).height == 1


def test_rates_that_speak_of_no_ref():
    spoken = [deal(model="GPT-*"), deal(model="gpt-5", service_tier="flex"), deal(provider="OpenAI"), deal("output")]
    idle = [deal(model="gpt-55"), deal(provider="anthropic"), deal(service_tier="batch"), deal(model="claude-*")]
    assert price_book.unmatched(rules_of(*spoken, *idle), price_book.named(REFS, {})).rows() == rules_of(*idle).rows()
    assert price_book.unmatched(rules_of(), price_book.named(REFS, {})).is_empty()


def test_a_ref_without_rows_has_no_card():
    assert cards_of([], []).is_empty()
    assert cards_of([deal(model="claude-*")], [row("input", 1)]).select(*PRICE_REFS).rows() == [REFS.row(0)]


# Bitemporal


def rates_in(book: pl.DataFrame) -> set[tuple]:
    return set(book.select("provider", "model", "token_class", "rate_pico", pl.col("source").str.head(8)).rows())


ROWS = st.lists(
    st.builds(row, st.sampled_from(TOKEN_CLASSES), rates, model=st.sampled_from(["a", "b"]), valid_from=bounds)
    | st.builds(row, st.sampled_from(TOKEN_CLASSES), rates, model=st.sampled_from(["a"]), source=st.just("contract")),
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
    assert price_book.book_hash(price_book.current(noisy)) == price_book.book_hash(book)
    assert price_book.book_hash(book_of(*rows, row(rate_pico=99))) != price_book.book_hash(book)


def test_a_changed_rate_supersedes_the_old_one():
    book = price_book.revise(empty(PRICE_BOOK), book_of(row(rate_pico=1), row("output", 2)), EARLIER)
    book = price_book.revise(book, book_of(row(rate_pico=3), row("output", 2)), LATER)
    assert book.select("token_class", "rate_pico", "recorded_at", "superseded_at").sort("rate_pico").rows() == [
        ("input", 1, EARLIER, LATER),
        ("output", 2, EARLIER, None),
        ("input", 3, LATER, None),
    ]


def test_a_new_version_with_the_same_rates_changes_nothing():
    book = price_book.revise(empty(PRICE_BOOK), book_of(row()), EARLIER)
    assert price_book.revise(book, book_of(row(source="genai-prices 2.0")), LATER).equals(book)
    noted = price_book.revise(book, book_of(row(source="genai-prices 2.0", note="as input")), LATER)
    assert price_book.current(noted)["note"].to_list() == ["as input"], "but a new note does"

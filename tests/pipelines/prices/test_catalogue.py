import random
import warnings
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import genai_prices
import polars as pl
import pytest
from genai_prices import types as genai
from genai_prices.data_snapshot import DataSnapshot, get_snapshot, set_custom_snapshot
from genai_prices.units import _get_registry

from pipelines import warehouse
from pipelines.prices.catalogue import PRICE_KEYS, catalogue_rates
from tests import reference
from transforms.prices import book
from transforms.prices.cards import rate_cards
from transforms.schemas import (
    LEDGER,
    PART_CLASSES,
    PRICE_BOOK,
    PRICE_REFS,
    PRICE_RULES,
    RATE_CARDS,
    WEEK_SECONDS,
    empty,
)

# What a ref says beyond its model, and how genai-prices is told the same.
CONTEXTS = (
    ({}, {}),
    ({"is_batch": True}, {"processing": "batch"}),
    ({"service_tier": "batch"}, {"processing": "batch"}),
    ({"service_tier": "default"}, {"service_tier": "default"}),
    ({"service_tier": "Flex"}, {"service_tier": "flex"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"service_tier": "fast"}, {"service_tier": "fast", "speed": "fast"}),
    ({"region": "mistral/eu"}, {"route": "mistral/eu"}),
)


def refs_of(*refs: dict) -> pl.DataFrame:
    return pl.DataFrame([dict.fromkeys(PRICE_REFS) | ref for ref in refs], schema=PRICE_REFS, orient="row").unique()


def rates_of(**ref) -> pl.DataFrame:
    return catalogue_rates(refs_of(ref))


def rate(rows: pl.DataFrame, token_class: str, **where) -> list:
    filters = [pl.col("token_class") == token_class, *(pl.col(name) == value for name, value in where.items())]
    return rows.filter(*filters)["rate_pico"].to_list()


# Equality with genai-prices, call by call


def names_of(model: genai.ModelInfo) -> list[str]:
    """Texts by which `model` may be found: its id, and what its clauses look for."""
    names, clauses = [model.id], [model.match]
    while clauses:
        clause = clauses.pop()
        clauses += getattr(clause, "or_", []) + getattr(clause, "and_", [])
        names += [text for kind in ("equals", "starts_with", "contains") if (text := getattr(clause, kind, None))]
    return names


def edges_of(model: genai.ModelInfo) -> tuple[list[datetime], list[int]]:
    """Instants and input token counts at which a price of `model` may change."""
    conditions = list(model.prices) if isinstance(model.prices, list) else [genai.ConditionalPrice(prices=model.prices)]
    instants, tokens = [datetime(2026, 11, 21, 12, tzinfo=UTC)], [1000]
    for condition in [*conditions, *(model.price_variants or [])]:
        if isinstance(condition.constraint, genai.StartDateConstraint):
            instants.append(datetime.combine(condition.constraint.start_date, time(), UTC))
        elif condition.constraint:
            hours = condition.constraint.start_time, condition.constraint.end_time
            instants += [datetime.combine(date(2026, 11, 21), hour.replace(tzinfo=UTC)) for hour in hours]
        for price in vars(condition.prices).values():
            tokens += [tier.start for tier in price.tiers] if isinstance(price, genai.TieredPrices) else []
    return instants, tokens


def names_tried(model: genai.ModelInfo) -> list[str]:
    return names_of(model)[:3]


def parts_of(pick: random.Random, whole: int, count: int) -> list[int]:
    """`count` numbers that add up to at most `whole`, most of them 0."""
    return [pick.choice((0, 0, 0, pick.randint(0, whole // count))) for _ in range(count)]


def random_call(pick: random.Random, provider: str, model: genai.ModelInfo) -> dict:
    said, context = pick.choice(CONTEXTS) if pick.random() < 0.6 else CONTEXTS[0]
    instants, tokens = edges_of(model)
    input_tokens = max(0, pick.choice(tokens) + pick.choice((-1, 0, 1, 0, 5000, -1000)))
    read, write_5m, write_1h, write_other, audio, image, video = parts_of(pick, input_tokens, 7)
    (cached_audio,) = parts_of(pick, read, 1)
    output_tokens = pick.choice((0, 1, pick.randint(0, 100_000)))
    said_out, drawn, thought = parts_of(pick, output_tokens, 3)
    return {
        **dict.fromkeys(PRICE_REFS), "provider": provider, "model": pick.choice(names_tried(model)), **said,
        "context": context, "status": "success", "input_tokens": input_tokens,
        "cache_read_tokens": read, "cache_write_5m_tokens": write_5m, "cache_write_1h_tokens": write_1h,
        "cache_write_other_tokens": write_other, "input_audio_tokens": audio + cached_audio,
        "cache_read_audio_tokens": cached_audio, "input_image_tokens": image, "input_video_tokens": video,
        "output_tokens": output_tokens, "output_audio_tokens": said_out, "output_image_tokens": drawn,
        "reasoning_tokens": thought, "web_search_count": pick.choice((*[0] * 30, None, 3)),
        "file_search_count": pick.choice((*[0] * 30, None, 2)),
        "called_at": pick.choice(instants) + timedelta(microseconds=pick.choice((-1, 0, 1, 86_400_000_000 * 40))),
    }  # fmt: skip


# Nothing is, say, an image and read from a cache: genai-prices wants that to be said.
NO_OVERLAP = {
    f"cache_{kind}_{how}_tokens": 0
    for kind in ("audio", "image", "video")
    for how in ("read", "write", "write_5m", "write_1h")
    if (kind, how) != ("audio", "read")
} | {f"output_{kind}_reasoning_tokens": 0 for kind in ("audio", "image")}


def genai_cost(call: dict) -> Fraction | None:
    """What genai-prices says, or None where it does not know the model."""
    writes = [call[f"{name}_tokens"] for name in reference.CACHE_CLASSES if name.startswith("cache_write")]
    usage = genai.Usage(
        input_tokens=call["input_tokens"],
        cache_read_tokens=call["cache_read_tokens"],
        cache_write_tokens=sum(writes),
        cache_write_5m_tokens=call["cache_write_5m_tokens"],
        cache_write_1h_tokens=call["cache_write_1h_tokens"],
        input_audio_tokens=call["input_audio_tokens"],
        cache_audio_read_tokens=call["cache_read_audio_tokens"],
        input_image_tokens=call["input_image_tokens"],
        input_video_tokens=call["input_video_tokens"],
        output_tokens=call["output_tokens"],
        output_audio_tokens=call["output_audio_tokens"],
        output_image_tokens=call["output_image_tokens"],
        output_reasoning_tokens=call["reasoning_tokens"],
        web_searches=call["web_search_count"],
        storage_searches=call["file_search_count"],
        **NO_OVERLAP,
    )
    try:
        priced = genai_prices.calc_price(
            usage,
            call["model"],
            provider_id=call["provider"],
            genai_request_timestamp=call["called_at"],
            price_context=call["context"] or None,
        )
    except LookupError:
        return None
    return Fraction(priced.total_price)


def cards_of(refs: pl.DataFrame) -> pl.DataFrame:
    named = book.named(refs, {})
    rows = book.applicable(named, empty(PRICE_RULES), [catalogue_rates(refs)])
    return rate_cards({"now": rows}, refs)[0], rows


CALL_COUNT = 105_000


def test_every_model_costs_what_genai_prices_says():
    """Over 100,000 calls over the whole snapshot, at and around the edges of dates, hours and tiers, in all contexts,
    priced by the SQL model `calls` and by genai-prices. Equal to the last digit but for these, each of them checked:

    - rounded: a price with more than 12 decimals per unit is rounded here, and its row says so: at most 0.5e-12 a unit;
    - class_unpriced: a class without a price is unknown here and costs 0 there;
    - unknown_model: known to neither, or without any price that our quantities could use: 0 there;
    - cached_audio: where audio and cached input have prices and cached audio has none, genai-prices subtracts cached
      audio twice from the input; here it is cached input, once.
    """
    pick = random.Random(20261121)
    models = [(provider.id, model) for provider in get_snapshot().providers for model in provider.models]
    calls = [random_call(pick, *models[number % len(models)]) for number in range(CALL_COUNT)]
    refs = refs_of(*({name: call[name] for name in PRICE_REFS} for call in calls))
    cards, rows = cards_of(refs)
    is_rounded = pl.col("note").str.contains("rounded")
    rounded = {key[:2] for key in rows.filter(is_rounded).select(PRICE_REFS.keys()).iter_rows()}
    counts = dict.fromkeys(("equal", "rounded", "class_unpriced", "unknown_model", "cached_audio"), 0)
    for call, (status, cost_pico, rates) in zip(calls, priced(calls, cards), strict=True):
        ours = None if cost_pico is None else cost_pico * reference.PICO
        theirs = genai_cost(call)
        if status == "unknown_model":
            kind = "unknown_model"
            assert not theirs, call
        elif status == "class_unpriced":
            kind = "class_unpriced"
            known = {name: rate_pico or 0 for name, rate_pico in rates.items()}
            units = reference.usage(call, rates)
            ours = sum(units[name] * known[name] * reference.PICO for name in units)
        if ours is not None and theirs is not None:
            twice = call["cache_read_audio_tokens"] if is_cached_audio_twice(rates) else 0
            if twice:
                theirs -= twice * (rates["input_audio"] - rates["input"]) * reference.PICO
            kind = "cached_audio" if twice else "equal" if status != "class_unpriced" else status
            if (call["provider"], call["model"]) in rounded:
                kind, units = "rounded", sum(reference.usage(call, rates).values())
                assert abs(ours - theirs) <= units * reference.PICO / 2, call
            else:
                assert ours == theirs, call
        counts[kind] += 1
    assert sum(counts.values()) == CALL_COUNT
    assert counts["equal"] > 0.7 * CALL_COUNT, counts
    assert all(0 < counts[kind] < 0.3 * CALL_COUNT for kind in counts if kind != "equal"), str(counts)


def is_cached_audio_twice(rates: dict[str, int | None]) -> bool:
    return None not in (rates["input_audio"], rates["cache_read"]) and rates["cache_read_audio"] is None


def priced(calls: list[dict], cards: pl.DataFrame) -> list[tuple]:
    """(price_status, cost_pico, rates by class) of each call, as the SQL model has them."""
    rows = [dict.fromkeys(LEDGER) | {name: call[name] for name in call if name in LEDGER} for call in calls]
    ledger = pl.DataFrame(rows, schema=LEDGER, orient="row").with_columns(
        key_hi=pl.lit(0, pl.UInt64), key_lo=pl.int_range(pl.len(), dtype=pl.UInt64), content_id=pl.lit(1, pl.Int64),
        line_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
    )  # fmt: skip
    with warehouse.connect() as connection:
        connection.execute("create schema source")
        warehouse.load_table(connection, "ledger", ledger, LEDGER)
        warehouse.load_table(connection, "rate_cards", cards, RATE_CARDS)
        warehouse.load_table(connection, "contents", empty(warehouse.CONTENTS), warehouse.CONTENTS)
        connection.execute((warehouse.SQL / "macros.sql").read_text())
        connection.execute(f"create view calls as {warehouse.model_sql('calls')}")
        query = "select price_status, cost_pico, card_id from calls order by line_number"
        found = connection.sql(query).fetchall()
    rates = {card["card_id"]: {name: card[f"{name}_rate"] for name in reference.CLASSES} for card in cards.to_dicts()}
    return [(status, cost_pico, rates.get(card_id)) for status, cost_pico, card_id in found]


def test_what_genai_prices_leaves_unpriced_has_no_row():
    embedding = rates_of(provider="openai", model="text-embedding-3-small")
    assert rate(embedding, "input") == [20_000]
    assert rate(embedding, "output") == []
    assert rate(rates_of(provider="groq", model="llama-3.3-70b-versatile"), "web_search") == []


def test_a_model_that_carries_no_price_has_no_rows():
    unpriced = [(p.id, m.id) for p in get_snapshot().providers for m in p.models if m.prices == genai.ModelPrice()]
    assert len(unpriced) > 100
    found = catalogue_rates(refs_of(*({"provider": provider, "model": model} for provider, model in unpriced)))
    named = {(row["provider"], row["model"]) for row in found.iter_rows(named=True)}
    assert not named & {(p, m) for p, m in unpriced if get_snapshot().find_provider_model(m, None, p, None)[1].id == m}


def test_a_fee_for_each_request_is_a_class():
    rows = rates_of(provider="perplexity", model="sonar")
    assert rate(rows, "request") == [12_000_000_000], "12 USD for a thousand"
    assert rate(rows, "input") == [1_000_000]


def test_price_keys_are_the_registry_ancestors_nearest_first():
    registry = _get_registry()
    for token_class, keys in PRICE_KEYS.items():
        own = registry.unit_for_price_key(keys[0])
        ancestors = [registry.units[name] for name in registry.ancestor_usage_keys(own.usage_key)]
        ancestors = [unit for unit in ancestors if unit.usage_key != "total_tokens"]
        nearest = sorted(ancestors, key=lambda unit: -len(unit.dimensions))
        assert [unit.price_key for unit in nearest if unit.price_key in keys[1:]] == list(keys[1:]), token_class
        # priced as what it is part of, where the catalogue has no price of the class
        fallbacks = {PART_CLASSES.get(token_class), "input" if token_class.startswith("cache") else None} - {None}
        known = {key for name in fallbacks for key in PRICE_KEYS[name]}
        if token_class == "cache_read_audio":
            known |= set(PRICE_KEYS["input_audio"])  # see cached_audio above
        unlisted = {unit.price_key for unit in nearest} - set(keys) - known
        priced = {key for p in get_snapshot().providers for m in p.models for key in price_keys(m)}
        assert not unlisted & priced, token_class


def price_keys(model: genai.ModelInfo) -> set[str]:
    prices = [entry.prices for entry in model.prices] if isinstance(model.prices, list) else [model.prices]
    return {key for price in prices for key, value in vars(price).items() if value is not None}


# What a ref finds


@pytest.mark.parametrize(
    ("model", "provider", "priced_as"),
    [
        ("openai/gpt-5.2", "openai", "gpt-5.2"),
        ("anthropic/claude-3-7-sonnet-20250219", "anthropic", "claude-3-7-sonnet-20250219"),
        ("gemini/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("vertex_ai/claude-sonnet-4-5@20250929", "google", "claude-sonnet-4-5@20250929"),
        ("deepseek/deepseek-chat", "deepseek", "deepseek-chat"),
        ("openrouter/anthropic/claude-3.7-sonnet", "openrouter", "anthropic/claude-3.7-sonnet"),
        (
            "fireworks_ai/accounts/fireworks/models/deepseek-v3p2",
            "fireworks",
            "accounts/fireworks/models/deepseek-v3p2",
        ),
        ("litellm_proxy/openai/gpt-5.2", "openai", "gpt-5.2"),
        ("gpt-5.2", "openai", "gpt-5.2"),
    ],
)
def test_a_provider_in_front_of_the_model_is_understood(model, provider, priced_as):
    rates = ["token_class", "context_above", "valid_from", "rate_pico", "price_status", "source_url"]
    expected = rates_of(provider=provider, model=priced_as).select(rates)
    assert expected.height
    assert rates_of(model=model).select(rates).equals(expected)
    assert rates_of(model=model, provider="litellm").select(rates).equals(expected)


@pytest.mark.parametrize(
    ("spelling", "provider", "model"),
    [
        ("vertex_ai", "google", "gemini-2.5-pro"),
        ("gcp.gemini", "google", "gemini-2.5-pro"),
        ("bedrock", "aws", "global.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("azure.ai.openai", "azure", "gpt-4o"),
        ("xai", "x-ai", "grok-4"),
        ("Mistral_AI", "mistral", "mistral-large-latest"),
        ("openai", "openai", "openai/gpt-5.2"),
    ],
)
def test_spellings_of_a_provider(spelling, provider, model):
    rows, expected = rates_of(provider=spelling, model=model), rates_of(provider=provider, model=model)
    assert rows.height
    assert rows.drop("provider").equals(expected.drop("provider"))
    assert rows["provider"].unique().to_list() == [spelling], "the ref stays as the ledger has it"


@pytest.mark.parametrize(
    ("provider", "model", "status"),
    [
        ("openai", "gpt-5.2", "exact"),
        ("openai", "gpt-5.2-2025-12-11", "exact"),
        ("openai", "gpt-5.2-20251211", "exact"),
        ("anthropic", "claude-sonnet-4-5-20250929", "prefix_match"),
        ("azure", "gpt-4o", "fallback_provider"),
    ],
)
def test_price_status_says_how_the_model_was_found(provider, model, status):
    assert rates_of(provider=provider, model=model)["price_status"].unique().to_list() == [status]


@pytest.mark.parametrize(
    "ref", [{"model": "no-such-model"}, {"model": None}, {"provider": "my-own", "model": "gpt-5.2"}]
)
def test_an_unknown_model_has_no_rows(ref):
    assert rates_of(**ref).is_empty()


def test_free_is_what_the_catalogue_says_costs_zero():
    zero = genai.ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))
    model = genai.ModelInfo(id="gift", match=genai.ClauseEquals(equals="gift"), prices=zero)
    provider = genai.Provider(
        id="lab", name="Lab", api_pattern="lab", pricing_urls=["https://lab.example"], models=[model]
    )
    set_custom_snapshot(DataSnapshot(providers=[provider], from_auto_update=False))
    try:
        rows = rates_of(provider="lab", model="gift")
    finally:
        set_custom_snapshot(None)
    assert rows["price_status"].unique().to_list() == ["free"]
    assert rows["source_url"].unique().to_list() == ["https://lab.example"]


def test_a_price_that_the_catalogue_does_not_have_for_a_batch_is_told():
    batch = rates_of(provider="anthropic", model="claude-3-5-sonnet", is_batch=True)
    assert batch["price_status"].unique().to_list() == ["context_unmatched"]
    assert batch["note"].unique().to_list()[0].startswith("standard rate (no batch price)")
    sonnet = rates_of(provider="anthropic", model="claude-sonnet-4-5", is_batch=True).filter(token_class="input")
    by_start = {row["valid_from"]: row for row in sonnet.filter(context_above=0).iter_rows(named=True)}
    assert by_start[datetime(2026, 10, 14, tzinfo=UTC)]["rate_pico"] == 1_500_000
    assert by_start[datetime(2026, 10, 14, tzinfo=UTC)]["price_status"] == "exact"
    assert by_start[None]["price_status"] == "context_unmatched"
    tiers = rates_of(provider="openai", model="gpt-5.4", is_batch=True, service_tier="priority")
    assert all("no batch and priority price" in note for note in tiers["note"]), "one for both"
    early = rates_of(provider="openai", model="gpt-5.4", is_batch=True, service_tier="default").filter(
        token_class="input"
    )
    assert early.filter(pl.col("valid_from").is_null())["price_status"].unique().to_list() == ["context_unmatched"]
    other = rates_of(provider="azure", model="gpt-4.1", is_batch=True)
    assert other["price_status"].unique().to_list() == ["fallback_provider"], "whose price is the greater doubt"
    assert all("no batch price" in note for note in other["note"])
    assert "no batch price" in by_start[None]["note"]


def test_hours_of_the_day_make_windows_of_the_week():
    rows = rates_of(provider="deepseek", model="deepseek-v4-pro")
    newest = rows.filter(pl.col("valid_to").is_null(), token_class="output").sort("week_second_from")
    windows = newest.select("week_second_from", "week_second_to", "rate_pico").rows()
    low, peak = 1_980_000, 3_960_000
    of_a_day = [
        (0, 3_600, low),
        (3_600, 14_400, peak),
        (14_400, 21_600, low),
        (21_600, 36_000, peak),
        (36_000, 86_400, low),
    ]
    days = range(0, WEEK_SECONDS, 86_400)
    assert windows == [(day + start, day + end, rate_pico) for day in days for start, end, rate_pico in of_a_day]


def test_rows_conform_and_no_refs_make_none():
    assert catalogue_rates(refs_of()).schema == pl.Schema(PRICE_BOOK)
    rows = rates_of(provider="openai", model="gpt-5.2")
    assert rows.schema == pl.Schema(PRICE_BOOK)
    assert {"input", "cache_read", "output"} <= set(rows["token_class"]) <= set(PRICE_KEYS)
    assert rows["recorded_at"].null_count() == rows.height


def test_nothing_is_fetched():
    """The snapshot that is installed, and no other: no thread, no warning about an update."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates_of(provider="openai", model="gpt-5.2")
    assert not get_snapshot().from_auto_update

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

from pipelines.price_sources import PRICE_KEYS, catalogue_rates, read_price_file
from pipelines.settings import UserError
from tests import reference
from transforms.schemas import PRICE_BOOK, PRICE_REFS, TOKEN_CLASSES

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


def random_call(pick: random.Random, provider: str, model: genai.ModelInfo) -> dict:
    said, context = pick.choice(CONTEXTS) if pick.random() < 0.6 else CONTEXTS[0]
    instants, tokens = edges_of(model)
    input_tokens = max(0, pick.choice(tokens) + pick.choice((-1, 0, 1, 0, 5000, -1000)))
    part = [pick.choice((0, 0, pick.randint(0, input_tokens // 4))) for _ in reference.CACHE_CLASSES]
    return {
        **dict.fromkeys(PRICE_REFS), "provider": provider, "model": pick.choice(names_of(model)), **said,
        "context": context, "status": "success", "input_tokens": input_tokens,
        **{f"{name}_tokens": count for name, count in zip(reference.CACHE_CLASSES, part, strict=True)},
        "output_tokens": pick.choice((0, 1, pick.randint(0, 100_000))),
        "web_search_count": pick.choice((None, 0, 0, 0, 0, 3)),
        "called_at": pick.choice(instants) + timedelta(microseconds=pick.choice((-1, 0, 1, 86_400_000_000 * 40))),
    }  # fmt: skip


def without_unpriced(call: dict, rows: list[dict]) -> dict:
    """`call` without the units that have no rate here; genai-prices prices them at 0."""
    rates, _ = reference.card(call, rows)
    output_tokens = 0 if rates["output"] is None else call["output_tokens"]
    web_search_count = None if rates["web_search"] is None else call["web_search_count"]
    return call | {"output_tokens": output_tokens, "web_search_count": web_search_count}


def genai_cost(call: dict) -> Fraction | None:
    """What genai-prices says, or None where it does not know the model."""
    writes = [call[f"{name}_tokens"] for name in reference.CACHE_CLASSES if name.startswith("cache_write")]
    usage = genai.Usage(
        input_tokens=call["input_tokens"],
        cache_read_tokens=call["cache_read_tokens"],
        cache_write_tokens=sum(writes),
        cache_write_5m_tokens=call["cache_write_5m_tokens"],
        cache_write_1h_tokens=call["cache_write_1h_tokens"],
        output_tokens=call["output_tokens"],
        web_searches=call["web_search_count"],
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


def test_every_model_costs_what_genai_prices_says():
    """Over the whole snapshot, at and around the edges of dates, hours and tiers. The exceptions, all of them:

    - a price with more than 12 decimals per unit is rounded, and its source says so: at most 0.5e-12 USD off per unit;
    - a class without a price is unknown here and 0 there;
    - a model that bills a fee for each request is unpriced here.
    """
    pick = random.Random(20261121)
    calls = [random_call(pick, p.id, model) for p in get_snapshot().providers for model in p.models for _ in range(3)]
    book = catalogue_rates(refs_of(*({name: call[name] for name in PRICE_REFS} for call in calls)))
    by_model = {key: part.to_dicts() for key, part in book.group_by("provider", "model")}
    counts = dict.fromkeys(("equal", "rounded", "class_unpriced", "unknown_model"), 0)
    for call in calls:
        rows = by_model.get((call["provider"], call["model"]), [])
        ours, status = reference.price(call, rows)
        if status == "class_unpriced":
            counts[status] += 1
            call = without_unpriced(call, rows)
            ours, status = reference.price(call, rows)
        theirs = genai_cost(call)
        if any("fee for each request" in row["source"] for row in rows):
            assert ours is None or not any(reference.usage(call).values()), call
        elif ours is None:
            counts[status] += 1
            assert not theirs, call
        elif theirs is None:
            assert call["model"].startswith(call["provider"]), call  # "meta/..." of meta: genai-prices wants it without
        elif any("rounded" in row["source"] for row in rows):
            counts["rounded"] += 1
            units = sum(reference.usage(call).values())
            assert abs(ours - theirs) <= units * reference.PICO / 2, call
        else:
            counts["equal"] += 1
            assert ours == theirs, call
    assert counts["equal"] > 0.7 * len(calls), counts
    assert 0 < counts["rounded"] < 0.02 * len(calls), counts


def test_what_genai_prices_leaves_unpriced_is_null_and_not_zero():
    embedding = rates_of(provider="openai", model="text-embedding-3-small")
    assert rate(embedding, "input") == [20_000]
    assert rate(embedding, "output") == [None]
    assert rate(rates_of(provider="groq", model="llama-3.3-70b-versatile"), "web_search") == [None]


def test_a_model_that_carries_no_price_has_no_rows():
    empty = [(p.id, m.id) for p in get_snapshot().providers for m in p.models if m.prices == genai.ModelPrice()]
    assert len(empty) > 100
    found = catalogue_rates(refs_of(*({"provider": provider, "model": model} for provider, model in empty)))
    named = {(row["provider"], row["model"]) for row in found.iter_rows(named=True)}
    assert not named & {(p, m) for p, m in empty if get_snapshot().find_provider_model(m, None, p, None)[1].id == m}


def test_a_fee_for_each_request_leaves_the_model_known_and_unpriced():
    rows = rates_of(provider="perplexity", model="sonar")
    assert rows["rate_pico"].null_count() == rows.height == len(TOKEN_CLASSES)
    assert "fee for each request" in rows["source"][0]


def test_price_keys_are_the_registry_ancestors_nearest_first():
    registry = _get_registry()
    for token_class, keys in PRICE_KEYS.items():
        own = registry.unit_for_price_key(keys[0])
        ancestors = [registry.units[name] for name in registry.ancestor_usage_keys(own.usage_key)]
        ancestors = [unit for unit in ancestors if unit.usage_key != "total_tokens"]
        nearest = sorted(ancestors, key=lambda unit: -len(unit.dimensions))
        assert [unit.price_key for unit in nearest if unit.price_key in keys[1:]] == list(keys[1:]), token_class
        unlisted = {unit.price_key for unit in nearest} - set(keys)
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
    assert all("standard rate (no batch price)" in source for source in batch["source"])
    sonnet = rates_of(provider="anthropic", model="claude-sonnet-4-5", is_batch=True).filter(token_class="input")
    by_start = {row["valid_from"]: row for row in sonnet.filter(context_above=0).iter_rows(named=True)}
    assert by_start[datetime(2026, 10, 14, tzinfo=UTC)]["rate_pico"] == 1_500_000
    assert "no batch price" in by_start[None]["source"]


def test_hours_of_the_day_make_windows():
    rows = rates_of(provider="deepseek", model="deepseek-v4-pro")
    newest = rows.filter(pl.col("valid_to").is_null(), token_class="output").sort("day_second_from")
    windows = newest.select("day_second_from", "day_second_to", "rate_pico").rows()
    low, peak = 1_980_000, 3_960_000
    assert windows == [
        (0, 3_600, low),
        (3_600, 14_400, peak),
        (14_400, 21_600, low),
        (21_600, 36_000, peak),
        (36_000, 86_400, low),
    ]


def test_rows_conform_and_no_refs_make_none():
    assert catalogue_rates(refs_of()).schema == pl.Schema(PRICE_BOOK)
    rows = rates_of(provider="openai", model="gpt-5.2")
    assert rows.schema == pl.Schema(PRICE_BOOK)
    assert set(rows["token_class"]) == set(TOKEN_CLASSES)
    assert rows["recorded_at"].null_count() == rows.height


# The user's price file

HEADER = "provider,model,token_class,usd_per_million,valid_from"


def price_file(tmp_path, *lines: str, header: str = HEADER):
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_a_price_file(tmp_path):
    header = HEADER + ",valid_to,service_tier,region,is_batch,context_above,source_url"
    rows = read_price_file(
        price_file(
            tmp_path,
            "openai,gpt-5.2,input,1.75,2026-01-01,2026-07-01T12:00:00+02:00,flex,eu,true,200000,https://x.example",
            ",gpt-*,output,0.000001,,,,,,,",
            ",m,cache_write,3,2026-01-01T00:00:00Z,,,,FALSE,,",
            header=header,
        )
    )
    assert rows.schema == pl.Schema(PRICE_BOOK)
    assert rows["token_class"].to_list() == ["input", "output", "cache_write_5m", "cache_write_1h", "cache_write_other"]
    assert rows["rate_pico"].to_list() == [1_750_000, 1, 3_000_000, 3_000_000, 3_000_000]
    first, second, third, *_ = rows.to_dicts()
    assert first["valid_to"] == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert (first["context_above"], first["is_batch"], first["source"]) == (200_000, True, "contract")
    assert [second[name] for name in ("provider", "valid_from", "valid_to", "service_tier", "is_batch")] == [None] * 5
    assert (third["is_batch"], third["valid_from"]) == (False, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("line", "fact", "fix"),
    [
        (",m,input,-1,2026-01-01", "negative", "0 (free) or more"),
        (",m,inputs,1,2026-01-01", "token_class 'inputs' is unknown", "cache_read"),
        (",m,,1,2026-01-01", "token_class '' is unknown", "cache_read"),
        (",m,input,$1,2026-01-01", "'$1' is not a number", "2.50"),
        (",m,input,NaN,2026-01-01", "'NaN' is not a number", "2.50"),
        (",m,input,,2026-01-01", "'' is not a number", "2.50"),
        (",m,input,1_0,2026-01-01", "'1_0' is not a number", "2.50"),
        (",m,input,0.0000001,2026-01-01", "more than 6 decimals (12 per token)", "round it to 6"),
        (",m,input,5000000000,2026-01-01", "above 1000 USD per token", "per million"),
        (",m,input,1,01/02/2026", "'01/02/2026' is not a date", "2026-01-31"),
        (",,input,1,2026-01-01", "model is empty", "*"),
        (",m,input,1,2026-01-01,2", "more cells than columns", "quote"),
        ("OpenAI,GPT,input,2,2026-01-01T00:00:00Z", "the same price from the same instant as line 2", "keep one"),
    ],
)
def test_a_wrong_line_is_named_with_the_fact_and_the_fix(tmp_path, line, fact, fix):
    path = price_file(tmp_path, "openai,gpt,input,1,2026-01-01", line)
    with pytest.raises(UserError) as error:
        read_price_file(path)
    message = str(error.value)
    assert message.startswith(f"{path}, line 3: ") and fact in message and fix in message.split(";", 1)[1], message


@pytest.mark.parametrize(
    ("column", "value", "fact"),
    [
        ("is_batch", "maybe", "neither true nor false"),
        ("context_above", "200k", "not a whole number"),
        ("valid_to", "2026-01-01", "is not after valid_from"),
        ("valid_to", "soon", "valid_to 'soon' is not a date"),
    ],
)
def test_a_wrong_optional_cell(tmp_path, column, value, fact):
    path = price_file(tmp_path, f",m,input,1,2026-01-01,{value}", header=f"{HEADER},{column}")
    with pytest.raises(UserError, match=f"line 2: .*{fact}.*; "):
        read_price_file(path)


def test_a_wrong_file(tmp_path):
    with pytest.raises(UserError, match="cannot be read .*; name a readable CSV"):
        read_price_file(tmp_path / "none.csv")
    with pytest.raises(UserError, match="line 1: column 'valid_from' is missing; the first line must name provider"):
        read_price_file(price_file(tmp_path, header="provider,model,token_class,usd_per_million"))
    with pytest.raises(UserError, match="line 1: column 'note' is unknown"):
        read_price_file(price_file(tmp_path, header=HEADER + ",note"))
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="line 1: column 'provider' is missing"):
        read_price_file(tmp_path / "empty.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n,caf\xe9,input,1,2026-01-01\n")
    with pytest.raises(UserError, match="line 2: not UTF-8; save"):
        read_price_file(tmp_path / "latin.csv")


def test_a_provider_goes_by_its_id_and_a_gateway_stays_as_it_is(tmp_path):
    rows = read_price_file(price_file(tmp_path, "Bedrock,a,input,1,", "x_ai,b,input,1,", "litellm,c,input,1,"))
    assert rows["provider"].to_list() == ["aws", "x-ai", "litellm"]
    with pytest.raises(UserError, match=r"line 3: the same price .* as line 2 \(codestral is mistral\); keep one"):
        read_price_file(price_file(tmp_path, "mistral,a,input,1,", "codestral,a,input,0,"))


def test_a_price_file_saved_by_a_spreadsheet(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER.encode() + b'\r\n"",gpt-5.2 , input,"2.50",2026-01-01\r\n\r\n')
    rows = read_price_file(path)
    assert rows.select("provider", "model", "rate_pico").rows() == [(None, "gpt-5.2", 2_500_000)]


def test_nothing_is_fetched():
    """The snapshot that is installed, and no other: no thread, no warning about an update."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates_of(provider="openai", model="gpt-5.2")
    assert not get_snapshot().from_auto_update

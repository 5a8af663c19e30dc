"""The dated-history layer against the model-prices package's own lookup, and by hand."""

import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from itertools import combinations

import model_prices
import polars as pl
import pytest

from pipelines.errors import UserError
from pipelines.prices import history, hours, snapshot
from pipelines.prices.history import CATALOGUE_IS_DATED_FROM, history_rates
from transforms.schemas import PRICE_BOOK, PRICE_REFS

RAW = json.loads(files("model_prices").joinpath("snapshot.json").read_bytes())
PROVIDERS = {lab: provider for provider, lab in snapshot.LABS.items()}
MODES = {"standard": {}, "batch": {"is_batch": True}, **{mode: {"service_tier": mode} for mode in history.MODES[1:]}}
ALL = [(lab, model, mode) for lab in PROVIDERS for model in RAW["prices"][lab] for mode in MODES]
SECOND = timedelta(seconds=1)

# Where the layer says something else than the package, and the last second at which it does (see snapshot.prices).
# Records that were corrected for the instant at which they were made: the package still has them for before it.
CORRECTED_AT_ONCE = {
    **{(f"claude-{name}", "batch"): "2025-06-05T20:08:04" for name in ("3-5-haiku-20241022", "3-5-haiku-latest")},
    **{(f"claude-{name}", "batch"): "2025-06-05T20:08:04" for name in ("3-opus-20240229", "opus-4-0")},
    ("claude-opus-4-20250514", "batch"): "2025-06-05T20:08:04",
    **{(f"claude-{name}", "batch"): "2025-10-15T17:24:35" for name in ("haiku-4-5", "haiku-4-5-20251001")},
    ("claude-opus-4-5", "batch"): "2025-11-24T19:15:57",
    **{(f"claude-{name}", "batch"): "2025-06-04T22:41:50" for name in ("sonnet-4-0", "sonnet-4-20250514")},
    **{(f"deepseek-{name}", "standard"): "2025-06-10T22:55:27" for name in ("chat", "reasoner")},
    ("deepseek-v4-flash-vision-exp", "standard"): "2026-08-20T23:59:59",
    ("gemini-3-flash-preview", "batch"): "2025-12-17T16:19:08",
    ("gemini-3.1-flash-lite-preview", "batch"): "2026-03-07T17:13:44",
    ("gpt-4", "batch"): "2025-06-11T20:51:04",
    **{(name, "batch"): "2025-08-07T17:59:06" for name in ("gpt-5", "gpt-5-nano")},
    ("gpt-5.4-pro", "batch"): "2026-03-05T23:50:21",
}
# Records that a later one completes with a tier, or with the right edge of one.
COMPLETED = {
    ("gemini-2.5-pro", "batch"): "2026-04-20T03:17:44",
    ("gemini-3-pro-preview", "batch"): "2025-11-18T16:59:36",
    **{(name, "batch"): "2026-05-12T22:40:47" for name in ("gpt-5.4", "gpt-5.5", "gpt-5.5-pro")},
}


def ref(provider, model, **more):
    return dict.fromkeys(PRICE_REFS) | {"provider": provider, "model": model} | more


def rates(*refs):
    return history_rates(pl.DataFrame(list(refs), schema=PRICE_REFS))


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def holds(row, instant, context=None):
    monday = datetime(2024, 1, 1, tzinfo=UTC)
    second = int((instant - monday).total_seconds()) % hours.WEEK
    return (
        (row["valid_from"] is None or row["valid_from"] <= instant)
        and (row["valid_to"] is None or instant < row["valid_to"])
        and row["week_second_from"] <= second < row["week_second_to"]
        and (context is None or context > row["context_above"] or row["context_above"] == 0)
    )


def stated(rows, instant, token_class="input", context=1):
    found = [row for row in rows if row["token_class"] == token_class and holds(row, instant, context)]
    return max(found, key=lambda row: row["context_above"])["rate_pico"] if found else None


def micro_usd(asked, when, **more):
    """The rate in millionths of a USD for a million tokens, which is pico-USD for one."""
    return stated(rates(asked).to_dicts(), at(when), **more)


@pytest.fixture(scope="module")
def book():
    asked = [ref(PROVIDERS[lab], model, **MODES[mode]) for lab, model, mode in ALL]
    by_ref = defaultdict(list)
    for row in rates(*asked).iter_rows(named=True):
        by_ref[tuple(row[name] for name in PRICE_REFS)].append(row)
    return {name: by_ref[tuple(key.values())] for name, key in zip(ALL, asked, strict=True)}


def instants(lab, model, rows):
    """On and a second around each instant at which a price may change."""
    edges = {row[bound] for row in rows for bound in ("valid_from", "valid_to")} - {None}
    edges |= {datetime.fromisoformat(e["start"]) for iv in RAW["prices"][lab][model].values() for e in iv if e["start"]}
    if lab == "deepseek":
        days = ["2025-03-01", "2025-03-03", "2026-08-17", "2026-08-22", "2026-09-24", "2026-09-25", "2026-09-28"]
        days += ["2026-09-30", "2026-10-01", "2026-10-07", "2026-10-08", "2026-11-21", "2026-11-22", "2026-11-23"]
        clocks = ["00:00", "00:30", "01:00", "04:00", "06:00", "10:00", "16:00", "16:30", "23:59:59"]
        edges |= {at(f"{day}T{clock}") for day in days for clock in clocks}
    return sorted(edge + step for edge in edges for step in (-SECOND, timedelta(), SECOND))


def referee(found, token_class, context):
    """USD per million tokens of a request of so many input tokens, None: the class has no price of its own."""
    if found is None:
        return None
    key = {"cache_write_5m": "cache_write", "cache_write_other": "cache_write"}.get(token_class, token_class)
    if key == "output":
        return found.breakdown(input_tokens=context, output_tokens=10**6).output
    own = "input" if key == "cache_write_1h" else key
    if getattr(found, own) is None and not any(getattr(tier, own) is not None for tier in found.tiers):
        return None
    return getattr(found.breakdown(**{f"{key}_tokens": context}), key) / context * 1e6


def differences(lab, model, mode, rows):
    contexts = sorted({1, *(row["context_above"] + step for row in rows for step in (0, 1))} - {0})
    for instant in instants(lab, model, rows):
        found = model_prices.rates(model, at=instant, provider=lab, mode=None if mode == "standard" else mode)
        for token_class in {row["token_class"] for row in rows}:
            for context in contexts:
                rate = stated(rows, instant, token_class, context)
                if rate is None:
                    continue
                expected = referee(found, token_class, context)
                if expected is None or abs(rate / 1e6 - expected) > 1e-12 * expected:
                    yield instant


def test_each_stated_rate_is_what_the_package_says(book):
    latest, compared = {}, 0
    for (lab, model, mode), rows in book.items():
        compared += len(rows)
        wrong = list(differences(lab, model, mode, rows)) if rows else []
        if wrong:
            latest[model, mode] = max(wrong).replace(tzinfo=None).isoformat()
    assert compared > 2500
    assert latest == CORRECTED_AT_ONCE | COMPLETED


@pytest.mark.parametrize(
    ("provider", "model", "when", "expected"),
    [
        ("deepseek", "deepseek-v4-pro", "2026-06-15T02:00", 435_000),  # before there were peak hours
        ("deepseek", "deepseek-v4-flash", "2026-08-18T02:00", 440_000),  # peak, before the cut of September
        ("deepseek", "deepseek-v4-pro", "2026-11-21T02:00", 660_000),  # a Saturday
        ("deepseek", "deepseek-v4-pro", "2026-10-01T02:00", 660_000),  # a holiday
        ("deepseek", "deepseek-v4-pro", "2026-11-20T02:00", 1_320_000),  # a Friday, peak
        ("google", "gemini-3.6-flash", "2026-08-13T12:00", 1_500_000),  # before the price was halved
        ("google", "gemini-3.6-flash", "2026-08-14T12:00", 750_000),
    ],
)
def test_what_the_catalogue_has_wrong_in_the_past(provider, model, when, expected):
    assert micro_usd(ref(provider, model), when) == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-09-24T09:59:59", 300_000), ("2026-09-24T10:00", 150_000), ("2026-09-25T00:59:59", 150_000),
        ("2026-09-24T15:59:59", 150_000), ("2026-09-25T01:00", 150_000),  # a Friday, and a holiday
        ("2026-09-28T01:00", 300_000), ("2026-09-28T04:00", 150_000), ("2026-09-28T06:00", 300_000),
        ("2026-10-07T06:00", 150_000), ("2026-10-08T00:59:59", 150_000), ("2026-10-08T01:00", 300_000),
        ("2027-01-01T01:00", 300_000),  # no calendar of 2027 is known, and the rate says so
    ],
)  # fmt: skip
def test_peak_hours_hold_on_working_days_in_china(when, expected):
    assert micro_usd(ref("deepseek", "deepseek-v4-flash"), when) == expected


def test_a_rate_after_the_last_known_holiday_says_so():
    rows = rates(ref("deepseek", "deepseek-v4-flash")).filter(pl.col("valid_to").is_null())
    assert rows["valid_from"].unique().to_list() == [at("2026-12-31T16:00")]  # midnight in Beijing
    assert rows["note"].unique().to_list() == ["holidays after 2026-12-31 not known"]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2025-03-02T16:29:59", 270_000), ("2025-03-02T16:30", 135_000),  # a Sunday
        ("2025-03-03T00:00", 135_000), ("2025-03-03T00:29:59", 135_000), ("2025-03-03T00:30", 270_000),
        ("2025-02-26T16:29:59", 270_000), ("2025-09-05T16:00", 570_000),
    ],
)  # fmt: skip
def test_a_window_over_midnight_runs_into_the_next_day_and_week(when, expected):
    assert micro_usd(ref("deepseek", "deepseek-chat"), when) == expected


def test_rows_of_a_class_never_overlap(book):
    for rows in book.values():
        by_class = defaultdict(list)
        for row in rows:
            by_class[row["token_class"], row["context_above"]].append(row)
        for same in by_class.values():
            for one, other in combinations(same, 2):
                in_week = max(one["week_second_from"], other["week_second_from"]) < min(
                    one["week_second_to"], other["week_second_to"]
                )
                begins = [row["valid_from"] for row in (one, other) if row["valid_from"]]
                ends = [row["valid_to"] for row in (one, other) if row["valid_to"]]
                in_time = not begins or not ends or max(begins) < min(ends)
                assert not (in_week and in_time), (one, other)


def test_windows_of_an_era_fill_the_week(book):
    filled = defaultdict(int)
    for (_, model, mode), rows in book.items():
        for row in rows:
            key = (model, mode, row["token_class"], row["context_above"], row["valid_from"], row["valid_to"])
            filled[key] += row["week_second_to"] - row["week_second_from"]
    assert set(filled.values()) == {hours.WEEK}


def test_rows_have_the_book_schema_and_name_their_source(book):
    frame = rates(ref("openai", "gpt-5.6", is_batch=True), ref("google", "gemini-3.6-flash"))
    assert dict(frame.schema) == PRICE_BOOK
    assert frame["source"].unique().to_list() == [f"model-prices {model_prices._version()}"]
    assert frame["source_url"].str.starts_with("https://").all()
    assert frame["recorded_at"].null_count() == frame["superseded_at"].null_count() == len(frame)
    for rows in book.values():
        assert all((row["price_status"] == "free") == (row["rate_pico"] == 0) for row in rows)


def test_a_rate_tells_how_its_date_was_found():
    rows = rates(ref("mistral", "mistral-small-latest"), ref("google", "gemini-3.6-flash"))
    assert set(rows.filter(token_class="input")["note"]) == {
        "first recorded 2025-06-10, held for before", "dated by a models.dev commit",
        "first recorded 2026-07-21, held for before", None,
    }  # fmt: skip


def test_from_october_on_only_what_the_catalogue_cannot_say(book):
    later = {
        (lab, mode)
        for (lab, _, mode), rows in book.items()
        if any(row["valid_to"] is None or row["valid_to"] > CATALOGUE_IS_DATED_FROM for row in rows)
    }
    assert later == {("deepseek", "standard"), ("openai", "ultrafast"), ("xai", "batch")}


def test_the_catalogue_still_has_no_price_for_what_is_stated_at_all_times():
    from genai_prices.data_snapshot import get_snapshot

    models = {provider.id: provider.models for provider in get_snapshot().providers}
    asked = [variant.when for model in models["openai"] for variant in model.price_variants or ()]
    assert asked and not any("ultrafast" in when.values() for when in asked)
    assert sum(bool(model.price_variants) for model in models["x-ai"]) < sum(
        "batch" in modes for modes in RAW["prices"]["xai"].values()
    )


def test_where_the_layer_ends_it_agrees_with_the_catalogue(book):
    from genai_prices.data_snapshot import get_snapshot

    eve, disagree = CATALOGUE_IS_DATED_FROM - timedelta(hours=12), set()
    for (lab, model, mode), rows in book.items():
        for key in ("input", "output") if mode == "standard" and lab != "deepseek" else ():
            rate = stated(rows, eve, key)
            if rate is not None:
                _, known = get_snapshot().find_provider_model(model, None, PROVIDERS[lab], None)
                price = getattr(known.get_prices(eve, None), f"{key}_mtok")
                if rate != getattr(price, "base", price) * 10**6:
                    disagree.add(model)
    assert disagree == {"mistral-large-latest"}  # the catalogue has it as Mistral Large 2


@pytest.mark.parametrize(
    ("asked", "is_known"),
    [
        (ref("xai", "GROK-4.5"), True),
        (ref("x-ai", "xai/grok-4.5"), True),
        (ref(None, "xai/grok-4.5"), True),
        (ref("litellm", "litellm_proxy/xai/grok-4.5"), True),
        (ref("openrouter", "xai/grok-4.5"), False),
        (ref("azure", "gpt-5.6"), False),
        (ref("openai", "gpt-5.6"), True),
        (ref("openai", "gpt-5.6-2026-07-09"), False),  # not a name of the snapshot
        (ref("openai", "gpt-5.6-high"), False),
        (ref("anthropic", "claude-opus-4-6-20260205"), True),
        (ref("deepseek", "deepseek-v4-pro-0813"), True),  # the lab's own name of it
        (ref("deepseek", "deepseek-v4.1-flash"), True),  # an alias
        (ref("aws", "amazon.nova-pro-v1:0"), False),
        (ref(None, "gpt-5.6"), False),
        (ref("openai", None), False),
        (ref("google", "gemini-3.1-flash-image-preview", is_batch=True), False),
    ],
)
def test_only_a_models_own_provider_under_its_own_name(asked, is_known):
    assert (len(rates(asked)) > 0) == is_known


def test_a_dated_name_is_the_undated_model_where_the_catalogue_says_so():
    dated, undated = (rates(ref("openai", name, is_batch=True)) for name in ("gpt-5.2-2025-12-11", "gpt-5.2"))
    assert undated.height
    assert dated.drop("model").equals(undated.drop("model")), "the catalogue lists the dated name: exact"
    # a model with a price of its own is no dated form of another
    assert micro_usd(ref("openai", "gpt-4o-2024-05-13", is_batch=True), "2026-06-01") == 2_500_000
    assert micro_usd(ref("openai", "gpt-4o", is_batch=True), "2026-06-01") == 1_250_000


def test_names_are_found_as_the_package_finds_them_strictly():
    data, _ = snapshot.load()
    names = {lab: {*RAW["prices"][lab], *RAW["bases"].get(lab, {})} for lab in PROVIDERS}
    found = {(lab, name): snapshot.found(data, PROVIDERS[lab], name) for lab in names for name in names[lab]}
    unpriced = {("mistral", "codestral-embed-2505"), ("openai", "gpt-5.5-instant")}  # link to no model of the snapshot
    assert {key for key, own in found.items() if own is None} == unpriced
    resolved = {key: model_prices.resolve(key[1], key[0], strict=True) for key in found}
    assert all(own in (None, resolved[key]) for key, own in found.items())


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"is_batch": True}, 1_250_000), ({"service_tier": "batch"}, 1_250_000),
        ({"service_tier": "fast"}, 5_000_000), ({"service_tier": "Priority"}, 5_000_000),
        ({"is_batch": True, "service_tier": "priority"}, 1_250_000),
        ({"service_tier": "scale"}, None), ({}, None),  # the standard price never changed
    ],
)  # fmt: skip
def test_batches_and_tiers_have_their_own_price_before_the_catalogue_has(more, expected):
    assert micro_usd(ref("openai", "gpt-5.4", **more), "2026-06-01") == expected


def test_no_provider_here_has_a_price_of_thinking():
    assert not [model for lab in PROVIDERS for model, modes in RAW["prices"][lab].items() if "thinking" in modes]


def test_a_price_with_float_noise_is_rounded_and_says_so():
    grok = rates(ref("x-ai", "grok-4.6", is_batch=True)).filter(token_class="output", context_above=0)
    assert grok["rate_pico"].to_list() == [4_800_000]  # 4.800000000000001 in the snapshot
    assert grok["note"].to_list() == ["rounded to 1e-12; dated when first observed"]


def test_a_mode_has_no_row_before_it_had_a_price():
    fast = ref("anthropic", "claude-opus-4-6", service_tier="fast")
    assert micro_usd(fast, "2026-04-08T04:47:18") is None
    assert micro_usd(fast, "2026-04-08T04:47:19") == 30_000_000
    assert micro_usd(fast, "2026-08-06T15:30:21") is None  # no longer sold
    assert micro_usd(ref("anthropic", "claude-opus-4-6", service_tier="priority"), "2026-06-01") is None


def test_a_tier_holds_above_its_context():
    asked = ref("anthropic", "claude-sonnet-4-6")
    for context, expected in ((200_000, 3_000_000), (200_001, 6_000_000)):
        assert micro_usd(asked, "2026-03-13T19:13:39", context=context) == expected
        assert micro_usd(asked, "2026-03-13T19:13:40", context=context) == 3_000_000
        assert micro_usd(asked, "2026-03-01", token_class="cache_write_1h", context=context) == 2 * expected


def test_no_write_of_an_hour_is_stated_where_the_longer_write_lives_longer(book):
    labs = {lab for (lab, *_), rows in book.items() for row in rows if row["token_class"] == "cache_write_1h"}
    assert labs == {"anthropic"}


def test_a_doubted_change_is_left_to_the_catalogue(book):
    for lab, model in history.DOUBTED:
        assert book[lab, model, "standard"] == []
    assert book["mistral", "mistral-large-4", "standard"] == []  # changed when the catalogue is dated
    classes = {row["token_class"] for row in book["openai", "gpt-4o", "batch"]}
    assert classes == {"input", "output"}
    assert "cache_read" in {row["token_class"] for row in book["openai", "gpt-5.4", "batch"]}


def test_a_zero_that_nobody_documents_is_no_price():
    data, _ = snapshot.load()
    first, later = snapshot.prices(data, "zai", "glm-5.2", "standard")[:2]
    assert (first.tiers, later.tiers["input"][0][1]) == ({}, Decimal("1.4"))


def test_a_snapshot_of_another_schema_is_refused(monkeypatch):
    monkeypatch.setattr(snapshot, "SCHEMA", 2)
    with pytest.raises(UserError, match="schema 1, which is not 2"):
        snapshot.load()


def test_a_name_of_thousands_of_parts_is_no_model():
    assert len(rates(ref(None, "litellm/" * 5000 + "x"))) == 0
    assert len(rates(ref(None, "a/" * 5000 + "x"))) == 0


@pytest.mark.parametrize(
    ("earlier", "later", "is_completion"),
    [
        ([(0, "1")], [(0, "1"), (200_000, "2")], True),
        ([(0, "1"), (200_000, "2")], [(0, "1"), (272_000, "2")], True),
        ([(0, "0.13")], [(0, "0.125")], True),
        ([(0, "0.03")], [(0, "0.025")], False),
        ([(0, "1"), (200_000, "2")], [(0, "1")], False),  # a tier that was dropped
        ([(0, "1")], [(0, "2")], False),
        ([(0, "1")], [], False),
    ],
)
def test_a_completion_is_told_from_a_change(earlier, later, is_completion):
    first = snapshot.Price(None, {"input": exact(earlier)}, None, "models.dev commit", None)
    second = snapshot.Price(at("2026-01-01"), {"input": exact(later)} if later else {}, None, "models.dev commit", None)
    whole = snapshot._completed([first, second])
    assert whole[0].tiers["input"] == exact(later if is_completion else earlier)
    documented = snapshot._completed([first, replace(second, basis="documented")])
    assert documented[0] == first


def exact(tiers):
    return tuple((above, Decimal(price)) for above, price in tiers)

"""LiteLLM's price map, in small files of our own, and whole where one is on this machine."""

import hashlib
import importlib
import json
import os
import sys
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import UserError
from pipelines.prices.litellm import PACKAGED, find_price_map, litellm_rates
from transforms.schemas import PRICE_BOOK, PRICE_REFS, WEEK_SECONDS
from transforms.shapes.providers import provider_id_of

HOUR, DAY = 3_600, 86_400
COLUMNS = ("token_class", "context_above", "week_second_from", "week_second_to", "rate_pico", "price_status", "note")
PLAIN = {"litellm_provider": "openai", "input_cost_per_token": "1.25e-06", "output_cost_per_token": "1e-05"}


class Written(float):
    """A number that is written into the JSON as it is spelled here."""

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, 0)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


def spelled(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{spelled(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelled, value)) + "]"
    return value.text if isinstance(value, Written) else json.dumps(value)


@pytest.fixture
def price_map(tmp_path: Path):
    """Writes a map; prices given as text are written as numbers, exactly as they are spelled."""

    def write(**entries: dict) -> Path:
        path = tmp_path / "prices.json"
        path.write_text(spelled({key.replace("__", "/"): as_numbers(entry) for key, entry in entries.items()}))
        return path

    return write


def as_numbers(value: object) -> object:
    if isinstance(value, dict):
        return {key: as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_numbers(item) for item in value]
    is_number = isinstance(value, str) and value[:1].isdigit() and ":" not in value
    return Written(value) if is_number else value


def ref(model: str | None, provider: str | None = "openai", **columns: object) -> dict:
    return dict.fromkeys(PRICE_REFS) | {"provider": provider, "model": model} | columns


def rates(path: Path, *refs: dict) -> pl.DataFrame:
    return litellm_rates(pl.DataFrame(list(refs), schema=PRICE_REFS, orient="row"), path)


def by_class(path: Path, one: dict) -> dict[str, int | None]:
    """The rates of a ref that has one for each class."""
    rows = rates(path, one).rows(named=True)
    told = {row["token_class"]: row["rate_pico"] for row in rows}
    assert len(told) == len(rows)
    return told


def steps(path: Path, one: dict, token_class: str = "input") -> list[tuple]:
    rows = rates(path, one).filter(pl.col("token_class") == token_class).rows(named=True)
    return [tuple(row[name] for name in ("context_above", "rate_pico", "price_status", "note")) for row in rows]


# What an entry states


def test_a_rate_is_the_decimal_of_the_file_in_pico_usd(price_map) -> None:
    path = price_map(**{"gpt-5": PLAIN | {"source": "https://example.com/prices"}})
    rows = rates(path, ref("gpt-5", service_tier="default", is_batch=False))
    assert rows.schema == pl.Schema(PRICE_BOOK)
    assert rows.select(COLUMNS).rows() == [
        ("input", 0, 0, WEEK_SECONDS, 1_250_000, "exact", None),
        ("output", 0, 0, WEEK_SECONDS, 10_000_000, "exact", None),
    ]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(rows["source"]) == {f"litellm {digest[:8]}"}
    assert set(rows["source_url"]) == {"https://example.com/prices"}
    for name in ("valid_from", "valid_to", "recorded_at", "superseded_at"):
        assert rows[name].null_count() == rows.height
    assert rows.select(list(PRICE_REFS)).unique().rows() == [("openai", "gpt-5", "default", None, False)]


def test_every_class_has_a_field_of_its_own(price_map) -> None:
    fields = {
        "input_cost_per_token": 1, "cache_read_input_token_cost": 2, "cache_creation_input_token_cost": 3,
        "cache_creation_input_token_cost_above_1hr": 4, "output_cost_per_token": 5, "input_cost_per_audio_token": 6,
        "input_cost_per_image_token": 7, "input_cost_per_video_token": 8, "cache_read_input_audio_token_cost": 9,
        "output_cost_per_audio_token": 10, "output_cost_per_image_token": 11, "output_cost_per_reasoning_token": 12,
        "input_cost_per_request": 13, "file_search_cost_per_1k_calls": 14_000, "code_interpreter_cost_per_session": 15,
    }  # fmt: skip
    sizes = dict.fromkeys(("low", "medium", "high"), "16e-12")
    entry = {field: f"{number}e-12" for field, number in fields.items()}
    entry |= {"search_context_cost_per_query": {f"search_context_size_{size}": cost for size, cost in sizes.items()}}
    # what no token class is for: other units, other lifetimes, notes
    entry |= {"input_cost_per_second": "99", "cache_creation_input_token_cost_above_12hr": "99", "mode": "chat"}
    assert by_class(price_map(omni={"litellm_provider": "openai"} | entry), ref("omni")) == {
        "input": 1, "cache_read": 2, "cache_write_5m": 3, "cache_write_other": 3, "cache_write_1h": 4, "output": 5,
        "input_audio": 6, "input_image": 7, "input_video": 8, "cache_read_audio": 9, "output_audio": 10,
        "output_image": 11, "reasoning": 12, "request": 13, "file_search": 14, "code_session": 15, "web_search": 16,
    }  # fmt: skip


def test_a_container_is_priced_once_for_each_provider(price_map) -> None:
    container = {"litellm_provider": "openai", "code_interpreter_cost_per_session": "0.03"}
    path = price_map(
        **{"gpt-5": PLAIN, "azure__gpt-5": PLAIN | {"litellm_provider": "azure"}, "openai__container": container}
    )
    assert by_class(path, ref("gpt-5"))["code_session"] == 30_000_000_000
    assert "code_session" not in by_class(path, ref("gpt-5", "azure"))


@pytest.mark.parametrize(
    ("written", "rate", "status", "note"),
    [
        ("0", 0, "free", None),
        ("0.0", 0, "free", None),
        ("999", 999 * 10**12, "exact", None),
        ("1.0000000000000001e-07", 100_000, "exact", "rounded to 1e-12"),
        ("2.5e-12", 2, "exact", "rounded to 1e-12"),
        ("3.5e-12", 4, "exact", "rounded to 1e-12"),
        ("2.50000000000000000000000000000000000001e-12", 3, "exact", "rounded to 1e-12"),
        ("1e-9999999", 0, "exact", "rounded to 1e-12"),
    ],
)
def test_a_price_that_is_no_whole_number_is_rounded_once(price_map, written, rate, status, note) -> None:
    path = price_map(**{"gpt-5": {"litellm_provider": "openai", "input_cost_per_token": written}})
    assert steps(path, ref("gpt-5")) == [(0, rate, status, note)]


@pytest.mark.parametrize("value", ["x1e-06", True, [], {}, -1, Written("1000"), Written("1e9999999"), Written("NaN")])
def test_what_is_no_price_is_a_rate_that_nobody_knows(price_map, value) -> None:
    entry = {"litellm_provider": "openai", "input_cost_per_token": value, "output_cost_per_token": "1e-05"}
    path = price_map(**{"gpt-5": entry})
    assert steps(path, ref("gpt-5")) == [(0, None, "exact", "input_cost_per_token is no price")]
    assert steps(path, ref("gpt-5"), "output") == [(0, 10_000_000, "exact", None)]


def test_an_entry_without_prices_states_nothing(price_map) -> None:
    entry = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": None, "off_peak_pricing": None}
    assert rates(price_map(**{"gpt-5": entry}), ref("gpt-5")).is_empty()


# Service tiers and batches


TIERS = {
    "litellm_provider": "openai", "input_cost_per_token": "4e-12", "input_cost_per_token_batches": "2e-12",
    "input_cost_per_token_flex": "1e-12", "input_cost_per_token_priority": "8e-12",
    "input_cost_per_token_ultrafast": "9e-12", "output_cost_per_token": "5e-12", "input_cost_per_request": "7e-12",
}  # fmt: skip


@pytest.mark.parametrize(
    ("tier", "is_batch", "rate"),
    [
        *[(tier, None, 4) for tier in (None, "default", "Standard", "auto", "on_demand")],
        *[("flex", False, 1), ("Priority", None, 8), ("fast", None, 8), ("ultrafast", None, 9)],
        *[(None, True, 2), ("batch", None, 2), ("priority", True, 2)],
    ],
)
def test_a_tier_has_prices_of_its_own_or_none(price_map, tier, is_batch, rate) -> None:
    told = by_class(price_map(**{"gpt-5": TIERS}), ref("gpt-5", service_tier=tier, is_batch=is_batch))
    is_standard = rate == 4
    # of no other tier is an output price stated; a fee for each request has no tier
    assert told == {"input": rate, "request": 7} | ({"output": 5} if is_standard else {})


def test_of_a_tier_that_litellm_has_no_word_for_nothing_is_stated(price_map) -> None:
    entry = TIERS | {"input_cost_per_token_reserved": "3e-12", "cache_creation_input_token_cost_above_1hr": "6e-12"}
    for tier in ("reserved", "above_1hr", "optimized"):
        assert by_class(price_map(**{"gpt-5": entry}), ref("gpt-5", service_tier=tier)) == {"request": 7}


def test_the_fast_mode_of_anthropic_is_a_multiplier(price_map) -> None:
    entry = {
        "litellm_provider": "anthropic",
        "input_cost_per_token": "4e-12",
        "provider_specific_entry": {"us": "1.25", "fast": 6},
    }
    path = price_map(**{"claude-opus": entry})
    opus = ref("claude-opus", "anthropic", service_tier="fast", region="us")
    assert steps(path, opus) == [(0, 30, "exact", "x 1.25 for us; x 6 for fast")]
    assert steps(path, opus | {"service_tier": None}) == [(0, 5, "exact", "x 1.25 for us")]
    assert steps(path, opus | {"service_tier": None, "region": "fast"}) == [(0, 4, "exact", None)]


# Contexts


def test_above_so_many_tokens_another_price_holds(price_map) -> None:
    entry = PLAIN | {
        "input_cost_per_token_above_200k_tokens": "2e-06",
        "output_cost_per_token_above_128k_tokens": "2e-05",
    }
    path = price_map(**{"gpt-5": entry, "xai__grok": entry | {"litellm_provider": "xai"}})
    assert steps(path, ref("gpt-5")) == [(0, 1_250_000, "exact", None), (200_000, 2_000_000, "exact", None)]
    assert steps(path, ref("gpt-5"), "output") == [(0, 10_000_000, "exact", None), (128_000, 20_000_000, "exact", None)]
    # xAI: from 200,000 tokens on
    assert [above for above, *_ in steps(path, ref("grok", "x-ai"))] == [0, 199_999]


def test_a_step_of_a_tier_that_has_no_price_there(price_map) -> None:
    path = price_map(**{"gpt-5": TIERS | {
        "input_cost_per_token_above_272k_tokens": "6e-12",
        "input_cost_per_token_above_272k_tokens_flex": "3e-12",
        "cache_creation_input_token_cost_above_1hr_above_272k_tokens": "9e-12",
    }})  # fmt: skip
    assert steps(path, ref("gpt-5", service_tier="flex")) == [(0, 1, "exact", None), (272_000, 3, "exact", None)]
    assert steps(path, ref("gpt-5", service_tier="priority")) == [
        (0, 8, "exact", None),
        (272_000, None, "context_unmatched", "no priority price above 272000 input tokens"),
    ]
    # a class that the tier has no price of at all has no step either, one with a step alone has no other
    assert steps(path, ref("gpt-5", service_tier="priority"), "cache_write_1h") == []
    assert steps(path, ref("gpt-5"), "cache_write_1h") == [(272_000, 9, "exact", None)]
    lone = {"output_cost_per_token_above_272k_tokens_flex": "3e-12", "output_cost_per_token_above_128k_tokens": "6e-12"}
    path = price_map(**{"gpt-5": {"litellm_provider": "openai"} | lone})
    assert steps(path, ref("gpt-5", service_tier="flex"), "output") == [(272_000, 3, "exact", None)]


def test_ranges_of_the_context(price_map) -> None:
    ranges = [
        {"range": [0, "32000.0"], "input_cost_per_token": "1e-12", "output_cost_per_token": "2e-12"},
        {"range": ["32000.0", 256000], "input_cost_per_token": "3e-12"},
    ]
    entry = {"litellm_provider": "dashscope", "tiered_pricing": ranges, "input_cost_per_token": "9e-12",
             "cache_read_input_token_cost": "5e-12"}  # fmt: skip
    for given in (ranges, ranges[::-1]):
        path = price_map(dashscope__qwen=entry | {"tiered_pricing": given})
        qwen = ref("qwen", "dashscope")
        assert sorted(steps(path, qwen)) == [
            (0, 1, "exact", None),
            (32_000, 3, "exact", None),
            (256_000, None, "context_unmatched", "no price above 256000 input tokens"),
        ]
        assert sorted(steps(path, qwen, "output")) == [
            (0, 2, "exact", None),
            (32_000, None, "context_unmatched", "no price above 32000 input tokens"),
        ]
        assert steps(path, qwen, "cache_read") == [(0, 5, "exact", None)]


@pytest.mark.parametrize("bounds", [None, [0], [0, "x"], [5, 5], [0, True], ["0.5", 9], [-1, 9], [0, "1e99"]])
def test_a_range_that_cannot_be_read_leaves_the_class_without_a_rate(price_map, bounds) -> None:
    entry = {"litellm_provider": "dashscope", "tiered_pricing": [{"range": bounds, "input_cost_per_token": "1e-12"}]}
    told = steps(price_map(dashscope__qwen=entry), ref("qwen", "dashscope"))
    assert told == [(0, None, "exact", "a range of tiered_pricing cannot be read")]


def test_ranges_of_other_things_are_no_context(price_map) -> None:
    ranges = [{"max_results_range": [0, 25], "input_cost_per_query": "0.005"}]
    entry = {"litellm_provider": "exa_ai", "tiered_pricing": ranges}
    assert rates(price_map(exa_ai__search=entry), ref("search", "exa_ai")).is_empty()


# Hours


def hours(path: Path, token_class: str = "input") -> list[tuple[int, int, int | None]]:
    rows = rates(path, ref("deepseek-v4", "deepseek")).filter(pl.col("token_class") == token_class)
    names = ("week_second_from", "week_second_to", "context_above", "rate_pico")
    return sorted(rows.select(names).rows())


def off_peak(price_map, **schedule: object) -> Path:
    return price_map(**{"deepseek-v4": {
        "litellm_provider": "deepseek", "input_cost_per_token": "2e-12", "output_cost_per_token": "4e-12",
        "off_peak_pricing": {"input_cost_per_token": "1e-12", **schedule},
    }})  # fmt: skip


def test_hours_of_every_day(price_map) -> None:
    path = off_peak(price_map, hours_utc="16:30-00:30", weekdays=[1])  # of weekdays only `windows` speak
    opening = [day * DAY + second for day in range(7) for second in (1_800, 16 * HOUR + 1_800)]
    edges = [0, *opening, WEEK_SECONDS]
    expected = [(start, end, 0, 2 if start % DAY == 1_800 else 1) for start, end in pairwise(edges)]
    assert hours(path) == expected
    assert hours(path, "output") == [(0, WEEK_SECONDS, 0, 4)]


def test_hours_of_some_weekdays(price_map) -> None:
    windows = [
        {"hours_utc": ["00:00-01:00", "10:00-00:00"], "weekdays": [1, "Tuesday"]},
        {"hours_utc": "00:00-00:00", "weekdays": [3, 4, 5, "sat", "SUN"]},
    ]
    assert hours(off_peak(price_map, windows=windows)) == [
        (0, HOUR, 0, 1),
        (HOUR, 10 * HOUR, 0, 2),
        (10 * HOUR, DAY + HOUR, 0, 1),
        (DAY + HOUR, DAY + 10 * HOUR, 0, 2),
        (DAY + 10 * HOUR, WEEK_SECONDS, 0, 1),
    ]


def test_the_weekday_is_that_of_another_clock(price_map) -> None:
    windows = [{"hours_utc": "15:00-18:00", "weekdays": [1]}]  # Monday in Shanghai begins on Sunday at 16:00 UTC
    assert hours(off_peak(price_map, windows=windows, weekday_timezone="Asia/Shanghai")) == [
        (0, 15 * HOUR, 0, 2),
        (15 * HOUR, 16 * HOUR, 0, 1),
        (16 * HOUR, 6 * DAY + 16 * HOUR, 0, 2),
        (6 * DAY + 16 * HOUR, 6 * DAY + 18 * HOUR, 0, 1),
        (6 * DAY + 18 * HOUR, WEEK_SECONDS, 0, 2),
    ]


def test_off_peak_one_rate_stands_for_every_context(price_map) -> None:
    path = price_map(**{"deepseek-v4": {
        "litellm_provider": "deepseek",
        "input_cost_per_token": "2e-12", "input_cost_per_token_above_128k_tokens": "3e-12",
        "off_peak_pricing": {"input_cost_per_token": "1e-12", "hours_utc": "00:00-12:00"},
    }})  # fmt: skip
    assert [row for row in hours(path) if row[0] < DAY] == [(0, 12 * HOUR, 0, 1)] + [
        (12 * HOUR, DAY, above, rate) for above, rate in ((0, 2), (128_000, 3))
    ]
    # the standard price is cheaper off peak, a tier's is not
    batch = rates(path, ref("deepseek-v4", "deepseek", is_batch=True))
    assert batch.is_empty()


@pytest.mark.parametrize(
    "schedule",
    [
        {},
        {"windows": []},
        {"hours_utc": "24:00-00:00"},
        {"hours_utc": "from 1 to 2"},
        {"hours_utc": 7},
        {"windows": [{"weekdays": [1]}]},
        {"windows": 7},
        {"windows": ["00:00-01:00"]},
        {"windows": [{"hours_utc": "00:00-01:00", "weekdays": [8]}]},
        {"windows": [{"hours_utc": "00:00-01:00", "weekdays": ["someday"]}]},
        {"hours_utc": "00:00-01:00", "weekday_timezone": "Mars/Olympus"},
        {"hours_utc": "00:00-01:00", "weekday_timezone": "America"},
        {"hours_utc": "00:00-01:00", "weekday_timezone": "America/New_York"},  # summer time: no two weeks alike
        {"hours_utc": "00:00-01:00", "weekday_timezone": 8},
    ],
)
def test_hours_that_cannot_be_told_leave_the_class_without_a_rate(price_map, schedule) -> None:
    path = off_peak(price_map, **schedule)
    [told] = rates(path, ref("deepseek-v4", "deepseek")).filter(pl.col("token_class") == "input").select(COLUMNS).rows()
    note = "the hours of off_peak_pricing cannot be told as a week"
    assert told == ("input", 0, 0, WEEK_SECONDS, None, "exact", note)
    assert hours(path, "output") == [(0, WEEK_SECONDS, 0, 4)]


def test_off_peak_prices_that_are_no_table(price_map) -> None:
    path = price_map(**{"gpt-5": PLAIN | {"off_peak_pricing": "at night"}})
    assert by_class(path, ref("gpt-5")) == {"input": None, "output": None}


# Regions


def test_the_region_multiplies_the_price_of_tokens(price_map) -> None:
    entry = PLAIN | {"regional_processing_uplift_multiplier_eu": "1.1", "input_cost_per_request": "1e-12"}
    path = price_map(**{"gpt-5": entry})
    assert by_class(path, ref("gpt-5", region="EU")) == {"input": 1_375_000, "output": 11_000_000, "request": 1}
    assert by_class(path, ref("gpt-5", region="us")) == {"input": 1_250_000, "output": 10_000_000, "request": 1}
    assert steps(path, ref("gpt-5", region="eu"), "output") == [(0, 11_000_000, "exact", "x 1.1 for eu")]


def test_a_product_is_rounded_once(price_map) -> None:
    entry = PLAIN | {"input_cost_per_token": "5e-12", "regional_processing_uplift_multiplier_eu": "1.1"}
    told = steps(price_map(**{"gpt-5": entry}), ref("gpt-5", region="eu"))
    assert told == [(0, 6, "exact", "x 1.1 for eu; rounded to 1e-12")]


@pytest.mark.parametrize(
    ("factor", "note"), [("x1.1", "the multiplier for eu is no number"), ("900", "x 900 for eu is no price")]
)
def test_a_multiplier_that_is_none(price_map, factor, note) -> None:
    entry = PLAIN | {"input_cost_per_token": "900", "regional_processing_uplift_multiplier_eu": factor}
    assert steps(price_map(**{"gpt-5": entry}), ref("gpt-5", region="eu")) == [(0, None, "exact", note)]


def test_vertex_has_one_price_for_the_globe_and_one_for_places(price_map) -> None:
    vertex = {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": "10e-12"}
    path = price_map(**{
        "gemini-9": vertex,
        "vertex_ai__gemini-9": vertex | {"regional_endpoint_uplift_multiplier": "1.1"},
        "gemini__gemini-9": {"litellm_provider": "gemini", "input_cost_per_token": "7e-12"},
    })  # fmt: skip
    told = {region: steps(path, ref("gemini-9", "google", region=region)) for region in (None, "global", "us-central1")}
    others = "not gemini-9, gemini/gemini-9"
    assert told == {
        None: [(0, 7, "exact", "gemini/gemini-9, not vertex_ai/gemini-9, gemini-9")],
        "global": [(0, 10, "exact", "vertex_ai/gemini-9, not gemini/gemini-9")],
        "us-central1": [(0, 11, "exact", f"vertex_ai/gemini-9, {others}; x 1.1 for us-central1")],
    }


def test_a_key_may_name_the_region(price_map) -> None:
    bedrock = {"litellm_provider": "bedrock"}
    path = price_map(**{
        "meta.llama": bedrock | {"input_cost_per_token": "1e-12"},
        "bedrock__eu-west-1__meta.llama": bedrock | {"input_cost_per_token": "2e-12"},
        "bedrock__us-gov-west-1__meta.llama": bedrock | {"input_cost_per_token": "3e-12"},
        "bedrock__eu-west-1__1-month-commitment__meta.llama": bedrock | {"input_cost_per_token": "9"},
        "azure__eu__gpt-5": {"litellm_provider": "azure", "input_cost_per_token": "4e-12"},
    })  # fmt: skip
    regions = (None, "eu-west-1", "us-gov-west-1", "us-east-1", "*", "")
    told = [steps(path, ref("meta.llama", "aws", region=region))[0][1::2] for region in regions]
    assert told == [(1, None), (2, None), (3, None), (1, "no price of us-east-1"), (1, "no price of *"), (1, None)]
    assert by_class(path, ref("bedrock/eu-west-1/meta.llama", "aws")) == {"input": 2}
    assert by_class(path, ref("gpt-5", "azure", region="eu")) == {"input": 4}
    # where only regions have a price the model has none elsewhere
    assert by_class(path, ref("gpt-5", "azure", region="us")) == {}
    assert by_class(path, ref("gpt-5", "azure")) == {}


# Names


def test_only_the_whole_name_finds_a_model(price_map) -> None:
    path = price_map(**{
        "gpt-5": PLAIN, "azure__gpt-5": PLAIN | {"litellm_provider": "azure", "input_cost_per_token": "2e-12"},
        "fireworks_ai__accounts__fireworks__models__glm": PLAIN | {"litellm_provider": "fireworks_ai"},
        "sample_spec": PLAIN, "low__1024-x-1024__gpt-image": PLAIN,
    })  # fmt: skip
    found = [
        *(ref("gpt-5"), ref("GPT-5"), ref("openai/gpt-5"), ref("gpt-5", None), ref("openai/gpt-5", None)),
        *(ref("gpt-5", "azure"), ref("azure/gpt-5", "azure"), ref("azure/gpt-5", None)),
        *(ref("accounts/fireworks/models/glm", "fireworks"), ref("low/1024-x-1024/gpt-image")),
    ]
    lost = [
        *(ref("gpt-5-mini"), ref("gpt"), ref("gpt-5 "), ref("pt-5"), ref(""), ref(None), ref(None, None)),
        *(ref("gpt-5", "anthropic"), ref("azure/gpt-5"), ref("openai/gpt-5", "azure"), ref("glm", "fireworks")),
        *(ref("sample_spec"), ref("gpt-image"), ref("litellm/gpt-5", "anthropic")),
    ]
    for one in found:
        assert by_class(path, one).keys() == {"input", "output"}, one
    for one in lost:
        assert by_class(path, one) == {}, one
    assert by_class(path, ref("gpt-5", "azure"))["input"] == 2
    assert by_class(path, ref("azure/gpt-5", None))["input"] == 2


def test_the_name_as_it_is_written_comes_first(price_map) -> None:
    path = price_map(**{
        f"novita__sao__{name}": {"litellm_provider": "novita", "input_cost_per_token": price}
        for name, price in (("Stheno", "1e-12"), ("stheno", "2e-12"))
    })  # fmt: skip
    told = {name: steps(path, ref(f"sao/{name}", "novita"))[0][1] for name in ("Stheno", "stheno")}
    assert told == {"Stheno": 1, "stheno": 2}


def test_a_model_that_is_a_whole_key_is_that_key(price_map) -> None:
    entry = {"litellm_provider": "perplexity", "input_cost_per_token": "1e-12"}
    path = price_map(perplexity__sonar=entry, perplexity__perplexity__sonar=entry | {"input_cost_per_token": "2e-12"})
    note = "perplexity/sonar, not perplexity/perplexity/sonar"
    assert steps(path, ref("perplexity/sonar", "perplexity")) == [(0, 1, "exact", note)]
    assert steps(path, ref("sonar", "perplexity")) == [(0, 1, "exact", None)]


def test_an_alias_is_a_name(price_map) -> None:
    path = price_map(
        **{"gpt-5": PLAIN | {"aliases": ["gpt-5-new", "openai/gpt-5-best", 7]}, "o9": PLAIN | {"aliases": 1}}
    )
    for name in ("gpt-5", "gpt-5-new", "gpt-5-best", "openai/gpt-5-best"):
        assert by_class(path, ref(name)).keys() == {"input", "output"}


def test_of_two_platforms_that_state_the_same_nothing_is_said(price_map) -> None:
    entry = {"litellm_provider": "azure", "input_cost_per_token": "1e-12"}
    container = {"litellm_provider": "azure", "code_interpreter_cost_per_session": "0.03"}
    second = entry | {"litellm_provider": "azure_ai"}
    path = price_map(azure_ai__o9=second, azure__o9=entry, azure__container=container)
    assert steps(path, ref("o9", "azure")) == [(0, 1, "exact", None)]


def test_a_search_of_unknown_size_has_no_rate(price_map) -> None:
    sizes = {
        "search_context_size_low": "0.005",
        "search_context_size_medium": "0.008",
        "search_context_size_high": "0.01",
    }
    entry = PLAIN | {"search_context_cost_per_query": sizes}
    note = "by the size of the search context: low 0.005, medium 0.008, high 0.01"
    assert steps(price_map(sonar=entry), ref("sonar"), "web_search") == [(0, None, "exact", note)]
    one = PLAIN | {"search_context_cost_per_query": {"search_context_size_low": "0.005"}}
    assert steps(price_map(sonar=one), ref("sonar"), "web_search")[0][1] is None
    assert steps(price_map(sonar=PLAIN | {"search_context_cost_per_query": 3}), ref("sonar"), "web_search") == []


# The file


def test_a_file_that_is_no_price_map(tmp_path: Path) -> None:
    fix = "; give LiteLLM's model_prices_and_context_window.json with --litellm"
    broken = {
        '{"gpt-5": ': "not JSON (Expecting value: line 1 column 11 (char 10))",
        "[" * 100_000: "not JSON (",
        "\xff": "not JSON (",
        "[]": "no entry has a litellm_provider, so it is not a price map of LiteLLM",
        '{"gpt-5": {"input_cost_per_token": 1}, "b": [], "c": {"litellm_provider": 1}}': "no entry has a",
        '{"sample_spec": {"litellm_provider": "openai"}}': "no entry has a",
        '{"gpt-5": {"litellm_provider": "openai", "x": 1e99999999999999999999}}': "a number in it is beyond all bounds",
    }
    path = tmp_path / "prices.json"
    for text, fact in broken.items():
        path.write_text(text, encoding="latin-1")
        for read in (find_price_map, lambda path: rates(path, ref("gpt-5"))):
            with pytest.raises(UserError) as raised:
                read(path)
            assert str(raised.value).startswith(f"{path}: {fact}")
            assert str(raised.value).endswith(fix)
    with pytest.raises(UserError, match="nowhere.json: cannot be read \\(No such file or directory\\); give LiteLLM's"):
        find_price_map(tmp_path / "nowhere.json")
    with pytest.raises(UserError, match="cannot be read \\(Is a directory\\)"):
        find_price_map(tmp_path)


def test_an_installed_package_is_found_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"gpt-5": {"litellm_provider": "openai"}}))
    package = tmp_path / "site" / "litellm"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.setattr(sys, "path", [str(package.parent)])
    importlib.invalidate_caches()
    assert find_price_map(None) is None
    (package / PACKAGED).write_text("{}")
    assert find_price_map(None) == package / PACKAGED
    assert find_price_map(given) == given
    monkeypatch.setattr(sys, "path", [])
    assert find_price_map(None) is None


def test_nothing_is_asked_nothing_is_told(price_map) -> None:
    assert rates(price_map(**{"gpt-5": PLAIN})).schema == pl.Schema(PRICE_BOOK)


# The whole map


@pytest.fixture(scope="module")
def whole_map() -> Path:
    named = os.environ.get("LITELLM_PRICE_MAP")
    path = find_price_map(Path(named) if named else None)
    if path is None:
        pytest.skip("no price map of LiteLLM: neither is litellm installed nor does LITELLM_PRICE_MAP name the file")
    return path


def test_every_input_price_of_the_whole_map_is_told(whole_map: Path) -> None:
    entries = json.loads(whole_map.read_bytes(), parse_float=Decimal)
    asked, expected = [], {}
    for key, entry in entries.items():
        if key == "sample_spec" or "input_cost_per_token" not in entry:
            continue
        provider = entry["litellm_provider"]
        is_vertex = provider.startswith("vertex_ai-")
        provider_id = "google" if is_vertex else provider_id_of(provider.removesuffix("-embedding-models"))
        asked.append(ref(key, provider_id))
        expected[provider_id, key] = Decimal(entry["input_cost_per_token"]) * 10**12
    assert len(expected) > 1000
    told = rates(whole_map, *asked).filter(pl.col("token_class") == "input", pl.col("context_above") == 0)
    rows_by_ref: dict[tuple, list[dict]] = {}
    for row in told.rows(named=True):
        rows_by_ref.setdefault((row["provider"], row["model"]), []).append(row)
    wrong = set()
    for (provider, key), rate in expected.items():
        rows = rows_by_ref.get((provider, key), [])
        # two keys may answer to one name: then the note names both
        is_another_told = rows and key in (rows[0]["note"] or "").partition(", not ")[2].split(", ")
        if round(rate) not in {row["rate_pico"] for row in rows} and not is_another_told:
            wrong.add((provider, key))
    assert wrong == set()
    # one rate for each, but for those that are cheaper off peak
    several = {key for (_, key), rows in rows_by_ref.items() if len({row["rate_pico"] for row in rows}) > 1}
    assert several == {key for _, key in expected if entries[key].get("off_peak_pricing")}

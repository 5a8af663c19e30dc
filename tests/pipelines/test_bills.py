"""Every bill that is known, read as its provider exports it; and no money that vanishes on the way."""

import gzip
import json
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import bills
from pipelines.bills import aws, focus, words
from pipelines.errors import UserError
from tests.pipelines.bills import (
    FIRST,
    anthropic_page,
    cents,
    openai_costs,
    openai_usage,
    table,
    usd,
    written,
)
from transforms import bill_schemas

SECOND = FIRST + timedelta(days=1)
CUR = ("line_item_usage_start_date", "line_item_usage_end_date", "line_item_product_code", "line_item_line_item_type",
       "line_item_usage_type", "line_item_usage_amount", "line_item_unblended_cost", "line_item_currency_code",
       "pricing_unit", "product")  # fmt: skip
HOUR = ("2026-11-01T05:00:00.000Z", "2026-11-01T06:00:00.000Z")
FOCUS = ("BilledCost", "EffectiveCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd",
         "ServiceProviderName", "ServiceName", "ChargeCategory", "ChargeDescription", "SkuId", "SkuMeter",
         "ConsumedQuantity", "ConsumedUnit", "Tags")  # fmt: skip
DAY = ("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")
MAPPING = {
    "ours": {
        "fields": {
            "day": {"column": "Datum", "format": "%d.%m.%Y"}, "provider": {"const": "OpenAI"}, "model": "Model",
            "token_class": "Kind", "billed_usd": "Amount", "quantity": {"column": "K", "unit": 1000},
        },
        "models": {"GPT five": "gpt-5.2-2025-12-11"},
        "classes": {"prompt": "input"},
    }
}  # fmt: skip
MAPPED = ("Datum", "Model", "Kind", "Amount", "K")


def read(*paths: str, mappings: dict | None = None) -> bills.Bills:
    return bills.read(list(paths), mappings or {})


def told(found: bills.Bills, *columns: str) -> list[tuple]:
    return found.rows.select(columns).rows()


def test_openai_costs_by_line_item(tmp_path):
    results = [
        usd("gpt-5.2-2025-12-11, input", "0.1234567890123456789", quantity=1200),
        usd("gpt-5.2-2025-12-11, cached input", "1e-7"),
        usd("gpt-4o-realtime-preview, audio output", "0.5"),
        usd("web search tool calls", "2", quantity=200),
        usd("dall-e", "3", quantity=4),
        usd(None, "-0.25"),
    ]
    found = read(written(tmp_path, "costs.json", openai_costs([(FIRST, results), (SECOND, [])])))
    assert told(found, "day", "provider", "model", "token_class", "quantity", "billed_pico") == [
        (FIRST, "openai", "gpt-5.2-2025-12-11", "input", 1200, 123456789012),
        (FIRST, "openai", "gpt-5.2-2025-12-11", "cache_read", None, 100000),
        (FIRST, "openai", "gpt-4o-realtime-preview", "output_audio", None, 500000000000),
        (FIRST, "openai", None, "web_search", 200, 2000000000000),
        (FIRST, "openai", "dall-e", None, None, 3000000000000),  # four of what, nobody tells
    ]
    (file,) = found.files
    assert (file.rounded_count, file.others) == (1, {"no line item": (1, -250000000000)})
    assert found.periods == {"openai": (FIRST, SECOND + timedelta(days=1))}  # the day without a charge is told of


def test_openai_costs_that_are_not_grouped_are_of_all_models(tmp_path):
    found = read(written(tmp_path, "costs.json", openai_costs([(FIRST, [usd(None, "0.06")])])))
    assert told(found, "model", "token_class", "billed_pico") == [(None, None, 60000000000)]


def test_openai_usage_has_quantities_and_no_money(tmp_path):
    completions = {"object": "organization.usage.completions.result", "model": "gpt-5.2-2025-12-11", "batch": False,
                   "input_tokens": 5000, "input_cached_tokens": 4000, "output_tokens": 1000, "input_audio_tokens": 0,
                   "output_audio_tokens": 7, "num_model_requests": 5}  # fmt: skip
    images = {"object": "organization.usage.images.result", "images": 2, "model": "gpt-image-1"}
    found = read(written(tmp_path, "usage.json", openai_usage([(FIRST, [completions, images])])))
    assert sorted(told(found, "token_class", "quantity", "billed_pico")) == [
        ("cache_read", 4000, None),
        ("input", 1000, None),
        ("output", 1000, None),
        ("output_audio", 7, None),
    ]
    assert (found.files[0].billed_pico, found.files[0].others) == (None, {"usage without tokens": (1, 0)})


def test_openai_dashboard_csv(tmp_path):
    header = ("start_time", "end_time", "start_time_iso", "amount_value", "amount_currency", "line_item", "project_id")
    start = 1793491200  # 2026-11-01
    rows = [(start, start + 86400, "x", "0.8958740000000000", "usd", "gpt-5-mini, output", "p"),
            (start + 86400, start + 172800, "x", "", "", "", "")]  # fmt: skip
    for delimiter in ",\t;":
        found = read(written(tmp_path, "costs.csv", table(header, *rows, delimiter=delimiter)))
        assert told(found, "day", "model", "token_class", "billed_pico", "row_number") == [
            (FIRST, "gpt-5-mini", "output", 895874000000, 2)
        ]
        assert found.periods["openai"] == (FIRST, FIRST + timedelta(days=2))
    header = ("start_time", "end_time", "model", "input_tokens", "output_tokens", "input_cached_tokens")
    found = read(written(tmp_path, "usage.csv", table(header, (start, start + 86400, "m", "59200.0", "10.0", "60.0"))))
    assert sorted(told(found, "token_class", "quantity")) == [("cache_read", 60), ("input", 59140), ("output", 10)]


def test_the_period_is_that_of_the_costs_where_there_are_any(tmp_path):
    completions = {"object": "organization.usage.completions.result", "model": "m", "input_tokens": 5}
    usage = written(tmp_path, "usage.json", openai_usage([(FIRST, [completions]), (SECOND, [completions])]))
    costs = written(tmp_path, "costs.json", openai_costs([(SECOND, [usd("m, input", "1")])]))
    assert read(usage).periods == {"openai": (FIRST, SECOND + timedelta(days=1))}
    assert read(usage, costs).periods == {"openai": (SECOND, SECOND + timedelta(days=1))}


def test_anthropic_cost_report_is_in_decimal_cents(tmp_path):
    results = [
        cents("123.45"),
        cents("0.000000000001", token_type="cache_creation.ephemeral_1h_input_tokens"),
        cents("7", model=None, cost_type="web_search", token_type=None),
        cents("9", model=None, cost_type="session_usage", token_type=None),
    ]
    found = read(written(tmp_path, "cost.json", anthropic_page([(FIRST, results)])))
    assert told(found, "day", "model", "token_class", "billed_pico") == [
        (FIRST, "claude-sonnet-4-5-20250929", "input", 1234500000000),
        (FIRST, "claude-sonnet-4-5-20250929", "cache_write_1h", 0),
        (FIRST, None, "web_search", 70000000000),
    ]
    assert found.files[0].others == {"session_usage": (1, 90000000000)}
    assert found.files[0].rounded_count == 1


def test_anthropic_usage_report(tmp_path):
    result = {"uncached_input_tokens": 10, "cache_read_input_tokens": 20, "output_tokens": 5, "model": "claude-x",
              "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
              "server_tool_use": {"web_search_requests": 2}}  # fmt: skip
    found = read(written(tmp_path, "usage.json", anthropic_page([(FIRST, [result])])))
    assert dict(told(found, "token_class", "quantity")) == {
        "input": 10, "cache_read": 20, "cache_write_5m": 30, "output": 5, "web_search": 2,
    }  # fmt: skip


def test_anthropic_console_csv(tmp_path):
    header = ("usage_date_utc", "model", "usage_type", "token_type", "cost_usd", "cost_type")
    rows = [("2026-11-01", "Claude Haiku 4.5", "message", "input_no_cache", "0.05", "token"),
            ("2026-11-01", "Claude Haiku 4.5", "message", "input_cache_write_5m", "0.02", "token"),
            ("2026-11-02", "", "", "", "0.30", "web_search"), ("2026-11-02", "", "", "", "1", "seats")]  # fmt: skip
    found = read(written(tmp_path, "cost.csv", table(header, *rows)))
    assert told(found, "day", "model", "token_class", "billed_pico") == [
        (FIRST, "Claude Haiku 4.5", "input", 50000000000),
        (FIRST, "Claude Haiku 4.5", "cache_write_5m", 20000000000),
        (SECOND, None, "web_search", 300000000000),
    ]
    header = ("usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_input_tokens_cache_read",
              "usage_output_tokens", "web_search_count")  # fmt: skip
    found = read(written(tmp_path, "usage.csv", table(header, ("2026-11-01", "claude-x", 8, 9, 7, 0))))
    assert dict(told(found, "token_class", "quantity")) == {"input": 8, "cache_read": 9, "output": 7}


def cur_rows() -> list[tuple]:
    marketplace = json.dumps({"product_name": "Claude Haiku 4.5 (Amazon Bedrock Edition)"})
    return [
        (*HOUR, "AmazonBedrock", "Usage", "USE1-Claude4.5Sonnet-input-tokens-cross-region-global", "29.481", "0.088443",
         "USD", "1K tokens", ""),
        (*HOUR, "AmazonBedrockService", "Usage", "USW2-Claude4.5Sonnet-cache-read-input-token-count", "2", "0.0006",
         "USD", "1K tokens", ""),
        (*HOUR, "c1d2e3", "Usage", "USE1-MP:USE1_OutputTokenCount_Global-Units", "0.001", "0.005", "USD", "1M tokens",
         marketplace),
        (*HOUR, "AmazonBedrock", "Usage", "USE1-NovaCanvas-T2I-1024-Standard", "3", "0.12", "USD", "image", ""),
        (*HOUR, "AmazonBedrock", "Tax", "USE1-Claude4.5Sonnet-input-tokens", "", "0.01", "USD", "", ""),
        (*HOUR, "AmazonEC2", "Usage", "BoxUsage:t3.micro", "1", "0.0104", "USD", "Hrs", ""),
    ]  # fmt: skip


EXPECTED_CUR = [
    (FIRST, "aws", "Claude4.5Sonnet", "input", 29481, 88443000000),
    (FIRST, "aws", "Claude4.5Sonnet", "cache_read", 2000, 600000000),
    (FIRST, "aws", "Claude Haiku 4.5", "output", 1000, 5000000000),
    (FIRST, "aws", "NovaCanvas-T2I-1024-Standard", None, None, 120000000000),
]
LEGACY = ("lineItem/UsageStartDate", "lineItem/UsageEndDate", "lineItem/ProductCode", "lineItem/LineItemType",
          "lineItem/UsageType", "lineItem/UsageAmount", "lineItem/UnblendedCost", "lineItem/CurrencyCode",
          "pricing/unit", "product/ProductName")  # fmt: skip


def test_aws_reports_csv_and_parquet_with_both_names(tmp_path):
    columns = ("day", "provider", "model", "token_class", "quantity", "billed_pico")
    plain = written(tmp_path, "cur.csv", table(CUR, *cur_rows()))
    packed = written(tmp_path, "cur.csv.gz", gzip.compress(table(CUR, *cur_rows()[:5], cur_rows()[5]).encode() + b"\n"))
    names = [(*row[:9], "Claude Haiku 4.5 (Amazon Bedrock Edition)" if row[9] else "") for row in cur_rows()]
    legacy = written(tmp_path, "legacy.csv", table(LEGACY, *names))
    frame = pl.DataFrame(cur_rows(), schema=CUR, orient="row").with_columns(
        pl.col("line_item_usage_start_date").str.to_datetime(time_zone="UTC"),
        pl.col("line_item_unblended_cost").cast(pl.Float64),
        pl.col("line_item_usage_amount").replace("", None).cast(pl.Float64),
        pl.lit([{"key": "product_name", "value": "Claude Haiku 4.5 (Amazon Bedrock Edition)"}]).alias("product"),
    )  # fmt: skip
    frame = frame.filter(pl.col("line_item_product_code") != "AmazonEC2")
    frame.write_parquet(tmp_path / "cur.parquet")
    for path in (plain, packed, legacy, str(tmp_path / "cur.parquet")):
        found = read(path)
        assert told(found, *columns) == EXPECTED_CUR, path
        others = {"Bedrock: Tax": (1, 10000000000)}
        others |= {} if path.endswith("parquet") else {"another service": (1, 10400000000)}
        assert found.files[0].others == others


@pytest.mark.parametrize(
    ("usage_type", "expected"),
    [
        ("USE1-Claude4.6Opus-cache-write-input-token-count-1-hour", ("Claude4.6Opus", "cache_write_1h")),
        ("USW2-anthropic.claude-opus-5-mantle-cache-write-tokens-global", ("anthropic.claude-opus-5", "cache_write")),
        ("EU-qwen.qwen3-coder-480b-instruct-mantle-input-tokens-flex", ("qwen.qwen3-coder-480b-instruct", "input")),
        ("USE1-GPT-OSS-Safeguard-20B-input-tokens-priority", ("GPT-OSS-Safeguard-20B", "input")),
        ("USE1-Llama4-Maverick-17B-output-tokens-batch", ("Llama4-Maverick-17B", "output")),
        ("USE1-Guardrail-ContentPolicyUnitsConsumed", ("Guardrail-ContentPolicyUnitsConsumed", None)),
    ],
)  # fmt: skip
def test_aws_usage_types(usage_type, expected):
    assert aws.model_and_class_of(usage_type) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uncached_input_tokens", "input"),
        ("input_no_cache", "input"),
        ("cache_creation.ephemeral_5m_input_tokens", "cache_write_5m"),
        ("CacheReadInputTokenCount", "cache_read"),
        ("CacheWrite1hInputTokenCount", "cache_write_1h"),
        ("cached audio input", "cache_read_audio"),
        ("image output", "output_image"),
        ("Prompt cache write input tokens", "cache_write"),
        ("code interpreter sessions", "code_session"),
        ("seats", None),
    ],
)
def test_words_of_meters(text, expected):
    assert words.token_class_of(text) == expected


def test_focus_csv_and_parquet(tmp_path):
    rows = [
        ("0.06", "9", "USD", *DAY, "OpenAI", "OpenAI API", "Usage", "", "openai/gpt-5.2-2025-12-11, input",
         "Input Tokens", "1200", "Tokens", ""),
        ("1", "9", "USD", *DAY, "Amazon Web Services", "Amazon Bedrock", "Usage", "", "sku",
         "USE1-Claude4.5Sonnet-output-tokens", "2", "1K tokens", ""),
        ("2", "9", "USD", *DAY, "Anthropic", "Claude API", "Usage", "Claude Sonnet 4.5 Usage - Cache Read", "", "", "5",
         "Hours", '{"team": "a"}'),
        ("3", "9", "USD", *DAY, "Microsoft", "Azure OpenAI", "Usage", "", "a/b", "gpt 5 Inp glbl Tokens", "", "",
         '{"model": "gpt-5"}'),
        ("4", "9", "USD", *DAY, "Microsoft", "Storage", "Usage", "", "", "LRS", "", "", ""),
        ("-5", "9", "USD", *DAY, "OpenAI", "OpenAI API", "Credit", "", "", "", "", "", ""),
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=FOCUS, orient="row").with_columns(
        pl.col("BilledCost").cast(pl.Decimal(38, 12)), pl.col("ChargePeriodStart").str.to_datetime(time_zone="UTC")
    )
    frame.write_parquet(tmp_path / "focus.parquet")
    for path in (written(tmp_path, "focus.csv", table(FOCUS, *rows)), str(tmp_path / "focus.parquet")):
        found = read(path)
        assert told(found, "day", "provider", "model", "token_class", "quantity", "billed_pico") == [
            (FIRST, "openai", "gpt-5.2-2025-12-11", "input", 1200, 60000000000),
            (FIRST, "aws", "Claude4.5Sonnet", "output", 2000, 10**12),
            (FIRST, "anthropic", "Claude Sonnet 4.5", "cache_read", None, 2 * 10**12),
            (FIRST, "azure", "gpt-5", "input", None, 3 * 10**12),
        ]
        assert found.files[0].others == {"another service": (1, 4 * 10**12), "openai: Credit": (1, -5 * 10**12)}


def test_focus_providers_are_those_that_answer_calls():
    def provider(name: str, service: str = "") -> str | None:
        return focus.provider_of({"ProviderName": name, "ServiceName": service})

    assert [provider("AWS", "Amazon Bedrock"), provider("AWS", "Amazon EC2")] == ["aws", None]
    assert [provider("Google Cloud", "Vertex AI"), provider("Google Cloud", "BigQuery")] == ["google", None]
    assert [provider("Mistral AI"), provider("Snowflake")] == ["mistral", None]


def test_a_mapped_table(tmp_path):
    rows = [("01.11.2026", "GPT five", "prompt", "1.5", "1.2"), ("02.11.2026", "other", "", "0.5", ""),
            ("02.11.2026", "other", "", "", "")]  # fmt: skip
    found = read(written(tmp_path, "bill.csv", table(MAPPED, *rows)), mappings=MAPPING)
    assert told(found, "day", "provider", "model", "token_class", "quantity", "billed_pico") == [
        (FIRST, "openai", "gpt-5.2-2025-12-11", "input", 1200, 1500000000000),
        (SECOND, "openai", "other", None, None, 500000000000),
    ]
    assert found.files[0].others == {"no amount": (1, 0)}
    months = {"m": {"fields": {"period_start": "from", "period_end": "to", "provider": "who", "billed_usd": "usd"}}}
    text = table(("from", "to", "who", "usd"), ("2026-11-01", "2026-12-01", "aws", "3"))
    found = read(written(tmp_path, "month.csv", text), mappings=months)
    assert told(found, "day", "period_start", "period_end") == [(None, FIRST, date(2026, 12, 1))]


WRONG = {
    "prose": ("notes.txt", "Dear all,\nthe bill is due.\n", {}, "notes.txt: no bill that is known"),
    "a log": ("log.jsonl", '{"id": "chatcmpl-1", "object": "chat"}\n', {}, "log.jsonl: no bill that is known"),
    "half a JSON": ("half.json", '{"object": "page",\n "data": [', {}, "half.json, line 2: not valid JSON"),
    "euros": (
        "costs.json",
        openai_costs([(FIRST, [{"amount": {"value": 1, "currency": "eur"}, "line_item": "x"}])]),
        {},
        "costs.json, result 1: the amount is in 'EUR', not in USD; export the bill in USD",
    ),
    "no currency": (
        "costs.json",
        openai_costs([(FIRST, [usd("x", "1"), {"amount": {"value": 1}}])]),
        {},
        "costs.json, result 2: the amount is in 'no currency', not in USD",
    ),
    "no amount": ("costs.json", openai_costs([(FIRST, [{"line_item": "x"}])]), {}, "the result has no amount"),
    "not a number": (
        "cost.json",
        anthropic_page([(FIRST, [cents("1,234.56")])]),
        {},
        "cost.json, result 1: amount '1,234.56' is not a number; write it like 12.34",
    ),
    "too large": ("cost.json", anthropic_page([(FIRST, [cents("1e30")])]), {}, "amount 1e30 is too large"),
    "absurd": ("cost.json", anthropic_page([(FIRST, [cents("1e9999")])]), {}, "amount '1e9999' is not a number"),
    "neither": ("cost.json", anthropic_page([(FIRST, [{"words": 1}])]), {}, "the result has neither an amount"),
    "missing column": (
        "cur.csv",
        table([name for name in CUR if name != "line_item_unblended_cost"], cur_rows()[0][1:]),
        {},
        "cur.csv: the report has no column line_item_unblended_cost (lineItem/UnblendedCost); export it with one",
    ),
    "FOCUS without currency": (
        "focus.csv",
        table(("BilledCost", "ChargePeriodStart"), (1, "2026-11-01")),
        {},
        "focus.csv: the FOCUS file has no column BillingCurrency",
    ),
    "cells": ("cur.csv", table(CUR, cur_rows()[0], ("a", "b")), {}, "cur.csv, line 3: 2 cells, the header has 10"),
    "not UTF-8": ("cur.csv", table(CUR, cur_rows()[0]).encode() + b"\xff\n", {}, "not UTF-8; save the bill as UTF-8"),
    "a day": (
        "bill.csv",
        table(MAPPED, ("11/01/2026", "m", "", "1", "")),
        MAPPING,
        "bill.csv, line 2: day '11/01/2026' is not written as '%d.%m.%Y'; mend the format in the mapping",
    ),
    "a class": (
        "bill.csv",
        table(MAPPED, ("01.11.2026", "m", "seat", "1", "")),
        MAPPING,
        "bill.csv, line 2: token class 'seat' is none of ours; say what it is under [bill.ours.classes]",
    ),
    "a column renamed": (
        "bill.csv",
        table(("Datum", "Model", "Kind", "Betrag", "K")),
        {"far": {"fields": {"day": "Datum", "provider": "x", "billed_usd": "y"}}} | MAPPING,
        "bill.csv: [bill.ours] would read it, but there is no column 'Amount'; name the one that it has in the mapping",
    ),
    "half of the columns": (
        "bill.csv",
        table(("Datum", "Model")),
        {"o": {"fields": {"day": "Datum", "provider": "p", "model": "Model", "billed_usd": "y"}}},
        "bill.csv: no bill that is known",
    ),
    "two mappings": ("bill.csv", table(MAPPED), MAPPING | {"b": MAPPING["ours"]}, "both [bill.ours] and [bill.b] fit"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_told_with_its_place(tmp_path, name):
    file, text, mappings, message = WRONG[name]
    with pytest.raises(UserError) as mistake:
        read(written(tmp_path, file, text), mappings=mappings)
    assert message in str(mistake.value)
    assert len(str(mistake.value).splitlines()) == 1


WRONG_MAPPINGS = {
    "no provider": ({"fields": {"day": "a", "billed_usd": "b"}}, "[bill.x] fields needs provider"),
    "no day": ({"fields": {"provider": "a", "billed_usd": "b"}}, "[bill.x] fields needs day, or period_start"),
    "half a period": (
        {"fields": {"provider": "a", "period_start": "c", "billed_usd": "b"}},
        "[bill.x] fields needs day, or period_start",
    ),
    "no money": ({"fields": {"provider": "a", "day": "b"}}, "[bill.x] fields needs billed_usd, or quantity"),
    "unknown field": ({"fields": {"amount": "a"}}, "[bill.x] fields has no field 'amount'"),
    "unknown setting": ({"match": {}}, "[bill.x] has no setting 'match'; known are fields, models, classes"),
    "no column": ({"fields": {"day": {"format": "%d"}}}, "[bill.x] fields day names neither a column nor a const"),
    "unit": ({"fields": {"quantity": {"column": "a", "unit": 0}}}, "[bill.x] fields quantity unit cannot be 0"),
    "class": (
        {"fields": {"day": "a", "provider": "b", "billed_usd": "c"}, "classes": {"in": "inputs"}},
        "[bill.x] classes 'in' cannot be 'inputs'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_MAPPINGS)
def test_a_mapping_that_reads_nothing_is_refused(tmp_path, name):
    mapping, message = WRONG_MAPPINGS[name]
    with pytest.raises(UserError) as mistake:
        read(written(tmp_path, "a.csv", "a,b,c\n"), mappings={"x": mapping})
    assert message in str(mistake.value)


def test_damaged_and_missing_files_are_told(tmp_path):
    packed = gzip.compress(table(CUR, *cur_rows() * 200).encode())
    for name, content in (("cut.csv.gz", packed[: len(packed) // 2]), ("cut.parquet", b"PAR1 and no more")):
        with pytest.raises(UserError, match=name):
            read(written(tmp_path, name, content))
    with pytest.raises(UserError, match="no such file"):
        read(str(tmp_path / "nowhere.json"))


def test_the_same_bill_given_twice_counts_once(tmp_path):
    text = openai_costs([(FIRST, [usd("m, input", "1")])], has_more=True)
    paths = [written(tmp_path, "a.json", text), written(tmp_path, "b.json.gz", gzip.compress(text.encode()))]
    found = read(*paths)
    assert found.rows.height == 1
    assert any("counts once" in note for file in found.files for note in file.notes)
    assert "another page follows" in found.files[0].notes[0]


AMOUNTS = st.decimals(-(10**6), 10**6, allow_nan=False, places=15) | st.sampled_from(
    [Decimal("1E-13"), Decimal("5E-13"), Decimal("0.0000000000015"), Decimal("1e6")]
)
KINDS = (("AmazonBedrock", "Usage"), ("AmazonBedrock", "Credit"), ("AmazonS3", "Usage"))


@given(st.lists(st.tuples(AMOUNTS, st.sampled_from(KINDS)), max_size=8))
def test_no_money_vanishes_and_each_amount_rounds_once(tmp_path_factory, amounts):
    """Read anew with Decimal: charges and others are all there is, and say so."""
    folder = tmp_path_factory.mktemp("bill")
    rows = [(*HOUR, code, kind, "USE1-x-input-tokens", "1", amount, "USD", "", "") for amount, (code, kind) in amounts]
    found = read(written(folder, "cur.csv", table(CUR, *rows)))
    pico = [amount.scaleb(12).quantize(Decimal(1), ROUND_HALF_EVEN) for amount, _ in amounts]
    (file,) = found.files
    assert file.billed_pico == sum(pico)
    assert found.rows["billed_pico"].sum() + sum(other for _, other in file.others.values()) == sum(pico)
    assert file.charge_count + sum(count for count, _ in file.others.values()) == len(amounts)
    assert file.rounded_count == sum(
        amount.scaleb(12) != whole for (amount, _), whole in zip(amounts, pico, strict=True)
    )
    assert dict(found.rows.schema) == bill_schemas.BILL


@given(st.lists(st.tuples(AMOUNTS, st.sampled_from(["m, input", "a tool", None])), max_size=6))
def test_no_money_vanishes_from_pages(tmp_path_factory, amounts):
    """OpenAI's are JSON numbers in dollars, Anthropic's decimal cents in a text."""
    folder = tmp_path_factory.mktemp("pages")
    dollars = [usd(item, str(amount)) for amount, item in amounts]
    text = openai_costs([(FIRST, dollars)])
    for result, (amount, _) in zip(dollars, amounts, strict=True):
        text = text.replace(json.dumps(result["amount"]), json.dumps({"value": f"{amount:f}", "currency": "usd"}))
    models = [(amount, "m" if item else None, "tokens" if item else "session_usage") for amount, item in amounts]
    results = [cents(f"{amount:f}", model, cost_type=kind, token_type=None) for amount, model, kind in models]
    for name, content, places in (("o.json", text, 12), ("a.json", anthropic_page([(FIRST, results)]), 10)):
        (file,) = read(written(folder, name, content)).files
        expected = sum(amount.scaleb(places).quantize(Decimal(1), ROUND_HALF_EVEN) for amount, _ in amounts)
        assert file.billed_pico == expected, name
        assert file.charge_count + sum(count for count, _ in file.others.values()) == len(amounts)


def test_a_folder_of_bills_is_read_in_any_order(tmp_path):
    for number, day in enumerate((FIRST, SECOND)):
        written(tmp_path, f"{number}.json", openai_costs([(day, [usd("m, input", str(number + 1))])]))
    together = read(str(Path(tmp_path)))
    apart = read(str(tmp_path / "1.json"), str(tmp_path / "0.json"))
    assert together.rows.sort("day").equals(apart.rows.sort("day"))
    assert together.periods == apart.periods == {"openai": (FIRST, date(2026, 11, 3))}

"""tokenspread's own flat shape, written by hand: twelve calls, four to a file, one file each as JSONL, CSV and Parquet.

They are the calls that a recording cannot give: known price-list models, cache writes, a batch, a flex tier, an
in-house model that no price list knows, a call cut off before its usage arrived.
"""

import csv
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

TOKENS = [
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_write_other_tokens",
    "output_tokens",
    "reasoning_tokens",
]
COLUMNS = [
    *["call_id", "called_at", "provider", "model", "model_requested"],
    *TOKENS,
    *["feature", "user_id", "customer_id", "action_id", "outcome", "is_success", "value_usd"],
    *["environment", "service_tier", "region", "is_batch", "status", "latency_seconds", "recorded_cost_usd"],
]
MODELS = {
    "gpt-5-mini": ("openai", "gpt-5-mini-2025-08-07"),
    "claude-sonnet-4-5": ("anthropic", "claude-sonnet-4-5-20250929"),
    "gemini-2.5-flash": ("google", "gemini-2.5-flash"),
    "kestrel-chat-7b": ("inhouse", "kestrel-chat-7b"),
}


def call(number: int, called_at: str, model: str, tokens: tuple, action: tuple, outcome: tuple, **others) -> dict:
    provider, served = MODELS[model]
    row = dict.fromkeys(COLUMNS) | {"environment": "production", "is_batch": False, "status": "success"}
    row |= {"call_id": f"call-{number:03}", "called_at": called_at}
    row |= {"provider": provider, "model": served, "model_requested": model}
    row |= dict(zip(TOKENS, tokens, strict=True))
    row |= dict(zip(("feature", "user_id", "customer_id", "action_id"), action, strict=True))
    row |= dict(zip(("outcome", "is_success", "value_usd"), outcome, strict=True))
    return row | others


UNKNOWN = (None,) * 7
NO_OUTCOME = (None,) * 3
CALLS = [
    call(1, "2026-11-20T08:15:02.120000Z", "gpt-5-mini", (1840, 1024, 0, 0, 0, 310, 192),
         ("product_search", "shopper-01", "northwind-books", "ps-1"), ("found", True, "0.80"),
         latency_seconds=2.41, recorded_cost_usd="0.0008496", service_tier="default"),
    call(2, "2026-11-20T08:17:40.004000Z", "claude-sonnet-4-5", (5200, 3000, 1500, 200, 0, 420, None),
         ("returns_bot", "shopper-02", "harbor-coffee", "rb-1"), ("resolved", True, "2.50"),
         latency_seconds=6.02, recorded_cost_usd="0.015525", service_tier="standard"),
    call(3, "2026-11-20T09:01:11.530000Z", "gemini-2.5-flash", (900, 0, 0, 0, 0, 260, 140),
         ("product_search", "shopper-03", "lumen-bikes", "ps-2"), ("found", False, None),
         latency_seconds=1.87, recorded_cost_usd="0.00092"),
    # refused, then asked again in the next file: one action
    call(4, "2026-11-20T09:30:00.000000Z", "gpt-5-mini", UNKNOWN,
         ("product_search", "shopper-01", "northwind-books", "ps-3"), NO_OUTCOME, status="error", latency_seconds=0.12),
    call(5, "2026-11-20T09:30:01.250000Z", "gpt-5-mini", (1620, 1024, 0, 0, 0, 280, 128),
         ("product_search", "shopper-01", "northwind-books", "ps-3"), ("found", True, "0.80"),
         latency_seconds=2.20, recorded_cost_usd="0.0007346", service_tier="default"),
    # no price list knows this model
    call(6, "2026-11-20T10:12:45.900000Z", "kestrel-chat-7b", (700, None, None, None, None, 150, None),
         ("returns_bot", "shopper-04", "pine-toys", "rb-2"), ("resolved", False, None), latency_seconds=0.95),
    call(7, "2026-11-20T22:00:00.000000Z", "claude-sonnet-4-5", (2400, 0, 0, 0, 0, 600, None),
         ("returns_bot", None, "harbor-coffee", "rb-3"), ("resolved", True, "2.50"),
         is_batch=True, service_tier="batch", recorded_cost_usd="0.0081"),
    # the shop's own response cache answered call 1 again: nothing was sent, nothing is billed
    call(8, "2026-11-20T23:59:59.999999Z", "gpt-5-mini", (1840, 1024, 0, 0, 0, 310, 192),
         ("product_search", "shopper-05", "northwind-books", "ps-4"), ("found", True, "0.80"),
         status="cache_hit", latency_seconds=0.004, recorded_cost_usd="0"),
    # nobody said what this one was for
    call(9, "2026-11-21T00:00:00.000000Z", "gemini-2.5-flash", (1100, 512, 0, 0, 0, 90, 0),
         (None, None, None, None), NO_OUTCOME, latency_seconds=0.77, environment="staging"),
    call(10, "2026-11-21T07:45:10.000000Z", "gpt-5-mini", (2100, 0, 0, 0, 0, 340, 256),
         ("product_search", "shopper-06", "lumen-bikes", "ps-5"), ("found", True, "0.80"),
         service_tier="flex", region="eu", latency_seconds=11.3),
    # a cache write whose lifetime the gateway did not keep
    call(11, "2026-11-21T07:46:33.210000Z", "claude-sonnet-4-5", (3300, 2000, 0, 0, 800, 150, None),
         ("returns_bot", "shopper-02", "harbor-coffee", "rb-4"), ("resolved", False, None), latency_seconds=3.3),
    # cut off before the last chunk: what went in is known, what came out is not
    call(12, "2026-11-21T07:50:00.750000Z", "kestrel-chat-7b", (300, None, None, None, None, None, None),
         ("returns_bot", "shopper-04", "pine-toys", "rb-5"), ("resolved", False, None),
         status="error", latency_seconds=8.0),
]  # fmt: skip

MONEY = pa.decimal128(38, 12)
PARQUET_TYPES = (
    {column: pa.string() for column in COLUMNS}
    | {column: pa.int64() for column in TOKENS}
    | {"called_at": pa.timestamp("us", tz="UTC"), "is_success": pa.bool_(), "is_batch": pa.bool_()}
    | {"latency_seconds": pa.float64(), "value_usd": MONEY, "recorded_cost_usd": MONEY}
)


def write_flat_files(folder: Path) -> None:
    with (folder / "tokenspread.jsonl").open("w") as file:
        for row in CALLS[:4]:
            file.write(json.dumps(row) + "\n")
    with (folder / "tokenspread.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(text(row) for row in CALLS[4:8])
    schema = pa.schema(list(PARQUET_TYPES.items()))
    table = pa.Table.from_pylist([typed(row) for row in CALLS[8:]], schema=schema)
    pq.write_table(table, folder / "tokenspread.parquet")


def text(row: dict) -> dict:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}


def typed(row: dict) -> dict:
    money = {name: row[name] and Decimal(row[name]) for name in ("value_usd", "recorded_cost_usd")}
    return row | money | {"called_at": datetime.fromisoformat(row["called_at"])}

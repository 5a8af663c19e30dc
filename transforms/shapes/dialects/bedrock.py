"""What Bedrock's logs and its Converse responses have in common: models' ids, and usage.

A model id is a bare one ("anthropic.claude-...-v1:0"), one with the geography of a cross-region profile before it
("us.", "eu.", "global."), or an ARN that ends in one of these. The prefix is kept: global profiles have a price of
their own. The ARN of an application's profile, of provisioned throughput, of a custom model or of a prompt names no
model: it is the model that was asked for, and what served is unknown unless the response tells.

`inputTokens` excludes cached tokens: all input is it plus reads plus writes. OpenAI's models differ: streamed, their
count includes cached tokens, not streamed it excludes them. `cacheDetails` splits the writes by lifetime; writes that
it does not account for are cache_write_other. Output includes reasoning. Converse repeats a cached count under two
names (`cacheReadInputTokens`, `cacheReadInputTokenCount`): the first that is there is taken, they are never added.
Source: Amazon Bedrock API reference (TokenUsage, CacheDetail) and user guide (inference profiles).
"""

import polars as pl

from transforms.shapes.fields import known_sum
from transforms.shapes.guards import NO_LIFETIME, SPLIT_EXCEEDS, without_lifetime

TIERS = ("serviceTier.type", "performanceConfig.latency")


def model(model_id: pl.Expr) -> pl.Expr:
    named = model_id.str.extract(r"^arn:[^/]*:(?:foundation-model|inference-profile)/(.+)$")
    return pl.when(~model_id.str.starts_with("arn:")).then(model_id).otherwise(named)


def is_openai(model_id: pl.Expr) -> pl.Expr:
    return model_id.str.contains(r"(?:^|[./])openai\.").fill_null(False)


def tier(service_tier: pl.Expr, latency: pl.Expr) -> pl.Expr:
    """The tier that served; a model that is optimised for latency is sold at a price of its own."""
    return pl.when(latency == "optimized").then(latency).otherwise(service_tier)


def input_columns(
    uncached: pl.Expr, read: pl.Expr, written: pl.Expr, short: pl.Expr, long: pl.Expr
) -> dict[str, pl.Expr]:
    """The call columns of input: cached tokens come on top of `uncached`; `short` and `long` are parts of `written`."""
    split = known_sum(short, long)
    other, _ = without_lifetime(written, split)
    return {
        "input_tokens": uncached + pl.sum_horizontal(read, split, other),  # absent: nothing was cached
        "cache_read_tokens": read,
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "cache_write_other_tokens": other,
    }


def guards(written: pl.Expr, short: pl.Expr, long: pl.Expr) -> dict[str, pl.Expr]:
    other, exceeds = without_lifetime(written, known_sum(short, long))
    return {NO_LIFETIME: other > 0, SPLIT_EXCEEDS: exceeds}

"""Cloudflare AI Gateway's log, as its API and dashboard give it.

`tokens_in` and `tokens_out` are taken from the provider's answer and tell no cached or reasoning tokens. `cost` is
Cloudflare's estimate in USD, or what the account set itself. `cached` is the gateway's response cache: such a record
repeats the counts of the call that filled it. `metadata` is a text that holds JSON, up to five keys that the caller
chose. Each attempt of a fallback chain is a record of its own (`step`), and nothing ties them together. `id` is the
log's own: the provider's is not told. Calls that opted out of the log are missing, as is what came after a full log.
Source: Cloudflare's API reference (AI Gateway, list logs).
"""

import polars as pl

from transforms.shapes.dialects import gateways, labels
from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, CODE, COUNT, MILLISECONDS, USD, text, to_calls, typed
from transforms.shapes.guards import AMBIGUOUS
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_KINDS = {
    "created_at": INSTANT_KINDS["any"],
    "cached": BOOLEAN_OR_NONSENSE,
    "success": BOOLEAN_OR_NONSENSE,
    "status_code": CODE,
    "duration": MILLISECONDS,
    "tokens_in": COUNT,
    "tokens_out": COUNT,
    "cost": USD,
}
_FIELDS = ("id", "provider", "model", *_KINDS, *labels.fields("metadata>"))


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    used = gateways.used(pl.col("tokens_in"), pl.col("tokens_out"))
    failed = ~pl.col("success").fill_null(True) | (pl.col("status_code") >= 400).fill_null(False)
    provider = provider_id(text("provider"))
    columns = labels.columns("metadata>") | {
        "provider": provider,
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.col("created_at"),
        "status": gateways.status(hit=pl.col("cached"), failed=failed, code=pl.col("status_code"), used=used),
        "latency_seconds": pl.col("duration"),
        "recorded_cost_pico": pl.col("cost"),
        "input_tokens": pl.when(used).then(pl.col("tokens_in")),
        "output_tokens": pl.when(used).then(pl.col("tokens_out")),
    }
    guards = {AMBIGUOUS: used & gateways.counts_cache_beside(provider, text("model"))}
    return to_calls(typed(lines, _KINDS), "cloudflare_gateway", columns, guards=guards)


CLOUDFLARE_GATEWAY = Shape("cloudflare_gateway", _FIELDS, matcher("cloudflare_gateway"), calls)

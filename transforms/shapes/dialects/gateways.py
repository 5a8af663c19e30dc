"""What records of gateways (Portkey, Cloudflare, Kong) have in common: an HTTP status, a response cache, and counts
that a gateway took from whatever its provider answered.

A gateway writes 0 where it counted nothing: both counts 0 are not told. Anthropic counts cached tokens beside the
input; where a gateway gives two numbers and no cached ones, nothing tells whether it added them.
"""

import polars as pl

from transforms.shapes.fields import is_refusal

_MAY_BE_BILLED = (246, 446)  # Portkey's guardrails, which may hold back an answer that the provider has given


def status(*, hit: pl.Expr, failed: pl.Expr, code: pl.Expr, used: pl.Expr) -> pl.Expr:
    """What a gateway's record tells of the answer; what used tokens was answered, and so was not refused."""
    hit, failed, used = (each.fill_null(False) for each in (hit, failed, used))
    refused = failed & ~used & is_refusal(code) & ~code.is_in(_MAY_BE_BILLED).fill_null(False)
    otherwise = pl.when(failed).then(pl.lit("error")).otherwise(pl.lit("success"))
    return pl.when(hit).then(pl.lit("cache_hit")).when(refused).then(pl.lit("refused")).otherwise(otherwise)


def used(*counts: pl.Expr) -> pl.Expr:
    """Whether any of the counts is more than 0; false where all are 0 or unknown."""
    return pl.any_horizontal((count > 0).fill_null(False) for count in counts)


def counts_cache_beside(provider: pl.Expr, model: pl.Expr) -> pl.Expr:
    """Whether who answered counts cached tokens beside the input: Anthropic's models, wherever they are served."""
    return provider.eq_missing("anthropic") | model.str.contains("(?i)claude").fill_null(False)

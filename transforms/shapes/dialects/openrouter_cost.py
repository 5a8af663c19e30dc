"""What OpenRouter takes for a call, which it writes into the usage of both of its APIs, in USD.

`cost` is the whole price, of which `cost_details` is a breakdown; or, with a key of one's own at the provider
(`is_byok`), OpenRouter's fee only, on top of which the provider bills `upstream_inference_cost`. Other hosts have a
`cost` too, which means something else; none has `is_byok`. Source: OpenRouter API reference (usage accounting, BYOK).
"""

import polars as pl

from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, USD, Kind

COST, _UPSTREAM = "usage.cost", "usage.cost_details.upstream_inference_cost"
BYOK = "usage.is_byok"
FIELDS = (COST, _UPSTREAM, BYOK)
KINDS: dict[str, Kind] = {COST: USD, _UPSTREAM: USD, BYOK: BOOLEAN_OR_NONSENSE}


def cost() -> pl.Expr:
    return pl.when(BYOK).then(pl.col(COST) + pl.col(_UPSTREAM)).otherwise(COST)


def without_others(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines`, which may be of any host, with the cost of OpenRouter's alone."""
    return lines.with_columns(pl.when(pl.col(BYOK).is_not_null()).then(path).alias(path) for path in (COST, _UPSTREAM))

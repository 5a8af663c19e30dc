"""OpenRouter's activity export: one row for each day, model and endpoint.

Its counts are sums over `requests` calls. Taken for calls they would count twice what the calls' own logs tell, so each
row is quarantined. Source: OpenRouter API reference (activity).
"""

import polars as pl

from transforms.shapes.fields import to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import fields_of, matcher

_AGGREGATE = "a daily aggregate, not a call"


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    return to_calls(typed(lines, {}), "openrouter_activity", {}, reasons={_AGGREGATE: pl.lit(True)})


OPENROUTER_ACTIVITY = Shape(
    "openrouter_activity", fields_of("openrouter_activity"), matcher("openrouter_activity"), calls
)

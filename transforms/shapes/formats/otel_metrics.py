"""OpenTelemetry's metrics in OTLP JSON: sums and histograms of tokens over many calls (`gen_ai.client.token.usage`,
`claude_code.token.usage`). They tell of no single call, and repeat what spans and events tell: never a source.
Source: OpenTelemetry GenAI semantic conventions, metrics.
"""

import polars as pl

from transforms.shapes.fields import to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

AGGREGATES = "metrics are aggregates, not calls"


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    return to_calls(typed(lines, {}), "otel_metrics", {}, reasons={AGGREGATES: pl.lit(True)})


OTEL_METRICS = Shape("otel_metrics", ("resourceMetrics",), matcher("otel_metrics"), calls)

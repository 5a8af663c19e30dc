"""Langfuse observations: the blob storage export, legacy and enriched (JSON, CSV, Parquet), and the public API's rows.

The exports write snake_case, the API camelCase; CSV holds maps as JSON text, Parquet as maps. The export may be set to
write every observation into both the legacy and the enriched folder, and rows come again after an update: all tell of
one call, known by the observation's `id`. No row names the provider, so that it is unknown in all of them.

Calls are generations and embeddings with a model or usage, and what else may itself be a model's answer (evaluators,
guardrails, retrievers) where it has usage. Spans, chains, agents and tools are the parents of calls: what some
integrations write on them is the sum of their children. What the counts mean is told in langfuse_usage.

`total_cost` is USD, a decimal text, and computed by Langfuse from its own prices unless the app sent it. Instants have
no zone and are UTC. `latency` is seconds, but was written in milliseconds too: the end less the start goes before it.
`usage_pricing_tier_name` is a tier of Langfuse's prices, not the provider's service tier. Legacy rows know neither the
user nor the name of their trace. Source: Langfuse's export of observations (2026), its public API; LiteLLM's code.
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.dialects import langfuse_usage, span_trees
from transforms.shapes.fields import SECONDS, USD, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_SPELLINGS = {  # of the exports: of the API
    "id": ("id",),
    "type": ("type",),
    "trace_id": ("trace_id", "traceId"),
    "start_time": ("start_time", "startTime"),
    "end_time": ("end_time", "endTime"),
    "latency": ("latency",),
    "level": ("level",),
    "model": ("provided_model_name", "providedModelName", "model"),
    "usage_details": ("usage_details", "usageDetails"),
    "total_cost": ("total_cost", "totalCost", "cost_details>total", "costDetails>total"),
    "environment": ("environment",),
    "user_id": ("user_id", "userId"),
    "trace_name": ("trace_name", "traceName"),
}
_METADATA = tuple(f"metadata>{name}" for name in ATTRIBUTES)
_FIELDS = (*(path for paths in _SPELLINGS.values() for path in paths), *_METADATA)
_KINDS = {
    "start_time": INSTANT_KINDS["any"],
    "end_time": INSTANT_KINDS["any"],
    "latency": SECONDS,
    "total_cost": USD,
    **langfuse_usage.KINDS,
}
_OF_LITELLM = r"^time-\d\d-\d\d-\d\d-\d+_(.+)$"
_ANSWERS = ("GENERATION", "EMBEDDING")
_MAY_ANSWER = ("EVALUATOR", "GUARDRAIL", "RETRIEVER")


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = lines.with_columns(text(*paths).alias(name) for name, paths in _SPELLINGS.items())
    is_call = _is_call()
    lines = lines.with_columns(is_call=is_call, usage_details=pl.when(is_call).then("usage_details"))
    read = langfuse_usage.decided(typed(langfuse_usage.opened(lines), _KINDS), "model")
    columns = {
        **langfuse_usage.columns(),
        "model": pl.col("model"),
        "response_id": pl.coalesce(pl.col("id").str.extract(_OF_LITELLM), "id"),
        "called_at": pl.col("start_time"),
        "status": pl.when(pl.col("level") == "ERROR").then(pl.lit("error")).otherwise(pl.lit("success")),
        "latency_seconds": pl.coalesce(span_trees.took("start_time", "end_time"), "latency"),
        "recorded_cost_pico": pl.col("total_cost"),
        **_attributes(),
    }
    return to_calls(
        read,
        "langfuse",
        columns,
        other=~pl.col("is_call"),
        strange=pl.col("start_time").is_null(),
        guards=langfuse_usage.GUARDS,
    )


def _is_call() -> pl.Expr:
    kind = pl.col("type").fill_null(_ANSWERS[0])  # the API leaves fields out that were not asked for
    has_usage = pl.col("usage_details").str.contains(r':\s*"?[1-9]').fill_null(False)
    has_model = pl.col("model").is_not_null()
    return (kind.is_in(_ANSWERS) & (has_model | has_usage)) | (kind.is_in(_MAY_ANSWER) & has_usage)


def _attributes() -> dict[str, pl.Expr]:
    told = {name: text(f"metadata>{name}") for name in ATTRIBUTES}
    return told | {
        "action_id": pl.coalesce(told["action_id"], "trace_id"),
        "feature": pl.coalesce(told["feature"], "trace_name"),
        "user_id": pl.coalesce("user_id", told["user_id"]),
        "environment": pl.coalesce(told["environment"], "environment"),
    }


LANGFUSE = Shape("langfuse", _FIELDS, matcher("langfuse"), calls)

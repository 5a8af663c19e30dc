"""Phoenix's spans as rows: a dataframe (its columns named by paths, "attributes.llm.model_name"), or its REST API's
spans (`context` and `attributes` are objects, the latter flat or nested). The same attributes in OTLP are otel's.

Only spans of a model are calls, and only the inner ones where these tell usage. `prompt` includes cache reads and
writes, `completion` includes reasoning (OpenInference). `cumulative_*` are sums over a span and all that is below it:
not read. Costs are USD, by Phoenix's own prices. OpenInference has neither the provider's response id nor a tier: the
identity is the span's. `metadata` is an object or JSON text, and tells what the application put there. Source:
OpenInference's semantic conventions, Phoenix's get_spans_dataframe.
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.dialects import span_trees
from transforms.shapes.fields import COUNT, USD, text, to_calls, typed
from transforms.shapes.guards import CACHE_OUTSIDE, with_cache_outside
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = {
    "prompt": "llm.token_count.prompt",
    "completion": "llm.token_count.completion",
    "total": "llm.token_count.total",
    "read": "llm.token_count.prompt_details.cache_read",
    "cached": "llm.token_count.prompt_details.cache_input",
    "written": "llm.token_count.prompt_details.cache_write",
    "heard": "llm.token_count.prompt_details.audio",
    "reasoning": "llm.token_count.completion_details.reasoning",
    "spoken": "llm.token_count.completion_details.audio",
}
_TEXTS = {
    "kind": "openinference.span.kind",
    "model": "llm.model_name",
    "model_served": "llm.response.model_name",
    "model_requested": "llm.request.model_name",
    "model_embedding": "embedding.model_name",
    "provider": "llm.provider",
    "system": "llm.system",
    "cost": "llm.cost.total",
    "session": "session.id",
    "user": "user.id",
}


def _attribute(name: str) -> tuple[str, ...]:
    return f'"attributes.{name}"', f'attributes>"{name}"', f"attributes>{name}"


def _metadata(name: str) -> tuple[str, ...]:
    return f'"attributes.metadata">{name}', f"attributes>metadata>{name}"


_SPELLINGS = {
    "span_id": ('"context.span_id"', "context>span_id"),
    "trace_id": ('"context.trace_id"', "context>trace_id"),
    **{f"$.{short}": _attribute(name) for short, name in (_COUNTS | _TEXTS).items()},
    **{f"metadata.{name}": _metadata(name) for name in ATTRIBUTES},
}
_COLUMNS = ("parent_id", "span_kind", "status_code", "start_time", "end_time")
_FIELDS = (*(path for paths in _SPELLINGS.values() for path in paths), *_COLUMNS)
_KINDS = {
    "start_time": INSTANT_KINDS["any"],
    "end_time": INSTANT_KINDS["any"],
    "$.cost": USD,
    **dict.fromkeys((f"$.{short}" for short in _COUNTS), COUNT),
}
_OF_A_MODEL = ("LLM", "EMBEDDING")


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = lines.with_columns(text(*paths).alias(name) for name, paths in _SPELLINGS.items())
    of_a_model = text("span_kind", "$.kind").str.to_uppercase().is_in(_OF_A_MODEL).fill_null(False)
    has_usage = pl.col("$.prompt").is_not_null() | pl.col("$.completion").is_not_null()
    wraps = span_trees.is_wrapper(lines, "span_id", "parent_id", of_a_model, has_usage)
    lines = lines.with_columns(is_call=of_a_model & ~wraps)
    counts, is_outside = _counts()
    told = {name: pl.col(f"metadata.{name}") for name in ATTRIBUTES}
    columns = {
        **counts,
        "provider": provider_id(pl.coalesce("$.provider", "$.system").str.to_lowercase()),
        "model": pl.coalesce("$.model_served", "$.model", "$.model_embedding"),
        "model_requested": pl.col("$.model_requested"),
        "response_id": pl.col("span_id"),
        "called_at": pl.col("start_time"),
        "status": pl.when(pl.col("status_code") == "ERROR").then(pl.lit("error")).otherwise(pl.lit("success")),
        "latency_seconds": span_trees.took("start_time", "end_time"),
        "recorded_cost_pico": pl.col("$.cost"),
        **told,
        "action_id": pl.coalesce(told["action_id"], "$.session", "trace_id"),
        "user_id": pl.coalesce("$.user", told["user_id"]),
    }
    told_total, ours = pl.col("$.total"), pl.col("$.prompt") + pl.col("$.completion")
    guards, total = {CACHE_OUTSIDE: is_outside}, pl.when(told_total != ours).then(told_total)
    read = typed(lines, _KINDS)
    strange = text("span_kind", "$.kind").is_null()
    return to_calls(read, "phoenix", columns, other=~pl.col("is_call"), strange=strange, guards=guards, total=total)


def _counts() -> tuple[dict[str, pl.Expr], pl.Expr]:
    """The columns of counts, and whether the input had to be mended."""
    prompt, cached, written = pl.col("$.prompt"), pl.coalesce("$.read", "$.cached"), pl.col("$.written")
    input_tokens, is_outside = with_cache_outside(
        prompt, cached, written, output=pl.col("$.completion"), total=pl.col("$.total")
    )
    return {
        "input_tokens": input_tokens,
        "cache_read_tokens": cached,
        "cache_write_other_tokens": written,
        # an embedding has no completion; a total that is the prompt says that there was none
        "output_tokens": pl.coalesce("$.completion", pl.when(pl.col("$.total") == prompt).then(pl.lit(0))),
        "reasoning_tokens": pl.col("$.reasoning"),
        "input_audio_tokens": pl.col("$.heard"),
        "output_audio_tokens": pl.col("$.spoken"),
    }, is_outside


PHOENIX = Shape("phoenix", _FIELDS, matcher("phoenix"), calls, frame="log")

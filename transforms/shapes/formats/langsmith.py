"""LangSmith's runs, as its SDK, its CLI and its bulk export (Parquet, details and `extra` as JSON text) write them.

Only runs of a model are calls, and only the inner ones: chains and agents roll up what is in them, and wrappers put one
model's run into another. `prompt_tokens` includes cache reads and writes, `completion_tokens` includes reasoning.
`cache_creation` is 0 where the lifetimes are told, else all that was written. LangChain puts OpenAI's service tier
before the names of the details ("priority_cache_read"). Costs are USD, decimal texts, by LangSmith's own prices.
Instants have no zone and are UTC. Sums are filled in a while after a run: until then they are unknown.

Identity: the run's `id`. `session_id` is the project; the thread is in the metadata, and is the action, else the trace
is. The feature is the metadata's, else the name of the trace's first run. Source: langsmith 0.15 (Run); issues 218,
225, 1812 and 3119 of its SDK.
"""

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.dialects import span_trees
from transforms.shapes.fields import COUNT, USD, known_sum, text, to_calls, typed
from transforms.shapes.guards import CACHE_OUTSIDE, SPLIT_EXCEEDS, with_cache_outside, without_lifetime
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_IN, _OUT, _METADATA = "prompt_token_details>", "completion_token_details>", "extra>metadata."
_TIERS = ("priority", "flex")
_READ = tuple(f"{_IN}{name}" for name in ("cache_read", *(f"{tier}_cache_read" for tier in _TIERS)))
_REASONING = tuple(f"{_OUT}{name}" for name in ("reasoning", *(f"{tier}_reasoning" for tier in _TIERS)))
_WRITTEN, _SHORT, _LONG = (
    f"{_IN}{name}" for name in ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
)
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", *_READ, _WRITTEN, _SHORT, _LONG, *_REASONING,
           f"{_IN}audio", f"{_OUT}audio")  # fmt: skip
_THREAD = tuple(f"{_METADATA}{name}" for name in ("action_id", "session_id", "thread_id", "conversation_id"))
_MODEL = (f"{_METADATA}ls_model_name", "extra>invocation_params.model", "extra>invocation_params.model_name")
_FIELDS = (
    "id",
    "trace_id",
    "parent_run_id",
    "run_type",
    "name",
    "start_time",
    "end_time",
    "status",
    "error",
    "total_cost",
    f"{_METADATA}ls_provider",
    *_MODEL,
    *_THREAD,
    *(f"{_METADATA}{name}" for name in ATTRIBUTES if name != "action_id"),
    *(f"{_IN}{tier}" for tier in _TIERS),
    *_COUNTS,
)
_KINDS = {
    "start_time": INSTANT_KINDS["any"],
    "end_time": INSTANT_KINDS["any"],
    "total_cost": USD,
    **dict.fromkeys(_COUNTS, COUNT),
}
_OF_A_MODEL = ("llm", "embedding")


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    of_a_model = pl.col("run_type").is_in(_OF_A_MODEL).fill_null(False)
    # LangSmith writes 0 for what was not counted; either way there is nothing to count
    has_usage = (text("prompt_tokens").fill_null("0") != "0") | (text("completion_tokens").fill_null("0") != "0")
    wraps = span_trees.is_wrapper(lines, "id", "parent_run_id", of_a_model, has_usage)
    lines = lines.with_columns(is_call=of_a_model & ~wraps, first_name=_first_name(lines))
    counts, found = _counts()
    failed = text("error").is_not_null() | pl.col("status").is_in(["error", "pending"]).fill_null(False)
    columns = {
        **counts,
        "provider": provider_id(text(f"{_METADATA}ls_provider").str.to_lowercase()),
        "model": text(*_MODEL),
        "response_id": text("id"),
        "called_at": pl.col("start_time"),
        "status": pl.when(failed).then(pl.lit("error")).otherwise(pl.lit("success")),
        "service_tier": pl.coalesce(pl.when(pl.col(f"{_IN}{tier}") != "").then(pl.lit(tier)) for tier in _TIERS),
        "latency_seconds": span_trees.took("start_time", "end_time"),
        "recorded_cost_pico": pl.col("total_cost"),
        **{name: text(f"{_METADATA}{name}") for name in ATTRIBUTES if name != "action_id"},
        "action_id": text(*_THREAD, "trace_id"),
        "feature": text(f"{_METADATA}feature", "first_name"),
    }
    told, ours = pl.col("total_tokens"), pl.col("prompt_tokens") + pl.col("completion_tokens")
    read, total = typed(lines, _KINDS), pl.when(told != ours).then(told)
    return to_calls(
        read,
        "langsmith",
        columns,
        other=~pl.col("is_call"),
        strange=pl.col("run_type").is_null(),
        guards=found,
        total=total,
    )


def _counts() -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    """The columns of counts, and what is found wrong with them."""
    read, split = pl.coalesce(_READ), known_sum(pl.col(_SHORT), pl.col(_LONG))
    other, exceeds = without_lifetime(pl.col(_WRITTEN), split)
    output, total = pl.col("completion_tokens"), pl.col("total_tokens")
    input_tokens, is_outside = with_cache_outside(
        pl.col("prompt_tokens"), read, split, other, output=output, total=total
    )
    return {
        "input_tokens": input_tokens,
        "cache_read_tokens": read,
        "cache_write_5m_tokens": pl.col(_SHORT),
        "cache_write_1h_tokens": pl.col(_LONG),
        "cache_write_other_tokens": other,
        "output_tokens": output,
        "reasoning_tokens": pl.coalesce(_REASONING),
        "input_audio_tokens": pl.col(f"{_IN}audio"),
        "output_audio_tokens": pl.col(f"{_OUT}audio"),
    }, {CACHE_OUTSIDE: is_outside, SPLIT_EXCEEDS: exceeds & (pl.col(_WRITTEN) > 0)}


def _first_name(lines: pl.DataFrame) -> pl.Series:
    """The name of the first run of each line's trace, whose id is the trace's."""
    firsts = lines.filter(pl.col("id") == pl.col("trace_id")).unique("id", keep="first", maintain_order=True)
    firsts = firsts.select(trace_id="id", first_name="name")
    return lines.select("trace_id").join(firsts, on="trace_id", how="left", maintain_order="left")["first_name"]


LANGSMITH = Shape("langsmith", _FIELDS, matcher("langsmith"), calls, frame="log")

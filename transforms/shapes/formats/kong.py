"""Kong's log entries with what its AI plugins add: `ai`, an object with one block for each plugin.

`ai.proxy` (older: `ai["ai-proxy"]`) is the client's call, other blocks that tell a model or counts are calls that a
plugin made by itself, as a judge inside the proxy's block does; embeddings of a RAG injector are told in its own words,
those of a semantic cache without counts. Which plugins there are is not known in advance, so `ai` is read whole. Blocks
of guards, compressors and tools tell of no call, nor do entries without `ai` (other routes).

Names of counts differ by version (`prompt_token`, `prompt_tokens`, `input_tokens`). Kong writes 0 for what it did not
measure: two counts of 0 are not told, and a cost of 0 beside tokens means that no price was configured. Cached and
reasoning tokens are told since 3.11, and whether the input includes cached ones is up to the provider. A response that
the semantic cache answered (`cache_status` Hit) repeats the counts of the call that filled it. `started_at` is in
milliseconds.

Identity: the request's id, with the block's name where an entry tells of several calls. The action is the trace, or the
request; the feature its route or service, the user its consumer. `upstream_status` has one code for each try, the last
one decided. Source: Kong's AI audit log reference and the gateway's code.
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from transforms.shapes.dialects import gateways
from transforms.shapes.fields import CODE, COUNT, MILLISECONDS, USD, Kind, text, to_calls, typed
from transforms.shapes.guards import AMBIGUOUS, CACHE_OUTSIDE, with_cache_outside
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.paths import as_text, loads, reach
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_IN, _OUT = "usage.prompt_tokens", "usage.completion_tokens"
_READ, _REASONING = "usage.prompt_tokens_details.cached_tokens", "usage.completion_tokens_details.reasoning_tokens"
_BLOCK: dict[str, tuple[str, ...]] = {  # column -> where a block tells it
    "meta.provider_name": ("meta.provider_name", "embeddings_provider"),
    "meta.request_model": ("meta.request_model",),
    "meta.response_model": ("meta.response_model", "embeddings_model"),
    "meta.llm_latency": ("meta.llm_latency", "embeddings_latency"),
    "cache.cache_status": ("cache.cache_status",),
    "usage.cost": ("usage.cost",),
    _IN: (_IN, "usage.prompt_token"),
    _OUT: (_OUT, "usage.completion_token"),
    "embeddings_tokens": ("embeddings_tokens",),
    "usage.input_tokens": ("usage.input_tokens",),
    "usage.output_tokens": ("usage.output_tokens",),
    "usage.total_tokens": ("usage.total_tokens",),
    _READ: (_READ, "usage.input_tokens_details.cached_tokens"),
    _REASONING: (_REASONING, "usage.output_tokens_details.reasoning_tokens"),
    "audio.in": ("usage.prompt_tokens_details.audio_tokens", "usage.input_tokens_details.audio_tokens",
                 "usage.input_tokens_details.audio_tokens_count"),
    "audio.out": ("usage.completion_tokens_details.audio_tokens", "usage.output_tokens_details.audio_tokens"),
    "image.in": ("usage.input_tokens_details.image_tokens",),
    "response.id": ("payload.response>id",),
}  # fmt: skip
_COUNTS = (*(name for name in _BLOCK if name.endswith("_tokens")), "audio.in", "audio.out", "image.in")
_KINDS: dict[str, Kind] = {
    "started_at": INSTANT_KINDS["any"],
    "latencies>request": MILLISECONDS,
    "upstream_status": CODE,
    "response>status": CODE,
    "meta.llm_latency": MILLISECONDS,
    "usage.cost": USD,
    **dict.fromkeys(_COUNTS, COUNT),
}
_FIELDS = (
    "ai",
    "started_at",
    "latencies>request",
    "upstream_status",
    "response>status",
    "request>id",
    "request>headers>traceparent",
    "consumer>username",
    "consumer>custom_id",
    "route>name",
    "service>name",
)
_NOT_AN_OBJECT = "ai is not an object"


def _blocks(ai: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, block) of each call in an entry, blocks within blocks after their own."""
    for name, block in _objects(ai):
        inner = ((f"{name}.{key}", value) for key, value in _objects(block))
        yield from ((path, each) for path, each in ((name, block), *inner) if _is_call(each))


def _objects(of: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What may be blocks; a payload, a provider's own words, is none."""
    return [(key, value) for key, value in of.items() if isinstance(value, dict) and key != "payload"]


def _is_call(block: dict[str, Any]) -> bool:
    held = any(isinstance(block.get(key), dict) for key in ("meta", "usage"))
    return held or block.get("embeddings_tokens") is not None


def _first(block: dict[str, Any], paths: tuple[str, ...]) -> str | None:
    found = next((value for path in paths if (value := reach(block, path)[0]) is not None), None)
    told = as_text(found)
    # a lone surrogate, which JSON may spell and no text may hold
    return told if told is None or told.isascii() else told.encode(errors="replace").decode()


def _rows(row: int, ai: str | None) -> Iterator[list[Any]]:
    """[row, part, fault, block, how many, its columns] of each call of an entry; one without a block where none is."""
    try:
        read = loads(ai) if ai else {}
    except ValueError:
        read = None
    blocks = list(_blocks(read)) if isinstance(read, dict) else []
    if not blocks:
        yield [row, 0, None if isinstance(read, dict) else _NOT_AN_OBJECT, None, 0, *([None] * len(_BLOCK))]
    for part, (name, block) in enumerate(blocks):
        name = name.encode(errors="replace").decode()
        yield [row, part, None, name, len(blocks), *(_first(block, paths) for paths in _BLOCK.values())]


def _opened(lines: pl.DataFrame) -> pl.DataFrame:
    rows = [each for row, ai in enumerate(lines["ai"]) for each in _rows(row, ai)]
    schema = {"$row": pl.UInt32, "$part": pl.Int32, "$fault": pl.String, "$block": pl.String, "$count": pl.Int32}
    parts = pl.DataFrame(rows, schema={**schema, **dict.fromkeys(_BLOCK, pl.String)}, orient="row")
    last_status = pl.col("upstream_status").str.extract(r"(\d+)\s*$")
    lines = lines[parts["$row"]].with_columns(upstream_status=last_status)
    return pl.concat([lines, parts.drop("$row")], how="horizontal")


def _known(path: str) -> pl.Expr:
    return pl.when(pl.col(path) != "UNSPECIFIED").then(text(path))


# Text is counted under one name, other media under another; the other one is absent or 0. Tokens of embeddings are all
# that was used: none came out.
_PROMPT = pl.max_horizontal(_IN, "usage.input_tokens", "embeddings_tokens")
_ANSWER = pl.coalesce(
    pl.max_horizontal(_OUT, "usage.output_tokens"), pl.when(pl.col("embeddings_tokens").is_not_null()).then(0)
)
_USED = gateways.used(_PROMPT, _ANSWER)
_IS_HIT = (pl.col("cache.cache_status").str.to_lowercase() == "hit").fill_null(False)
_IS_ONE_OF_SEVERAL = pl.col("$count") > 1
_PROVIDER, _MODEL = provider_id(_known("meta.provider_name")), _known("meta.response_model")


def _usage(input_tokens: pl.Expr) -> dict[str, pl.Expr]:
    counts = {
        "input_tokens": input_tokens,
        "cache_read_tokens": pl.col(_READ),
        "output_tokens": _ANSWER,
        "reasoning_tokens": pl.col(_REASONING),
        "input_audio_tokens": pl.col("audio.in"),
        "output_audio_tokens": pl.col("audio.out"),
        "input_image_tokens": pl.col("image.in"),
    }
    cost = pl.col("usage.cost")
    told = {name: pl.when(_USED).then(count) for name, count in counts.items()}
    return told | {"recorded_cost_pico": pl.when((cost != 0) | ~_USED).then(cost)}


def _identity() -> dict[str, pl.Expr]:
    request_id, block = text("request>id"), pl.col("$block")
    trace_id = pl.col("request>headers>traceparent").str.extract(r"^[0-9a-f]{2}-([0-9a-f]{32})-")
    named = pl.when(_IS_ONE_OF_SEVERAL).then(request_id + ":" + block).otherwise(request_id)
    return {
        "part": pl.col("$part"),
        "response_id": pl.coalesce(pl.when(~_IS_HIT).then(text("response.id")), named),
        "action_id": pl.coalesce(trace_id, request_id),
        "feature": text("route>name", "service>name"),
        "user_id": text("consumer>username", "consumer>custom_id"),
        "provider": _PROVIDER,
        "model": _MODEL,
        # a block within a block names the model that was judged
        "model_requested": pl.when(~block.str.contains(".", literal=True)).then(_known("meta.request_model")),
    }


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    code = pl.coalesce("upstream_status", "response>status")
    failed = (code >= 400).fill_null(False) | (pl.col("response>status") >= 400).fill_null(False)
    input_tokens, is_outside = with_cache_outside(_PROMPT, pl.col(_READ))
    columns = {
        **_identity(),
        **_usage(input_tokens),
        "called_at": pl.col("started_at"),
        "status": gateways.status(hit=_IS_HIT, failed=failed, code=code, used=_USED),
        "latency_seconds": pl.coalesce("meta.llm_latency", pl.when(~_IS_ONE_OF_SEVERAL).then("latencies>request")),
    }
    is_untold = (pl.col(_READ).is_null() | (pl.col(_READ) > 0)) & ~is_outside
    guards = {
        CACHE_OUTSIDE: is_outside,
        AMBIGUOUS: _USED & is_untold & gateways.counts_cache_beside(_PROVIDER, _MODEL),
    }
    read = typed(_opened(lines), _KINDS).with_columns(fault=pl.coalesce("$fault", "fault"))
    other = pl.col("$block").is_null() & pl.col("$fault").is_null()
    total = pl.when((pl.col("usage.total_tokens") > 0) & ~is_outside).then("usage.total_tokens")
    return to_calls(
        read, "kong", columns, other=other, strange=pl.col("started_at").is_null(), guards=guards, total=total
    )


KONG = Shape("kong", _FIELDS, matcher("kong"), calls)

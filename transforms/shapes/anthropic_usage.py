"""Anthropic's `usage`, which several shapes hold: counts that exclude cached tokens, and iterations.

`input_tokens` is the uncached rest only: all input is it plus cache reads plus cache writes. `cache_creation` splits
the writes into 5-minute and 1-hour ones; what it does not account for, or all where it is absent, is cache_write_other
(Anthropic's default lifetime is 5 minutes, but the log does not say so). A cache field that is absent or null adds
nothing to the input: rows older than prompt caching and requests without it leave these fields out, and every request
that used the cache has them. `output_tokens` includes thinking. Source: Anthropic API reference (usage object).

`iterations` lists what one request did inside: where there are several, the numbers on top leave some out (compaction),
or belong to another model (advisor, fallback). What is billed is their sum, each at its own model.
"""

import json
from typing import Any

import polars as pl

from transforms.shapes.fields import COUNT, Kind, as_count, text

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
)
OTHER_COUNTS = ("output_tokens_details.thinking_tokens", "server_tool_use.web_search_requests")
TEXTS = ("service_tier", "speed", "inference_geo", "iterations")
_ALWAYS = ("input_tokens", "output_tokens")


def fields(usage: str) -> tuple[str, ...]:
    """Paths of a usage object that lies at `usage` ("message.usage")."""
    return tuple(f"{usage}.{name}" for name in (*COUNTS, *OTHER_COUNTS, *TEXTS))


def kinds(usage: str) -> dict[str, Kind]:
    return {f"{usage}.{name}": COUNT for name in (*COUNTS, *OTHER_COUNTS)}


def columns(usage: str) -> dict[str, pl.Expr]:
    """The call columns that a usage object tells."""
    count = {name: pl.col(f"{usage}.{name}") for name in (*COUNTS, *OTHER_COUNTS)}
    written, short, long = (count[name] for name in COUNTS[3:])
    split = pl.when(short.is_not_null() | long.is_not_null()).then(short.fill_null(0) + long.fill_null(0))
    other = pl.when(written.is_not_null()).then((written - split.fill_null(0)).clip(0))
    none_if_absent = [part.fill_null(0) for part in (count["cache_read_input_tokens"], split, other)]
    return {
        "input_tokens": count["input_tokens"] + none_if_absent[0] + none_if_absent[1] + none_if_absent[2],
        "cache_read_tokens": count["cache_read_input_tokens"],
        "cache_write_5m_tokens": short,
        "cache_write_1h_tokens": long,
        "cache_write_other_tokens": other,
        "output_tokens": count["output_tokens"],
        "reasoning_tokens": count["output_tokens_details.thinking_tokens"],
        "web_search_count": count["server_tool_use.web_search_requests"],
        # speed "fast" is sold at a price of its own, while service_tier says standard
        "service_tier": pl.when(pl.col(f"{usage}.speed") == "fast")
        .then(pl.lit("fast"))
        .otherwise(text(f"{usage}.service_tier")),
        "region": pl.when(pl.col(f"{usage}.inference_geo") != "not_available").then(text(f"{usage}.inference_geo")),
        "is_batch": pl.col(f"{usage}.service_tier") == "batch",
    }


def opened(lines: pl.DataFrame, usage: str, model: str) -> pl.DataFrame:
    """`lines` with `part`; a line of several iterations becomes one row for each model in them, its counts their sums.

    Part 0 is the line's own model, which iterations that name none belong to.
    """
    # one iteration says nothing that the numbers on top do not
    several = lines[f"{usage}.iterations"].str.count_matches('"input_tokens"', literal=True).fill_null(0) > 1
    lines = lines.with_columns(part=pl.lit(0, pl.Int32))
    if not several.any():
        return lines
    lines = lines.with_row_index("@row")
    rows = [part for row in lines.filter(several).iter_rows(named=True) for part in _parts(row, usage, model)]
    parts = pl.DataFrame(rows, schema=lines.schema)
    return pl.concat([lines.filter(~several), parts]).sort("@row", "part").drop("@row")


def _parts(row: dict[str, Any], usage: str, model: str) -> list[dict[str, Any]]:
    by_model: dict[str | None, list[dict[str, Any]]] = {row[model]: []}
    for iteration in _iterations(row[f"{usage}.iterations"]):
        name = iteration.get("model")
        by_model.setdefault(name if name and isinstance(name, str) else row[model], []).append(iteration)
    parts = []
    for part, (name, iterations) in enumerate(by_model.items()):
        if part == 0 and not iterations:  # the numbers on top are all that is told of the line's own model
            parts.append(row)
            continue
        sums = {f"{usage}.{count}": _sum(iterations, count) for count in COUNTS}
        # told once for the line: not of one iteration
        once = {f"{usage}.{count}": row[f"{usage}.{count}"] if part == 0 else None for count in OTHER_COUNTS}
        parts.append({**row, model: name, "part": part, **sums, **once})
    return parts


def _iterations(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text, parse_int=str, parse_float=str)
    except ValueError:
        return []
    return [iteration for iteration in found if isinstance(iteration, dict)] if isinstance(found, list) else []


def _sum(iterations: list[dict[str, Any]], path: str) -> str | None:
    """The sum as text; null where a count that every iteration has is missing; no count at all if one is none."""
    *outer, last = path.split(".")
    holders = [iteration.get(outer[0]) if outer else iteration for iteration in iterations]
    values = [holder.get(last) for holder in holders if isinstance(holder, dict)]
    known = [str(value) for value in values if value is not None]
    if not known or (path in _ALWAYS and len(known) < len(iterations)):
        return None
    counts = [as_count(value) for value in known]
    return "not a count" if None in counts else str(sum(counts))

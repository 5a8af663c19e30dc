"""Anthropic's `usage`, which several shapes hold: counts that exclude cached tokens, and iterations.

`input_tokens` is the uncached rest only: all input is it plus cache reads plus cache writes. `cache_creation` splits
the writes into 5-minute and 1-hour ones; what it does not account for, or all where it is absent, is cache_write_other
(Anthropic's default lifetime is 5 minutes, but the log does not say so). A cache field that is absent or null adds
nothing to the input: rows older than prompt caching and requests without it leave these fields out, and every request
that used the cache has them. `output_tokens` includes thinking. Source: Anthropic API reference (usage object).

`iterations` lists what one request did inside: where there are several, the numbers on top leave some out (compaction),
or belong to another model (advisor, fallback). What is billed is their sum, each at its own model.
"""

from typing import Any

import polars as pl

from transforms.shapes import decoding
from transforms.shapes.fields import COUNT, Kind, as_count, known_sum, text
from transforms.shapes.guards import NO_LIFETIME, SPLIT_EXCEEDS, without_lifetime
from transforms.shapes.paths import as_text, find, loads

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
_USAGE = pl.Struct(
    {
        **dict.fromkeys((*COUNTS[:4], *TEXTS[:-1]), pl.String),
        "cache_creation": pl.Struct(
            dict.fromkeys(("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"), pl.String)
        ),
        "output_tokens_details": pl.Struct({"thinking_tokens": pl.String}),
        "server_tool_use": pl.Struct({"web_search_requests": pl.String}),
    }
)
_ALWAYS = ("input_tokens", "output_tokens")


def fields(usage: str) -> tuple[str, ...]:
    """Paths of a usage object that lies at `usage` ("message.usage")."""
    return tuple(f"{usage}.{name}" for name in (*COUNTS, *OTHER_COUNTS, *TEXTS))


def decoded(lines: pl.DataFrame, usage: str) -> pl.DataFrame:
    """`lines` with a column for each of `fields(usage)`, out of the text of the usage object: that takes less time than
    to have each field read. And `is_usage_odd`, of lines whose usage is something else."""
    values, odd = decoding.decoded(lines[usage], _USAGE)
    columns = {f"{usage}.{path}": _within(*path.split(".")) for path in (*COUNTS, *OTHER_COUNTS, *TEXTS[:-1])}
    # one iteration says nothing that the numbers on top do not
    on_top = values.struct.field("input_tokens").is_not_null().cast(pl.UInt32)
    several = lines[usage].str.count_matches('"input_tokens"', literal=True) - on_top > 1
    texts: list[str | None] = [None] * lines.height
    for row in several.arg_true():
        texts[row] = as_text(find(loads(lines[usage][row]), "iterations"))
    iterations = pl.Series(f"{usage}.iterations", texts, dtype=pl.String)
    read = lines.with_columns(values.alias("$usage"), odd.alias("is_usage_odd"), iterations)
    return read.with_columns(**columns).drop("$usage")


def _within(*names: str) -> pl.Expr:
    value = pl.col("$usage")
    for name in names:
        value = value.struct.field(name)
    return value


def kinds(usage: str) -> dict[str, Kind]:
    return {f"{usage}.{name}": COUNT for name in (*COUNTS, *OTHER_COUNTS)}


def columns(usage: str) -> dict[str, pl.Expr]:
    """The call columns that a usage object tells."""
    count = {name: pl.col(f"{usage}.{name}") for name in (*COUNTS, *OTHER_COUNTS)}
    written, short, long = (count[name] for name in COUNTS[3:])
    split = known_sum(short, long)
    other, _ = without_lifetime(written, split)
    cached = pl.sum_horizontal(count["cache_read_input_tokens"], split, other)  # what is absent adds nothing, see above
    return {
        "input_tokens": count["input_tokens"] + cached,
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


def guards(usage: str) -> dict[str, pl.Expr]:
    """What may be wrong with the counts of a usage object."""
    written, short, long = (pl.col(f"{usage}.{name}") for name in COUNTS[3:])
    _, exceeds = without_lifetime(written, known_sum(short, long))
    return {NO_LIFETIME: written > pl.sum_horizontal(short, long), SPLIT_EXCEEDS: exceeds}


def part_id(own_id: pl.Expr, model: str) -> pl.Expr:
    """The id of a call: the response's, and of a part of it (see `opened`) that with its model."""
    return pl.when(pl.col("part") > 0).then(own_id + ":" + pl.col(model)).otherwise(own_id)


def opened(lines: pl.DataFrame, usage: str, model: str) -> pl.DataFrame:
    """`lines` with `part`; a line of several iterations becomes one row for each model in them, its counts their sums.

    Part 0 is the line's own model, which iterations that name none belong to.
    """
    # one iteration says nothing that the numbers on top do not
    several = lines[f"{usage}.iterations"].str.count_matches('"input_tokens"', literal=True) > 1
    several = several.fill_null(False)
    if not several.any():
        return lines.with_columns(part=pl.lit(0, pl.Int32))
    lines = lines.with_row_index("$row")
    asked = lines.filter(several).select("$row", model, f"{usage}.iterations")
    rows = [[row, *part] for row, name, text in asked.iter_rows() for part in _parts(name, text)]
    sums = {f"$sum.{count}": pl.String for count in COUNTS}
    schema = {"$row": pl.UInt32, "part": pl.Int32, "$model": pl.String, "$told": pl.Boolean, **sums}
    parts = lines.join(pl.DataFrame(rows, schema=schema, orient="row"), on="$row", maintain_order="right")
    of_part = {
        f"{usage}.{count}": pl.when("$told").then(f"$sum.{count}").otherwise(f"{usage}.{count}") for count in COUNTS
    }
    # told once for the line: not of one iteration
    of_line = {f"{usage}.{count}": pl.when(pl.col("part") == 0).then(f"{usage}.{count}") for count in OTHER_COUNTS}
    parts = parts.with_columns(**{model: pl.col("$model")}, **of_part, **of_line).drop("$model", "$told", *sums)
    others = lines.filter(~several).with_columns(part=pl.lit(0, pl.Int32))
    return pl.concat([others, parts]).sort("$row", "part").drop("$row")


def _parts(model: str | None, iterations: str) -> list[list[Any]]:
    """[part, model, whether an iteration tells its counts, the counts' sums] of each model in a line."""
    by_model: dict[str | None, list[dict[str, Any]]] = {model: []}
    for iteration in _iterations(iterations):
        name = iteration.get("model")
        by_model.setdefault(name if name and type(name) is str else model, []).append(iteration)
    return [
        [part, name, bool(found), *(_sum(found, count) for count in COUNTS)]
        for part, (name, found) in enumerate(by_model.items())
    ]


def _iterations(text: str) -> list[dict[str, Any]]:
    try:
        found = loads(text)
    except ValueError:
        return []
    return [iteration for iteration in found if isinstance(iteration, dict)] if isinstance(found, list) else []


def _sum(iterations: list[dict[str, Any]], path: str) -> str | None:
    """The sum as text; null where a count that every iteration has is missing; no count at all if one is none."""
    *outer, last = path.split(".")
    holders = [iteration.get(outer[0]) if outer else iteration for iteration in iterations]
    values = [holder.get(last) for holder in holders if isinstance(holder, dict)]
    known = [value for value in values if value is not None]
    if not known or (path in _ALWAYS and len(known) < len(iterations)):
        return None
    counts = [_count(str(value)) for value in known]
    return "not a count" if None in counts else str(sum(counts))


def _count(value: str) -> int | None:
    return int(value) if len(value) < 10 and value.isdecimal() and value.isascii() else as_count(value)

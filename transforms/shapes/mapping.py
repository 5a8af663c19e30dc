"""A log shape that the user describes in tokenspread.toml, for a log that no built-in shape knows.

    [log.agent_runs]
    match = { session_id = "*", modelUsage = "*" }   # records of this log have these values; "*" is any but null
    calls_where = { kind = "run" }                   # only these records tell of calls (a list: any of these values)
    open = "modelUsage"                              # a list, or an object: each of its entries is one call
    null_values = ["None", "n/a"]                    # texts that stand for no value
    provider_from_model_prefix = true                # "xai/grok-4": provider x-ai, model grok-4
    input_includes_cache = false                     # default true: cached tokens are part of input_tokens
    output_includes_reasoning = false                # default true: reasoning is part of output_tokens

    [log.agent_runs.fields]                          # column = where it comes from (see sources)
    model = "$key"                                   # the entry's key in the opened object
    input_tokens = ".inputTokens"                    # inside the opened entry
    cache_write_tokens = ".cacheCreationInputTokens" # all writes; what 5m and 1h do not tell of it is `other`
    action_id = "ticket"                             # in the record around it

A record whose list or object is missing or empty is one call whose usage is unknown.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.schemas import ATTRIBUTES, QUANTITIES
from transforms.shapes.fields import STATUS_FAULT, STATUSES, to_calls, typed
from transforms.shapes.outcome_mapping import outcomes_from
from transforms.shapes.paths import as_text, find, loads, paths_of
from transforms.shapes.providers import provider_id
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import SIGNATURES
from transforms.shapes.sources import (
    ALL_WRITES,
    AMOUNTS,
    Source,
    check_known,
    has_value,
    kind_of,
    matchers,
    matches,
    source_of,
    texts_of,
    values_of,
)

__all__ = ["outcomes_from", "shape_from"]

COLUMNS = (
    "provider",
    "model",
    "model_requested",
    "response_id",
    "called_at",
    "status",
    "service_tier",
    "region",
    "is_batch",
    "latency_seconds",
    *AMOUNTS,
    *QUANTITIES,
    ALL_WRITES,
    *ATTRIBUTES,
    "outcome",
    "is_success",
)
_SWITCHES = {"provider_from_model_prefix": False, "input_includes_cache": True, "output_includes_reasoning": True}
_KEYS = ("match", "calls_where", "open", "null_values", "fields", *_SWITCHES)
TIMED_WRITES = ("cache_write_5m_tokens", "cache_write_1h_tokens")
WRITES_FAULT = f"{' and '.join(TIMED_WRITES)} exceed {ALL_WRITES}"
_CACHED = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_other_tokens")


@dataclass(frozen=True)
class Mapping:
    name: str
    match: dict[str, tuple[str, ...]]  # path: values, or "*"
    calls_where: dict[str, tuple[str, ...]]
    open: str | None
    null_values: tuple[str, ...]
    sources: dict[str, Source]
    switches: dict[str, bool]

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths that the reader is to read: those inside an opened entry are ours to find."""
        paths = [path for source in self.sources.values() for path in source.paths if not _is_inner(path)]
        keys = [source.of_key for source in self.sources.values() if source.of_key]
        return tuple(dict.fromkeys([*paths, *keys, *self.calls_where, *([self.open] if self.open else [])]))

    @property
    def inner(self) -> list[str]:
        paths = (path for source in self.sources.values() for path in source.paths if path.startswith("."))
        return list(dict.fromkeys(paths))


def shape_from(name: str, table: dict[str, Any]) -> Shape:
    """The shape that `[log.<name>]` describes. Raises ValueError that names the place, the fact and the fix."""
    mapping = _mapping(name, table)
    return Shape(
        name=name,
        fields=mapping.fields,
        matches=lambda record: matches(record, mapping.match),
        calls=lambda lines: _calls(lines, mapping),
    )


def _mapping(name: str, table: dict[str, Any]) -> Mapping:
    where = f"[log.{name}]"
    if name in SIGNATURES:
        raise ValueError(f"{where}: is the name of a shape that is built in; choose another")
    check_known(where, table, _KEYS)
    given = table.get("fields", {})
    check_known(f"[log.{name}.fields]", given, COLUMNS)
    sources = {column: source_of(f"[log.{name}.fields]", column, value) for column, value in given.items()}
    opened = table.get("open")
    if opened is not None:
        (opened,) = paths_of(f"{where} open", [opened], relative=False)
    for column, source in sources.items():
        if opened is None and source.of_key:
            raise ValueError(f"[log.{name}.fields] {column}: has of_key, but nothing is opened; set `open`")
        if opened is None and any(map(_is_inner, source.paths)):
            raise ValueError(f'[log.{name}.fields] {column}: begins with "." or "$", but nothing is opened; set `open`')
    if {ALL_WRITES, "cache_write_other_tokens"} <= sources.keys():
        fact = f"cache_write_other_tokens is what {ALL_WRITES} leaves"
        raise ValueError(f"[log.{name}.fields] {ALL_WRITES}: {fact}; keep one of the two")
    if "match" not in table:
        raise ValueError(f'{where}: has no `match`; name a field that every record has: match = {{ event = "*" }}')
    return Mapping(
        name=name,
        match=matchers(f"{where} match", table["match"]),
        calls_where=matchers(f"{where} calls_where", table["calls_where"]) if "calls_where" in table else {},
        open=opened,
        null_values=values_of(table.get("null_values", [])),
        sources=sources,
        switches={switch: bool(table.get(switch, default)) for switch, default in _SWITCHES.items()},
    )


def _is_inner(path: str) -> bool:
    return path.startswith(".") or path == "$key"


def _calls(lines: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    lines = _opened(lines, mapping.open, mapping.inner) if mapping.open else _unopened(lines)
    conditions = (has_value(path, values) for path, values in mapping.calls_where.items())
    texts = texts_of(
        lines,
        mapping.sources,
        mapping.null_values,
        part=pl.col("$part"),
        key=pl.col("$key"),
        unopened=pl.col("$unopened"),
        is_call=pl.all_horizontal(True, *conditions).fill_null(False),
    )
    texts = texts.with_columns(pl.lit(None, pl.String).alias(name) for name in COLUMNS if name not in texts.columns)
    if mapping.switches["provider_from_model_prefix"]:
        prefixed = pl.col("model").str.contains("/", literal=True)
        parts = pl.col("model").str.splitn("/", 2).struct
        texts = texts.with_columns(
            provider=pl.when(prefixed).then(provider_id(parts[0])).otherwise("provider"),
            model=pl.when(prefixed).then(parts[1]).otherwise("model"),
        )
    kinds = {name: kind_of(name) for name in COLUMNS} | {name: source.kind for name, source in mapping.sources.items()}
    read = typed(texts, {name: kind for name, kind in kinds.items() if kind})
    fault = pl.when("unopened").then(pl.lit(f"{mapping.open} is neither a list nor an object")).otherwise("fault")
    reasons = {STATUS_FAULT: ~pl.col("status").is_in(STATUSES)}
    if ALL_WRITES in mapping.sources:
        rest = pl.col(ALL_WRITES) - pl.sum_horizontal(TIMED_WRITES)  # a time that is not told is none of it
        read = read.with_columns(cache_write_other_tokens=rest)
        reasons[WRITES_FAULT] = rest < 0
    read = read.with_columns(fault=fault)
    return to_calls(read, mapping.name, _columns(mapping), other=~pl.col("is_call"), reasons=reasons)


def _columns(mapping: Mapping) -> dict[str, pl.Expr]:
    plain = [name for name in COLUMNS if name not in (*AMOUNTS, ALL_WRITES)]
    cached = pl.sum_horizontal(_CACHED)  # nulls add nothing: a class that the log does not have
    input_tokens, output_tokens = pl.col("input_tokens"), pl.col("output_tokens")
    if not mapping.switches["input_includes_cache"]:
        input_tokens = input_tokens + cached
    if not mapping.switches["output_includes_reasoning"]:
        output_tokens = pl.coalesce(output_tokens + pl.col("reasoning_tokens"), output_tokens)
    response_id = pl.col("response_id")
    if "response_id" in mapping.sources and not any(map(_is_inner, mapping.sources["response_id"].paths)):
        # the record's id is not its entries': they would pass for one call
        response_id = pl.coalesce(response_id + ":" + pl.col("key"), response_id)
    return {
        **{name: pl.col(name) for name in plain},
        "part": pl.col("part"),
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "response_id": response_id,
        "status": pl.coalesce("status", pl.lit("success")),
        "recorded_cost_pico": pl.col("recorded_cost_usd"),
        "value_pico": pl.col("value_usd"),
    }


def _opened(lines: pl.DataFrame, path: str, inner: list[str]) -> pl.DataFrame:
    """One row for each entry of the list or object at `path`, or for the line where it has none.

    Adds "$part", "$key" (of an object's entry; an element's number in a list; null for a line without entries),
    "$unopened" (there is something else at `path`) and one column for each path of `inner`.
    """
    names = ["$row", "$part", "$key", "$unopened", *inner]
    types = [pl.UInt32, pl.Int32, pl.String, pl.Boolean, *[pl.String] * len(inner)]
    rows: list[list[Any]] = []
    for row, text in enumerate(lines[path]):
        entries = _entries(text)
        for part, (key, entry) in enumerate(entries or [(None, None)]):
            values = (find(entry, name[1:]) for name in inner)
            rows.append([row, part, key, entries is None, *map(as_text, values)])
    parts = pl.DataFrame(rows, schema=list(zip(names, types, strict=True)), orient="row")
    return pl.concat([lines[parts["$row"]], parts.drop("$row")], how="horizontal")


def _unopened(lines: pl.DataFrame) -> pl.DataFrame:
    added = {"$part": pl.lit(0, pl.Int32), "$key": pl.lit(None, pl.String), "$unopened": pl.lit(False)}
    return lines.with_columns(**added)


def _entries(text: str | None) -> list[tuple[str, Any]] | None:
    """(key, entry) of each; none where there is nothing to open; None where there is something else."""
    if text is None:
        return []
    try:
        value = loads(text)
    except ValueError:
        return None
    if isinstance(value, dict):
        return list(value.items())
    return [(str(number), entry) for number, entry in enumerate(value)] if isinstance(value, list) else None

"""What the tables of a user's mapping are made of: which records they mean, and where each column comes from.

    match = { event = "message_send", user = "*", kind = ["run", "retry"] }  # a value, any but null, one of several

input_tokens = "usage.input"                                  # a path
model = ["response.model", "request.model"]                   # the first that has a value
cache_write_1h_tokens = { path = "usage.long", of_key = "model" }  # only of the opened entry whose key `model` names
called_at = { path = "time", unit = "unix_s" }                # or unix_ms, _us, _ns, dotnet_ticks, iso; else its looks
called_at = { path = "day", format = "%d.%m.%Y %H:%M" }       # strptime's letters
latency_seconds = { path = "took", unit = "ms" }              # or s, us, ns
recorded_cost_usd = { path = "cost", unit = "cents" }         # or usd, micro_usd, nano_usd
is_success = { path = "state", equals = "done" }              # or a list; any other value: false
status = { path = "exit_code", equals = "0" }                 # success; any other value: error
provider = { const = "anthropic" }
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import polars as pl

from transforms.schemas import QUANTITIES
from transforms.shapes.fields import BOOLEAN, COUNT, Kind, read_pico, read_seconds, text
from transforms.shapes.instants import INSTANT_KINDS, strptime_kind
from transforms.shapes.paths import as_text, find, paths_of

INSTANTS = ("called_at", "occurred_at")
AMOUNTS = ("recorded_cost_usd", "value_usd")
BOOLEANS = ("is_batch", "is_success")
_USD_DIGITS = {"usd": 12, "cents": 10, "micro_usd": 6, "nano_usd": 3}  # pico-USD are 10**-digits of the unit
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_KEYS = ("path", "const", "unit", "format", "equals", "of_key")
ALL_WRITES = "cache_write_tokens"  # what is written to a cache for however long; its told parts are taken off


@dataclass(frozen=True)
class Source:
    paths: tuple[str, ...]
    const: str | None
    equals: tuple[str, ...]
    kind: Kind | None  # null: text
    of_key: str | None = None  # a path of the record: only of the opened entry whose key is its value

    def text(self, column: str) -> pl.Expr:
        """The column's text, before it is read."""
        value = text(*self.paths) if self.paths else pl.lit(self.const, pl.String)
        if self.of_key:
            value = pl.when(pl.col("$key") == pl.col(self.of_key)).then(value)
        if not self.equals:
            return value
        yes, no = ("success", "error") if column == "status" else ("true", "false")
        return pl.when(value.is_in(self.equals)).then(pl.lit(yes)).when(value.is_not_null()).then(pl.lit(no))


def source_of(where: str, column: str, given: Any) -> Source:
    """`given` as a mapping's table has it. Raises ValueError that names `where`, the fact and the fix."""
    here = f"{where} {column}"
    table = given if isinstance(given, dict) else {"path": given}
    check_known(here, table, _KEYS)
    if ("path" in table) == ("const" in table):
        raise ValueError(f'{here}: needs either a path or a const; write {column} = "path.in.the.record"')
    paths = paths_of(here, table["path"]) if "path" in table else ()
    equals = values_of(table.get("equals", []))
    if equals and column not in (*BOOLEANS, "status"):
        raise ValueError(f"{here}: `equals` makes true or false of a value; only status and is_... columns take it")
    const = as_text(table["const"]) if "const" in table else None
    of_key = table.get("of_key")
    if of_key is not None:
        (of_key,) = paths_of(f"{here} of_key", [of_key], relative=False)
    return Source(paths, const, equals, _kind(here, column, table.get("unit"), table.get("format")), of_key)


def values_of(given: Any) -> tuple[str, ...]:
    """A value or a list of values, as text."""
    return tuple(as_text(value) or "" for value in (given if isinstance(given, list) else [given]))


def check_known(where: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ValueError(f"{where}: there is no {name!r} here; {hint}")


def kind_of(column: str) -> Kind | None:
    """How a column without unit or format is read; None for a text."""
    return _kind("", column, None, None)


def _kind(where: str, column: str, unit: str | None, form: str | None) -> Kind | None:
    if form is not None and column not in INSTANTS:
        raise ValueError(f"{where}: `format` is for instants; remove it")
    if column in INSTANTS:
        if form is None:
            return INSTANT_KINDS[_unit(where, unit, "any", INSTANT_KINDS)]
        try:
            return strptime_kind(form)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    if column in AMOUNTS:
        digits = _USD_DIGITS[_unit(where, unit, "usd", _USD_DIGITS)]
        return Kind("an amount in USD", lambda values: read_pico(values, digits))
    if column == "latency_seconds":
        per_second = _PER_SECOND[_unit(where, unit, "s", _PER_SECOND)]
        return Kind("seconds", lambda values: read_seconds(values, per_second), lenient=True)
    if unit is not None:
        raise ValueError(f"{where}: takes no unit; remove it")
    return COUNT if column in (*QUANTITIES, ALL_WRITES) else BOOLEAN if column in BOOLEANS else None


def _unit(where: str, unit: str | None, default: str, known: dict[str, Any]) -> str:
    if unit is not None and unit not in known:
        raise ValueError(f"{where}: {unit!r} is no unit for it; known are {', '.join(known)}")
    return unit or default


def matches(record: dict[str, Any], match: dict[str, tuple[str, ...]]) -> bool:
    found = ((as_text(find(record, path)), values) for path, values in match.items())
    return all(text is not None and ("*" in values or text in values) for text, values in found)


def matchers(where: str, given: Any) -> dict[str, tuple[str, ...]]:
    """`match` or `calls_where` as a table has it."""
    if not isinstance(given, dict) or not given:
        raise ValueError(f'{where}: is no table; write it like {{ event = "message_send" }}')
    paths = paths_of(where, list(given), relative=False)
    return {path: values_of(values) for path, values in zip(paths, given.values(), strict=True)}


def has_value(path: str, values: tuple[str, ...]) -> pl.Expr:
    return pl.col(path).is_not_null() if "*" in values else pl.col(path).is_in(values)


def texts_of(
    lines: pl.DataFrame, sources: dict[str, Source], null_values: tuple[str, ...], **others: pl.Expr
) -> pl.DataFrame:
    """The line keys, what starts with "@", `others`, and the text of each source's column."""
    passed = [name for name in lines.columns if name.startswith("@")]
    if null_values:
        paths = {path for source in sources.values() for path in source.paths}
        lines = lines.with_columns(pl.when(~pl.col(path).is_in(null_values)).then(path).alias(path) for path in paths)
    texts = {name: source.text(name) for name, source in sources.items()}
    return lines.select("content_id", "line_number", *passed, **others, **texts)

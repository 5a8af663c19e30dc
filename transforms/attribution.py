"""Step 4: whom a call belongs to, as the user defines it in the table `[attribution]` of tokenspread.toml.

    [attribution]
    feature = "request.metadata.team"                       # a path in the record
    customer_id = ["metadata.tenant", "metadata.account"]   # the first that has a value
    user_id = { tags = "request_tags", prefix = "user:" }   # the first tag that begins so; the prefix is cut off
    environment = { const = "production" }
    is_success = { path = "verdict", equals = ["good", "fine"] }

    [attribution.litellm_slp]                               # in place of the rules above, for logs of this shape
    feature = { tags = "request_tags", prefix = "feature:" }

A rule goes before what the shape found by itself, wherever it yields a value. A call stays one call whatever its tags:
the first tag that fits has it. A call that neither rule nor shape attributes stays null: unattributed.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.paths import loads, paths_of

TARGETS = (*ATTRIBUTES, "outcome", "is_success")
_KEYS = ("path", "tags", "prefix", "const", "equals")


@dataclass(frozen=True)
class Rule:
    paths: tuple[str, ...] = ()
    prefix: str | None = None  # of the tag that tells; null: the text at the path itself
    const: str | None = None
    equals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    general: dict[str, Rule]  # by call column
    of_shape: dict[str, dict[str, Rule]]

    def of(self, shape: str) -> dict[str, Rule]:
        return self.general | self.of_shape.get(shape, {})


def rules_from(table: dict[str, Any], shapes: Collection[str] = ()) -> Rules:
    """The rules of `[attribution]`.

    `shapes` are the names that a table within may have; none given: any. Raises ValueError that names the place, the
    fact and the fix.
    """
    own = {name: given for name, given in table.items() if name not in TARGETS}
    for name, given in own.items():
        if not isinstance(given, dict) or (shapes and name not in shapes):
            known = ", ".join([*TARGETS, *shapes])
            raise ValueError(f"[attribution] {name}: is neither a column nor a shape; known are {known}")
    general = {name: given for name, given in table.items() if name in TARGETS}
    return Rules(
        _rules("[attribution]", general), {name: _rules(f"[attribution.{name}]", given) for name, given in own.items()}
    )


def paths(rules: Rules, shape: str) -> tuple[str, ...]:
    """What has to be read for the rules of `shape`; each path is the column "@<path>" of its calls."""
    return tuple(dict.fromkeys(path for rule in rules.of(shape).values() for path in rule.paths))


def attribute(calls: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """CALLS (with the columns "@<path>" of `paths`) -> CALLS without them, `rules` applied. Same rows and order."""
    names = calls["shape"].unique().to_list()
    if len(names) > 1:
        rows = calls.with_row_index("$row")
        of_shapes = [attribute(rows.filter(pl.col("shape").eq_missing(pl.lit(name))), rules) for name in names]
        return pl.concat(of_shapes).sort("$row").drop("$row")
    columns = {}
    for name, rule in rules.of(names[0]).items() if names and names[0] else ():
        value = _value(calls, rule)
        columns[name] = pl.coalesce(_boolean(value, rule) if name == "is_success" else value, name)
    return calls.with_columns(**columns).select(pl.exclude("^@.*$"))


def renamed(calls: pl.DataFrame, column: str, called: Callable[[str], str | None]) -> pl.DataFrame:
    """CALLS with each name of `column` as it is `called`, which is asked once for each name; null: as nobody's."""
    names = calls[column].drop_nulls().unique()
    others = pl.Series([called(name) for name in names], dtype=pl.String)
    if others.equals(names.alias("")):
        return calls
    return calls.with_columns(pl.col(column).replace_strict(names, others, default=None, return_dtype=pl.String))


def _rules(where: str, table: dict[str, Any]) -> dict[str, Rule]:
    for name in table:
        if name not in TARGETS:
            raise ValueError(f"{where} {name}: is no column to attribute; known are {', '.join(TARGETS)}")
    return {name: _rule(f"{where} {name}", given) for name, given in table.items()}


def _rule(where: str, given: Any) -> Rule:
    table = given if isinstance(given, dict) else {"path": given}
    ways = [way for way in ("path", "tags", "const") if way in table]
    unknown = [key for key in table if key not in _KEYS]
    if len(ways) != 1 or unknown or ("tags" in ways) != ("prefix" in table):
        raise ValueError(
            f'{where}: is no rule; write a path, a list of paths, {{ const = "..." }} or '
            f'{{ tags = "path", prefix = "feature:" }}'
        )
    paths = () if "const" in table else paths_of(where, table[ways[0]], relative=False)
    if not isinstance(prefix := table.get("prefix", "-"), str) or not prefix:
        raise ValueError(f"{where}: the prefix {prefix!r} is no text; write it in quotes")
    equals = table.get("equals", [])
    equals = tuple(_text(value) for value in (equals if isinstance(equals, list) else [equals]))
    if equals and not where.endswith(" is_success"):
        raise ValueError(f"{where}: `equals` makes true or false of a value; only is_success takes it")
    return Rule(paths, table.get("prefix"), _text(table["const"]) if "const" in table else None, equals)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(calls: pl.DataFrame, rule: Rule) -> pl.Expr:
    if rule.const is not None:
        return pl.lit(rule.const)
    if rule.prefix is not None:
        return pl.coalesce(pl.lit(_tagged(calls[f"@{path}"], rule.prefix)) for path in rule.paths)
    columns = [pl.col(f"@{path}") for path in rule.paths]
    return pl.coalesce(pl.when(column != "").then(column) for column in columns)


def _boolean(value: pl.Expr, rule: Rule) -> pl.Expr:
    yes = rule.equals or ("true", "True", "1")
    no = value.is_not_null() if rule.equals else value.is_in(("false", "False", "0"))
    return pl.when(value.is_in(yes)).then(True).when(no).then(False)


def _tagged(tags: pl.Series, prefix: str) -> pl.Series:
    """What follows `prefix` in the first tag that begins with it; `tags` are JSON lists, or texts with commas."""
    rows = [(text, _first(text, prefix)) for text in tags.drop_nulls().unique()]
    known = pl.DataFrame(rows, schema={"text": pl.String, "value": pl.String}, orient="row")
    return tags.to_frame("text").join(known, on="text", how="left", maintain_order="left")["value"]


def _first(text: str, prefix: str) -> str | None:
    try:
        tags = loads(text)
    except ValueError:
        tags = text.split(",")
    if not isinstance(tags, list):
        return None
    found = (tag.strip() for tag in tags if type(tag) is str)
    return next((rest for tag in found if tag.startswith(prefix) and (rest := tag.removeprefix(prefix).strip())), None)

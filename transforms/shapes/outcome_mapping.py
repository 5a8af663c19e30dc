"""A file of outcomes that the user describes in tokenspread.toml.

[outcomes.tickets]
match = { ticket = "*", state = "*" }            # as in [log.<name>]
outcomes_where = { kind = "ticket" }             # only these records tell of outcomes
null_values = ["n/a"]

[outcomes.tickets.fields]
subject_id = "ticket"                            # an action_id, a response_id or a call_id
outcome = { const = "merged" }
is_success = { path = "state", equals = "done" }
value_usd = { path = "worth", unit = "cents" }
occurred_at = { path = "closed", unit = "unix_s" }
"""

from typing import Any

import polars as pl

from transforms.schemas import OUTCOMES
from transforms.shapes.fields import typed
from transforms.shapes.shape import Shape
from transforms.shapes.sources import (
    Source,
    check_known,
    has_value,
    matchers,
    matches,
    source_of,
    texts_of,
    values_of,
)

COLUMNS = ("subject_id", "outcome", "is_success", "value_usd", "occurred_at")
_KEYS = ("match", "outcomes_where", "null_values", "fields")


def outcomes_from(name: str, table: dict[str, Any]) -> Shape:
    """The shape that `[outcomes.<name>]` describes; its `calls` gives OUTCOMES with `verdict` in place of CALLS.

    Raises ValueError that names the place, the fact and the fix.
    """
    where = f"[outcomes.{name}]"
    check_known(where, table, _KEYS)
    given = table.get("fields", {})
    check_known(f"[outcomes.{name}.fields]", given, COLUMNS)
    for needed in ("subject_id", "outcome"):
        if needed not in given:
            raise ValueError(f'[outcomes.{name}.fields]: has no {needed}; write {needed} = "path.in.the.record"')
    if "match" not in table:
        raise ValueError(f'{where}: has no `match`; name a field that every record has: match = {{ ticket = "*" }}')
    sources = {column: source_of(f"[outcomes.{name}.fields]", column, value) for column, value in given.items()}
    for column, source in sources.items():
        if source.of_key:
            raise ValueError(f"[outcomes.{name}.fields] {column}: nothing is opened in outcomes; remove of_key")
    match = matchers(f"{where} match", table["match"])
    only = matchers(f"{where} outcomes_where", table["outcomes_where"]) if "outcomes_where" in table else {}
    null_values = values_of(table.get("null_values", []))
    paths = dict.fromkeys([*(path for source in sources.values() for path in source.paths), *only])
    return Shape(
        name=name,
        fields=tuple(paths),
        matches=lambda record: matches(record, match),
        calls=lambda lines: _outcomes(lines, sources, only, null_values),
    )


def _outcomes(
    lines: pl.DataFrame, sources: dict[str, Source], only: dict[str, tuple[str, ...]], null_values: tuple[str, ...]
) -> pl.DataFrame:
    tells = pl.all_horizontal(True, *(has_value(path, values) for path, values in only.items())).fill_null(False)
    kinds = {name: source.kind for name, source in sources.items() if source.kind}
    read = typed(texts_of(lines, sources, null_values, tells=tells), kinds)
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(f"{name} is missing")) for name in ("subject_id", "outcome")]
    read = read.with_columns(
        verdict=pl.when("tells").then(pl.coalesce("fault", *missing)).otherwise(pl.lit("other")),
        value_pico=pl.col("value_usd") if "value_usd" in sources else pl.lit(None),
    )
    columns = {name: pl.col(name) if name in read.columns else pl.lit(None) for name in OUTCOMES}
    return read.select(*(columns[name].cast(dtype).alias(name) for name, dtype in OUTCOMES.items()), "verdict")

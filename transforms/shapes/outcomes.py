"""Outcome files: what became of actions. One record for each telling.

    {"action_id": "T-1001-reply-1", "outcome": "reply_draft", "is_success": true, "value_usd": "0.0060",
     "occurred_at": "2026-11-21T20:58:26Z"}

is the shape that needs no mapping; `subject_id`, `response_id` or `call_id` may stand in place of action_id. Another
file is mapped in tokenspread.toml:

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.schemas import OUTCOMES
from transforms.shapes.fields import typed
from transforms.shapes.mapping import has_value, matchers, matches, texts_of
from transforms.shapes.sources import Source, check_known, source_of, values_of

COLUMNS = ("subject_id", "outcome", "is_success", "value_usd", "occurred_at")
_KEYS = ("match", "outcomes_where", "null_values", "fields")


@dataclass(frozen=True)
class OutcomeShape:
    """Like Shape; `outcomes` gives OUTCOMES and `verdict`: null, "other" (tells of none) or a reason for quarantine."""

    name: str
    fields: tuple[str, ...]
    matches: Callable[[dict[str, Any]], bool]
    outcomes: Callable[[pl.DataFrame], pl.DataFrame]


def mapped_outcomes(name: str, table: dict[str, Any]) -> OutcomeShape:
    """The shape that `[outcomes.<name>]` describes. Raises ValueError that names the place, the fact and the fix."""
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
    match = matchers(f"{where} match", table["match"])
    only = matchers(f"{where} outcomes_where", table["outcomes_where"]) if "outcomes_where" in table else {}
    null_values = values_of(table.get("null_values", []))
    paths = dict.fromkeys([*(path for source in sources.values() for path in source.paths), *only])
    return OutcomeShape(
        name=name,
        fields=tuple(paths),
        matches=lambda record: matches(record, match),
        outcomes=lambda lines: _outcomes(lines, sources, only, null_values),
    )


def _outcomes(
    lines: pl.DataFrame,
    sources: dict[str, Source],
    only: dict[str, tuple[str, ...]],
    null_values: tuple[str, ...],
) -> pl.DataFrame:
    tells = pl.all_horizontal(True, *(has_value(path, values) for path, values in only.items())).fill_null(False)
    read = typed(
        texts_of(lines, sources, null_values, tells=tells),
        {name: source.kind for name, source in sources.items() if source.kind},
    )
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(f"{name} is missing")) for name in ("subject_id", "outcome")]
    verdict = pl.when(~pl.col("tells")).then(pl.lit("other")).otherwise(pl.coalesce("fault", *missing))
    source_columns = {name: name for name in OUTCOMES} | {"value_pico": "value_usd"}
    columns = {
        name: pl.col(source) if (source := source_columns[name]) in read.columns else pl.lit(None) for name in OUTCOMES
    }
    return read.select(*(columns[name].cast(dtype).alias(name) for name, dtype in OUTCOMES.items()), verdict=verdict)


TOKENSPREAD_OUTCOMES = mapped_outcomes(
    "tokenspread_outcomes",
    {
        "match": {"outcome": "*"},
        "fields": {
            "subject_id": ["subject_id", "action_id", "response_id", "call_id"],
            **{name: name for name in COLUMNS[1:]},
        },
    },
)


def recognise_outcomes(
    records: Sequence[dict[str, Any]], shapes: Sequence[OutcomeShape] = (TOKENSPREAD_OUTCOMES,)
) -> OutcomeShape | None:
    """The first of `shapes` that matches a record; the user's own come first. None where no record is known."""
    return next((shape for record in records for shape in shapes if shape.matches(record)), None)

"""Computed against billed: the totals, what explains the gap, and the sides by day, model or token class."""

from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from pipelines.errors import UserError
from pipelines.report import output
from pipelines.report.output import Column, Report, Row, Table
from pipelines.report.text import UNKNOWN, counted, harmless, money, share
from pipelines.summaries import Reconciled

MOST_ROWS = 40
MOST_NAMED = 8  # of one cause
DIMENSIONS = ("day", "model", "token_class")
MOST_FILES = 3  # of one overlap
APART = {
    "compute": "compute time", "time": "bills for time", "volume_tier": "volume discounts",
    "commitment": "shortfalls of commitments",
}  # fmt: skip
ALL = {"day": "whole period", "model": "all models", "token_class": "all classes"}
COLUMNS = ("computed", "billed", "gap", "explained", "residual")


def check(by: str) -> None:
    """Raises UserError for an unknown grouping."""
    if by not in DIMENSIONS:
        raise UserError(f"--by {by}: no such grouping; known are {', '.join(DIMENSIONS)}")


def write(
    found: Reconciled, by: str, form: str, stream: TextIO, most: int | None = None, data: Path | None = None
) -> None:
    """The comparison on `stream` as one of output.FORMATS: JSON with everything, else what is `by` something. Raises
    UserError."""
    check(by)
    output.write(report(found, by, most), form, stream, data)


def report(found: Reconciled, by: str, most: int | None = None) -> Report:
    """In CSV a row for each name of `by`, and one for all."""
    rows = found.by[by].rows(named=True)
    kept = [row | {"name": _row_name(row, by)} for row in rows[:most]]
    shown = kept[: most or MOST_ROWS]
    explained = _explained(found.explained) if found.explained.height else []
    blocks: list[str | Table] = [*_files(found), *_totals(found), *_apart(found.apart), *_not_compared(found), ""]
    blocks += ["What explains the gap (USD)", *explained, ""] if explained else []
    blocks.append(Table(f"Computed against billed, by {by.replace('_', ' ')} (USD)", CELLS, shown, found.totals))
    if rest := len(rows) - len(shown):
        blocks.append(f"and {rest:,} more, in the totals; all of them with --top, --json or --csv")
    return Report(
        figures=figures(found) | {f"by_{by}": _rows(found.by[by][:most]), "left_out_count": len(rows) - len(kept)},
        blocks=blocks,
        records=lambda: _records([*rows[:most], {by: "all"} | found.totals], by),
        left_out_count=len(rows) - len(kept),
        # a price that is not the bill's may be another catalogue's
        next_command="tokenspread prices diff" if found.explained["price_change_share"].count() else None,
        warnings=_overlaps(found.overlaps),
    )


def _records(rows: list[Row], by: str) -> list[Row]:
    columns = dict.fromkeys([*(name for name in rows[0] if name in ("provider", by)), *rows[0]])
    return [_in_usd({name: row.get(name) for name in columns}) for row in rows]


def _row_name(row: Row, by: str) -> str:
    name = " ".join(str(row[part]) for part in row if part in ("provider", by) and row[part] is not None)
    return name if row[by] is not None else f"{name} {ALL[by]}".strip()


def figures(found: Reconciled) -> dict[str, Any]:
    """Everything, money in exact USD: what the JSON holds."""
    return {
        "overlaps": _rows(found.overlaps),
        "totals": _in_usd(found.totals),
        "apart": _rows(found.apart),
        "tolerance_share": found.tolerance_share,
        "is_within_tolerance": found.is_within,
        "explained": _rows(found.explained),
        **{f"by_{name}": _rows(frame) for name, frame in found.by.items()},
        "rows": _rows(found.rows),
        "not_compared": _rows(found.not_compared),
        "bills": [
            {
                "path": file.path, "kind": file.kind, "charge_count": file.charge_count,
                "billed_usd": _usd(file.billed_pico), "charge_usd": _usd(file.charge_pico),
                "others": [
                    {"reason": reason, "row_count": count, "billed_usd": _usd(pico)}
                    for reason, (count, pico) in file.others.items()
                ],
                "rounded_count": file.rounded_count, "notes": file.notes,
            }
            for file in found.files
        ],
    }  # fmt: skip


def _overlaps(overlaps: pl.DataFrame) -> list[str]:
    lines = []
    for row in overlaps.head(MOST_NAMED).iter_rows(named=True):
        others, which = row["other_files"], "second" if len(row["other_files"]) == 1 else "last"
        more = [f"{len(others) - MOST_FILES:,} more"] if len(others) > MOST_FILES else []
        files = ", ".join([*map(harmless, others[:MOST_FILES]), *more, harmless(row["source_file"])])
        days = counted(row["day_count"], "day")
        fact = f"{harmless(row['provider'])} is billed for {days} in {len(others) + 1:,} files ({files})"
        told = f"{money(_usd(row['billed_pico']))} USD in the {which}"
        lines.append(f"overlap     {fact}, {told}: where they tell of the same charges, name one")
    if (more := overlaps.height - MOST_NAMED) > 0:
        lines.append(f"overlap     {counted(more, 'more file')} overlap; all of them with --json")
    return lines


def _files(found: Reconciled) -> list[str]:
    lines = []
    for file in found.files:
        told = "quantities only" if file.charge_pico is None else f"{money(_usd(file.charge_pico))} USD"
        rows = counted(file.charge_count, "row")
        lines.append(f"bill        {harmless(file.path)}: {harmless(file.kind)}, {rows} of LLM calls, {told}")
        for reason, (count, pico) in file.others.items():
            other = f"{counted(count, 'other row')}, {money(_usd(pico))} USD: {harmless(reason)}"
            lines.append(f"            {other}")
        if file.rounded_count:
            lines.append(f"            {counted(file.rounded_count, 'figure')} rounded (12 decimals are kept)")
        lines += [f"            {harmless(note)}" for note in file.notes]
    lines += [
        f"period      {harmless(provider)}: {first} to {last} (UTC)"
        for provider, (first, last) in found.periods.items()
    ]
    return lines


def _totals(found: Reconciled) -> list[str]:
    told = {name: money(_usd(found.totals[f"{name}_pico"])) for name in COLUMNS}
    lines = [f"{name:<12}{told[name]} USD" for name in COLUMNS]
    lines[2] += f" ({share(found.totals['gap_share'], signed=True)} of what was billed)"
    lines[4] += f" ({share(found.totals['residual_share'], signed=True)})"
    if found.is_within is not None:
        where = "within" if found.is_within else "above"
        deviation, line = found.totals["deviation_pico"], f"the gap is {where} {100 * found.tolerance_share:g}%"
        if deviation != abs(found.totals["gap_pico"]):
            line += f": {money(_usd(deviation))} USD, no cause or provider making up for another"
        lines.append(f"tolerance   {line}")
    return lines


def _apart(apart: pl.DataFrame) -> list[str]:
    lines = []
    sums = apart.group_by("kind", pl.col("provider").is_null().alias("is_of_none"), maintain_order=True)
    for (kind, is_of_none), some in sums:
        told = f"{money(_usd(some['cost_pico'].sum()))} USD of {APART[kind]}"
        where = "that no call bears" if is_of_none else "in these days and providers"
        lines.append(f"apart       {told} {where} are not in the computed cost (table costs_apart)")
    return lines


def _not_compared(found: Reconciled) -> list[str]:
    lines = []
    for row in found.not_compared.iter_rows(named=True):
        days = f" of {counted(row['day_count'], 'day')}" if row["day_count"] else ""
        name = harmless(row["provider"] or "unknown provider")
        lines.append(f"left out    {money(_usd(row['computed_pico']))} USD computed{days}, {name}: {row['reason']}")
    return lines


def _explained(explained: pl.DataFrame) -> list[str]:
    """Each cause with its sum, and below it the largest of what it is of."""
    shown: list[tuple[str, str]] = []
    for (cause,), some in explained.group_by("cause", maintain_order=True):
        shown.append((money(_usd(some["amount_pico"].sum())), str(cause)))
        for row in some.head(MOST_NAMED).iter_rows(named=True):
            shown.append((money(_usd(row["amount_pico"])), f"  {_named(row)}"))
        if (more := some.height - MOST_NAMED) > 0:
            shown.append(("", f"  and {more:,} more; all of them with --json"))
    width = max(len(amount) for amount, _ in shown)
    return [f"{amount:>{width}}  {text}" for amount, text in shown]


def _named(row: dict[str, Any]) -> str:
    names = [row["provider"], row["model"], row["token_class"], row["day"]]
    told = " ".join(harmless(str(name)) for name in names if name is not None)
    change = row["price_change_share"]
    return told if change is None else f"{told}: billed at {1 + change:.2f} x our rate"


def _cell(name: str) -> Column:
    return name, lambda row: money(_usd(row[f"{name}_pico"]))


CELLS: list[Column] = [
    *map(_cell, COLUMNS[:3]),
    ("gap/billed", lambda row: UNKNOWN if row["gap_share"] is None else share(row["gap_share"], signed=True)),
    *map(_cell, COLUMNS[3:]),
]


def _usd(pico: int | None) -> Decimal | None:
    return None if pico is None else Decimal(f"{pico}E-12")  # the text is exact, whatever the number of digits


def _in_usd(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name.replace("_pico", "_usd"): _usd(value) if name.endswith("_pico") else value for name, value in row.items()
    }


def _rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return [_in_usd(row) for row in frame.iter_rows(named=True)]

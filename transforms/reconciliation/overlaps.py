"""Charges that two files may both tell of: money in both, of days that they share and of what may be the same."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product
from typing import Any

import polars as pl

from transforms.bill_schemas import BILL
from transforms.reconciliation.grain import ROOTS
from transforms.reconciliation.names import alike
from transforms.schemas import conform

# one row for each file that overlaps with files before it, of each provider
OVERLAPS = {
    "provider": pl.String,
    "source_file": pl.String,
    "other_files": pl.List(pl.String),  # those before it
    "day_count": pl.Int64,  # days with money in it and in one of them
    "billed_pico": pl.Int128,  # of its charges that they may tell of too
}
ANY = object()
Part = tuple[Any, Any]  # model and token class
Spans = list[tuple[date, date, Part, int]]  # from, until before, of what, pico-USD


def overlaps(bill: pl.DataFrame) -> pl.DataFrame:
    """OVERLAPS of BILL, in its order of files. What a file does not split (by day, model or class) may be any of what
    another one splits. That files overlap is no error: exports by project do, and tell of different charges."""
    charges = conform(bill, BILL).filter(pl.col("billed_pico") != 0)  # nor null: usage has no money
    labels = alike(charges["model"].drop_nulls())
    keys = ("period_start", "period_end", "model", "token_class")
    seen: dict[tuple[str, date, Part], dict[str, None]] = {}  # the files that tell of it, in their order
    found = []
    for (provider, file), rows in charges.group_by("provider", "source_file", maintain_order=True):
        sums = rows.group_by(keys).agg(pl.col("billed_pico").cast(pl.Int128).sum())
        spans = [(start, end, (labels.get(model), ROOTS.get(token_class, token_class)), pico)
                 for start, end, model, token_class, pico in sums.iter_rows()]  # fmt: skip
        days, others, amount = set(), set(), 0
        for start, end, part, pico in spans:
            met = {day: files for day in _days(start, end) if (files := _met(seen, provider, day, part))}
            days |= met.keys()
            others |= set().union(*met.values())
            amount += pico if met else 0
        if others:
            named = [name for name in charges["source_file"].unique(maintain_order=True) if name in others]
            found.append((provider, file, named, len(days), amount))
        _keep(seen, provider, file, spans)
    return pl.DataFrame(found, schema=OVERLAPS, orient="row")


def _days(start: date, end: date) -> Iterator[date]:
    return (start + timedelta(days=number) for number in range((end - start).days))


def _met(seen: dict, provider: str, day: date, part: Part) -> set[str]:
    """The files that tell of the part, or of a whole that it may be in, or of what is in it."""
    asked = product(*((ANY,) if name is None else (name, None) for name in part))
    return {file for other in asked for file in seen.get((provider, day, other), ())}


def _keep(seen: dict, provider: str, file: str, spans: Spans) -> None:
    for start, end, part, _ in spans:
        for day, other in product(_days(start, end), product(*((name, ANY) for name in part))):
            seen.setdefault((provider, day, other), {})[file] = None

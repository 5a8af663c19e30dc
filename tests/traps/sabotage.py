"""Ways to take a rule out of tokenspread, for as long as a monkeypatch lasts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from tests.traps.laying import TakeOut
from transforms import schemas, settlement, shapes
from transforms.shapes.mapping import shape_from
from transforms.shapes.shape import Shape


def every_telling_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settlement, "settle", lambda ledger: ledger)


def the_first_telling_counts(patch: pytest.MonkeyPatch) -> None:
    def settle(ledger: pl.DataFrame) -> pl.DataFrame:
        return ledger.sort(*schemas.LINE_KEYS).unique(settlement.KEY, keep="first", maintain_order=True)

    patch.setattr(settlement, "settle", settle)


def tellings_are_summed(patch: pytest.MonkeyPatch) -> None:
    def settle(ledger: pl.DataFrame) -> pl.DataFrame:
        sums = [pl.col(name).sum().over(settlement.KEY) for name in schemas.QUANTITIES]
        return ledger.with_columns(sums).unique(settlement.KEY, keep="first", maintain_order=True)

    patch.setattr(settlement, "settle", settle)


def each_line_is_a_call(patch: pytest.MonkeyPatch) -> None:
    real = settlement.keyed
    patch.setattr(settlement, "keyed", lambda calls: real(calls.with_columns(response_id=pl.lit(None, pl.String))))


def all_of(*several: TakeOut) -> TakeOut:
    """A rule that is kept twice is only out where both are."""

    def take_out(patch: pytest.MonkeyPatch) -> None:
        for each in several:
            each(patch)

    return take_out


def instead(holder: Any, name: str, value: Any) -> TakeOut:
    """Another value of a module's name."""
    return lambda patch: patch.setattr(holder, name, value)


def entry(table: dict, key: Any, value: Any) -> TakeOut:
    """Another entry of a table."""
    return lambda patch: patch.setitem(table, key, value)


def columns_told(holder: Any, name: str, **columns: pl.Expr | None) -> TakeOut:
    """Other columns of a function that tells columns; None: it does not tell this one."""

    def take_out(patch: pytest.MonkeyPatch) -> None:
        real = getattr(holder, name)
        given = {column: pl.lit(None) if told is None else told for column, told in columns.items()}
        patch.setattr(holder, name, lambda *args, **more: real(*args, **more) | given)

    return take_out


def calls_changed(shape: Shape, change: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]) -> TakeOut:
    """The calls of a shape as `change` makes them of its calls and its lines."""
    return shape_instead(shape, calls=lambda lines: change(shape.calls(lines), lines))


def lines_changed(shape: Shape, change: Callable[[pl.DataFrame], pl.DataFrame], *fields: str) -> TakeOut:
    """The lines of a shape, with more fields, as `change` makes them."""
    return shape_instead(
        shape, fields=(*dict.fromkeys((*shape.fields, *fields)),), calls=lambda lines: shape.calls(change(lines))
    )


def taken_for_calls(shape: Shape, **fields: Any) -> TakeOut:
    """Each record of a shape a call: columns, and where they come from, as in a user's mapping."""
    naive = shape_from("taken_for_calls", {"match": {"x": "*"}, "fields": fields})
    return shape_instead(shape, fields=naive.fields, calls=naive.calls)


def shape_instead(shape: Shape, **changes: Any) -> TakeOut:
    def take_out(patch: pytest.MonkeyPatch) -> None:
        known = (replace(each, **changes) if each.name == shape.name else each for each in shapes.ORDER)
        patch.setattr(shapes, "ORDER", tuple(known))

    return take_out

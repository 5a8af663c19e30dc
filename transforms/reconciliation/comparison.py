"""The two sides, provider by provider: put into the same cells, what has no other side named, the rest attributed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl

from transforms.bill_schemas import BILL, COMPUTED, NOT_COMPARED, RECONCILIATION
from transforms.reconciliation import causes
from transforms.reconciliation.causes import Compared, is_of_tokens
from transforms.reconciliation.grain import Cell, Grain
from transforms.schemas import conform

Rows = list[dict[str, Any]]
Period = tuple[date, date]
NO_BILL, NO_PROVIDER, NO_TIME = "no bill of this provider", "the log names no provider", "the log tells no time"
OTHER_DAYS = "outside the period of the bill"
NO_MODEL = "no model in the log"
LOG_CAUSES = (causes.DAY_NOT_LOGGED, causes.MODEL_NOT_LOGGED, causes.CLASS_NOT_LOGGED)
BILL_CAUSES = (causes.DAY_NOT_BILLED, causes.MODEL_NOT_BILLED, causes.CLASS_NOT_BILLED)
QUANTITIES_ONLY = "its bill tells quantities only"
USAGE_ASIDE = "usage without money that is told more coarsely than the costs, or of other days"


def reconcile(
    computed: pl.DataFrame, bill: pl.DataFrame, periods: Mapping[str, Period]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(RECONCILIATION, NOT_COMPARED) of COMPUTED and BILL; `periods` are the days that each provider's bill tells of.

    A provider is compared at the coarser grain of its log and its bill; what lies outside the bill's period, and
    providers without a bill, are left out and listed. The order of rows does not matter.
    """
    named = conform(computed, COMPUTED).with_columns(pl.col("model").fill_null(NO_MODEL))
    used = named.filter((pl.col("quantity") != 0) | (pl.col("cost_pico") != 0))
    log, charges = _by_provider(used), _by_provider(conform(bill, BILL))
    rows, aside = [], []
    for provider in sorted(log.keys() | charges.keys(), key=str):
        ours, theirs = log.get(provider, []), charges.get(provider, [])
        if provider is None or provider not in periods:
            aside.append(_left_out(provider, NO_BILL if provider else NO_PROVIDER, ours))
            continue
        start, after = periods[provider]
        compared = [row for row in ours if row["day"] is not None and start <= row["day"] < after]
        others = [row for row in ours if row["day"] is not None and not start <= row["day"] < after]
        aside += [_left_out(provider, OTHER_DAYS, others)] if others else []
        timeless = [row for row in ours if row["day"] is None]
        aside += [_left_out(provider, NO_TIME, timeless)] if timeless else []
        grain = Grain.of(compared, theirs)
        placed, coarser = [], []
        for row in theirs:
            is_aside = row["billed_pico"] is None and row["day"] and not start <= row["day"] < after
            (coarser if is_aside or grain.cell(row, grain.bill_labels) is None else placed).append(row)
        aside += [_left_out(provider, USAGE_ASIDE, [])] if coarser else []
        # a bill without a row says that nothing was charged
        has_money = not theirs or any(row["billed_pico"] is not None for row in theirs)
        aside += [] if has_money else [_left_out(provider, QUANTITIES_ONLY, compared)]
        rows += [_row(provider, cell, has_money) for cell in _cells(grain, compared, placed)]
    found = pl.DataFrame(rows, schema=RECONCILIATION, orient="row")
    order = [pl.col(name) for name in ("day", "provider", "model", "token_class")]
    return found.sort(order, nulls_last=True), pl.DataFrame(aside, schema=NOT_COMPARED, orient="row")


def _by_provider(frame: pl.DataFrame) -> dict[str | None, Rows]:
    found = defaultdict(list)
    for row in frame.iter_rows(named=True):
        found[row["provider"]].append(row)
    return found


def _left_out(provider: str | None, reason: str, rows: Rows) -> dict[str, Any]:
    days = {row["day"] for row in rows if row["day"] is not None}
    told = [row["cost_pico"] for row in rows if row["cost_pico"] is not None]
    amount = sum(told) if told else None
    return {"provider": provider, "reason": reason, "day_count": len(days), "computed_pico": amount}


def _cells(grain: Grain, log: Rows, bill: Rows) -> list[Compared]:
    """Every cell that one side tells of, its gap attributed."""
    cells: dict[Cell, Compared] = {}
    for row in log:
        cell = grain.cell(row, grain.log_labels)
        _add_computed(cells.setdefault(cell, Compared(cell)), row)
    logged = Presence(cells)
    charges, usage = defaultdict(list), defaultdict(list)
    for row in bill:
        (usage if row["billed_pico"] is None else charges)[grain.cell(row, grain.bill_labels)].append(row)
    for cell in charges.keys() | usage.keys():
        _add_billed(cells.setdefault(cell, Compared(cell)), charges.get(cell, []), usage.get(cell, []))
    billed = Presence(charges or usage)
    for cell, found in cells.items():
        found.missing_cause = logged.missing(cell, LOG_CAUSES) or billed.missing(cell, BILL_CAUSES)
    causes.attribute(list(cells.values()))
    return list(cells.values())


def _add_computed(found: Compared, row: dict[str, Any]) -> None:
    if row["cost_pico"] is not None:
        found.computed = row["cost_pico"] + (found.computed or 0)  # the first one
    if found.cell[2] is not None or is_of_tokens(row["token_class"]):
        found.quantity = row["quantity"] + (found.quantity or 0)  # the first one
        found.unpriced_quantity += row["unpriced_quantity"] or 0  # null: none


def _add_billed(found: Compared, charges: Rows, usage: Rows) -> None:
    """The quantity is the charges' own where each has one, else that of exports of usage."""
    if charges:
        found.billed = sum(row["billed_pico"] for row in charges)
    has_own = charges and all(row["quantity"] is not None for row in charges)
    counted = charges if has_own else usage
    if found.cell[2] is None:
        counted = [row for row in counted if is_of_tokens(row["token_class"])]
    if counted:
        found.billed_quantity = sum(row["quantity"] for row in counted)


class Presence:
    """What one side tells of."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = set(cells)
        self.days, self.models = {cell[0] for cell in self.cells}, {cell[:2] for cell in self.cells}

    def missing(self, cell: Cell, names: tuple[str, str, str]) -> str | None:
        """Which of `names` (the day, the model, the class is missing) holds; None where the side has the cell."""
        day, model, token_class = cell
        if cell in self.cells:
            return None
        if day is not None and day not in self.days:
            return names[0]
        is_model = token_class is None or (model is not None and (day, model) not in self.models)
        return names[1] if is_model else names[2]


def _row(provider: str, found: Compared, has_money: bool) -> dict[str, Any]:
    day, model, token_class = found.cell
    parts = {
        "gap_pico": found.gap, "missing_pico": found.missing, "unpriced_pico": found.unpriced,
        "price_pico": found.price, "quantity_pico": found.quantity_effect, "residual_pico": found.residual,
    }  # fmt: skip
    cause, change = found.cause, found.price_change
    if not has_money:
        parts = dict.fromkeys(parts)
        differs = found.quantity != found.billed_quantity
        cause = found.missing_cause or (causes.QUANTITY if differs else None)
    return {
        "day": day, "provider": provider, "model": model, "token_class": token_class, "computed_pico": found.computed,
        "billed_pico": found.billed, **parts, "computed_quantity": found.quantity,
        "billed_quantity": found.billed_quantity, "cause": cause,
        "price_change_share": None if change is None or not has_money else float(change),
    }  # fmt: skip

"""What a stage tells of what it did."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import sniff
from pipelines.batches import Batch
from pipelines.bills import BillFile
from pipelines.reading import Report


@dataclass(frozen=True)
class Discovery:
    """What there is to take in."""

    batches: list[Batch]
    file_count: int  # all that were looked at
    unreadable: list[tuple[Path, str]]


@dataclass(frozen=True)
class IngestSummary:
    """What one ingest did: `version` is the ledger's now, `is_new` whether this run made it."""

    version: int
    is_new: bool
    line_count: int
    call_count: int
    quarantined_count: int  # lines
    report: Report = field(repr=False)


@dataclass(frozen=True)
class BuildSummary:
    catalogue: Path
    is_new: bool
    unpriced_call_count: int  # calls of a model, or with a token class, that nobody has a price of
    notes: list[str] = field(default_factory=list)  # on settings that do nothing, and what is published in passing


@dataclass(frozen=True)
class Alert:
    """A condition that holds, or an event; `key` is the same for as long as it does."""

    key: str  # a JSON list: the kind, and what tells it from others of its kind
    kind: str  # of alert_rules.KINDS
    day: date  # of the night that judged it
    text: str  # one line
    dimension: str | None = None
    name: str | None = None
    impact_usd: Decimal | None = None  # of what, the functions of alert_rules say


@dataclass(frozen=True)
class Night:
    """What a night did. `restated`: rows of `restatements` that no night told of before."""

    day: date
    status: str  # published, unchanged
    file_count: int  # all that were looked at
    line_count: int  # these three: new
    call_count: int
    quarantined_count: int
    unpriced_call_count: int  # of all
    catalogue: Path
    restated: list[dict[str, Any]]
    alerts: list[Alert]  # those that did not hold before
    unreadable: list[tuple[Path, str]]
    notes: list[str]  # on settings that do nothing


@dataclass(frozen=True)
class Inspection:
    """What a file is, and what its first records would yield."""

    path: Path
    look: sniff.Look
    shape: str | None  # None: no shape fits
    signs: list[str]  # what records of this shape have; none for a user's own mapping
    calls: pl.DataFrame  # CALLS of the first records, attributed; of an unknown log, as `mapping` would have them
    mapping: str | None = None  # of an unknown log: a guess, as TOML


@dataclass(frozen=True)
class Reconciled:
    """Computed against billed. Money is pico-USD."""

    files: list[BillFile]
    periods: dict[str, tuple[date, date]]  # by provider: the first and the last day that are compared
    rows: pl.DataFrame  # bill_schemas.RECONCILIATION
    not_compared: pl.DataFrame  # bill_schemas.NOT_COMPARED
    overlaps: pl.DataFrame  # files that may tell of the same charges
    apart: pl.DataFrame  # cost of the same days and providers that is not in computed, by provider and kind
    totals: dict[
        str, Any
    ]  # computed, billed, gap, explained, residual, deviation; gap and residual as shares of billed
    by: dict[str, pl.DataFrame]  # the same by day, model and token_class
    explained: pl.DataFrame  # one row for each cause and what it is of
    tolerance_share: float | None
    is_within: bool | None  # whether the deviation is within the tolerance; None: none was given

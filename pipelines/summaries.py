"""What a stage tells of what it did."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipelines import sniff
from pipelines.intake import Report


@dataclass(frozen=True)
class IngestSummary:
    """What one ingest did: `version` is the ledger's now, `is_new` whether this run made it."""

    version: int
    is_new: bool
    line_count: int
    call_count: int
    report: Report = field(repr=False)


@dataclass(frozen=True)
class BuildSummary:
    catalogue: Path
    is_new: bool


@dataclass(frozen=True)
class Inspection:
    """What a file is, and what its first records would yield."""

    path: Path
    look: sniff.Look
    shape: str | None  # None: no shape fits
    known_shapes: list[str]
    calls: pl.DataFrame  # CALLS of the first records, attributed

"""What a stage tells of what it did."""

from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipelines import sniff
from pipelines.reading import Report


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
    signs: list[str]  # what records of this shape have; none for a user's own mapping
    calls: pl.DataFrame  # CALLS of the first records, attributed; of an unknown log, as `mapping` would have them
    mapping: str | None = None  # of an unknown log: a guess, as TOML

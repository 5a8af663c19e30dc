"""Computed cost against what was billed: the same cells on both sides, and what the gap of each is made of."""

from transforms.reconciliation.apart import apart
from transforms.reconciliation.causes import CAUSES
from transforms.reconciliation.comparison import reconcile
from transforms.reconciliation.overlaps import overlaps
from transforms.reconciliation.summary import DIMENSIONS, explained, grouped, is_within, tolerance_of, totals

__all__ = [
    "CAUSES", "DIMENSIONS", "apart", "explained", "grouped", "is_within", "overlaps", "reconcile", "tolerance_of",
    "totals",
]  # fmt: skip

"""At which grain a provider's log and bill can be compared: the coarser of the two, in days, models, token classes."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from transforms.reconciliation.names import same_models

Cell = tuple[date | None, str | None, str | None]  # day, model, token class; null: all of them
COUNTED = ("request", "web_search", "file_search", "code_session")
ROOTS = {
    "input_audio": "input", "input_image": "input", "input_video": "input",
    "cache_read_audio": "cache_read",
    "cache_write_5m": "cache_write", "cache_write_1h": "cache_write", "cache_write_other": "cache_write",
    "output_audio": "output", "output_image": "output", "reasoning": "output",
}  # fmt: skip
LIFETIME_UNKNOWN = {"cache_write", "cache_write_other"}


@dataclass
class Grain:
    """How rows of one provider are put into cells; made from the rows of both sides."""

    has_days: bool
    has_models: bool
    log_labels: dict[str, str]
    bill_labels: dict[str, str]
    classes_of_no_model: set[str] = field(default_factory=set)  # the bill has them for all models together
    undivided: set[str] = field(default_factory=set)  # labels that the bill does not split by class
    coarse: set[tuple[str, str]] = field(default_factory=set)  # (label, root): the sides split it differently

    @classmethod
    def of(cls, log: list[dict[str, Any]], bill: list[dict[str, Any]]) -> "Grain":
        """Rows that tell money decide; usage without money only where the bill has no money at all."""
        money = [row for row in bill if row["billed_pico"] is not None] or bill
        labels = same_models(_models(log), _models(bill))
        logged = set(labels[0].values())
        grain = cls(
            # a monthly fee of what is in no log leaves the other rows their days
            has_days=all(row["day"] or (row["model"] and labels[1][row["model"]] not in logged) for row in money),
            has_models=not any(row["model"] is None and row["token_class"] is None for row in money),
            log_labels=labels[0],
            bill_labels=labels[1],
            classes_of_no_model={row["token_class"] for row in money if row["model"] is None},
            undivided={labels[1][row["model"]] for row in money if row["model"] and row["token_class"] is None},
        )
        grain.coarse = _coarse(_classes(log, grain.log_labels), _classes(bill, grain.bill_labels))
        return grain

    def cell(self, row: dict[str, Any], labels: dict[str, str]) -> Cell | None:
        """None for usage without money that is told at a coarser grain than the money."""
        day, token_class = row["day"] if self.has_days else None, row["token_class"]
        if self.has_days and day is None and row.get("billed_pico") is None:
            return None
        if not self.has_models:
            return day, None, None
        if token_class in self.classes_of_no_model:
            return day, None, token_class
        if row["model"] is None:
            return None
        label = labels[row["model"]]
        if label in self.undivided:
            return day, label, None
        root = ROOTS.get(token_class, token_class)
        return day, label, root if (label, root) in self.coarse else token_class


def _models(rows: Iterable[dict[str, Any]]) -> set[str]:
    return {row["model"] for row in rows if row["model"] is not None}


def _classes(rows: Iterable[dict[str, Any]], labels: dict[str, str]) -> dict[tuple[str, str], set[str]]:
    """{(label, root): the classes of it that one side has}"""
    found = defaultdict(set)
    for row in rows:
        if row["model"] is not None and row["token_class"] is not None:
            found[labels[row["model"]], ROOTS.get(row["token_class"], row["token_class"])].add(row["token_class"])
    return found


def _coarse(log: dict[tuple[str, str], set[str]], bill: dict[tuple[str, str], set[str]]) -> set[tuple[str, str]]:
    """Where the sides have different parts of a class, only the whole can be compared; a lifetime of the cache that one
    side has and the other has not, though it tells lifetimes, is a difference."""
    coarse = set()
    for key in log.keys() | bill.keys():
        ours, theirs = log.get(key, set()), bill.get(key, set())
        both_tell = key[1] == "cache_write" and not (ours | theirs) & LIFETIME_UNKNOWN
        if ours and theirs and ours != theirs and not both_tell:
            coarse.add(key)
    return coarse

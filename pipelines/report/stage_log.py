"""What an operator reads of a night while it goes on: one line for each stage, as text or as JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from pipelines.pruning import Plan
from pipelines.report.text import harmless
from pipelines.summaries import BuildSummary, Discovery, IngestSummary


def line(stage: str, figures: dict[str, Any]) -> str:
    """`build published=True seconds=1.2`: what is unknown (None) is left out."""
    told = (f"{name}={_shown(value)}" for name, value in figures.items() if value is not None)
    return " ".join([stage, *told])


def writer(stream: TextIO, as_json: bool) -> Callable[..., None]:
    """Writes a line with its time (UTC) for each stage that it is told of."""

    def tell(stage: str, **figures: Any) -> None:
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        if as_json:
            print(json.dumps({"at": at, "stage": stage, **figures}, default=str), file=stream, flush=True)
        else:
            print(at, line(stage, figures), file=stream, flush=True)

    return tell


def _shown(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else harmless(str(value))
    return json.dumps(text) if " " in text or not text else text


def of_discovery(found: Discovery) -> dict[str, Any]:
    return {
        "files": found.file_count,
        "changed": sum(batch.file_count for batch in found.batches),
        "batches": len(found.batches),
        "unreadable": len(found.unreadable),
    }


def of_ingest(taken: IngestSummary) -> dict[str, Any]:
    return {
        "files": len(taken.report.taken),
        "lines": taken.line_count,
        "calls": taken.call_count,
        "quarantined": taken.quarantined_count,
        "read_otherwise": len(taken.report.read_otherwise) or None,  # under other mappings or attribution than now
        "version": taken.version,
    }


def of_prune(plan: Plan) -> dict[str, Any]:
    return {
        "before": plan.before,
        "days": len(plan.days),
        "calls": plan.call_count,
        "outcomes": plan.outcome_count,
        "without_time": plan.untimed_count,
        "reports": len(plan.reports),
    }


def of_build(built: BuildSummary) -> dict[str, Any]:
    return {
        "published": built.is_new,
        "catalogue": built.catalogue.resolve().name,
        "unpriced_calls": built.unpriced_call_count,
    }

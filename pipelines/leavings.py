"""What a night leaves beside the ledger for whoever looks: the page of what is published, and the text for a scraper.
Its work is done by then, so that whatever these fail of is told and stops nothing."""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pipelines import metrics, night_book, scenario_desk, stages
from pipelines.log_files import PAGE
from pipelines.report.page import html
from pipelines.settings import Settings


class Tell(Protocol):
    def __call__(self, stage: str, **facts: Any) -> None: ...


def page(settings: Settings, catalogue: Path, tell: Tell) -> list[str]:
    """Writes DATA/report.html, unless that is of `catalogue` already; returns notes for the night."""
    path = settings.data / PAGE
    try:
        if path.exists() and path.stat().st_mtime_ns >= catalogue.stat().st_mtime_ns:
            return []
        html.write(path, partial(stages.query, settings), partial(scenario_desk.costs_apart, settings))
    except Exception as error:
        return [f"{path.name} could not be written: {night_book.reason(error)}"]
    tell("page", path=path)
    return []


def metrics_text(settings: Settings, tell: Tell) -> None:
    """Writes DATA/metrics.prom."""
    try:
        metrics.leave(settings)
    except Exception as trouble:
        tell("metrics", trouble=night_book.reason(trouble))

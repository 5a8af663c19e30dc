"""A night: discover, ingest in batches, gate, publish, alert, report. What `tokenspread nightly` and the flow both do.

Each step is safe to repeat: a night that died is made good by the next one, and running twice is running once.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipelines import alert_desk, dated, gate, night_book, night_rules, stages
from pipelines.alert_desk import Alert
from pipelines.night_rules import Rules
from pipelines.settings import GateClosed, Settings
from pipelines.summaries import BuildSummary, IngestSummary

T = TypeVar("T")
RESTATED = "from restatements order by day nulls last"


class Step(Protocol):
    """Carries out one step; Prefect does so as a task, with retries."""

    def __call__(self, name: str, work: Callable[[], T]) -> T: ...


def directly(name: str, work: Callable[[], T]) -> T:
    return work()


Tell = Callable[..., None]  # a stage by its name, and its figures


@dataclass(frozen=True)
class Night:
    """What a night did. `restated`: rows of `restatements`, none where nothing new was published."""

    day: date
    status: str  # published, unchanged
    file_count: int
    line_count: int
    call_count: int
    quarantined_count: int
    unpriced_call_count: int
    catalogue: Path
    restated: list[dict[str, Any]]
    alerts: list[Alert]
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def day_of(scheduled: datetime) -> date:
    """The last UTC day that was over at that time: what a night of that schedule is for."""
    return scheduled.astimezone(UTC).date() - timedelta(days=1)


def run(
    settings: Settings, day: date, accept: bool = False, step: Step = directly, tell: Tell = lambda *_, **__: None
) -> Night:
    """Takes in what is new, and publishes it if the gate lets it through, or anyway if that is to be accepted.

    Raises UserError, LedgerBusy, NotPublished (the reason is in the manifest, and told as an alert).
    """
    rules = night_rules.rules(settings)
    settings = _of_the_night(settings, rules, day, tell)
    with night_book.recorded(settings.data, day, rules.wait_seconds) as note:
        try:
            night = _carried_out(settings, rules, day, accept, step, tell)
        except Exception as error:
            _tell_of_failure(settings, rules, day, error, step, tell)
            raise
        note(
            status=night.status,
            file_count=night.file_count,
            line_count=night.line_count,
            call_count=night.call_count,
            quarantined_count=night.quarantined_count,
            catalogue=night.catalogue.name,
            was_accepted=accept,
        )
    return night


def _of_the_night(settings: Settings, rules: Rules, day: date, tell: Tell) -> Settings:
    """The settings with the logs of the night's day and of the days before that it looks back to."""
    days = [day - timedelta(days=number) for number in range(rules.look_back_days, -1, -1)]
    logs, missing = dated.of_days(settings.logs, days)
    for path in missing:
        tell("missing", path=path)
    return replace(settings, logs=tuple(logs), wait_seconds=rules.wait_seconds)


def _carried_out(settings: Settings, rules: Rules, day: date, accept: bool, step: Step, tell: Tell) -> Night:
    found = _timed(tell, "discover", step, partial(stages.discover, settings, rules.batch_bytes), _of_discovery)
    taken = [
        _timed(tell, "ingest", step, partial(stages.ingest, settings, batch=batch), _of_ingest)
        for batch in found.batches
    ]
    judge = (lambda *_: []) if accept else gate.judge(rules.gate, day)
    built = _timed(tell, "build", step, partial(stages.build, settings, judge), _of_build)
    restated = stages.query(settings, RESTATED).rows(named=True) if built.is_new else []
    for row in restated:
        tell("restated", day=row["day"], change=row["change"], calls=row["call_count"], cost_usd=row["cost_usd"])
    alerts = _alert(settings, rules, alert_desk.of_night(settings, rules, day), alert_desk.KINDS, step, tell)
    return Night(
        day=day,
        status="published" if built.is_new else "unchanged",
        file_count=found.file_count,
        line_count=sum(some.line_count for some in taken),
        call_count=sum(some.call_count for some in taken),
        quarantined_count=sum(some.quarantined_count for some in taken),
        unpriced_call_count=built.unpriced_call_count,
        catalogue=built.catalogue.resolve(),
        restated=restated,
        alerts=alerts,
        unreadable=found.unreadable + [trouble for some in taken for trouble in some.report.unreadable],
    )


def _timed(tell: Tell, name: str, step: Step, work: Callable[[], T], figures: Callable[[T], dict[str, Any]]) -> T:
    started = time.monotonic()
    done = step(name, work)
    tell(name, **figures(done), seconds=round(time.monotonic() - started, 2))
    return done


def _of_discovery(found: Any) -> dict[str, Any]:
    return {
        "files": found.file_count,
        "changed": sum(batch.file_count for batch in found.batches),
        "batches": len(found.batches),
        "unreadable": len(found.unreadable),
    }


def _of_ingest(taken: IngestSummary) -> dict[str, Any]:
    return {
        "files": len(taken.report.taken),
        "lines": taken.line_count,
        "calls": taken.call_count,
        "quarantined": taken.quarantined_count,
        "version": taken.version,
    }


def _of_build(built: BuildSummary) -> dict[str, Any]:
    return {
        "published": built.is_new,
        "catalogue": built.catalogue.resolve().name,
        "unpriced_calls": built.unpriced_call_count,
    }


def _tell_of_failure(settings: Settings, rules: Rules, day: date, error: Exception, step: Step, tell: Tell) -> None:
    if isinstance(error, GateClosed):
        for reason in error.reasons:
            tell("gate", stopped=reason)
        _alert(settings, rules, alert_desk.of_gate(error.reasons, day), ("gate",), step, tell)


def _alert(settings: Settings, rules: Rules, alerts: list[Alert], judged: Any, step: Step, tell: Tell) -> list[Alert]:
    told = step("alert", partial(alert_desk.tell, settings, rules, alerts, judged))
    tell("alert", holding=len(alerts), new=len(told.new), trouble=told.trouble)
    return told.new

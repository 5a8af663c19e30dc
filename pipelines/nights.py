"""A night: discover, ingest in batches, gate, publish, alert, report. What `tokenspread nightly` and the flow both do.

Each step is safe to repeat: a night that died is made good by the next one, and running twice is running once.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipelines import alert_desk, alert_rules, dated, gate, night_book, night_rules, retention, stages
from pipelines.night_rules import Rules
from pipelines.pruning import Plan
from pipelines.report import night as report
from pipelines.settings import GateClosed, Settings, UserError
from pipelines.summaries import Alert, BuildSummary, Discovery, IngestSummary, Night

T = TypeVar("T")
RESTATED = "from restatements order by day nulls last"
MOST_TOLD = 40  # lines of the log; the report and the table have all
TOLD_OF_RESTATED = (
    "day", "change", "call_count_before", "call_count", "cost_before_usd", "cost_usd", "success_count_before",
    "success_count",
)  # fmt: skip


class Step(Protocol):
    """Carries out one step; Prefect does so as a task, with retries."""

    def __call__(self, name: str, work: Callable[[], T]) -> T: ...


def directly(name: str, work: Callable[[], T]) -> T:
    return work()


Tell = Callable[..., None]  # a stage by its name, and its figures


def day_of(scheduled: datetime) -> date:
    """The last UTC day that was over at that time: what a night of that schedule is for."""
    return scheduled.astimezone(UTC).date() - timedelta(days=1)


def days_between(since: date, until: date) -> list[date]:
    """Both included. Raises UserError."""
    if until < since:
        raise UserError(f"until {until} is before since {since}; swap them")
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


@dataclass(frozen=True)
class Course:
    """What every part of a night needs."""

    settings: Settings
    rules: Rules
    day: date
    step: Step
    tell: Tell

    def timed(self, name: str, work: Callable[[], T], figures: Callable[[T], dict[str, Any]]) -> T:
        started = time.monotonic()
        done = self.step(name, work)
        self.tell(name, **figures(done), seconds=round(time.monotonic() - started, 2))
        return done


def run(
    settings: Settings, day: date, accept: bool = False, step: Step = directly, tell: Tell = lambda *_, **__: None
) -> Night:
    """Takes in what is new, and publishes it if the gate lets it through, or anyway if that is to be accepted.

    Raises UserError, LedgerBusy, NotPublished (the reason is in the manifest, and told as an alert).
    """
    rules = night_rules.rules(settings)
    course = Course(_of_the_night(settings, rules, day, tell), rules, day, step, tell)
    with night_book.recorded(settings.data, day, rules.wait_seconds) as row:
        try:
            night = _carried_out(course, accept, row.last_catalogue)
        except Exception as error:
            _tell_of_failure(course, error)
            raise
        row.note(
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


def _carried_out(course: Course, accept: bool, last_catalogue: str | None) -> Night:
    settings, rules = course.settings, course.rules
    found = course.timed("discover", partial(stages.discover, settings, rules.batch_bytes), _of_discovery)
    taken = [
        course.timed("ingest", partial(stages.ingest, settings, batch=batch), _of_ingest) for batch in found.batches
    ]
    if rules.keep_days:  # the build that follows removes what still holds what is pruned
        before = course.day + timedelta(days=1 - rules.keep_days)
        course.timed("prune", partial(retention.prune_ledger, settings, before), _of_prune)
    judge = (lambda *_: []) if accept else gate.judge(rules.gate, course.day)
    built = course.timed("build", partial(stages.build, settings, judge), _of_build)
    unreadable = found.unreadable + [trouble for some in taken for trouble in some.report.unreadable]
    night = Night(
        day=course.day,
        status="published" if built.is_new else "unchanged",
        file_count=found.file_count,
        line_count=sum(some.line_count for some in taken),
        call_count=sum(some.call_count for some in taken),
        quarantined_count=sum(some.quarantined_count for some in taken),
        unpriced_call_count=built.unpriced_call_count,
        catalogue=built.catalogue.resolve(),
        restated=_restated(course, built.catalogue.resolve().name, last_catalogue),
        alerts=_alerts(course, unreadable),
        unreadable=unreadable,
        notes=built.notes,
    )
    path = course.step("report", partial(report.write, night, settings.data, partial(stages.query, settings)))
    course.tell("report", path=path)
    return night


def _restated(course: Course, catalogue: str, last_catalogue: str | None) -> list[dict[str, Any]]:
    """What a publication restates that no night told of: also that of a night that died before it could."""
    if catalogue == last_catalogue:
        return []
    rows = stages.query(course.settings, RESTATED).rows(named=True)
    for row in rows[:MOST_TOLD]:
        course.tell("restated", **{name: row[name] for name in TOLD_OF_RESTATED})
    if len(rows) > MOST_TOLD:
        course.tell("restated", more_days=len(rows) - MOST_TOLD)
    return rows


def _alerts(course: Course, unreadable: list[tuple[Path, str]]) -> list[Alert]:
    """Those that are new."""
    for path, why in unreadable:
        course.tell("unreadable", path=path, why=why)
    alerts, judged = alert_desk.of_night(course.settings, course.rules, course.day)
    return _alert(course, alerts + alert_rules.of_unreadable(unreadable, course.day), (*judged, "unreadable"))


def _tell_of_failure(course: Course, error: Exception) -> None:
    alerts, judged = [alert_rules.of_failure(night_book.reason(error), course.day)], ("failure",)
    if isinstance(error, GateClosed):
        for reason in error.reasons:
            course.tell("gate", stopped=reason)
        alerts, judged = alert_rules.of_gate(error.reasons, course.day), ("gate", "failure")
    try:
        _alert(course, alerts, judged)
    except UserError as trouble:  # often what the night failed of, which is to be told
        course.tell("alert", trouble=trouble)


def _alert(course: Course, alerts: list[Alert], judged: Collection[str]) -> list[Alert]:
    told = course.step("alert", partial(alert_desk.tell, course.settings, course.rules, alerts, judged))
    course.tell("alert", holding=len(alerts), new=len(told.new), trouble=told.trouble)
    return told.new


def _of_discovery(found: Discovery) -> dict[str, Any]:
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


def _of_prune(plan: Plan) -> dict[str, Any]:
    return {
        "before": plan.before,
        "days": len(plan.days),
        "calls": plan.call_count,
        "outcomes": plan.outcome_count,
        "without_time": plan.untimed_count,
        "reports": len(plan.reports),
    }


def _of_build(built: BuildSummary) -> dict[str, Any]:
    return {
        "published": built.is_new,
        "catalogue": built.catalogue.resolve().name,
        "unpriced_calls": built.unpriced_call_count,
    }

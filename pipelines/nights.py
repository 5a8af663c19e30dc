"""A night: discover, ingest in batches, gate, publish, alert, report. What `tokenspread nightly` and the flow both do.

Each step is safe to repeat: a night that died is made good by the next one, and running twice is running once.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
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


def run(
    settings: Settings, day: date, accept: bool = False, step: Step = directly, tell: Tell = lambda *_, **__: None
) -> Night:
    """Takes in what is new, and publishes it if the gate lets it through, or anyway if that is to be accepted.

    Raises UserError, LedgerBusy, NotPublished (the reason is in the manifest, and told as an alert).
    """
    rules = night_rules.rules(settings)
    settings = _of_the_night(settings, rules, day, tell)
    with night_book.recorded(settings.data, day, rules.wait_seconds) as row:
        try:
            night = _carried_out(settings, rules, day, accept, row.last_catalogue, step, tell)
        except Exception as error:
            _tell_of_failure(settings, rules, day, error, step, tell)
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


def _carried_out(
    settings: Settings, rules: Rules, day: date, accept: bool, last_catalogue: str | None, step: Step, tell: Tell
) -> Night:
    found = _timed(tell, "discover", step, partial(stages.discover, settings, rules.batch_bytes), _of_discovery)
    taken = [
        _timed(tell, "ingest", step, partial(stages.ingest, settings, batch=batch), _of_ingest)
        for batch in found.batches
    ]
    if rules.keep_days:  # the build that follows removes what still holds what is pruned
        before = day + timedelta(days=1 - rules.keep_days)
        _timed(tell, "prune", step, partial(retention.prune_ledger, settings, before), _of_prune)
    judge = (lambda *_: []) if accept else gate.judge(rules.gate, day)
    built = _timed(tell, "build", step, partial(stages.build, settings, judge), _of_build)
    catalogue = built.catalogue.resolve()
    # also those of a night that died before it could tell of them
    restated = stages.query(settings, RESTATED).rows(named=True) if catalogue.name != last_catalogue else []
    for some in restated[:MOST_TOLD]:
        tell("restated", **{name: some[name] for name in TOLD_OF_RESTATED})
    if len(restated) > MOST_TOLD:
        tell("restated", more_days=len(restated) - MOST_TOLD)
    alerts = _alert(settings, rules, *alert_desk.of_night(settings, rules, day), step, tell)
    night = Night(
        day=day,
        status="published" if built.is_new else "unchanged",
        file_count=found.file_count,
        line_count=sum(some.line_count for some in taken),
        call_count=sum(some.call_count for some in taken),
        quarantined_count=sum(some.quarantined_count for some in taken),
        unpriced_call_count=built.unpriced_call_count,
        catalogue=catalogue,
        restated=restated,
        alerts=alerts,
        unreadable=found.unreadable + [trouble for some in taken for trouble in some.report.unreadable],
        notes=built.notes,
    )
    path = step("report", partial(report.write, night, settings.data, partial(stages.query, settings)))
    tell("report", path=path)
    return night


def _timed(tell: Tell, name: str, step: Step, work: Callable[[], T], figures: Callable[[T], dict[str, Any]]) -> T:
    started = time.monotonic()
    done = step(name, work)
    tell(name, **figures(done), seconds=round(time.monotonic() - started, 2))
    return done


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


def _tell_of_failure(settings: Settings, rules: Rules, day: date, error: Exception, step: Step, tell: Tell) -> None:
    alerts, judged = [alert_rules.of_failure(night_book.reason(error), day)], ("failure",)
    if isinstance(error, GateClosed):
        for reason in error.reasons:
            tell("gate", stopped=reason)
        alerts, judged = alert_rules.of_gate(error.reasons, day), ("gate", "failure")
    try:
        _alert(settings, rules, alerts, judged, step, tell)
    except UserError as trouble:  # often what the night failed of, which is to be told
        tell("alert", trouble=trouble)


def _alert(settings: Settings, rules: Rules, alerts: list[Alert], judged: Any, step: Step, tell: Tell) -> list[Alert]:
    told = step("alert", partial(alert_desk.tell, settings, rules, alerts, judged))
    tell("alert", holding=len(alerts), new=len(told.new), trouble=told.trouble)
    return told.new

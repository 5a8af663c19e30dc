"""A night: discover, ingest in batches, gate, publish, alert, report. What `tokenspread nightly` and the flow both do.

Each step is safe to repeat: a night that died is made good by the next one, and running twice is running once.
"""

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipelines import (
    alert_desk,
    alert_rules,
    dated,
    gate,
    metrics,
    night_book,
    night_rules,
    pages,
    retention,
    stages,
)
from pipelines.errors import GateClosed, LedgerBusy, UserError
from pipelines.night_book import Row, Tell
from pipelines.night_rules import Rules
from pipelines.report import night as report
from pipelines.report import stage_log
from pipelines.settings import Settings
from pipelines.summaries import Alert, Night

T = TypeVar("T")
FIRST_DAY = date(2020, 1, 1)  # nobody logged calls of today's providers before
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


def day_of(scheduled: datetime) -> date:
    """The last UTC day that was over at that time: what a night of that schedule is for."""
    return scheduled.astimezone(UTC).date() - timedelta(days=1)


def days_between(since: date, until: date) -> list[date]:
    """Both included. Raises UserError."""
    if until < since:
        raise UserError(f"until {until} is before since {since}; swap them")
    refuse_days([since, until])
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


@dataclass(frozen=True)
class Course:
    """What every part of a night needs."""

    settings: Settings
    rules: Rules
    day: date
    step: Step
    tell: Tell
    is_quiet: bool = False

    def timed(self, name: str, work: Callable[[], T], figures: Callable[[T], dict[str, Any]]) -> T:
        started = time.monotonic()
        done = self.step(name, work)
        self.tell(name, **figures(done), seconds=round(time.monotonic() - started, 2))
        return done


def run(
    settings: Settings,
    day: date,
    accept: bool = False,
    step: Step = directly,
    tell: Tell = lambda *_, **__: None,
    is_quiet: bool = False,
) -> Night:
    """Takes in what is new, and publishes it if the gate lets it through, or anyway if that is to be accepted.

    A quiet night, such as one of a backfill, calls nobody but where it fails. Raises UserError, LedgerBusy,
    NotPublished; the reason is written down and told as an alert.
    """
    refuse_days([day])
    try:
        return _recorded(settings, day, accept, step, tell, is_quiet)
    finally:  # also of a night that failed: a scraper that hears nothing new takes the last one for good
        metrics.leave(settings, tell)


def _recorded(settings: Settings, day: date, accept: bool, step: Step, tell: Tell, is_quiet: bool) -> Night:
    is_told = False
    try:
        with night_book.recorded(settings.data, day, _wait_seconds(settings)) as row:
            try:
                night = _carried_out(_course(settings, day, step, tell, is_quiet), accept, row)
            except Exception as error:
                _tell_of_failure(settings, day, error, row.since, step, tell)
                is_told = True
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
    except LedgerBusy as error:  # whoever goes on has the manifest too, so nothing can be written down
        if not is_told:
            _tell_at_once(settings, alert_rules.of_failure(night_book.reason(error), day), tell)
        raise
    return night


def _wait_seconds(settings: Settings) -> float:
    """0 where the rules are wrong, which the night is to fail of."""
    try:
        return night_rules.rules(settings).wait_seconds
    except UserError:
        return 0


def refuse_no_logs(settings: Settings) -> None:
    """Raises UserError where there is nothing to take in."""
    if not settings.logs and not settings.outcomes:
        raise UserError("no logs to take in every night: set logs in [input] of tokenspread.toml")


def refuse_days(days: list[date]) -> None:
    """Retention, the gate and alerts reckon from a night's day. Raises UserError for one that is not over, or so far
    back that it can only be a mistake."""
    last = day_of(datetime.now(UTC))
    if wrong := [day for day in days if not FIRST_DAY <= day <= last]:
        raise UserError(
            f"there is no night of {wrong[0]}; name UTC days from {FIRST_DAY} to {last}, the last that is over"
        )


def _course(settings: Settings, day: date, step: Step, tell: Tell, is_quiet: bool) -> Course:
    rules = night_rules.rules(settings)
    return Course(_of_the_night(settings, rules, day, tell), rules, day, step, tell, is_quiet)


def _of_the_night(settings: Settings, rules: Rules, day: date, tell: Tell) -> Settings:
    """The settings with the logs of the night's day and of the days before that it looks back to. Raises UserError
    where a path that names a day has no file of any."""
    for pattern in dated.without_files(settings.logs):
        raise UserError(f"{pattern}: no file of any day matches; check the path, which is to be of this machine")
    days = [day - timedelta(days=number) for number in range(rules.look_back_days, -1, -1)]
    logs, missing = dated.of_days(settings.logs, days)
    for path in missing:
        tell("missing", path=path)
    return replace(settings, logs=tuple(logs), wait_seconds=rules.wait_seconds)


def _carried_out(course: Course, accept: bool, row: Row) -> Night:
    settings, rules = course.settings, course.rules
    found = course.timed("discover", partial(stages.discover, settings, rules.batch_bytes), stage_log.of_discovery)
    taken = [
        course.timed("ingest", partial(stages.ingest, settings, batch=batch), stage_log.of_ingest)
        for batch in found.batches
    ]
    if rules.keep_days:  # the build that follows removes what still holds what is pruned
        before = course.day + timedelta(days=1 - rules.keep_days)
        course.timed("prune", partial(retention.prune_ledger, settings, before), stage_log.of_prune)
    judge = (lambda *_: []) if accept else gate.judge(rules.gate, course.day, row.judged_to, row.stopped)
    built = course.timed("build", partial(stages.build, settings, judge), stage_log.of_build)
    unreadable = found.unreadable + [trouble for some in taken for trouble in some.report.unreadable]
    catalogue = built.catalogue.resolve()
    night = Night(
        day=course.day,
        status="published" if catalogue.name != row.published else "unchanged",
        file_count=found.file_count,
        line_count=sum(some.line_count for some in taken),
        call_count=sum(some.call_count for some in taken),
        quarantined_count=sum(some.quarantined_count for some in taken),
        unpriced_call_count=built.unpriced_call_count,
        catalogue=catalogue,
        restated=_restated(course, catalogue.name, row.last_catalogue),
        alerts=_alerts(course, unreadable, row.since),
        unreadable=unreadable,
        notes=[*built.notes, *pages.leave(settings, catalogue, course.tell)],
    )
    path = course.step("report", partial(report.write, night, settings.data))
    course.tell("report", path=path)
    return night


def _restated(course: Course, catalogue: str, last_catalogue: str | None) -> list[dict[str, Any]]:
    """What publications restate that no night told of: also those of a night that died before it could."""
    if catalogue == last_catalogue:
        return []
    rows = stages.restated(course.settings, last_catalogue)
    for row in rows[:MOST_TOLD]:
        course.tell("restated", **{name: row[name] for name in TOLD_OF_RESTATED})
    if len(rows) > MOST_TOLD:
        course.tell("restated", more_days=len(rows) - MOST_TOLD)
    return rows


def _alerts(course: Course, unreadable: list[tuple[Path, str]], since: str) -> list[Alert]:
    """Those that are new."""
    for path, why in unreadable:
        course.tell("unreadable", path=path, why=why)
    if course.is_quiet:
        return []
    alerts, judged = alert_desk.of_night(course.settings, course.rules, course.day, unreadable)
    return _alert(course, alerts, judged, since)


def _tell_of_failure(settings: Settings, day: date, error: Exception, since: str, step: Step, tell: Tell) -> None:
    alerts, judged = [alert_rules.of_failure(night_book.reason(error), day)], ("failure",)
    if isinstance(error, GateClosed):
        for reason in error.reasons:
            tell("gate", stopped=reason)
        alerts, judged = alert_rules.of_gate(error.reasons, day), ("gate", "failure")
    try:
        _alert(Course(settings, night_rules.rules(settings), day, step, tell), alerts, judged, since)
    except Exception as trouble:  # often what the night failed of, which is to be told
        tell("alert", trouble=night_book.reason(trouble))
        _tell_at_once(settings, alerts[0], tell)


def _tell_at_once(settings: Settings, alert: Alert, tell: Tell) -> None:
    with suppress(UserError):  # where even whom to tell is wrong
        tell("alert", new=1, trouble=alert_desk.tell_at_once(night_rules.alerts(settings), alert, settings.data))


def _alert(course: Course, alerts: list[Alert], judged: Collection[str], since: str) -> list[Alert]:
    told = course.step("alert", partial(alert_desk.tell, course.settings, course.rules, alerts, judged, since))
    course.tell("alert", holding=len(alerts), new=len(told.new), trouble=told.trouble)
    return told.new

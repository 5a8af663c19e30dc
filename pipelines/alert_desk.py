"""The corridor of alerts: what of a night somebody should be told of, said once, for as long as it holds."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

from pipelines import alert_book, alert_delivery, alert_rules, gate, ledger, questions
from pipelines.alert_rules import EVENTS
from pipelines.manifest import now
from pipelines.night_rules import Alerts, Rules, SpendLimit
from pipelines.settings import Settings
from pipelines.summaries import Alert


@dataclass(frozen=True)
class Told:
    new: list[Alert]  # those that did not hold before
    trouble: str | None  # why they could not be delivered; they are tried again with the next night


def of_night(
    settings: Settings, rules: Rules, day: date, unreadable: list[tuple[Path, str]]
) -> tuple[list[Alert], tuple[str, ...]]:
    """What the published warehouse says of `day`: spend, anomaly, thin_day, margin and model_swap; which files could
    not be read; and the kinds that are judged so, gate and failure among them, since it was published.

    What is of a day is not judged for one before another that was judged already: that would end, or open again, what
    holds now. Nor are spend and anomalies where the log does not span the day. Margins are of the whole log.
    """
    link = settings.data / "warehouse.duckdb"
    ask = partial(questions.answer, link)
    span = ask("days").row(0, named=True)
    is_told = span["first_day"] is not None and span["first_day"] <= day <= span["last_day"]
    with ledger.opened(settings.data, rules.wait_seconds) as store:
        latest = alert_book.latest_day(store.manifest)
    is_latest = latest is None or day >= latest
    judged: tuple[str, ...] = ("gate", "failure", "margin", *EVENTS)
    alerts = _of_margins(ask, settings, rules.alerts.margin_scenario, day)
    if rules.alerts.has_model_swaps:
        alerts += alert_rules.of_model_swaps(ask("alert_swaps", day=day).rows(named=True), day)
    if is_latest:  # a thin day also where the log ends before it: nothing came, so no gate was there to stop it
        judged = (*judged, "thin_day", "unreadable")
        alerts += alert_rules.of_thin_day(gate.thin(rules.gate.least_calls_share, day, link), day)
        alerts += alert_rules.of_unreadable(unreadable, day)
    if is_latest and is_told:
        judged = (*judged, "spend", "anomaly")
        for limit in rules.alerts.spend:
            alerts += _of_spend(ask, limit, day)
        if rules.alerts.has_anomalies:
            alerts += alert_rules.of_anomalies(ask("alert_anomalies", day=day).rows(named=True), day)
    return alerts, judged


def _of_spend(ask: partial, limit: SpendLimit, day: date) -> list[Alert]:
    found = ask(
        "alert_spend",
        by=limit.by,
        only_name=limit.name,
        day_count=limit.days,
        day=day,
        limit_usd=float(limit.limit_usd),
    )
    return alert_rules.of_spend(limit, found.rows(named=True), day)


def _of_margins(ask: partial, settings: Settings, scenario: str, day: date) -> list[Alert]:
    published = ask("alert_scenarios")
    if not published["has_revenue"].any():
        return []
    if scenario not in published["scenario"]:
        return [alert_rules.of_unknown_scenario(scenario, published["scenario"].to_list(), day)]
    target = Decimal(settings.target_margin_share or 0)
    rows = ask("alert_margins", scenario=scenario, target_micro=int(target * 1_000_000)).rows(named=True)
    return alert_rules.of_margins(scenario, target, rows, day)


def tell(settings: Settings, rules: Rules, alerts: list[Alert], judged: Collection[str], since: str) -> Told:
    """Notes the alerts of the kinds that were judged, and delivers those that are due. Those that did not hold before
    `since`, the beginning of the night, are new.

    Safe to repeat: what was delivered is not due again. Raises UserError, LedgerBusy.
    """
    channels = alert_delivery.channels(rules.alerts)
    with ledger.opened(settings.data, rules.wait_seconds) as store:
        alert_book.note(store.manifest, alerts, judged, channels)
        opened = alert_book.opened_since(store.manifest, since)
        due = alert_book.due(store.manifest, channels)
    troubles = []
    for name, send in channels.items():
        rows = [row for row in due if name not in row["sent_to"]]
        for some in alert_delivery.messages(rows):  # one that is refused is not to keep the others back
            if trouble := alert_delivery.deliver(send, alert_delivery.body_of(some, settings.data.resolve().name)):
                troubles.append(trouble)
                continue
            # at once: what the next channel does is not to make this one hear it twice
            with ledger.opened(settings.data, rules.wait_seconds) as store:
                alert_book.mark_sent(store.manifest, some, name, channels)
    first = {alert.key: alert for alert in reversed(alerts)}  # of several of one key the first
    return Told(
        [alert for alert in alerts if alert is first[alert.key] and alert.key in opened],
        "; ".join(dict.fromkeys(troubles)) or None,
    )


def tell_at_once(alerts: Alerts, alert: Alert, data: Path) -> str | None:
    """Delivers what cannot be noted, each time that it comes up: without an alert_id. Returns why it could not be."""
    row = {"kind": alert.kind, "day": alert.day.isoformat(), "text": alert.text, "first_at": now()}
    body = alert_delivery.body_of([dict.fromkeys(alert_delivery.TOLD) | row], data.resolve().name)
    troubles = [alert_delivery.deliver(send, body) for send in alert_delivery.channels(alerts).values()]
    return "; ".join(filter(None, troubles)) or None

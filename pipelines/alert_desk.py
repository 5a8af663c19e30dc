"""The corridor of alerts: what of a night somebody should be told of, said once, for as long as it holds."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from pipelines import alert_book, alert_delivery, alert_rules, gate, ledger, questions
from pipelines.alert_rules import EVENTS
from pipelines.night_rules import Rules, SpendLimit
from pipelines.settings import Settings
from pipelines.summaries import Alert


@dataclass(frozen=True)
class Told:
    new: list[Alert]  # those that did not hold before
    trouble: str | None  # why they could not be delivered; they are tried again with the next night


def of_night(settings: Settings, rules: Rules, day: date) -> tuple[list[Alert], tuple[str, ...]]:
    """What the published warehouse says of `day`: spend, thin_day, margin, model_swap and anomaly; and the kinds that
    are judged by it, gate and failure among them, since it was published.

    Spend is not judged where the log does not span the day, nor is it, or a thin day, for a day before one that was
    judged already: that would end, or open again, what holds now. Margins are of the whole log, whatever the day.
    """
    link = settings.data / "warehouse.duckdb"
    ask = partial(questions.answer, link)
    span = ask("days").row(0, named=True)
    is_told = span["first_day"] is not None and span["first_day"] <= day <= span["last_day"]
    with ledger.opened(settings.data, rules.wait_seconds) as store:
        latest = alert_book.latest_day(store.manifest)
    judged = ("gate", "failure", "margin", *EVENTS)
    alerts = []
    is_latest = latest is None or day >= latest
    if is_told and is_latest:
        judged = ("spend", *judged)
        for limit in rules.alerts.spend:
            alerts += _of_spend(ask, limit, day)
    if is_latest:  # also where the log ends before it: nothing came, so no gate was there to stop it
        judged = ("thin_day", *judged)
        alerts += alert_rules.of_thin_day(gate.thin(rules.gate.least_calls_share, day, link), day)
    alerts += _of_margins(ask, settings, rules.alerts.margin_scenario, day)
    if rules.alerts.has_model_swaps:
        alerts += alert_rules.of_model_swaps(ask("alert_swaps", day=day).rows(named=True), day)
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


def tell(settings: Settings, rules: Rules, alerts: list[Alert], judged: Collection[str]) -> Told:
    """Notes the alerts of the kinds that were judged, and delivers in one message those that are due.

    Safe to repeat: what was noted is not new again, what was delivered is not due again. Raises UserError, LedgerBusy.
    """
    channels = alert_delivery.channels(rules.alerts)
    with ledger.opened(settings.data, rules.wait_seconds) as store:
        new = alert_book.note(store.manifest, alerts, judged, channels)
        due = alert_book.due(store.manifest)
    troubles = []
    for name, send in channels.items():
        rows = [row for row in due if name not in row["sent_to"]]
        if not rows:
            continue
        if trouble := alert_delivery.deliver(send, alert_delivery.message(rows, settings.data.resolve().name)):
            troubles.append(trouble)
            continue
        # at once: what the next channel does is not to make this one hear it twice
        with ledger.opened(settings.data, rules.wait_seconds) as store:
            alert_book.mark_sent(store.manifest, rows, name, channels)
    return Told(new, "; ".join(troubles) or None)

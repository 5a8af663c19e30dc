"""The manifest's table `alert`: what holds and since when, what happened, and who was told of it.

A state has an open row for as long as it holds, and another one when it comes back. An
event (model_swap, anomaly) has one row, ever. What somebody is to be told is due from the moment that it is noted, in
the same transaction: whoever is killed in between is made good by the next night, with the same alert_id.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipelines.alert_rules import EVENTS
from pipelines.manifest import Manifest, now
from pipelines.summaries import Alert

NEWS = timedelta(days=1)  # events of the latest night's day and the one before are news, older ones only noted


def latest_day(manifest: Manifest) -> date | None:
    """The latest day of the nights that published, or go on. Days to come are left out: one that was named by mistake
    would make every night until then an old one."""
    query = "select max(day) from night where status in ('running', 'published', 'unchanged') and day <= ?"
    day = manifest.one(query, datetime.now(UTC).date().isoformat())
    return date.fromisoformat(day) if day else None


def note(manifest: Manifest, alerts: list[Alert], judged: Collection[str], channels: Collection[str]) -> None:
    """Opens what did not hold before, and ends what does no longer, of the kinds that were judged.

    Without channels nothing becomes due, and is not made up for later, except what still holds and what is news then.
    """
    at = now()
    held = {alert.key: alert for alert in reversed(alerts)}  # of several of one key the first
    with manifest.transaction() as connection:
        known = _known(manifest)
        new = [alert for alert in alerts if alert is held[alert.key] and alert.key not in known]
        for alert in new:
            is_event = alert.kind in EVENTS
            connection.execute(
                "insert into alert (key, kind, day, dimension, name, text, impact_usd, first_at, last_at, ended_at) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (alert.key, alert.kind, alert.day.isoformat(), alert.dimension, alert.name, alert.text, _impact(alert),
                 at, at, at if is_event else None),
            )  # fmt: skip
        for key in known.keys() & held.keys():
            alert = held[key]
            if alert.kind not in EVENTS:
                connection.execute(
                    "update alert set day = ?, text = ?, impact_usd = ?, last_at = ? where alert_id = ?",
                    (alert.day.isoformat(), alert.text, _impact(alert), at, known[key]),
                )
        opened = connection.execute("select alert_id, key, kind from alert where ended_at is null").fetchall()
        over = [(at, row["alert_id"]) for row in opened if row["kind"] in judged and row["key"] not in held]
        connection.executemany("update alert set ended_at = ? where alert_id = ?", over)
        if channels:
            _make_due(manifest, at)


def opened_since(manifest: Manifest, at: str) -> set[str]:
    """Keys of what did not hold, or happen, before that instant."""
    return {row["key"] for row in manifest.rows("select key from alert where first_at >= ?", at)}


def due(manifest: Manifest, channels: Collection[str]) -> list[dict[str, Any]]:
    """The rows that one of the channels has not taken yet, the oldest first; sent_to: those that have, a set. What all
    have taken that are left of those at the time is sent."""
    query = "select * from alert where due_at is not null and sent_at is null order by alert_id"
    rows = [row | {"sent_to": set((row["sent_to"] or "").split())} for row in manifest.rows(query)]
    done = [(now(), row["alert_id"]) for row in rows if channels and row["sent_to"].issuperset(channels)]
    with manifest.transaction() as connection:
        connection.executemany("update alert set sent_at = ? where alert_id = ?", done)
    return [row for row in rows if not row["sent_to"].issuperset(channels)]


def mark_sent(manifest: Manifest, rows: list[dict[str, Any]], channel: str, channels: Collection[str]) -> None:
    """That a channel took them; they are sent when all have."""
    with manifest.transaction() as connection:
        for row in rows:
            row["sent_to"].add(channel)
            sent_at = now() if row["sent_to"].issuperset(channels) else None
            values = (" ".join(sorted(row["sent_to"])), sent_at, row["alert_id"])
            connection.execute("update alert set sent_to = ?, sent_at = ? where alert_id = ?", values)


def _known(manifest: Manifest) -> dict[str, int]:
    """The keys of what holds, and of what ever happened, with their alert_id."""
    rows = manifest.rows("select key, alert_id, kind from alert where ended_at is null or kind in (?)", *EVENTS)
    return {row["key"]: row["alert_id"] for row in rows}


def _make_due(manifest: Manifest, at: str) -> None:
    latest = latest_day(manifest)
    news = (latest - NEWS).isoformat() if latest else ""
    manifest.connection.execute(
        "update alert set due_at = ? where due_at is null and (ended_at is null or kind in (?) and day >= ?)",
        (at, *EVENTS, news),
    )


def _impact(alert: Alert) -> str | None:
    return None if alert.impact_usd is None else f"{alert.impact_usd:f}"

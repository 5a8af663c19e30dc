"""What a scraper is to know of the last night and of what is published: Prometheus' text format, version 0.0.4.

https://prometheus.io/docs/instrumenting/exposition_formats/ and, for names and units,
https://prometheus.io/docs/practices/naming/. All are gauges: they are of a ledger that can be pruned. No user and no
customer is in any of them; of features as many as MOST_FEATURES.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines import night_book, questions, status
from pipelines.durable import leave_text
from pipelines.log_files import METRICS
from pipelines.night_book import Tell
from pipelines.settings import Settings
from pipelines.status import Status

MOST_FEATURES = 20
SUCCEEDED = ("published", "unchanged")
HELP = {
    "night_success": "1: the last night was published, or had nothing new; 0: it was stopped, failed or died.",
    "night_running": "1: a night goes on.",
    "night_gate_stopped": "1: the gate stopped the last night.",
    "night_start_timestamp_seconds": "When the last night began.",
    "night_end_timestamp_seconds": "When the last night ended.",
    "night_duration_seconds": "How long the last night took.",
    "night_day_timestamp_seconds": "The UTC day that the last night was for.",
    "night_last_success_timestamp_seconds": "When the last night ended that succeeded, of the last 14.",
    "night_files": "Log files that the last night looked at.",
    "night_new_lines": "Lines that the last night took in.",
    "night_new_calls": "Calls that the last night took in.",
    "night_quarantined_lines": "Of these lines, those that it quarantined.",
    "restated_days": "Days of which the last publication tells otherwise than the one before.",
    "published_timestamp_seconds": "When the warehouse was published.",
    "lines": "Lines of all log files by what became of them.",
    "calls": "Published calls by price_status.",
    "unpriced_calls": "Published calls without a cost.",
    "cost_usd": "Cost of all priced calls.",
    "feature_cost_usd": f"Cost of priced calls of the {MOST_FEATURES} dearest features.",
    "other_features_cost_usd": "Cost of priced calls of all other features.",
    "unattributed_cost_usd": "Cost of priced calls without a feature.",
    "last_day_timestamp_seconds": "The last UTC day that has calls.",
    "last_day_calls": "Calls of that day.",
    "last_day_cost_usd": "Cost of the priced calls of that day.",
    "alerts": "Alerts that hold, by kind.",
    "data_bytes": "Size of the data folder, by part.",
    "free_bytes": "Free space on its disk.",
}


@dataclass
class Samples:
    """Values by metric, each with its labels; what is unknown has none."""

    rows: dict[str, list[tuple[dict[str, str], Any]]] = field(default_factory=lambda: {name: [] for name in HELP})

    def add(self, name: str, value: Any, **labels: str) -> None:
        if value is not None:
            self.rows[name].append((labels, value))

    def lines(self) -> Iterator[str]:
        for name, rows in self.rows.items():
            if rows:
                yield f"# HELP tokenspread_{name} {HELP[name]}\n# TYPE tokenspread_{name} gauge\n"
            for labels, value in rows:
                told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
                yield f"tokenspread_{name}{f'{{{told}}}' if told else ''} {_number(value)}\n"


def text(settings: Settings) -> str:
    """Raises UserError."""
    found, samples = status.look(settings), Samples()
    _add_night(found, samples)
    for kind in sorted({alert["kind"] for alert in found.alerts}):
        samples.add("alerts", sum(alert["kind"] == kind for alert in found.alerts), kind=kind)
    for part, size in found.bytes_by_part.items():
        samples.add("data_bytes", size, part=part)
    samples.add("free_bytes", found.free_bytes)
    if found.last_published:
        samples.add("published_timestamp_seconds", _instant(found.last_published["at"]))
        _add_published(settings.data / "warehouse.duckdb", samples)
    return "".join(samples.lines())


def leave(settings: Settings, tell: Tell) -> None:
    """DATA/metrics.prom, for whoever may read the data folder. What the night did is done: trouble is told, and stops
    nothing."""
    try:
        leave_text(settings.data / METRICS, text(settings))
    except Exception as trouble:
        tell("metrics", trouble=night_book.reason(trouble))


def _add_night(found: Status, samples: Samples) -> None:
    samples.add("night_running", "night" in found.holders)
    ended = [night for night in found.nights if night["status"] != "running"]
    if not ended:
        return
    last = ended[0]
    start, end = _instant(last["started_at"]), _instant(last["ended_at"])
    samples.add("night_success", last["status"] in SUCCEEDED)
    samples.add("night_gate_stopped", last["status"] == "stopped")
    samples.add("night_start_timestamp_seconds", start)
    samples.add("night_end_timestamp_seconds", end)
    samples.add("night_duration_seconds", None if start is None or end is None else end - start)
    samples.add("night_day_timestamp_seconds", _midnight(date.fromisoformat(last["day"])))
    successes = [night["ended_at"] for night in ended if night["status"] in SUCCEEDED]
    samples.add("night_last_success_timestamp_seconds", _instant(successes[0]) if successes else None)
    samples.add("night_files", last["file_count"])
    samples.add("night_new_lines", last["line_count"])
    samples.add("night_new_calls", last["call_count"])
    samples.add("night_quarantined_lines", last["quarantined_count"])


def _add_published(link: Path, samples: Samples) -> None:
    for row in questions.answer(link, "metric_lines").rows(named=True):
        samples.add("lines", row["line_count"], fate=row["fate"])
    statuses = questions.answer(link, "metric_statuses").rows(named=True)
    for row in statuses:
        samples.add("calls", row["call_count"], price_status=row["price_status"])
    samples.add("unpriced_calls", sum(row["call_count"] for row in statuses if row["is_unpriced"]))
    costs = questions.answer(link, "metric_costs").rows(named=True)
    named = [row for row in costs if row["feature"] is not None]
    samples.add("cost_usd", _sum(costs))
    for row in named[:MOST_FEATURES]:
        samples.add("feature_cost_usd", row["cost_usd"], feature=row["feature"])
    samples.add("other_features_cost_usd", _sum(named[MOST_FEATURES:]))
    samples.add("unattributed_cost_usd", _sum([row for row in costs if row["feature"] is None]))
    for row in questions.answer(link, "metric_day").rows(named=True):
        samples.add("last_day_timestamp_seconds", _midnight(row["day"]))
        samples.add("last_day_calls", row["call_count"])
        samples.add("last_day_cost_usd", row["cost_usd"])
    samples.add("restated_days", questions.answer(link, "metric_restated").item())


def _sum(rows: list[dict[str, Any]]) -> Decimal | None:
    """None where no cost is known."""
    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    return sum(costs, Decimal(0)) if costs else None


def _instant(told: str | None) -> float | None:
    """Seconds since 1970 of an instant of the manifest, which is UTC."""
    if told is None:
        return None
    at = datetime.fromisoformat(told)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: Any) -> str:
    """No digit less than is known; a scraper rounds to a double."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return repr(value) if isinstance(value, float) else str(int(value))

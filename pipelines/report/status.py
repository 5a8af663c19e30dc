"""`tokenspread status` as text and as JSON."""

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from pipelines import lock
from pipelines.report import output
from pipelines.report.output import Report
from pipelines.report.text import count, counted, harmless
from pipelines.status import Status

SHOWN_GAPS = SHOWN_ALERTS = 5
UNITS = ("B", "kB", "MB", "GB", "TB")


def write(status: Status, form: str, stream: TextIO, data: Path | None = None) -> None:
    """As one of output.FORMATS; in CSV a row for each of the last nights."""
    lines = [*_nights(status), *_coverage(status), *_running(status), *_alerts(status), *_disk(status)]
    told = asdict(status)
    output.write(
        Report(told, list(map(harmless, lines)), lambda: told["nights"], next_command=_next(status)), form, stream, data
    )


def _next(status: Status) -> str | None:
    if not status.nights:
        return "tokenspread nightly"
    if status.nights[0]["status"] not in ("published", "unchanged"):
        return "tokenspread nightly --accept, once what stopped it is understood"
    if status.gaps:
        first, last = status.gaps[-1]
        return f"tokenspread backfill --since {first} --until {last}"
    return None


def _nights(status: Status) -> list[str]:
    if not status.nights:
        return ["last night  none yet: tokenspread nightly does one, tokenspread serve one every night"]
    lines = [f"last night  {_night(status.nights[0])}"]
    lines += [f"before      {_night(night)}" for night in status.nights[1:4]]
    if status.last_published:
        lines.append(f"published   {status.last_published['catalogue']} at {_minute(status.last_published['at'])} UTC")
    return lines


def _night(night: dict[str, Any]) -> str:
    told = f"for {night['day']}: {night['status']}, started {_minute(night['started_at'])} UTC"
    if night["status"] in ("published", "unchanged"):
        told += f", {counted(night['line_count'], 'new line')}, {counted(night['call_count'], 'new call')}"
        told += f", {count(night['quarantined_count'])} quarantined" if night["quarantined_count"] else ""
        told += ", accepted whatever the gate said" if night["was_accepted"] else ""
    return told + (f" ({night['reason']})" if night["reason"] else "")


def _coverage(status: Status) -> list[str]:
    if status.first_day is None or status.last_day is None:
        return ["days        none published"]
    day_count = (status.last_day - status.first_day).days + 1
    lines = [f"days        {status.first_day} to {status.last_day} (UTC), {counted(day_count, 'day')}"]
    shown = [_span(first, last) for first, last in status.gaps[-SHOWN_GAPS:]]
    if shown:
        more = len(status.gaps) - len(shown)
        earlier = f" and {counted(more, 'earlier gap')}" if more else ""
        lines.append(f"gaps        no call on {', '.join(shown)}{earlier}")
    if status.undated_call_count:
        lines.append(f"undated     {counted(status.undated_call_count, 'call')} of no day")
    return lines


def _span(first: date, last: date) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _running(status: Status) -> list[str]:
    if not status.holders:
        return ["running     nothing"]
    return [f"running     {name}: {lock.said_of(by)}" for name, by in status.holders.items()]


def _alerts(status: Status) -> list[str]:
    if not status.alerts:
        return ["alerts      none"]
    lines = [
        f"alerts      {alert['kind']}: {alert['text']}{_undelivered(alert)}" for alert in status.alerts[:SHOWN_ALERTS]
    ]
    more = len(status.alerts) - SHOWN_ALERTS
    return lines + ([f"            and {count(more)} more (--json has all)"] if more > 0 else [])


def _undelivered(alert: dict[str, Any]) -> str:
    return " (not delivered yet)" if alert["due_at"] and not alert["sent_at"] else ""


def _disk(status: Status) -> list[str]:
    total = sum(status.bytes_by_part.values())
    parts = sorted(status.bytes_by_part.items(), key=lambda part: -part[1])
    told = ", ".join(f"{name} {_size(size)}" for name, size in parts if size)
    return [f"disk        {_size(total)} in {status.data} ({told}); {_size(status.free_bytes)} free"]


def _size(byte_count: int) -> str:
    size, unit = float(byte_count), 0
    while size >= 1000 and unit < len(UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {UNITS[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {UNITS[unit]}"


def _minute(instant: str) -> str:
    return instant[:16].replace("T", " ")

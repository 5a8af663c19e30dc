"""What a night leaves to read: DATA/reports/<day>.txt, what it did and what moved, above the report itself."""

import io
import os
from pathlib import Path
from typing import Any

from pipelines import sandbox
from pipelines.durable import fsync, lend
from pipelines.report import terminal
from pipelines.report.text import count, counted, harmless, money
from pipelines.summaries import Night

SHOWN = 40  # restated days; `restatements` has all


def write(night: Night, data: Path) -> Path:
    """Writes the report of the night's day, in place of one that an earlier night for the same day wrote, but where
    this one has nothing to tell."""
    folder = data / "reports"
    path, unfinished = folder / f"{night.day}.txt", folder / f".{night.day}.txt"
    if path.exists() and night.status == "unchanged" and not night.alerts and not night.restated:
        return path
    folder.mkdir(mode=0o700, exist_ok=True)
    stream = io.StringIO()
    stream.writelines(harmless(line) + "\n" for line in lines(night))
    stream.write("\n")
    with sandbox.asking(data / "warehouse.duckdb") as query:
        terminal.write(query, "feature", "text", stream)
    unfinished.write_text(stream.getvalue(), encoding="utf-8")
    lend(unfinished, 0o600)
    fsync(unfinished)
    os.replace(unfinished, path)
    return path


def lines(night: Night) -> list[str]:
    """What the night did, a line for each fact."""
    told = [
        f"night       of {night.day}: {night.status}, {night.catalogue.name}",
        f"new         {counted(night.line_count, 'line')}, {counted(night.call_count, 'call')}, "
        f"{count(night.quarantined_count)} quarantined, in {counted(night.file_count, 'file')} looked at",
    ]
    told += [f"unread      {path}: {why}" for path, why in night.unreadable]
    told += [f"restated    {_restated(row)}" for row in night.restated[:SHOWN]]
    if len(night.restated) > SHOWN:
        told.append(f"            and {counted(len(night.restated) - SHOWN, 'more day')} (table restatements)")
    told += [f"alert       {alert.kind}: {alert.text}" for alert in night.alerts]
    return told + [f"note        {note}" for note in night.notes]


def _restated(row: dict[str, Any]) -> str:
    calls = f"{_from_to(count(row['call_count_before']), count(row['call_count']))} calls"
    cost = f"{_from_to(money(row['cost_before_usd']), money(row['cost_usd']))} USD"
    successes = f"{_from_to(count(row['success_count_before']), count(row['success_count']))} successes"
    per = _from_to(money(row["cost_per_outcome_before_usd"]), money(row["cost_per_outcome_usd"]))
    return f"{row['day'] or 'no day'} ({row['change']}): {calls}, {cost}, {successes}, {per} USD per outcome"


def _from_to(before: str, after: str) -> str:
    return after if before == after else f"{before} -> {after}"

"""What a run shows while it reads, and says of the files when it has."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from pipelines.report.text import counted, harmless
from pipelines.summaries import IngestSummary

MOST_NAMED = 5


class Shown:
    """Counts bytes against all that there is to look at, and lines."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.lines, self.task = progress, 0, None

    def announce(self, byte_count: int) -> None:
        if self.progress:
            self.task = self.progress.add_task("reading", total=byte_count, lines=0)

    def advance(self, byte_count: int, line_count: int) -> None:
        self.lines += line_count
        if self.progress and self.task is not None:
            self.progress.update(self.task, advance=byte_count, lines=self.lines)


@contextmanager
def shown(stream: TextIO) -> Iterator[Shown]:
    """A progress bar on a terminal; nothing elsewhere, where it would fill a log."""
    if not stream.isatty():
        yield Shown(None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        yield Shown(progress)


def write_summary(summary: IngestSummary, stream: TextIO = sys.stderr) -> None:
    """One line on what was taken, and a line for each file that was not."""
    report = summary.report
    unchanged = f", {len(report.unchanged):,} without anything new" if report.unchanged else ""
    count = summary.quarantined_count
    quarantined = f", {count:,} quarantined (see tokenspread quarantine list)" if count else ""
    print(
        f"read {counted(summary.line_count, 'new line')} of {counted(len(report.taken), 'file')}{unchanged}: "
        f"{counted(summary.call_count, 'new call')}{quarantined} (ledger version {summary.version})",
        file=stream,
    )
    _list(stream, "not a log, passed over", [f"{_name(path)}: {what}" for path, what in report.skipped])
    _list(stream, "waiting for the rest of its last line", [f"{_name(p)}: {n} bytes" for p, n in report.waiting])
    stale = len(report.read_otherwise)
    if stale:
        print(
            f"{counted(stale, 'file')} {'was' if stale == 1 else 'were'} read under other mappings or attribution; "
            "read them into a new --data folder to apply the change",
            file=stream,
        )
    _list(stream, "COULD NOT BE READ", [f"{_name(path)}: {why}" for path, why in report.unreadable])


def _list(stream: TextIO, what: str, items: list[str]) -> None:
    if not items:
        return
    print(f"{len(items):,} {'file' if len(items) == 1 else 'files'} {what}:", file=stream)
    for item in items[:MOST_NAMED]:
        print(f"  {item}", file=stream)
    if len(items) > MOST_NAMED:
        print(f"  and {len(items) - MOST_NAMED:,} more", file=stream)


def _name(path: Path) -> str:
    try:
        return harmless(str(path.relative_to(Path.cwd())))
    except ValueError:
        return harmless(str(path))

"""Where the lines of a content are today: its log in place, moved or packed, else what was kept of its lines."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines import kept_lines, log_files, picked
from pipelines.bounds import Bounds
from pipelines.damage import DAMAGED
from pipelines.draft import Draft
from pipelines.durable import refuses_writing
from pipelines.errors import UserError
from pipelines.intake import Intake
from pipelines.ledger import Ledger
from pipelines.log_files import LogFile, open_bytes, read_up_to
from pipelines.new_lines import HEAD_BYTES, Taking, digest
from pipelines.picked import Picked
from pipelines.reader import Reader
from pipelines.settings import Settings

GONE = "its log is gone; name where it is now"
CHANGED = "its log was changed"
PACKED = ("", ".gz", ".zst")  # what a log's name ends in once it is packed where it was


@dataclass(frozen=True)
class Lines:
    """`files`: those that were found, in order; `log` is where, None: they were kept."""

    files: list[Picked]
    log: LogFile | None
    trouble: str | None  # why not all were found


@dataclass
class Whereabouts:
    store: Ledger
    settings: Settings
    reader: Reader
    named: list[LogFile] = field(default_factory=list)  # logs that the user names
    _staged: dict[Path, LogFile | None] = field(default_factory=dict)
    _given: list[LogFile] | None = None

    def takings(self, content: dict[str, Any], file: LogFile) -> list[Taking]:
        """How the content was taken, part by part."""
        query = "select * from segment where content_id = ? order by to_byte"
        segments = self.store.manifest.rows(query, content["content_id"])
        first_line = segments[-1]["line_count"] - content["line_count"]  # of a copy that went on by itself: not 0
        query = "select count(*) from segment where to_byte = ? and line_count = ? and is_open"
        is_open = bool(self.store.manifest.one(query, segments[0]["from_byte"], first_line))
        takings, from_hash = [], ""
        for segment in segments:
            known = {name: segment[name] for name in ("content_id", "from_byte", "to_byte", "prefix_hash")}
            takings.append(
                Taking(file, is_new=False, from_line=first_line, starts_open=is_open, from_hash=from_hash, **known)
            )
            first_line, is_open, from_hash = segment["line_count"], bool(segment["is_open"]), segment["prefix_hash"]
        return takings

    def lines(self, content: dict[str, Any], numbers: set[int]) -> Lines:
        """Those lines of the content, from a log that still begins with it, else as they were kept."""
        staging = self.store.staging
        for log in self._logs(content):
            try:
                takings = self.takings(content, log)
                return Lines(picked.of_log(log, takings, numbers, staging, self.reader.bounds), log, None)
            except DAMAGED as error:
                _pass_on(error)
        trouble = CHANGED if Path(content["path"]).exists() else GONE
        kept = kept_lines.of_content(self.store, content["content_id"])
        files = picked.copied(((number, line + b"\n") for number, line in kept if number in numbers), staging)
        return Lines(files, None, trouble if sum(len(file.numbers) for file in files) < len(numbers) else None)

    def _logs(self, content: dict[str, Any]) -> Iterator[LogFile]:
        """Files that may begin with the content: the one that it was read from before others."""
        own = [file for end in PACKED for file in _file(content["path"] + end)]
        known = {file.path for file in own}
        for file in [*own, *(file for file in self.named + self._found() if file.path not in known)]:
            lines = self.as_lines(file)
            if lines and begins_with(lines, content, self.reader.bounds):
                yield lines

    def _found(self) -> list[LogFile]:
        """All logs of the settings."""
        if self._given is None:
            try:
                self._given = [file for found in log_files.given(self.settings).values() for file in found.files]
            except UserError:  # such as a folder that is gone, whose lines may be kept
                self._given = []
        return self._given

    def as_lines(self, file: LogFile) -> LogFile | None:
        """None: it cannot be read, or is no log."""
        if file.path not in self._staged:
            intake = Intake(self.reader, Draft(self.store.staging, lambda rows: rows), 0, lambda *_: None)
            intake.staged_count = len(self._staged)  # tells their copies apart
            try:
                seen, lines = intake.look(file)
                self._staged[file.path] = None if seen.layout in ("empty", "none") else lines
            except DAMAGED as error:
                _pass_on(error)
                self._staged[file.path] = None
        return self._staged[file.path]


def _file(path: str) -> list[LogFile]:
    try:
        return log_files.find([path]).files
    except UserError:
        return []


def begins_with(lines: LogFile, content: dict[str, Any], bounds: Bounds) -> bool:
    """Whether its first bytes are those of the content; only reading it all tells whether the rest is."""
    try:
        with open_bytes(lines.source, bounds) as stream:
            head = read_up_to(stream, min(content["head_length"], HEAD_BYTES))
    except DAMAGED as error:
        _pass_on(error)
        return False
    return digest(head) == content["head_hash"]


def _pass_on(error: Exception) -> None:
    if refuses_writing(error):
        raise error

"""What is read of a log, batch by batch, and what is to be done with it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipelines.log_files import LogFile
from pipelines.new_lines import Taking
from pipelines.sniff import Look
from transforms import schemas

FRAME_BYTES = 32 << 20


@dataclass
class Read:
    """A batch: LINES (one text column for each field), QUARANTINE rows, and the count of blank lines by content."""

    lines: pl.DataFrame
    quarantine: pl.DataFrame = field(default_factory=lambda: schemas.empty(schemas.QUARANTINE))
    blank: dict[int, int] = field(default_factory=dict)


def together(reads: list[Read]) -> Read:
    """One frame of all."""
    if len(reads) == 1:
        return reads[0]
    blank: Counter[int] = Counter()
    for read in reads:
        blank.update(read.blank)
    lines, quarantine = (pl.concat([getattr(read, name) for read in reads]) for name in ("lines", "quarantine"))
    return Read(lines, quarantine, dict(blank))


@dataclass(frozen=True)
class Reading:
    """How records become calls (or outcomes): the columns to read, by name and path, and the shape's name."""

    shape: str
    columns: dict[str, str]
    # keeps a frame; the takings by content_id count its lines. Raises Refused, unless the shape is said to be right
    take: Callable[[Read, dict[int, Taking], bool], None]
    opened: Callable[[pl.DataFrame], pl.DataFrame] = lambda lines: lines  # lines of several records, one row for each
    frame: str = "lines"  # what `take` must see at once, see Shape

    def looks_back(self, taking: Taking) -> bool:
        """Whether the lines that were taken before have to be read again: what is new may hang on them."""
        return self.frame != "lines" and taking.from_line > 0

    def is_full(self, frame: list[Read]) -> bool:
        """Whether `take` may have what is read so far. A log whose lines belong together is cut only where it would not
        fit the memory that we promise; its parts then meet as those of two logs do."""
        if self.frame == "lines":
            return True
        return self.frame == "log" and sum(read.lines.estimated_size() for read in frame) > FRAME_BYTES


Choose = Callable[[Look], Reading | None]


class Refused(Exception):
    """Lines that the shape of their log does not know: they may be of another one."""

    def __init__(self, line_numbers: list[int]) -> None:
        super().__init__()
        self.line_numbers = line_numbers


@dataclass
class Report:
    """What became of each file that was named or found."""

    unchanged: list[Path] = field(default_factory=list)
    taken: list[Taking] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # not a log: what it looks like
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    waiting: list[tuple[Path, int]] = field(default_factory=list)  # bytes of a half last line
    read_otherwise: list[Path] = field(default_factory=list)  # taken under other mappings or attribution than now

    def settled(self, files: list[LogFile]) -> list[LogFile]:
        """Files that need no second look while they do not change."""
        again = {path for path, _ in self.unreadable + self.skipped}
        return [file for file in files if file.path not in again]

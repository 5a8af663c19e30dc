"""Some lines of a log, by their numbers, copied out of it: however many they are, few are held in memory."""

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.bounds import Bounds
from pipelines.log_files import LogFile
from pipelines.new_lines import Taking
from pipelines.pieces import taken_pieces

FILE_BYTES = 32 << 20


@dataclass
class Picked:
    """A file of lines, each with its line feed, and the number that each has in its log."""

    path: Path
    numbers: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb") as lines:
            yield from zip(self.numbers, lines, strict=True)


def of_log(
    file: LogFile, takings: list[Taking], numbers: Collection[int], staging: Path, bounds: Bounds
) -> list[Picked]:
    """Those lines of a content, in files below `staging`. Raises Rewritten where the log is not any more what was taken
    of it."""
    return copied(_lines(file, takings, numbers, staging, bounds), staging)


def _lines(
    file: LogFile, takings: list[Taking], numbers: Collection[int], staging: Path, bounds: Bounds
) -> Iterator[tuple[int, bytes]]:
    for piece in taken_pieces(file, takings, staging, bounds):
        with piece.path.open("rb") as lines:
            numbered = enumerate(lines, start=piece.first_line + 1)
            yield from ((number, line) for number, line in numbered if number in numbers)
        piece.path.unlink()


def copied(lines: Iterable[tuple[int, bytes]], staging: Path) -> list[Picked]:
    """These lines, in files of at most FILE_BYTES and a line."""
    files: list[Picked] = []
    rest = iter(lines)
    while (first := next(rest, None)) is not None:
        descriptor, name = tempfile.mkstemp(suffix=".jsonl", prefix="picked-", dir=staging)
        picked, size = Picked(Path(name)), 0
        with os.fdopen(descriptor, "wb") as file:
            line: tuple[int, bytes] | None = first
            while line is not None:
                picked.numbers.append(line[0])
                size += file.write(line[1])
                line = next(rest, None) if size < FILE_BYTES else None
        files.append(picked)
    return files

"""Rows of a CSV file, by the strict rule of quotes: a row that breaks it costs its first line and no other.

Python's lenient reader would take the rest of the file for one cell after a quote that is never closed.
"""

import csv
import io
from collections import deque
from collections.abc import Iterator

from pipelines.bounds import Bounds, Unreadable
from pipelines.pieces import too_long
from pipelines.sniff import dialect_of

REREAD_BYTES = 256 << 20  # a log whose quotes never match must not be read once for each of its lines
MISMATCHED, ZEROS = "quotes do not match", "holds NUL bytes"


class CsvRows:
    """`header`, "" for a column without a name, and below it (iterate) the cells of each row, or the reason why it, or
    its first line, is none.

    `waiting_bytes`: of a last row that is not complete, where the file may still grow. Raises Unreadable.
    """

    def __init__(self, stream, may_grow: bool, bounds: Bounds) -> None:
        self.bounds, self.line_bytes = bounds, bounds.line_bytes
        # undecodable bytes become lone surrogates, which no row that is UTF-8 has
        self.text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.may_grow, self.waiting_bytes, self.is_at_end = may_grow, 0, False
        self.again: deque[str] = deque()  # lines to be read once more
        self.row: list[str] = []  # the lines of the row that is being read
        self.row_size = self.reread = 0
        self.has_zeros = False  # whether the row has any
        self.header: list[str] = []
        first = next((line for line in iter(self._next_line, "") if line.strip()), "")
        self.dialect = dialect_of(first.rstrip("\r\n"))
        self.again.append(first)
        header = next(iter(self), [])
        if isinstance(header, str):
            raise Unreadable(f"the header's {header}; mend it")
        if len(header) > bounds.columns:
            raise bounds.refusal("has more columns than", "columns")
        self.header = header

    def __iter__(self) -> Iterator[list[str] | str]:
        while True:
            try:
                for cells in csv.reader(self._lines(), **self.dialect, strict=True):
                    if self.may_grow and self._ends_within_a_line():
                        return self._wait()
                    found = ZEROS if self.has_zeros else cells
                    self.row, self.row_size, self.has_zeros = [], 0, False
                    yield found
                return None
            except csv.Error:
                if self._may_go_on():
                    return self._wait()
                yield self._fault_of_first()
                self._read_again()

    def _fault_of_first(self) -> str:
        """Why the first line of a row that breaks the rule is none."""
        if len(self.row) == 1 and self.row_size > self.line_bytes:
            return too_long(self.bounds)[1:-1].decode()
        return ZEROS if "\0" in self.row[0] else MISMATCHED

    def _lines(self) -> Iterator[str]:
        while line := self._next_line():
            self.row.append(line)
            self.row_size += len(line)
            if "\0" in line:  # csv takes it for a letter like any other
                self.has_zeros = True
            if self.row_size > self.line_bytes:
                raise csv.Error
            yield line
        self.is_at_end = True

    def _next_line(self) -> str:
        """With its end; of a line that is too long, no more than shows it."""
        if self.again:
            return self.again.popleft()
        line = end = self.text.readline(self.line_bytes + 1)
        while len(end) > self.line_bytes and end[-1] not in "\r\n":
            end = self.text.readline(self.line_bytes + 1)
        return line

    def _ends_within_a_line(self) -> bool:
        return self.row[-1][-1] not in "\r\n"

    def _may_go_on(self) -> bool:
        """Whether the last row is a half one, its quote still to be closed: none of the lines that it took is a row."""
        if not self.may_grow or self.row_size > self.line_bytes or not (self.is_at_end or self._ends_within_a_line()):
            return False
        taken = csv.reader(self.row[1:], **self.dialect)
        return not any(len(cells) == len(self.header) for cells in taken)

    def _wait(self) -> None:
        self.waiting_bytes = sum(len(line.encode("utf-8", "surrogateescape")) for line in self.row)

    def _read_again(self) -> None:
        self.reread += self.row_size - len(self.row[0])
        if self.reread > max(REREAD_BYTES, 4 * self.line_bytes):
            raise Unreadable(f"its {MISMATCHED} from some line on; write it again, with cells quoted as in CSV")
        self.again.extendleft(reversed(self.row[1:]))
        self.row, self.row_size, self.has_zeros, self.is_at_end = [], 0, False, False

"""JSON objects one after another of which some are too large to be lines: an export with all its records in one list.

`{"records": [{...}, {...}], "next": null}` becomes a line `{"records":[{...}]}` for each object in a list right below;
an object that fits a line stays whole. No more text is held than a line may have.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.bounds import Bounds
from pipelines.log_files import BOM
from pipelines.pieces import too_long

CHUNK_BYTES = 1 << 20
TOO_LONG = -2  # where an element started that fits no line
_TEXT_END = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+(")?', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(")?|[\[\]{}]', re.DOTALL)
_BETWEEN = b" \t\r\n,\x1e"  # what may stand between two objects
NO_OBJECT = b"!not a JSON object\n"


def lines_of(stream: BinaryIO, bounds: Bounds) -> Iterator[bytes]:
    """The lines that a stream of objects becomes. Raises EOFError where it ends within one.

    Only brackets and texts are told apart: what is no JSON is found out when the lines are read.
    """
    splitter = _Splitter(bounds)
    yield from splitter.add(stream.read(CHUNK_BYTES).removeprefix(BOM))
    while chunk := stream.read(CHUNK_BYTES):
        yield from splitter.add(chunk)
    if splitter.depth or splitter.is_in_text:
        raise EOFError("ends within an object")
    yield from splitter.junk()


class _Splitter:
    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.text = b""
        self.position = 0  # up to where `text` is understood
        self.depth = 0
        self.key = b""  # the last text right below the open object
        self.object_start = self.element_start = -1  # in `text`; -1: none is open, or none that fits a line
        self.is_in_list = self.is_in_text = self.has_junk = False
        self.is_split = self.has_told = False  # the open object does not fit a line; lines of it were told

    def add(self, chunk: bytes) -> Iterator[bytes]:
        self._forget()
        self.text += chunk
        yield from self._scan(len(self.text))
        if self.depth and not self.is_split and len(self.text) - self.object_start > self.bounds.line_bytes:
            yield from self._scan_split(len(self.text))
        if self.element_start >= 0 and len(self.text) - self.element_start > self.bounds.line_bytes:
            self.element_start = TOO_LONG

    def _scan_split(self, end: int) -> Iterator[bytes]:
        """The open object from its start, now that it is known not to fit a line."""
        self.position, self.depth, self.element_start = self.object_start, 0, -1
        self.is_split, self.has_told, self.is_in_text = True, False, False
        yield from self._scan(end)

    def _scan(self, end: int) -> Iterator[bytes]:
        self._pass_text()
        if self.is_in_text:
            return
        for token in _TOKEN.finditer(self.text, self.position, end):
            self._look_between(token.start())
            if token[0][:1] == b'"':
                self.has_junk |= self.depth == 0
                if token[1] is None:  # goes on in the next chunk
                    self.is_in_text = len(token[0]) > self.bounds.line_bytes
                    self.position = token.end() if self.is_in_text else token.start()
                    return
                self.key = token[0] if self.depth == 1 else self.key
            elif token[0] in b"[{":
                yield from self._open(token[0], token.start())
            else:
                yield from self._close(token.end())
            self.position = token.end()
        self._look_between(end)
        self.position = end

    def junk(self) -> list[bytes]:
        """A line for what stood between two objects and is none."""
        found, self.has_junk = [NO_OBJECT] * self.has_junk, False
        return found

    def _look_between(self, end: int) -> None:
        if self.depth == 0:
            self.has_junk |= bool(self.text[self.position : end].strip(_BETWEEN))

    def _pass_text(self) -> None:
        """Up to the end of a text that is longer than a line: no more of it than of a line is held."""
        if self.is_in_text:
            end = _TEXT_END.match(self.text, self.position)
            self.position, self.is_in_text = end.end(), end[1] is None

    def _forget(self) -> None:
        """Cuts off the text that is not needed any more."""
        starts = [start for start in (self.object_start, self.element_start, self.position) if start >= 0]
        cut = min(starts)
        self.text, self.position = self.text[cut:], self.position - cut
        self.object_start -= cut if self.object_start >= 0 else 0
        self.element_start -= cut if self.element_start >= 0 else 0

    def _open(self, bracket: bytes, start: int) -> Iterator[bytes]:
        self.depth += 1
        if self.depth == 1:
            yield from self.junk()
            self.object_start = -1 if self.is_split else start
        elif self.depth == 2:
            self.is_in_list = bracket == b"["
        elif self.depth == 3 and self.is_in_list and bracket == b"{":
            self.element_start = start

    def _close(self, end: int) -> Iterator[bytes]:
        if self.depth == 0:
            self.has_junk = True
            return
        self.depth -= 1
        if self.depth == 2 and self.element_start != -1:
            if self.is_split:
                yield self._line_of_element(end)
                self.has_told = True
            self.element_start = -1
        elif self.depth == 0 and self.is_split:
            yield from [] if self.has_told else [too_long(self.bounds)]
            self.is_split = False
        elif self.depth == 0 and self.object_start >= 0:
            if end - self.object_start <= self.bounds.line_bytes:
                yield _on_one_line(self.text[self.object_start : end]) + b"\n"
            else:
                yield from self._scan_split(end)
            self.object_start = -1

    def _line_of_element(self, end: int) -> bytes:
        element = b"" if self.element_start < 0 else self.text[self.element_start : end]
        is_long = not element or max(len(element), len(self.key)) > self.bounds.line_bytes
        return too_long(self.bounds) if is_long else b"{%s:[%s]}\n" % (self.key, _on_one_line(element))


def _on_one_line(text: bytes) -> bytes:
    """JSON text holds raw line ends only between tokens."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")

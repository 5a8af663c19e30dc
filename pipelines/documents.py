"""JSON objects one after another of which some are too large to be lines: an export with all its records in one list.

`{"records": [{...}, {...}], "next": null}` becomes a line `{"records":[{...}]}` for each object in a list right below;
an object that fits a line stays whole. No more text is held than a line may have.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.log_files import LINE_BYTES
from pipelines.pieces import TOO_LONG

CHUNK_BYTES = 1 << 20
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(")?|[\[\]{}]', re.DOTALL)


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines that a stream of objects becomes. Raises EOFError where it ends within one.

    Only brackets and texts are told apart: what is no JSON is found out when the lines are read.
    """
    splitter = _Splitter()
    while chunk := stream.read(CHUNK_BYTES):
        yield from splitter.add(chunk)
    if splitter.depth:
        raise EOFError("ends within an object")


class _Splitter:
    def __init__(self) -> None:
        self.text = b""
        self.position = 0  # up to where `text` is understood
        self.depth = 0
        self.key = b""  # the last text right below the open object
        self.object_start = self.element_start = -1  # in `text`; -1: none is open
        self.elements: list[bytes] = []  # lines of the open object, while it may still fit one
        self.is_in_list = self.is_split = self.has_told = False

    def add(self, chunk: bytes) -> Iterator[bytes]:
        self._forget()
        self.text += chunk
        for token in _TOKEN.finditer(self.text, self.position):
            if token[0][:1] == b'"':
                if token[1] is None:  # goes on in the next chunk
                    break
                self.key = token[0] if self.depth == 1 else self.key
            elif token[0] in b"[{":
                self._open(token[0], token.start())
            else:
                yield from self._close(token.end())
            self.position = token.end()
        if not self.is_split and self.depth and len(self.text) - self.object_start > LINE_BYTES:
            self.is_split, self.object_start = True, -1
            yield from self._taken_elements()

    def _forget(self) -> None:
        """Cuts off the text that is not needed any more."""
        starts = [start for start in (self.object_start, self.element_start, self.position) if start >= 0]
        cut = min(starts)
        self.text, self.position = self.text[cut:], self.position - cut
        self.object_start -= cut if self.object_start >= 0 else 0
        self.element_start -= cut if self.element_start >= 0 else 0

    def _open(self, bracket: bytes, start: int) -> None:
        self.depth += 1
        if self.depth == 1:
            self.object_start, self.is_split, self.has_told = start, False, False
        elif self.depth == 2:
            self.is_in_list = bracket == b"["
        elif self.depth == 3 and self.is_in_list and bracket == b"{":
            self.element_start = start

    def _close(self, end: int) -> Iterator[bytes]:
        self.depth = max(self.depth - 1, 0)
        if self.depth == 2 and self.element_start >= 0:
            self.elements.append(b"{%s:[%s]}\n" % (self.key, _on_one_line(self.text[self.element_start : end])))
            self.element_start = -1
            if self.is_split:
                yield from self._taken_elements()
        elif self.depth == 0:
            whole = b"" if self.is_split else self.text[self.object_start : end]
            if 0 < len(whole) <= LINE_BYTES:
                yield _on_one_line(whole) + b"\n"
            else:
                yield from self._taken_elements()
                yield from [] if self.has_told else [TOO_LONG]
            self.object_start, self.elements = -1, []

    def _taken_elements(self) -> list[bytes]:
        taken, self.elements = self.elements, []
        self.has_told = self.has_told or bool(taken)
        return taken


def _on_one_line(text: bytes) -> bytes:
    """JSON text holds raw line ends only between tokens."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ")

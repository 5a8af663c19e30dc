"""Where a JSON array stops being one: DuckDB, which refuses it, tells it neither by line nor by byte of the file."""

import json
import re
from pathlib import Path
from typing import TextIO

from pipelines.bounds import Bounds

CHUNK = 1 << 20  # characters
_BLANK = re.compile(r"[ \t\r\n]*+")
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


def place_of_damage(path: Path, bounds: Bounds) -> str | None:
    """None where Python sees none. No more text is held than of an element of two lines' length."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        text = _Text(file, 2 * bounds.line_bytes)
        return None if _is_array(text) else text.place()


def _is_array(text: "_Text") -> bool:
    if not text.take("["):
        return False
    goes_on = not text.take("]")
    while goes_on:
        if not text.take_value():
            return False
        goes_on = text.take(",")
        if not goes_on and not text.take("]"):
            return False
    return text.is_at_end()


class _Text:
    def __init__(self, file: TextIO, most: int) -> None:
        self.file, self.most = file, most
        self.text, self.at = "", 0  # what is held of it, and up to where that is understood
        self.line = self.column = 1  # where `text` begins
        self.is_cut = False  # what follows is not UTF-8

    def take(self, character: str) -> bool:
        self._pass_blanks()
        is_there = self.text.startswith(character, self.at)
        self.at += is_there
        return is_there

    def take_value(self) -> bool:
        self._pass_blanks()
        while True:
            try:
                _, end = _DECODER.raw_decode(self.text, self.at)
            except RecursionError:
                return False
            except json.JSONDecodeError as error:
                if len(self.text) - self.at > self.most or not self._read_on():
                    self.at = error.pos
                    return False
            else:
                if end < len(self.text) or not self._read_on():  # a number may go on
                    self.at = end
                    return True

    def is_at_end(self) -> bool:
        self._pass_blanks()
        return self.at == len(self.text) and not self.is_cut

    def place(self) -> str:
        line, column = self._line_and_column()
        return f"line {line}, column {column}"

    def _line_and_column(self) -> tuple[int, int]:
        line_feed = self.text.rfind("\n", 0, self.at)
        column = self.at - line_feed if line_feed >= 0 else self.column + self.at
        return self.line + self.text.count("\n", 0, self.at), column

    def _pass_blanks(self) -> None:
        self.at = _BLANK.match(self.text, self.at).end()
        while self.at == len(self.text) and self._read_on():
            self.at = _BLANK.match(self.text, self.at).end()

    def _read_on(self) -> bool:
        """Whether there was more; what is understood is let go."""
        # twice as much each time: a long element is not parsed anew for each chunk
        more = "" if self.is_cut else self.file.read(max(CHUNK, len(self.text) - self.at))
        if no_utf8 := _NO_UTF8.search(more):
            more, self.is_cut = more[: no_utf8.start()], True
        if more:
            self.line, self.column = self._line_and_column()
            self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

"""A person's name as it is looked for: in texts, and in the bytes of files."""

import mmap
import re
from collections.abc import Iterable
from pathlib import Path

LEAST_BYTES = 5  # of a name that is looked for among bytes: shorter ones occur by chance in what is compressed


class Sought:
    """`name` names a person in a text that holds it as a word: `user_1` is in `user_1/a`, and not in `user_10` or
    `a_user_1`.

    `besides` are texts that hold the name and are none of the person's, such as the path of the data folder.
    """

    def __init__(self, name: str, besides: Iterable[str] = ()) -> None:
        self.name, self.besides = name, [text for text in besides if name in text]
        self._word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        self._around = re.compile(rf"\w*{re.escape(name)}\w*")
        self._data = name.encode()
        self._longer: dict[tuple[int, int], set[bytes]] = {}  # by where the name begins in them, and their length
        for text in self.besides:
            self._know(text)

    def is_in(self, text: str | None) -> bool:
        if not text or self.name not in text:
            return False
        for other in self.besides:
            text = text.replace(other, "")
        if self._word.search(text):
            return True
        for found in self._around.finditer(text):
            self._know(found[0])
        return False

    def _know(self, text: str) -> None:
        """A longer text that rightly holds the name, whose bytes are therefore no trace of the person."""
        data = text.encode()
        for found in re.finditer(re.escape(self._data), data):
            self._longer.setdefault((found.start(), len(data)), set()).add(data)

    def without(self, text: str, instead: str) -> str:
        return self._word.sub(lambda _: instead, text)

    @property
    def example(self) -> str | None:
        """A text that was met and rightly holds the name; None: none was."""
        return next((min(texts).decode() for texts in self._longer.values()), None)

    def can_be_seen_in_bytes(self) -> bool:
        return len(self._data) >= LEAST_BYTES

    def count_in_file(self, path: Path) -> int:
        """Occurrences of the name's bytes that are part of no longer text that was met in `is_in`."""
        if not path.stat().st_size:
            return 0
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            count, place = 0, data.find(self._data)
            while place >= 0:
                count += not self._is_of_longer(data, place)
                place = data.find(self._data, place + 1)
            return count

    def _is_of_longer(self, data: mmap.mmap, place: int) -> bool:
        return any(
            data[max(place - start, 0) : place - start + length] in texts
            for (start, length), texts in self._longer.items()
        )

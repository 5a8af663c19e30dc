"""What a log shape is: which fields to read, how to recognise a record, and what calls its lines tell of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl


@dataclass(frozen=True)
class Shape:
    """One log format.

    `fields` are the paths to read from each record. `usage.prompt_tokens` steps into objects; a key that holds a dot
    is quoted (`usage."a.b"`); `metadata>usage.cost` steps into `metadata` whether it is an object or a text that holds
    JSON. A path that ends in an object or a list yields its JSON text.

    `calls` takes LINES (one text column for each path, named by the path) and gives CALLS, in the order of the lines,
    with every column whose name starts with "@" passed through. It never raises for what a line holds: such a line gets
    a verdict.

    `opened`, of a shape whose lines hold several records (a batch of spans): (LINES, attributes) -> one row for each
    record, in order, with the columns that `calls` reads and one column "@<path>" for each of the attributes, found in
    the record. A line that holds none stays one row.

    `frame` is what `calls` must see at once: "lines" (any batch of lines), "log" (all new lines of a log: a line's
    meaning hangs on its neighbours), "history" (a log from its first line on: a line's meaning hangs on those before).
    A frame may hold several logs, told apart by content_id; one of a history also tells how many lines of its log
    before a line could not be read (see unread).
    """

    name: str
    fields: tuple[str, ...]
    matches: Callable[[dict[str, Any]], bool]
    calls: Callable[[pl.DataFrame], pl.DataFrame]
    opened: Callable[[pl.DataFrame, tuple[str, ...]], pl.DataFrame] | None = None
    frame: Literal["lines", "log", "history"] = "lines"
    places: Mapping[str, str] = field(default_factory=dict)  # where a field is read that is not at its own path
    attributes: tuple[str, ...] = ()  # paths that the user's rules ask for

    @property
    def columns(self) -> dict[str, str]:
        """What is read of each line: column name -> path."""
        asked = [] if self.opened else [f"@{path}" for path in self.attributes]
        return {name: self.places.get(name, name.removeprefix("@")) for name in (*self.fields, *asked)}

"""What a log shape is: which fields to read, how to recognise a record, and what calls its lines tell of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    """

    name: str
    fields: tuple[str, ...]
    matches: Callable[[dict[str, Any]], bool]
    calls: Callable[[pl.DataFrame], pl.DataFrame]

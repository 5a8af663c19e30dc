"""Paths into a parsed record, where a shape has to look for itself: in what a mapping matches and opens.

The same notation as Shape.fields: "usage.input", 'a."b.c"', "metadata>usage.input".
"""

import json
import re
from functools import cache
from typing import Any

_STEP = re.compile(r'([.>]?)(?:"((?:[^"]|"")*)"|([^.>"]+))')


@cache
def steps(path: str) -> tuple[tuple[bool, str], ...]:
    """(steps into JSON text, key) of each step. Raises ValueError for what is no path."""
    found = [(mark == ">", (quoted or "").replace('""', '"') or plain) for mark, quoted, plain in _STEP.findall(path)]
    if not found or "".join(match[0] for match in _STEP.finditer(path)) != path or path[0] in ".>":
        raise ValueError(f'{path!r} is no path; write it like "usage.input", or \'a."b.c"\' where a key holds a dot')
    return tuple(found)


def find(record: Any, path: str) -> Any:
    """The value at `path` in `record`; None where it is missing."""
    value = record
    for into_text, key in steps(path):
        if into_text and isinstance(value, str):
            try:
                value = loads(value)
            except ValueError:
                return None
        value = value.get(key) if isinstance(value, dict) else None
    return value


def loads(text: str) -> Any:
    """JSON with its numbers as text, digit for digit."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def as_text(value: Any) -> str | None:
    """`value` as a LINES column has it."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)

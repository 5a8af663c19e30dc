"""Parsed JSON by one rule: paths into it, its numbers, and its text, spelt as the reader spells them.

The notation of Shape.fields: "usage.input", 'a."b.c"', "metadata>usage.input" for a step into a text that holds JSON,
and "metadata~usage.input" for one into a text that may be any: there is nothing in it unless it is JSON.
"""

import json
import re
from functools import cache
from typing import Any

from transforms.schemas import LINE_KEYS

DEEPEST = 200  # levels of nesting; no log needs more, and what walks a value calls itself for each

_STEP = re.compile(r'([.>~]?)(?:"((?:[^"]|"")*)"|([^.>~"]+))')
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|([\[{])|[\]}]', re.DOTALL)


class Number(str):
    """A JSON number, or NaN and its like, as text."""


def _fraction(digits: str) -> Number:
    """The shortest digits of the double, as DuckDB keeps it; digit for digit where a double cannot hold it."""
    value = float(digits)
    return Number(digits if value in (float("inf"), float("-inf")) else repr(value))


def _whole(digits: str) -> Number:
    return Number("0" if digits == "-0" else digits)


@cache
def steps(path: str) -> tuple[tuple[str, str], ...]:
    """(how it steps into JSON text: ">", "~" or not; key) of each step. Raises ValueError for what is no path."""
    found = [
        (mark.strip("."), (quoted or "").replace('""', '"') or plain) for mark, quoted, plain in _STEP.findall(path)
    ]
    if not found or "".join(match[0] for match in _STEP.finditer(path)) != path or path[0] in ".>~":
        raise ValueError(f'{path!r} is no path; write it like "usage.input", or \'a."b.c"\' where a key holds a dot')
    return tuple(found)


def quoted(key: str) -> str:
    """A key as a path has it."""
    return '"' + key.replace('"', '""') + '"' if not re.fullmatch(r"[^.>~\"$]+", key) else key


def is_nameable(key: str) -> bool:
    """Whether a path can name the key: it is kept in a mapping, and given to DuckDB, as text."""
    return "\0" not in key and is_unicode(key)


def is_unicode(text: str) -> bool:
    """Whether the text holds no half of a surrogate pair, which JSON can write and no file can."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def first_step(path: str) -> str:
    """The part of a path up to its second step."""
    return _STEP.match(path)[0]


def paths_of(where: str, given: Any, relative: bool = True) -> tuple[str, ...]:
    """A path or a list of paths; `relative` ones begin with "." or are "$key"."""
    paths = tuple(given) if isinstance(given, list) else (given,)
    for path in paths or [given]:
        if not isinstance(path, str) or not path or "\0" in path:  # a column's name ends there, for DuckDB
            raise ValueError(f"{where}: {path!r} is no path; write a path or a list of paths")
        if relative and path == "$key":
            continue
        try:
            steps(path.removeprefix(".") if relative else path)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    return tuple(map(_as_column, paths))


def _as_column(path: str) -> str:
    """The same path, quoted where a column of its name would be another one: a line's key, an attribute, an entry, or
    all that polars takes it for a pattern of."""
    first = first_step(path)
    if path in LINE_KEYS or (first and first[0] in "@$^*" and path != "$key"):
        return f'"{first}"{path.removeprefix(first)}'
    return path


def loads(text: str, **hooks: Any) -> Any:
    """JSON with its numbers as `Number`. Raises ValueError, for what is nested too deep too (TooDeep)."""
    if is_deeper(text, DEEPEST):
        raise TooDeep
    try:
        return json.loads(text, parse_int=_whole, parse_float=_fraction, parse_constant=Number, **hooks)
    except RecursionError:
        raise TooDeep from None


class TooDeep(ValueError):
    """JSON nested deeper than DEEPEST."""


def is_deeper(text: str, most: int) -> bool:
    """Whether JSON has more than `most` levels of objects and lists."""
    if text.count("[") + text.count("{") <= most:
        return False
    depth = 0
    for match in _BRACKET.finditer(text):
        if match[0][0] != '"':
            depth += 1 if match[1] else -1
            if depth > most:
                return True
    return False


def find(record: Any, path: str) -> Any:
    """The value at `path` in `record`; None where it is missing or cannot be reached."""
    return reach(record, path)[0]


def reach(record: Any, path: str, is_strict: bool = False) -> tuple[Any, str | None]:
    """(the value at `path`, None where it is missing; None), or (None, why it cannot be reached). `is_strict`: also for
    want of an object inside a text."""
    value, is_lenient = record, False
    for into_text, key in steps(path):
        if into_text and isinstance(value, str):
            try:
                value = loads(value)
            except ValueError:
                return None, None if into_text == "~" else f"{path} steps into a text that is not JSON"
        is_lenient = (into_text == "~" or not is_strict) if into_text else is_lenient
        if value is None:
            return None, None
        if not isinstance(value, dict):
            # an object is expected here: DuckDB's typed reader refuses anything else
            return None, None if is_lenient else f"{path} expects an object at the step before {key}"
        value = value.get(key)
    return value, None


def as_text(value: Any) -> str | None:
    """`value` as a LINES column has it: a string is itself, a number its digits, a list or an object compact JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _json(value) if isinstance(value, dict | list) else str(value)


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_json(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)

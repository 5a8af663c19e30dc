"""Fields of a record, by the paths that shapes declare: found in a parsed record, and asked of DuckDB."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from transforms.shapes import paths


class Number(str):
    """A JSON number, or NaN and its like, as text."""


def _fraction(digits: str) -> Number:
    """The shortest digits of the double: DuckDB keeps no more of a number with a fraction or an exponent, and both ways
    of reading must give the same amount."""
    return Number(repr(float(digits)))


def _whole(digits: str) -> Number:
    return Number(digits) if len(digits) < 19 or -(2**63) <= int(digits[:21]) < 2**64 else _fraction(digits)


_NUMBERS = {"parse_int": _whole, "parse_float": _fraction, "parse_constant": Number}


@cache
def steps(path: str) -> tuple[tuple[str, ...], ...]:
    """The keys of a path, one group for each text that holds JSON: 'a.b>c' is (('a', 'b'), ('c',))."""
    groups: list[list[str]] = [[]]
    for is_into_text, key in paths.steps(path):
        if is_into_text:
            groups.append([])
        groups[-1].append(key)
    return tuple(map(tuple, groups))


def parse(line: bytes) -> dict[str, Any] | str:
    """The object that a line holds, numbers as text; or the reason why it holds none. Never cites the line."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    # a comma after the object is what an array printed line by line leaves; DuckDB reads over it too
    return _loads(text.strip().removesuffix(","))


def _loads(text: str) -> dict[str, Any] | str:
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, **_NUMBERS)
        text.encode("utf-8")
    except DuplicateKey:
        return "an object has a key twice"
    except RecursionError:
        return "nested too deep"
    except ValueError:
        return "not JSON"
    return value if isinstance(value, dict) else "not a JSON object"


class DuplicateKey(ValueError):
    """Two values under one key: readers disagree on which counts, so none does."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise DuplicateKey
    return keys


def extract(record: Mapping[str, Any], fields: Mapping[str, str]) -> list[str | None] | str:
    """The text of each field, null where it is missing; or the reason why a field cannot be reached."""
    values = []
    for path in fields.values():
        value, reason = find(record, path)
        if reason:
            return reason
        text = None if value is None else as_text(value)
        if text is not None and not _is_unicode(text):
            return f"{path} holds half a surrogate pair"
        values.append(text)
    return values


def find(record: Any, path: str) -> tuple[Any, str | None]:
    """(value or None, None), or (None, reason)."""
    value = record
    for group_number, group in enumerate(steps(path)):
        if group_number and isinstance(value, str):
            value = _loads_any(value)
            if value is None:
                return None, f"{path} steps into a text that is not JSON"
        for key in group:
            if value is None:
                return None, None
            if not isinstance(value, Mapping):
                # an object is expected here: DuckDB's typed reader refuses it too, but not inside a text
                return (None, None) if group_number else (None, f"{path} expects an object at the step before {key}")
            value = value.get(key)
    return value, None


def _loads_any(text: str) -> Any:
    try:
        return json.loads(text, **_NUMBERS)
    except (ValueError, RecursionError):
        return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def as_text(value: Any) -> str:
    """A JSON value as text: a string is itself, a number its digits, a list or an object its compact JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _json(value)


def _json(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def duckdb_columns(fields: Mapping[str, str]) -> tuple[str, str]:
    """(the `columns` of read_json, the select list) that read `fields`, each as VARCHAR named by its column name."""
    tree: dict[str, Any] = {}
    texts = {steps(path)[0] for path in fields.values()}  # where a value is wanted whole, what is below comes out of it
    for path in fields.values():
        node = tree
        first = steps(path)[0]
        for depth, key in enumerate(first):
            node = node.setdefault(key, {})
            if first[: depth + 1] in texts:
                break
    columns = ", ".join(f"{_literal(name)}: {_literal(_type(node))}" for name, node in tree.items())
    selected = ", ".join(f"{duckdb_expression(path, texts)} as {quoted(name)}" for name, path in fields.items())
    return "{" + columns + "}", selected


def _type(node: Mapping[str, Any]) -> str:
    if not node:
        return "VARCHAR"
    return "STRUCT(" + ", ".join(f"{quoted(key)} {_type(child)}" for key, child in node.items()) + ")"


def duckdb_expression(path: str, texts: set[tuple[str, ...]] | None = None) -> str:
    """The field as an expression over a row called `line`."""
    first, *inner = steps(path)
    whole = next((n for n in range(1, len(first)) if texts and first[:n] in texts), len(first))
    expression = "line." + ".".join(quoted(key) for key in first[:whole])
    for group in ([first[whole:]] if whole < len(first) else []) + inner:
        json_path = "$" + "".join(f'."{key}"' for key in group)
        expression = f"json_extract_string({expression}, {_literal(json_path)})"
    return expression

"""Fields of a record, by the paths that shapes declare: found in a parsed record, and asked of DuckDB."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from transforms.shapes import paths


@cache
def steps(path: str) -> tuple[tuple[str, ...], ...]:
    """The keys of a path, one group for each text that holds JSON: 'a.b>c' is (('a', 'b'), ('c',))."""
    groups: list[list[str]] = [[]]
    for is_into_text, key in paths.steps(path):
        if is_into_text:
            groups.append([])
        groups[-1].append(key)
    return tuple(map(tuple, groups))


def parse(line: bytes, **hooks: Any) -> dict[str, Any] | str:
    """The object that a line holds, numbers as text; or the reason why it holds none. Never cites the line."""
    try:
        text = line.decode("utf-8").strip().removesuffix(",")  # which an array printed line by line leaves
        value = paths.loads(text, **hooks)
    except UnicodeDecodeError:
        return "not UTF-8"
    except paths.TooDeep:
        return "nested too deep"
    except DuplicateKey:
        return "an object has a key twice"
    except ValueError:
        return "not JSON"
    return value if isinstance(value, dict) else "not a JSON object"


class DuplicateKey(ValueError):
    """Two values under one key: readers disagree on which counts."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise DuplicateKey
    return keys


def extract(record: Mapping[str, Any], fields: Mapping[str, str]) -> list[str | None] | str:
    """The text of each field, null where it is missing; or the reason why a field cannot be reached."""
    values = []
    for path in fields.values():
        value, reason = paths.reach(record, path)
        if reason:
            return reason
        text = paths.as_text(value)
        if text is not None and not _is_unicode(text):
            return f"{path} holds half a surrogate pair"
        values.append(text)
    return values


def fault(line: bytes, fields: Mapping[str, str]) -> str | None:
    """What is wrong with a line, as far as Python sees: a reason for DuckDB's verdict, never the verdict itself."""
    record = parse(line)
    if isinstance(record, str):
        return record
    found = extract(record, fields)
    if isinstance(found, str):
        return found
    unique = parse(line, object_pairs_hook=_unique_keys)
    return unique if isinstance(unique, str) else None


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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

"""Fields of a record, by the paths that shapes declare: found in a parsed record, and asked of DuckDB."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from transforms.shapes import paths


@cache
def steps(path: str) -> tuple[tuple[str, ...], ...]:
    """The keys of a path, one group for each text that holds JSON: 'a.b>c' is (('a', 'b'), ('c',))."""
    groups: list[list[str]] = [[]]
    for into_text, key in paths.steps(path):
        if into_text:
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


def paths_of(record: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The paths of a record's fields, never what they hold."""
    found = []
    for key, value in record.items():
        path = prefix + paths.quoted(key)
        found += paths_of(value, path + ".") if isinstance(value, dict) and value else [path]
    return found


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
    texts = _texts(fields)
    columns = ", ".join(f"{_literal(name)}: {_literal(_type(node))}" for name, node in _tree(fields).items())
    selected = ", ".join(f"{_expression(path, texts)} as {quoted(name)}" for name, path in fields.items())
    return "{" + columns + "}", selected


def duckdb_misshapen(fields: Mapping[str, str]) -> str:
    """Whether read_json surely refuses a `line` that is JSON, as an expression of SQL: there is no object where one is
    expected, or one that has a key twice; or a text to step into is no JSON."""
    (_, top), *objects = _objects((), _tree(fields))
    opened = {steps(path)[0] for path in fields.values() if ">" in _marks(path)[:1]}
    # each function parses the line anew, so what is below is taken out of it at once
    paths_below = [*(keys for keys, _ in objects), *sorted(opened)]
    parts = ", ".join(_literal(_json_path(keys)) for keys in paths_below)
    reasons = ["json_type(line) <> 'OBJECT'", _has_key_twice("line", top)]
    for number, (_, children) in enumerate(objects, start=1):
        reasons.append(f"json_type(parts[{number}]) not in ('OBJECT', 'NULL')")
        reasons.append(_has_key_twice(f"parts[{number}]", children))
    for number in range(len(objects) + 1, len(paths_below) + 1):
        reasons.append(f"not json_valid(parts[{number}] ->> '$')")
    return (
        f"(select coalesce({' or '.join(reasons)}, false) "
        f"from (select json_extract(line, [{parts}]::varchar[]) as parts))"
    )


def _has_key_twice(value: str, names: Mapping[str, Any]) -> str:
    keys = f"list_filter(json_keys({value}), lambda key: key in ({', '.join(map(_literal, names))}))"
    return f"len({keys}) <> len(list_distinct({keys}))"


def _texts(fields: Mapping[str, str]) -> set[tuple[str, ...]]:
    """What is read as text; where a value is wanted whole, what is below comes out of it."""
    return {steps(path)[0] for path in fields.values()}


def _tree(fields: Mapping[str, str]) -> dict[str, Any]:
    """The objects that are read, keys in keys; what has none is read as text."""
    tree: dict[str, Any] = {}
    texts = _texts(fields)
    for path in fields.values():
        node, first = tree, steps(path)[0]
        for depth, key in enumerate(first):
            node = node.setdefault(key, {})
            if first[: depth + 1] in texts:
                break
    return tree


def _objects(keys: tuple[str, ...], node: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """(its keys from the record on, what is read of it) of each object that is read."""
    if node:
        yield keys, node
        for key, child in node.items():
            yield from _objects((*keys, key), child)


def _type(node: Mapping[str, Any]) -> str:
    if not node:
        return "VARCHAR"
    return "STRUCT(" + ", ".join(f"{quoted(key)} {_type(child)}" for key, child in node.items()) + ")"


def _expression(path: str, texts: set[tuple[str, ...]]) -> str:
    """The field as an expression over a row called `line`."""
    first, *inner = steps(path)
    whole = next((n for n in range(1, len(first)) if first[:n] in texts), len(first))
    expression = "line." + ".".join(quoted(key) for key in first[:whole])
    if whole < len(first):
        expression = f"json_extract_string({expression}, {_literal(_json_path(first[whole:]))})"
    for mark, group in zip(_marks(path), inner, strict=True):
        text = f"case when json_valid({expression}) then {expression} end" if mark == "~" else expression
        expression = f"json_extract_string({text}, {_literal(_json_path(group))})"
    return expression


def _marks(path: str) -> list[str]:
    """How the path steps into text, each time that it does."""
    return [mark for mark, _ in paths.steps(path) if mark]


def _json_path(keys: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{key}"' for key in keys)

"""Fields of a record, by the paths that shapes declare: found in a parsed record, and asked of DuckDB."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from transforms.shapes import paths
from transforms.shapes.paths import is_unicode

Levels = tuple[tuple[str, tuple[str, ...]], ...]  # (how a text is stepped into, the keys inside it), outer texts first
Place = tuple[tuple[str, ...], Levels]  # where a field is: the keys to what read_json reads, and what lies inside that
Opened = tuple[tuple[str, ...], Levels, str]  # a text that is stepped into, and how


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
        return TWICE
    except ValueError:
        return "not JSON"
    return value if isinstance(value, dict) else "not a JSON object"


TWICE = "an object has a key twice"


class DuplicateKey(ValueError):
    """Two values under one key: readers disagree on which counts."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise DuplicateKey
    return keys


def extract(record: Mapping[str, Any], fields: Mapping[str, str]) -> list[str | None] | str:
    """The text of each field, null where it is missing; or the reason why a field cannot be reached."""
    values, texts = [], _texts(fields)
    places = {path: _place(path, texts) for path in fields.values()}
    for path in fields.values():
        base, levels = places[path]
        value, reason = paths.reach(record, path, is_strict=(base, levels[:-1]) not in places.values())
        if reason:
            return reason
        text = paths.as_text(value)
        if text is not None and not is_unicode(text):
            return f"{path} holds half a surrogate pair"
        values.append(text)
    return values


def paths_of(record: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The paths of a record's fields that have one, never what they hold."""
    found = []
    for key, value in record.items():
        if not paths.is_nameable(key):
            continue
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
    if isinstance(unique, str):
        return unique
    texts = (paths.find(record, ".".join(map(paths.quoted, base))) for base in _texts(fields))
    return TWICE if any(isinstance(text, str) and _has_key_twice_within(text) for text in texts) else None


def _has_key_twice_within(text: str) -> bool:
    return parse(text.encode(errors="replace"), object_pairs_hook=_unique_keys) == TWICE


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def duckdb_columns(fields: Mapping[str, str]) -> tuple[str, str, str]:
    """(the `columns` of read_json, the select list over its rows called `line`, the select list over that) that read
    `fields`, each as VARCHAR named by its column name; what REFUSING refuses cannot be read.

    What lies inside a text is taken out of it at once: a function for each field would parse the text anew. An object
    in there is held to what read_json holds an object to, and to having no key twice that is not read either.
    """
    tree, places = _tree(fields), {path: _place(path, _texts(fields)) for path in fields.values()}
    columns = ", ".join(f"{_literal(name)}: {_literal(_type(node))}" for name, node in tree.items())
    opened, inner, misread = _opened(places.values()), ["*"], []
    for number, ((base, outer, mark), groups) in enumerate(opened.items()):
        text = _value(base, outer, opened)
        if mark == "~":
            text = f"case when json_valid({text}) then {text} end"
        elif mark == ">" and (base, outer) not in places.values():  # a whole text its shape sees for itself
            misread.append(_misread(text, groups))
        inner.append(f"json_extract_string({text}, {_list(map(_json_path, groups))}) as {_opened_name(number)}")
    inner.append(f"{' or '.join(misread) or 'false'} as {_MISREAD}")
    selected = ", ".join(f"{_value(*places[path], opened)} as {quoted(name)}" for name, path in fields.items())
    return "{" + columns + "}", ", ".join(inner), selected


def duckdb_misshapen(fields: Mapping[str, str]) -> str:
    """Whether read_json surely refuses a `line` that is JSON, as an expression of SQL: there is no object where one is
    expected, or one that has a key twice; or a text to step into is no JSON."""
    (_, top), *objects = _objects((), _tree(fields))
    places = [_place(path, _texts(fields)) for path in fields.values()]
    opened = [(base, groups) for (base, outer, mark), groups in _opened(places).items() if mark == ">" and not outer]
    # each function parses the line anew, so what is below is taken out of it at once
    parts = _list(_json_path(keys) for keys in [*(keys for keys, _ in objects), *(base for base, _ in opened)])
    reasons = ["json_type(line) <> 'OBJECT'", _has_key_twice("line", top)]
    for number, (_, children) in enumerate(objects, start=1):
        reasons.append(f"json_type(parts[{number}]) not in ('OBJECT', 'NULL')")
        reasons.append(_has_key_twice(f"parts[{number}]", children))
    for number, (base, groups) in enumerate(opened, start=len(objects) + 1):
        text = f"(parts[{number}] ->> '$')"
        misread = "false" if (base, ()) in places else _misread(text, groups)
        reasons.append(f"case when json_valid({text}) then {misread} else {text} is not null end")
    return f"(select coalesce({' or '.join(reasons)}, false) from (select json_extract(line, {parts}) as parts))"


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


def _place(path: str, texts: set[tuple[str, ...]]) -> Place:
    first, *inner = steps(path)
    whole = next((n for n in range(1, len(first)) if first[:n] in texts), len(first))
    below = [("", first[whole:])] if whole < len(first) else []
    return first[:whole], (*below, *zip(_marks(path), inner, strict=True))


def _opened(places: Iterable[Place]) -> dict[Opened, list[tuple[str, ...]]]:
    """What is read of each text that is stepped into, outer texts first."""
    opened: dict[Opened, list[tuple[str, ...]]] = {}
    for base, levels in places:
        for depth, (mark, keys) in enumerate(levels):
            groups = opened.setdefault((base, levels[:depth], mark), [])
            if keys not in groups:
                groups.append(keys)
    return opened


def _value(base: tuple[str, ...], levels: Levels, opened: dict[Opened, list[tuple[str, ...]]]) -> str:
    if not levels:
        return "line." + ".".join(map(quoted, base))
    *outer, (mark, keys) = levels
    text = (base, tuple(outer), mark)
    return f"{_opened_name(list(opened).index(text))}[{opened[text].index(keys) + 1}]"


_MISREAD = quoted("$misread")
REFUSING = f"case when {_MISREAD} then error('cannot be read') else true end"  # condition on the rows of the inner list


def _opened_name(number: int) -> str:
    return quoted(f"$opened {number}")


def _misread(text: str, groups: Iterable[tuple[str, ...]]) -> str:
    """Whether there is no object in the JSON `text` where one is expected, or one that has a key twice."""
    objects = sorted({keys[:depth] for keys in groups for depth in range(len(keys))})
    below = _list(map(_json_path, objects))
    no_objects = f"len(list_filter(json_type({text}, {below}), lambda type: type not in ('OBJECT', 'NULL'))) > 0"
    has_twice = f"list_bool_or(list_transform(json_keys({text}, {below}), lambda keys: len(keys) <> list_unique(keys)))"
    return f"coalesce({no_objects} or {has_twice}, false)"


def _marks(path: str) -> list[str]:
    """How the path steps into text, each time that it does."""
    return [mark for mark, _ in paths.steps(path) if mark]


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_literal, texts))}]::varchar[]"


def _json_path(keys: tuple[str, ...]) -> str:
    return "$" + "".join(f'."{key}"' for key in keys)

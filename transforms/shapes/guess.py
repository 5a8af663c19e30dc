"""A guess at a mapping for a log that no shape knows: which of its fields mean what, by their names and by what they
hold. It is a proposal for a person to read: ready to paste, each line with its reason. Values are looked at, never
shown.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from transforms.shapes import field_words
from transforms.shapes.fields import as_count, as_number
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.paths import as_text, find, is_nameable, is_unicode, loads, quoted

Record = dict[str, Any]
_WORD = re.compile(r"[\w.:/-]{1,60}")


@dataclass
class Found:
    """A field: how many records have it, and texts that it holds."""

    path: str
    texts: list[str] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", self.path)
        return tuple(word.lower().removesuffix("s") or word for word in re.findall(r"[A-Za-z0-9]+", spaced))


@dataclass(frozen=True)
class Guess:
    """A mapping that may fit: lines of TOML, each of `fields` with why it was chosen."""

    match: dict[str, str]
    open: str | None
    fields: dict[str, tuple[str, str]]  # column: (source as TOML, why)
    input_includes_cache: bool
    has_others: bool  # records that do not match

    def toml(self, name: str = "my_log") -> str:
        match = ", ".join(f"{_key(path)} = {_quote(value)}" for path, value in self.match.items())
        lines = [f"[log.{name}]", f"match = {{ {match} }}"]
        if self.has_others:
            lines += [f"calls_where = {{ {match} }}  # remove it if the others are calls too, of unknown usage"]
        lines += [f"open = {_quote(self.open)}"] if self.open else []
        lines += [] if self.input_includes_cache else ["input_includes_cache = false"]
        lines += ["", f"[log.{name}.fields]"]
        lines += [f"{column} = {source}  # {why}" for column, (source, why) in self.fields.items()]
        return "\n".join(lines) + "\n"


def guess(records: Sequence[Record]) -> Guess | None:
    """A mapping for `records` (a file's first ones); None where no field looks like tokens of a model's input."""
    opened, entries = _opened(records)
    outer = _fields(records)
    inner = _fields(entries, ".") if opened else {}
    chosen: dict[str, tuple[str, str]] = {}
    taken: set[str] = set()
    candidates = [*inner.values(), *outer.values()]
    counts = [each for each in (inner or outer).values() if _is_count(each)]
    for column, patterns in field_words.COUNTS.items():
        _choose(chosen, taken, column, patterns, counts)
    if "input_tokens" not in chosen and "output_tokens" not in chosen:
        return None
    _choose(chosen, taken, "called_at", field_words.TIMES, [each for each in candidates if _is_instant(each)])
    numbers = [each for each in candidates if _all(each, lambda text: as_number(text) is not None)]
    _choose(chosen, taken, "latency_seconds", field_words.LATENCY, numbers, field_words.UNITS)
    _choose(chosen, taken, "recorded_cost_usd", field_words.COST, numbers, field_words.MONEY)
    for column, patterns in field_words.TEXTS.items():
        _choose(chosen, taken, column, patterns, [each for each in candidates if _is_label(each, column)])
    if opened and opened[1] and not json.loads(chosen.get("model", ['""'])[0]).startswith("."):
        chosen["model"] = ('"$key"', "the keys of what is opened")
    if "response_id" in chosen and not _is_unique(chosen["response_id"][0], candidates):
        del chosen["response_id"]
    has_tokens = next(json.loads(chosen[name][0]) for name in ("input_tokens", "output_tokens") if name in chosen)
    path = opened[0] if opened else None
    match, has_others = _match(records, path or has_tokens)
    return Guess(match, path, chosen, _includes_cache(records, entries, chosen), has_others)


def _quote(text: str) -> str:
    """A text as TOML, and JSON, have it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(path: str) -> str:
    return path if re.fullmatch(r"[A-Za-z0-9_-]+", path) else _quote(path)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of each value that is no object and that a path can name; a text that holds an object is stepped
    into."""
    for key, inner in value.items():
        if not is_nameable(key):
            continue
        here, mark = path + quoted(key), "."
        if isinstance(inner, str) and inner[:1] == "{":
            try:
                inner, mark = loads(inner), ">"
            except ValueError:
                mark = "."
        if isinstance(inner, dict) and inner:
            yield from _leaves(inner, here + mark)
        elif not isinstance(inner, list | dict) and inner is not None:
            yield here, inner


def _fields(records: Sequence[Record], prefix: str = "") -> dict[str, Found]:
    found: dict[str, Found] = {}
    for record in records:
        for path, value in _leaves(record):
            text = as_text(value)
            if text and len(text) <= 300 and is_unicode(text):  # longer is a prompt or an answer
                found.setdefault(prefix + path, Found(prefix + path)).texts.append(text)
    return found


def _opened(records: Sequence[Record]) -> tuple[tuple[str, bool] | None, list[Record]]:
    """((path of a list, or of an object by name, whose entries hold tokens; whether by name), those entries)."""
    for record in records:
        for key, value in record.items():
            entries = _entries(value)
            if (
                entries
                and is_nameable(key)
                and all(isinstance(entry, dict) and _holds_tokens(entry) for entry in entries)
            ):
                many = (entry for other in records for entry in _entries(other.get(key)))
                return (quoted(key), isinstance(value, dict)), [entry for entry in many if isinstance(entry, dict)]
    return None, []


def _entries(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _holds_tokens(entry: Record) -> bool:
    fields = [found for found in _fields([entry]).values() if _is_count(found)]
    return any(_fit(each, pattern) is not None for each in fields for pattern in field_words.COUNTS["input_tokens"])


def _fit(found: Found, pattern: str) -> int | None:
    """How many words of the path the pattern leaves over; None where it does not fit."""
    wanted, words = pattern.split(), found.words
    if pattern[0] == "=":
        return len(words) - 1 if re.split(r"[.>]", found.path)[-1].lower() == pattern[1:] else None
    return len(words) - len(wanted) if all(word.removesuffix("s") in words for word in wanted) else None


def _choose(
    chosen: dict[str, tuple[str, str]],
    taken: set[str],
    column: str,
    patterns: Sequence[str],
    candidates: list[Found],
    units: dict[str, str] | None = None,
) -> None:
    """The candidate of the likeliest pattern, with the fewest other words in its path."""
    barred = field_words.NOT_INPUT if column in ("input_tokens", "output_tokens") else set()
    fitting = [
        (order, rest, len(each.path), each.path)
        for each in candidates
        if each.path not in taken and not barred & set(each.words)
        for order, pattern in enumerate(patterns)
        if (rest := _fit(each, pattern)) is not None
    ]
    if not fitting:
        return
    order, *_, path = min(fitting)
    taken.add(path)
    words = re.findall(r"[a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", path).lower())
    unit = next((units[word] for word in words if word in units), None) if units else None
    source = f"{{ path = {_quote(path)}, unit = {_quote(unit)} }}" if unit else _quote(path)
    chosen[column] = (source, f"its name says {patterns[order].removeprefix('=')!r}" + (f", in {unit}" if unit else ""))


def _all(found: Found, holds: Any) -> bool:
    return bool(found.texts) and all(holds(text) for text in found.texts)


def _is_count(found: Found) -> bool:
    return _all(found, lambda text: as_count(text) is not None)


def _is_instant(found: Found) -> bool:
    return INSTANT_KINDS["any"].read(pl.Series(found.texts, dtype=pl.String)).null_count() == 0


def _is_label(found: Found, column: str) -> bool:
    """Short text; a number only for what may be one, an id."""
    if field_words.PROSE & set(found.words):
        return False
    return _all(found, lambda text: len(text) <= 200) and (
        column.endswith("_id") or not _all(found, lambda text: as_number(text) is not None)
    )


def _is_unique(source: str, candidates: list[Found]) -> bool:
    texts = next(each.texts for each in candidates if _quote(each.path) == source)
    return len(set(texts)) == len(texts)


def _match(records: Sequence[Record], tokens: str) -> tuple[dict[str, str], bool]:
    """(what the records with tokens have and no other has: a value of one field, or the tokens themselves; whether
    there are others)."""
    having = [record for record in records if find(record, tokens) is not None]
    others = [record for record in records if find(record, tokens) is None]
    for key in field_words.KINDS:
        values = {record.get(key) for record in having if isinstance(record.get(key), str | None)}
        value = values.pop() if len(values) == 1 else None
        # a word, not what somebody wrote
        if value and _WORD.fullmatch(value) and others and all(other.get(key) != value for other in others):
            return {quoted(key): value}, True
    return {tokens: "*"}, bool(others)


def _includes_cache(records: Sequence[Record], entries: list[Record], chosen: dict[str, tuple[str, str]]) -> bool:
    """False where a record's cached tokens exceed its input, which proves that they are counted beside it."""
    names = [name for name in chosen if name.startswith("cache_")]
    if not names or "input_tokens" not in chosen:
        return True
    is_inner = json.loads(chosen["input_tokens"][0]).startswith(".")
    for record in entries if is_inner else records:
        values = dict(_leaves(record))
        count = {
            name: as_count(as_text(values.get(json.loads(chosen[name][0]).removeprefix("."))) or "") or 0
            for name in ("input_tokens", *names)
        }
        if sum(count[name] for name in names) > count["input_tokens"]:
            return False
    return True

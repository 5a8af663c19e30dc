"""The questions of `sql/cookbook`: what each asks, what can be set in it, and its text with other values.

A question is one SELECT. Comments at its top say what it asks, how its rows are read, and what is unknown in them; what
can be set stands in its first CTE, `params`, one line each: `value::type as name, -- meaning`.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.errors import UserError
from pipelines.warehouse_models import SQL
from pipelines.warehouse_sources import literal

PARAMETER = re.compile(r"^        (\S.*)::(\w+) as (\w+), -- (.+)$", re.MULTILINE)
# what DuckDB would refuse in its own words, by type; any text is a varchar
TAKEN = {
    "integer": (re.compile(r"\d{1,9}"), "a whole number from 0 on"),
    "boolean": (re.compile("true|false"), "true or false"),
}


@dataclass(frozen=True)
class Parameter:
    name: str
    dtype: str
    value: str  # as SQL has it
    meaning: str


@dataclass(frozen=True)
class Question:
    name: str
    asks: str
    read: str  # how its rows are read
    unknown: str  # what is not in them
    parameters: tuple[Parameter, ...]
    sql: str

    def with_values(self, given: Mapping[str, str]) -> str:
        """Its text with other values, of the types that the file gives; an empty one is null. Raises UserError."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given.keys() - known.keys():
            settable = ", ".join(known) or "nothing"
            raise UserError(f"{name}: cannot be set in {self.name}; {settable} can")
        for name, text in given.items():
            taken, what = TAKEN.get(known[name].dtype, (None, ""))
            if text and taken and not taken.fullmatch(text):
                raise UserError(f"{name}={text}: not understood; give {what}")

        def line(match: re.Match[str]) -> str:
            value, dtype, name, meaning = match.groups()
            told = value if name not in given else literal(given[name]) if given[name] else "null"
            return f"        {told}::{dtype} as {name}, -- {meaning}"

        return PARAMETER.sub(line, self.sql)


def questions() -> dict[str, Question]:
    """Every question by its name, in the order of names."""
    return {path.stem: _read(path.stem, path.read_text("utf-8")) for path in sorted((SQL / "cookbook").glob("*.sql"))}


def question(name: str) -> Question:
    """The question of that name. Raises UserError."""
    known = questions()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UserError(f"{name}: no such question; {hint}`tokenspread ask` lists all")


def given(texts: Iterable[str]) -> dict[str, str]:
    """Values by name, of texts such as feature=chat. Raises UserError."""
    values = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"{text}: not understood; set a value as NAME=VALUE")
        values[name] = value
    return values


def _read(name: str, text: str) -> Question:
    asks, read, unknown = (line.removeprefix("-- ") for line in text.splitlines()[:3])
    parameters = tuple(Parameter(n, dtype, value, meaning) for value, dtype, n, meaning in PARAMETER.findall(text))
    return Question(name, asks, read.removeprefix("Read: "), unknown.removeprefix("Unknown: "), parameters, text)

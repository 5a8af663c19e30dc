"""JSON from a log, parsed by one rule, however deep it is nested."""

import json
from typing import Any

import polars as pl
import pytest

from tests.builders import lines
from transforms.attribution import attribute, paths, rules_from
from transforms.shapes.dialects import anthropic_usage, litellm
from transforms.shapes.formats.tokenspread import TOKENSPREAD
from transforms.shapes.mapping import shape_from
from transforms.shapes.paths import DEEPEST, as_text, find, loads, reach

DEEP = "[" * 2_000 + "]" * 2_000
CALL = {"called_at": "2026-01-02T03:04:05Z", "model": "m", "input_tokens": 1, "output_tokens": 1}


@pytest.mark.parametrize("depth", [DEEPEST + 1, 2_000, 100_000])
def test_what_is_nested_too_deep_is_no_value(depth: int) -> None:
    for text in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth):
        with pytest.raises(ValueError):
            loads(text)


def test_brackets_in_texts_and_side_by_side_are_not_deep() -> None:
    value = [["[[[{{{" * 100, '"' + "[" * 500, "\\"], *([[]] * 1_000)]
    assert loads(json.dumps(value)) == value
    text = "[" * DEEPEST + "]" * DEEPEST
    assert as_text(loads(text)) == text


def test_a_list_2000_deep_where_a_mapping_opens_is_quarantined() -> None:
    shape = shape_from("runs", {"match": {"run": "*"}, "open": "steps", "fields": {"input_tokens": ".in"}})
    read = lines([{"run": "r", "steps": "x"}], shape.fields).with_columns(pl.lit(DEEP).alias("steps"))
    assert shape.calls(read)["verdict"].to_list() == ["steps is neither a list nor an object"]


def test_tags_2000_deep_are_none() -> None:
    rules = rules_from({"feature": {"tags": "tags", "prefix": "f:"}})
    assert paths(rules, "tokenspread") == ("tags",)
    told = TOKENSPREAD.calls(lines([CALL], TOKENSPREAD.fields).with_columns(pl.lit(DEEP).alias("@tags")))
    assert attribute(told, rules)["feature"].to_list() == [None]
    read = litellm.with_tags(pl.DataFrame({"request_tags": [DEEP, '["feature:a"]', "[5]"]}))
    assert read["tag.feature"].to_list() == [None, "a", None]


def test_iterations_2000_deep_are_none() -> None:
    assert anthropic_usage._iterations(DEEP) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.50", "1.5"), ("1e3", "1000.0"), ("1e400", "1e400"), ("-0", "0"), ("NaN", "NaN"), ("true", "true"),
        ("12345678901234567890123", "12345678901234567890123"), ('"007"', "007"), ("null", None),
        ('{"a": [1.50, null, "é\\u0001", true]}', '{"a":[1.5,null,"é\\u0001",true]}'),
    ],
)  # fmt: skip
def test_a_value_is_spelt_as_the_reader_spells_it(text: str, expected: str | None) -> None:
    assert as_text(loads(text)) == expected


@pytest.mark.parametrize(
    ("path", "expected", "reason"),
    [
        ("a.b", "1", None),
        ("a.c", None, None),
        ("a.b.c", None, "a.b.c expects an object at the step before c"),
        ("none.b", None, None),
        ("text>x.y", "2", None),
        ("text>x.y.z", None, None),
        ("text~x.y.z", None, None),
        ("a>b", "1", None),
        ("list.b", None, "list.b expects an object at the step before b"),
        ("bad>x", None, "bad>x steps into a text that is not JSON"),
        ('"d.e"', "3", None),
    ],
)
def test_a_path_is_followed(path: str, expected: Any, reason: str | None) -> None:
    record = loads('{"a":{"b":1},"none":null,"text":"{\\"x\\":{\\"y\\":2}}","list":[1],"bad":"{","d.e":3}')
    assert reach(record, path) == (expected, reason)
    strict = f"{path} expects an object at the step before z" if path.startswith("text>x.y.z") else reason
    assert reach(record, path, is_strict=True) == (expected, strict)
    assert find(record, path) == expected

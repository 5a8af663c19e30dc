"""Whom calls belong to, by the user's rules."""

import tomllib
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from tests.builders import lines
from transforms.attribution import attribute, paths, rules_from
from transforms.schemas import CALLS, conform
from transforms.shapes import ORDER
from transforms.shapes.formats.tokenspread import TOKENSPREAD

CALL = {"called_at": "2026-01-02T03:04:05Z", "model": "m", "input_tokens": 1, "output_tokens": 1}


def attributed(toml: str, *records: dict[str, Any]) -> pl.DataFrame:
    """CALLS of records of our own flat shape, under the rules of a tokenspread.toml."""
    rules = rules_from(tomllib.loads(toml).get("attribution", {}), [shape.name for shape in ORDER])
    asked = replace(TOKENSPREAD, attributes=paths(rules, "tokenspread")).columns
    read = lines([CALL | record for record in records], asked.values())
    frame = read.select("content_id", "line_number", *(pl.col(path).alias(name) for name, path in asked.items()))
    return conform(attribute(TOKENSPREAD.calls(frame), rules), CALLS)


def test_without_rules_the_shapes_own_stand() -> None:
    assert attributed("", {"feature": "a"}, {})["feature"].to_list() == ["a", None]


def test_a_rule_goes_first_where_it_yields_a_value() -> None:
    calls = attributed(
        '[attribution]\nfeature = "team.name"',
        {"feature": "a", "team": {"name": "b"}},
        {"feature": "a", "team": {"name": ""}},
        {"feature": "a"},
    )
    assert calls["feature"].to_list() == ["b", "a", "a"]


def test_the_first_path_that_has_a_value() -> None:
    calls = attributed(
        '[attribution]\ncustomer_id = ["tenant", "account"]', {"tenant": "t", "account": "x"}, {"account": "y"}, {}
    )
    assert calls["customer_id"].to_list() == ["t", "y", None]


@pytest.mark.parametrize(
    ("tags", "feature"),
    [
        (["prod", "feature:search", "feature:second"], "search"),
        (["feature:", "feature: search "], "search"),
        (["prod"], None),
        ([], None),
        (None, None),
        ("prod, feature:search", "search"),
        ('["feature:search"]', "search"),
        ({"feature": "search"}, None),
        ([1, None, "feature:search"], "search"),
    ],
)
def test_the_first_tag_that_fits_and_one_call_stays_one(tags: Any, feature: str | None) -> None:
    calls = attributed('[attribution]\nfeature = { tags = "tags", prefix = "feature:" }', {"tags": tags})
    assert calls["feature"].to_list() == [feature]


def test_a_constant_and_a_boolean() -> None:
    toml = """[attribution]
    environment = { const = "prod" }
    outcome = { const = "answered" }
    is_success = { path = "verdict", equals = ["good", "fine"] }
    """
    calls = attributed(toml, {"verdict": "good"}, {"verdict": "bad"}, {})
    assert calls["environment"].to_list() == ["prod"] * 3
    assert calls["is_success"].to_list() == [True, False, None]
    assert attributed('[attribution]\nis_success = "ok"', {"ok": True}, {"ok": "0"}, {"ok": "x"})[
        "is_success"
    ].to_list() == [True, False, None]


def test_rules_for_one_shape_stand_in_place_of_the_general_ones() -> None:
    toml = """[attribution]
    feature = "a"
    user_id = "u"
    [attribution.tokenspread]
    feature = "b"
    [attribution.claude_code]
    user_id = { const = "me" }
    """
    calls = attributed(toml, {"a": "1", "b": "2", "u": "3"}, {"a": "1", "u": "3"})
    assert calls["feature"].to_list() == ["2", None]
    assert calls["user_id"].to_list() == ["3", "3"]


def test_no_calls() -> None:
    assert attributed('[attribution]\nfeature = "team"').height == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"team": "x"}, "[attribution] team: is neither a column nor a shape"),
        ({"claude_coder": {"feature": "x"}}, "[attribution] claude_coder: is neither a column nor a shape"),
        ({"claude_code": {"team": "x"}}, "[attribution.claude_code] team: is no column to attribute"),
        ({"feature": {"tags": "t"}}, "[attribution] feature: is no rule"),
        ({"feature": {"path": "p", "prefix": "x"}}, "[attribution] feature: is no rule"),
        ({"feature": {"path": "p", "const": "x"}}, "[attribution] feature: is no rule"),
        ({"feature": {"path": "p", "equals": "x"}}, "only is_success takes it"),
        ({"feature": 3}, "[attribution] feature: 3 is no path"),
        ({"feature": [""]}, "[attribution] feature: '' is no path"),
        ({"feature": []}, "[attribution] feature: [] is no path"),
        ({"litellm_slp": {"user_id": [".a.b"]}}, "[attribution.litellm_slp] user_id: '.a.b' is no path"),
        ({"feature": "a\0"}, "[attribution] feature: 'a\\x00' is no path"),
        ({"feature": "~"}, "[attribution] feature: '~' is no path"),
        ({"feature": {"tags": '"', "prefix": "x:"}}, "[attribution] feature: '\"' is no path"),
        ({"feature": {"tags": "a", "prefix": 3}}, "[attribution] feature: the prefix 3 is no text"),
    ],
)
def test_a_mistake_is_told_with_its_place(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        rules_from(table, [shape.name for shape in ORDER])
    assert message in str(error.value)

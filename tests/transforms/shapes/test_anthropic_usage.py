"""Anthropic's usage, read out of its text as a whole."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import field, json_text, record_of
from transforms.shapes.dialects import anthropic_usage
from transforms.shapes.fields import as_number

SCALARS = st.none() | st.integers(0, 10**10) | st.text('ab5 é\n"', max_size=4) | st.booleans() | st.floats(0, 1e6)
COUNTS = st.integers(0, 10**6) | SCALARS
ITERATION = st.fixed_dictionaries({"input_tokens": COUNTS}, optional={"model": SCALARS, "output_tokens": COUNTS})
USAGE = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"), COUNTS
        ),
        "cache_creation": st.none() | st.fixed_dictionaries({}, optional={"ephemeral_5m_input_tokens": COUNTS}),
        "output_tokens_details": st.none() | st.fixed_dictionaries({"thinking_tokens": COUNTS}),
        "server_tool_use": st.none() | st.fixed_dictionaries({"web_search_requests": COUNTS}),
        "service_tier": SCALARS | st.lists(SCALARS, max_size=2),
        "iterations": st.none() | st.lists(ITERATION, max_size=3),
        "prompt": SCALARS,
    },
)


def value(text: str | None) -> Any:
    """What a text says: 1e-5 is 0.00001."""
    return text if text is None or as_number(text) is None else as_number(text)


def read(*usages: str | None) -> pl.DataFrame:
    return anthropic_usage.decoded(pl.DataFrame({"usage": pl.Series(usages, dtype=pl.String)}), "usage")


@given(st.lists(st.none() | USAGE, max_size=40))
def test_what_is_decoded_is_what_each_field_holds(usages: list[dict[str, Any] | None]) -> None:
    records = [record_of(json.dumps({"usage": usage})) for usage in usages]
    found = read(*(json_text(record["usage"]) if record["usage"] is not None else None for record in records))
    assert not found["is_usage_odd"].any()
    for path in anthropic_usage.fields("usage"):
        expected = [field(record, path) for record in records]
        if path.endswith("iterations"):  # of no use where there is one only
            got = [text for text in found[path] if text is not None]
            assert [text for text in expected if text and text.count('"input_tokens"') > 1] == [
                text for text in got if text.count('"input_tokens"') > 1
            ]
        else:
            assert list(map(value, found[path])) == list(map(value, expected)), path


@pytest.mark.parametrize("usage", ['"many"', "[1]", "5", '{"cache_creation":5}', '{"server_tool_use":[]}'])
def test_what_is_no_object_of_counts_is_odd_and_harms_no_other(usage: str) -> None:
    found = read('{"input_tokens":5}', usage, None, '{"input_tokens":6}')
    assert found["is_usage_odd"].to_list() == [False, True, False, False]
    assert found["usage.input_tokens"].to_list() == ["5", None, None, "6"]

"""What holds for every shape and any line: nothing raises, nothing vanishes, no verdict cites the line."""

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import lines_frame
from transforms.schemas import CALLS, QUANTITIES, conform
from transforms.shapes import ORDER
from transforms.shapes.mapping import shape_from
from transforms.shapes.shape import Shape

OPENED = shape_from(
    "opened",
    {
        "match": {"usage": "*"},
        "open": "usage",
        "calls_where": {"kind": ["run", "*"]},
        "null_values": ["None"],
        "provider_from_model_prefix": True,
        "input_includes_cache": False,
        "output_includes_reasoning": False,
        "fields": {
            "model": ["$key", "model"],
            "response_id": "id",
            "called_at": {"path": "at", "unit": "unix_ms"},
            "input_tokens": ".in.n",
            "cache_read_tokens": ".in.read",
            "output_tokens": ".out",
            "reasoning_tokens": ".thought",
            "status": {"path": "state", "equals": ["ok", 0]},
            "recorded_cost_usd": {"path": ".cost", "unit": "cents"},
        },
    },
)
SHAPES = [*ORDER, OPENED]
SECRET = "a prompt"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.just(SECRET) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["in", "n", "out", "model", "id"]), inner)
    ),
    max_leaves=8,
)
ITERATIONS = st.lists(
    st.fixed_dictionaries(
        {"input_tokens": JSON}, optional={"output_tokens": JSON, "model": JSON, "cache_creation": JSON}
    )
)
COUNTS = st.dictionaries(st.sampled_from(["prompt_tokens", "prompt_token", "completion_tokens", "cost"]), JSON)
PLUGINS = st.dictionaries(
    st.sampled_from(["proxy", "judge"]),
    st.fixed_dictionaries({"usage": COUNTS | JSON}, optional={"judge": st.fixed_dictionaries({"meta": COUNTS})}),
)
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["", "0", "12", "7.0", "-1", "true", "False", "None", "success", "failure", SECRET]),
    st.sampled_from(
        ["assistant", "message", "error", "chat.completion", "batch", "fast", "a/b/c", "resp_bGl0ZWxsbTpj"]
    ),
    st.sampled_from(["message_start", "message_delta", "message_stop", "succeeded", "RequestResponse", "200", "429"]),
    st.sampled_from(["1767323045", "1767323045.25", "2026-01-02T03:04:05Z", "0.0012", "9" * 30]),
    JSON.map(json.dumps),
    ITERATIONS.map(json.dumps),
    PLUGINS.map(json.dumps),
    st.text(max_size=6),
)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_text_in_any_field(shape: Shape, data: st.DataObject) -> None:
    fields = [*shape.fields, "@path"]
    rows = data.draw(st.lists(st.dictionaries(st.sampled_from(fields), TEXTS, max_size=12), min_size=1, max_size=6))
    lines = lines_frame(((number, {}) for number in range(1, len(rows) + 1)), fields)
    lines = lines.with_columns(pl.Series(name, [row.get(name) for row in rows], dtype=pl.String) for name in fields)

    calls = shape.calls(lines)

    conform(calls.select(pl.exclude("@path")), CALLS)
    keys = calls.select("line_number", "part")
    assert keys["line_number"].unique(maintain_order=True).to_list() == lines["line_number"].to_list()
    assert keys.is_duplicated().sum() == 0
    passed = calls.select("line_number", "@path").unique(maintain_order=True)["@path"]
    assert passed.to_list() == lines["@path"].to_list()
    assert not calls["verdict"].drop_nulls().str.contains(SECRET, literal=True).any()
    told = calls.filter(pl.col("verdict").is_null())
    assert told["status"].is_in(["success", "error", "refused", "cache_hit"]).all()
    assert all((told[name].drop_nulls() >= 0).all() for name in QUANTITIES)
    assert (told.filter(pl.col("status") == "cache_hit").select(pl.sum_horizontal(*QUANTITIES)) == 0).to_series().all()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_no_lines(shape: Shape) -> None:
    conform(shape.calls(lines_frame([], shape.fields)), CALLS)


@given(
    st.dictionaries(st.sampled_from(["object", "request", "response", "type", "error", "usage", "model", "id"]), JSON)
)
def test_recognising_anything(record: dict) -> None:
    for shape in SHAPES:
        assert shape.matches(record) in (True, False)
        assert shape.matches({"request": record, "response": record}) in (True, False)

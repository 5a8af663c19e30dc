"""OTLP beyond single cases: what the user's rules ask for, both ways of decoding, and frames of many lines."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import lines
from transforms.shapes import decoding
from transforms.shapes.dialects import otlp
from transforms.shapes.dialects.otel_attributes import KEYS
from transforms.shapes.formats.otel import OTEL, UNREADABLE, opened

ASKED = ("team.name", '"cost.centre"')
START = 1784736000 * 10**9


def attributes(**told: str) -> list[dict[str, Any]]:
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in told.items()]


def export(*spans: dict[str, Any], **resource: str) -> dict[str, Any]:
    scopes = [{"scope": {"name": "desk"}, "spans": list(spans)}]
    return {"resourceSpans": [{"resource": {"attributes": attributes(**resource)}, "scopeSpans": scopes}]}


def span(name: str, parent: str = "", **told: str) -> dict[str, Any]:
    return {
        "traceId": "t-1",
        "spanId": name,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 10**9),
        "attributes": attributes(**told),
    }


def chat(name: str, parent: str = "", **told: str) -> dict[str, Any]:
    usage = {"gen_ai__usage__input_tokens": "9", "gen_ai__usage__output_tokens": "8"}
    call = {"gen_ai__operation__name": "chat", "gen_ai__provider__name": "openai", "gen_ai__request__model": "m"}
    return span(name, parent, **call, **usage, **told)


def frame(*records: dict[str, Any]) -> pl.DataFrame:
    return lines(records, OTEL.fields)


def test_what_rules_ask_for_is_told_by_the_span_then_by_those_around_it_then_by_the_resource() -> None:
    found = opened(
        frame(
            export(chat("a", "b", team__name="own"), chat("c", "b"), chat("d"), team__name="far", cost__centre="7"),
            export(span("b", team__name="near")),
        ),
        ASKED,
    )
    calls = OTEL.calls(found)
    assert calls['@"cost.centre"'].to_list() == ["7", "7", "7", None]
    assert calls["@team.name"].to_list() == ["own", "near", "far", "near"]


def test_a_log_of_several_formats_hands_over_unopened_lines() -> None:
    asked = frame(export(chat("a", team__name="own")), export(chat("b", team__name="own"))).with_columns(
        pl.Series("@team.name", [None, "of the line"])
    )
    calls = OTEL.calls(asked)
    assert calls["@team.name"].to_list() == ["own", "of the line"]
    assert calls["response_id"].to_list() == ["t-1:a", "t-1:b"]


def test_batches_can_be_put_together() -> None:
    records = [export(span("b", user__id="u-1")), {"resourceLogs": []}, export(chat("a", "b"))]
    batches = [opened(frame(record), ASKED) for record in records]
    assert len({tuple(batch.schema.items()) for batch in batches}) == 1
    calls = OTEL.calls(pl.concat(batches))
    assert calls["user_id"].to_list() == ["u-1", None, "u-1"]


def test_a_line_that_cannot_be_read_harms_no_other() -> None:
    records = [export(chat(f"s-{number}")) for number in range(100)]
    records[37] = {"resourceSpans": [["no span"]]}
    calls = OTEL.calls(opened(frame(*records), ()))
    bad = calls.filter(pl.col("verdict").is_not_null())
    assert bad.select("line_number", "verdict").rows() == [(38, UNREADABLE)]
    assert calls.filter(pl.col("verdict").is_null())["response_id"].to_list() == [
        f"t-1:s-{number}" for number in range(100) if number != 37
    ]


@pytest.mark.parametrize("text", ["[" * 300 + "]" * 300, "[{]", "[1e999]", '["\\ud83d"]', "[NaN]", "{}", "7", '"x"'])
def test_what_is_no_list_of_spans(text: str) -> None:
    given = frame({"resourceSpans": []}).with_columns(resourceSpans=pl.lit(text))
    assert OTEL.calls(opened(given, ()))["verdict"].to_list() == [UNREADABLE]


VALUES = st.one_of(
    st.builds(lambda value: {"stringValue": value}, st.sampled_from(["chat", "openai", "m", "", "é😀", "12"])),
    st.builds(lambda value: {"intValue": value}, st.one_of(st.integers(0, 10**9), st.integers(0, 10**9).map(str))),
    st.builds(lambda value: {"doubleValue": value}, st.sampled_from([0, 1.5])),
    st.builds(lambda value: {"boolValue": value}, st.booleans()),
    st.sampled_from([None, {}, {"arrayValue": {"values": [{"stringValue": "a"}]}}]),
)
EVERY_KEY = sorted(key for alternatives in KEYS.values() for key in alternatives)
# the same number in two spellings, where it is read as a number
SPELT = st.builds(lambda value: {"doubleValue": value}, st.sampled_from([2.0, 1e-7, 1e3]))
ATTRIBUTE = st.one_of(
    st.fixed_dictionaries({"key": st.sampled_from(EVERY_KEY), "value": VALUES}),
    st.fixed_dictionaries({"key": st.sampled_from(["gen_ai.usage.cost", "duration_ms"]), "value": SPELT}),
)
ATTRIBUTES = st.lists(ATTRIBUTE, max_size=8, unique_by=lambda attribute: attribute["key"])
IDS = st.sampled_from(["a", "b", "c"])
SPANS = st.fixed_dictionaries(
    {"traceId": st.just("t"), "spanId": IDS, "startTimeUnixNano": st.sampled_from([START, str(START), "0", None])},
    optional={
        "parentSpanId": IDS,
        "name": st.sampled_from(["ai.generateText.doGenerate", "chat", "claude_code.llm_request"]),
        "kind": st.sampled_from([1, 3, "SPAN_KIND_CLIENT"]),
        "endTimeUnixNano": st.just(str(START + 1)),
        "status": st.sampled_from([{}, {"code": 2}, None]),
        "attributes": ATTRIBUTES,
        "events": st.just([{"name": "x", "attributes": []}]),
    },
)
SCOPES = st.fixed_dictionaries(
    {"spans": st.lists(SPANS, max_size=4)}, optional={"scope": st.sampled_from([{"name": "ai"}, {}, None])}
)
EXPORTS = st.lists(st.fixed_dictionaries({"scopeSpans": st.lists(SCOPES, max_size=2)}), max_size=2)


def slowly(texts: pl.Series, dtype: pl.DataType) -> tuple[pl.Series, pl.Series]:
    values = [decoding._slowly(text, dtype) for text in texts]
    return pl.Series([value for value, _ in values], dtype=dtype), pl.Series(
        [bad for _, bad in values], dtype=pl.Boolean
    )


@given(st.lists(EXPORTS, min_size=1, max_size=4))
def test_both_ways_of_decoding_agree(exports: list[Any]) -> None:
    records = [{"resourceSpans": export} for export in exports]
    fast = OTEL.calls(opened(frame(*records), ASKED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(otlp, "decoded", slowly)
        slow = OTEL.calls(opened(frame(*records), ASKED))
    assert fast.to_dicts() == slow.to_dicts()
    # and nothing is lost: every span is one row
    count = sum(len(scope["spans"]) for export in exports for each in export for scope in each["scopeSpans"])
    assert fast.height == count + sum(
        not any(scope["spans"] for each in export for scope in each["scopeSpans"]) for export in exports
    )

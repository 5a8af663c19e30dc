"""Small OTLP traces."""

from typing import Any

from tests.traps.laying import Record

START = 1_790_000_000 * 10**9


def spanned(*spans: Record) -> list[Record]:
    """One line for each span, each under its own scope."""
    return [
        {"resourceSpans": [{"scopeSpans": [{"scope": {"name": span["scope"]}, "spans": [span]}]}]} for span in spans
    ]


def logged(event: str, **told: Any) -> Record:
    """A line with one log record of Claude Code."""
    record = {"timeUnixNano": str(START), "body": {"stringValue": event}, "attributes": _attributes(told)}
    return {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "events"}, "logRecords": [record]}]}]}


def span(name: str, around: str = "", *, scope: str = "app", trace: str = "t-1", kind: int = 1, **told: Any) -> Record:
    """A span that lies in `around`; a keyword is an attribute, "__" in it a dot."""
    return {
        "scope": scope,
        "traceId": trace,
        "spanId": name,
        "parentSpanId": around,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 10**9),
        "attributes": _attributes(told),
    }


def chat(name: str, around: str = "", response: str | None = None, **told: Any) -> Record:
    """A span of a call by the GenAI conventions: 1012 tokens in, 20 out, of Anthropic."""
    known = {
        "gen_ai__operation__name": "chat",
        "gen_ai__provider__name": "anthropic",
        "gen_ai__response__model": "claude-sonnet-4-5-20250929",
        "gen_ai__usage__input_tokens": 1012,
        "gen_ai__usage__output_tokens": 20,
    }
    if response:
        known["gen_ai__response__id"] = response
    return span(name, around, **known | told)


def _attributes(told: Record) -> list[Record]:
    kinds = {int: "intValue", float: "doubleValue", str: "stringValue"}
    return [{"key": key.replace("__", "."), "value": {kinds[type(value)]: str(value)}} for key, value in told.items()]

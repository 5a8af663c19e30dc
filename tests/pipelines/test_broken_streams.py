"""Logs of Anthropic's streams that broke off, with lines that cannot be read: no output is ever another stream's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.logs import balance, chat, ingest, ledger_rows, quarantine_rows
from transforms.shapes.formats.anthropic_stream import UNSURE

ORPHAN = "tells of a message whose start is not before it"
ERROR = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
BODY = {"id": "msg_b", "type": "message", "model": "claude-opus-4-6", "usage": {"input_tokens": 7, "output_tokens": 9}}


def stream(name: str, output_tokens: int | None) -> list[dict[str, Any]]:
    """The events of a stream, which broke off where the output is None."""
    message = {"id": name, "type": "message", "model": "claude-opus-4-6", "usage": {"input_tokens": 10}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}},
    ]
    if output_tokens is not None:
        usage = {"output_tokens": output_tokens}
        events += [{"type": "message_delta", "delta": {}, "usage": usage}, {"type": "message_stop"}]
    return events


def text(event: Any) -> str:
    return event if isinstance(event, str) else json.dumps(event)


def server_sent(event: Any) -> str:
    if event in (chat(1), BODY):
        return text(event)
    return json.dumps({"event": "message_start" if event == HEADLESS[0] else event["type"], "data": text(event)})


def cut(event: dict[str, Any]) -> str:
    return json.dumps(event)[:-20]


HEADLESS = [cut(stream("msg_2", 700)[0]), *stream("msg_2", 700)[1:]]
LAYOUTS: dict[str, Callable[[Any], str]] = {
    "lines": text,
    "blank lines between": lambda event: f"{text(event)}\n",
    "server-sent events": lambda event: f"data: {text(event)}\n",
    "data as a text": server_sent,
    "in a message": lambda event: json.dumps({"message": text(event), "level": "info"}),
    "in a list": lambda event: json.dumps({"logEvents": [text(event)]}),
}
OTHERS = {"alone": [], "beside other formats": [chat(1), BODY]}


def write(path: Path, events: list[Any], layout: Callable[[Any], str] = text) -> Path:
    path.write_text("".join(f"{layout(event)}\n" for event in events))
    return path


def told(data: Path) -> dict[str | None, tuple]:
    rows = ledger_rows(data).filter(~(ledger_rows(data)["response_id"].is_in(["msg_b", "chatcmpl-1"]).fill_null(False)))
    columns = ("status", "input_tokens", "output_tokens")
    assert rows["response_id"].n_unique() == rows.height
    return dict(zip(rows["response_id"], rows.select(columns).rows(), strict=True))


def reasons(data: Path) -> list[str]:
    return sorted(quarantine_rows(data)["reason"])


@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS.keys())
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_delta_after_a_line_that_cannot_be_read_is_no_known_messages(
    layout: Callable[[Any], str], others: list[dict], tmp_path: Path
) -> None:
    events = [*others, *stream("msg_0", 3), *stream("msg_1", None), *HEADLESS, *stream("msg_3", 5)]
    ingest(tmp_path / "data", write(tmp_path / "log", events, layout))
    assert told(tmp_path / "data") == {
        "msg_0": ("success", 10, 3),
        "msg_1": ("success", 10, None),
        "msg_3": ("success", 10, 5),
    }
    assert reasons(tmp_path / "data").count(UNSURE) == 1
    assert len(reasons(tmp_path / "data")) == 2  # the line that cannot be read and the delta
    counts = balance(tmp_path / "data")[0]
    told_of = ("call_line_count", "other_line_count", "quarantined_line_count", "blank_line_count")
    assert counts["line_count"] == sum(counts[name] for name in told_of)


def test_an_error_between_ends_the_message(tmp_path: Path) -> None:
    events = [*stream("msg_1", None), ERROR, *stream("msg_2", 700)[1:], *stream("msg_3", 5)]
    ingest(tmp_path / "data", write(tmp_path / "log", events))
    assert told(tmp_path / "data") == {"msg_1": ("error", 10, None), "msg_3": ("success", 10, 5)}
    assert reasons(tmp_path / "data") == [ORPHAN]


def test_an_error_after_a_line_that_cannot_be_read_is_no_known_messages(tmp_path: Path) -> None:
    events = [*stream("msg_1", None), HEADLESS[0], ERROR, *stream("msg_3", 5)]
    ingest(tmp_path / "data", write(tmp_path / "log", events))
    assert told(tmp_path / "data") == {"msg_1": ("success", 10, None), "msg_3": ("success", 10, 5)}
    assert UNSURE in reasons(tmp_path / "data")


def test_a_line_that_cannot_be_read_between_whole_streams_takes_nothing_from_them(tmp_path: Path) -> None:
    events = [*stream("msg_1", 3), "{", *stream("msg_2", 4), "not JSON", ERROR, *stream("msg_3", 5)]
    ingest(tmp_path / "data", write(tmp_path / "log", events))
    assert told(tmp_path / "data") == {
        "msg_1": ("success", 10, 3),
        "msg_2": ("success", 10, 4),
        None: ("error", None, None),
        "msg_3": ("success", 10, 5),
    }
    assert len(reasons(tmp_path / "data")) == 2


@pytest.mark.parametrize("between", [HEADLESS, [ERROR, *stream("msg_2", 700)[1:], "{"]], ids=["cut", "error"])
@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS.keys())
def test_a_log_that_grew_in_between_tells_the_same(others: list[dict], between: list, tmp_path: Path) -> None:
    events = [*others, *stream("msg_1", None), *between, *stream("msg_4", 5)]
    ingest(tmp_path / "whole", write(tmp_path / "log", events))
    lines = (tmp_path / "log").read_text().splitlines(keepends=True)
    for end in range(1 + len(others), len(lines)):
        path, data = tmp_path / f"log-{end}", tmp_path / f"data-{end}"
        path.write_text("".join(lines[:end]))
        ingest(data, path)
        path.write_text("".join(lines))
        ingest(data, path)
        assert told(data) == told(tmp_path / "whole"), end
        assert reasons(data) == reasons(tmp_path / "whole"), end
        assert balance(data)[0]["quarantined_line_count"] == 2


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
@pytest.mark.parametrize("others", OTHERS.values(), ids=OTHERS.keys())
def test_a_streams_error_is_its_own_wherever_it_stands(
    layout: Callable[[Any], str], others: list[dict], tmp_path: Path
) -> None:
    broken, whole = [*stream("msg_0", None), ERROR], [each for n in range(1, 60) for each in stream(f"msg_{n}", n)]
    for number, events in enumerate(([*broken, *whole, *others], [*others, *whole, *broken])):
        data = tmp_path / f"data-{number}"
        ingest(data, write(tmp_path / f"log-{number}", events, layout))
        assert told(data) == {"msg_0": ("error", 10, None)} | {f"msg_{n}": ("success", 10, n) for n in range(1, 60)}
        assert ledger_rows(data).height == 60 + len(others)


def test_an_error_among_whole_bodies_is_a_call_without_an_answer(tmp_path: Path) -> None:
    for number, events in enumerate(([ERROR, BODY], [BODY, ERROR], [ERROR])):
        data = tmp_path / f"data-{number}"
        ingest(data, write(tmp_path / f"log-{number}", events))
        assert told(data) == {None: ("error", None, None)}
        assert set(ledger_rows(data)["shape"]) == {"anthropic_messages"}

"""Logs of several formats, and records with something wrapped around them. Read by the real reader, from files."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import documents
from pipelines.bounds import Bounds
from pipelines.errors import UserError
from tests.builders import calls_of
from tests.pipelines.logs import ingest, ledger_rows, quarantine_rows, snapshot
from transforms.schemas import LINE_KEYS
from transforms.shapes import ORDER
from transforms.shapes.compound import mixed, wrapped
from transforms.shapes.shape import Shape

CHAT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1767323045, "model": "gpt-5-mini",
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}}  # fmt: skip
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
           "stop_reason": "end_turn", "usage": {"input_tokens": 5, "output_tokens": 3}}  # fmt: skip
BOTH = {"chatcmpl-1": 10, "msg_1": 5}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def inputs(data: Path) -> dict[str, int]:
    rows = ledger_rows(data)
    return dict(zip(rows["response_id"], rows["input_tokens"], strict=True))


def write(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_log_of_two_formats_is_read_line_by_line(tmp_path: Path, data: Path) -> None:
    strange = {"hello": "world"}
    summary = ingest(data, write(tmp_path / "log.jsonl", CHAT, MESSAGE, strange, CHAT))
    assert inputs(data) == BOTH
    assert summary.call_count == 2
    assert quarantine_rows(data).select("line_number", "reason").rows() == [(3, "no log shape knows this record")]
    assert ledger_rows(data).sort("line_number")["shape"].to_list() == ["openai_chat", "anthropic_messages"]


def test_one_formats_object_may_be_anothers_text(tmp_path: Path, data: Path) -> None:
    exchange = {"request": {"model": "claude-sonnet-4-5", "messages": []}, "response": MESSAGE}
    ingest(data, write(tmp_path / "log.jsonl", CHAT | {"response": "a text"}, exchange))
    assert inputs(data) == BOTH


WRAPPERS = {
    "an object": [{"payload": CHAT}, {"payload": MESSAGE}],
    "a text": [{"@timestamp": "2026-01-01", "@message": json.dumps(record)} for record in (CHAT, MESSAGE)],
    "a list": [{"records": [CHAT, MESSAGE]}],
    "a list of texts": [{"logEvents": [json.dumps(CHAT), json.dumps(MESSAGE)]}],
    "two levels": [
        {"logEvents": [{"id": n, "message": json.dumps(record)}]} for n, record in enumerate((CHAT, MESSAGE))
    ],
    "three levels": [{"data": {"result": [{"body": CHAT}, {"body": MESSAGE}]}}],
    "some empty": [{"records": [CHAT]}, {"records": []}, {"records": [MESSAGE]}],
}


@pytest.mark.parametrize("records", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_what_is_wrapped_around_a_record_is_seen_through(records: list[dict], tmp_path: Path, data: Path) -> None:
    ingest(data, write(tmp_path / "log.jsonl", *records))
    assert inputs(data) == BOTH


def test_one_pretty_document_packed(tmp_path: Path, data: Path) -> None:
    path = tmp_path / "export.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"data": [CHAT, MESSAGE], "meta": {"page": 1}}, indent=2).encode()))
    ingest(data, path)
    assert inputs(data) == BOTH
    assert sorted(ledger_rows(data)["part"]) == [0, 1]


def test_one_bad_record_of_a_list_leaves_the_others(tmp_path: Path, data: Path) -> None:
    bad = CHAT | {"id": "chatcmpl-2", "usage": {"prompt_tokens": "many", "completion_tokens": 1}}
    ingest(data, write(tmp_path / "log.jsonl", {"records": [CHAT, bad, MESSAGE]}, {"records": [bad]}, {"records": 7}))
    assert inputs(data) == BOTH
    assert quarantine_rows(data).sort("line_number", "part").select("line_number", "part", "reason").rows() == [
        (1, 1, "usage.prompt_tokens is not a count"),
        (2, 0, "usage.prompt_tokens is not a count"),
        (3, 0, "no log shape knows this record"),
    ]


@pytest.mark.parametrize("wrap", [lambda record: {"body": record}, lambda record: {"body": [record]}])
def test_rules_look_into_the_record_and_then_around_it(wrap: Any, tmp_path: Path, data: Path) -> None:
    records = [
        {"tenant": "outer", **wrap(CHAT | {"tenant": "inner"})},
        {"tenant": "outer", **wrap(MESSAGE)},
    ]
    ingest(data, write(tmp_path / "log.jsonl", *records), attribution={"customer_id": "tenant"})
    assert ledger_rows(data).sort("response_id")["customer_id"].to_list() == ["inner", "outer"]


def test_a_record_without_a_time_has_the_time_around_it(tmp_path: Path, data: Path) -> None:
    records = [
        {"timestamp": "2026-02-03T04:05:06Z", "body": MESSAGE},
        {"timestamp": "2026-02-03T04:05:06Z", "body": CHAT},
    ]
    ingest(data, write(tmp_path / "log.jsonl", *records))
    assert ledger_rows(data).sort("response_id")["day"].cast(pl.String).to_list() == ["2026-01-02", "2026-02-03"]


def events(*records: Any) -> str:
    return "".join(f"event: x\ndata: {json.dumps(record)}\n\n" for record in records) + "data: [DONE]\n"


CHUNK = CHAT | {"object": "chat.completion.chunk", "usage": None}
SPANS = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "s"}, "spans": [{"traceId": "t", "spanId": "1"}]}]}]}
LAYOUTS = {
    "one after another on a line": json.dumps(CHAT) + json.dumps(MESSAGE),
    "one after another, then lines": json.dumps(CHAT) + json.dumps(CHAT) + "\n" + json.dumps(MESSAGE) + "\n",
    "server-sent events": events(CHUNK, CHAT) + events({"type": "message_start", "message": MESSAGE}),
    "after a banner": "gateway started\n" + json.dumps(CHAT) + "\n" + json.dumps(MESSAGE) + "\n",
    "beside spans": "".join(json.dumps(record) + "\n" for record in (CHAT, SPANS, MESSAGE)),
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_whatever_records_stand_in(text: str, tmp_path: Path, data: Path) -> None:
    (tmp_path / "log.jsonl").write_text(text)
    ingest(data, tmp_path / "log.jsonl")
    assert inputs(data) == BOTH


def test_a_document_larger_than_any_line(tmp_path: Path, data: Path) -> None:
    records = [CHAT | {"id": f"chatcmpl-{n}", "text": 'a "quoted" }] text'} for n in range(50)]
    (tmp_path / "log.json").write_text(json.dumps({"meta": {"n": [1]}, "records": records, "next": None}))
    assert ingest(data, tmp_path / "log.json", bounds=Bounds(line_bytes=2000)).call_count == 50


@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_a_large_document_is_cut_between_its_records(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "CHUNK_BYTES", chunk)
    small, hard = {"a": 'x"{[', "b": [1]}, {"t": '\\"}]', "l": [{"z": 1}]}
    text = (
        json.dumps(small)
        + json.dumps({"m": {"k": "]}"}, "records": [hard] * 9}, indent=1)
        + json.dumps({"s": "x" * 200})
    )
    lines = list(documents.lines_of(io.BytesIO(text.encode()), Bounds(line_bytes=100)))
    assert [json.loads(line) for line in lines[:-1]] == [small, *[{"records": [hard]}] * 9]
    assert lines[-1].startswith(b"!longer")
    with pytest.raises(EOFError):
        list(documents.lines_of(io.BytesIO(text.encode()[:-2]), Bounds(line_bytes=100)))


SESSION = snapshot(5, 5)


@pytest.mark.parametrize(("head", "strangers"), [(CHAT, [MESSAGE]), (MESSAGE, [CHAT]), (SESSION, [CHAT, MESSAGE])])
def test_records_of_another_format_are_found_wherever_they_stand(
    head: dict, strangers: list[dict], tmp_path: Path, data: Path
) -> None:
    """Far behind the first records, by which a log is recognised; and in a part that is added later."""
    log = write(tmp_path / "log.jsonl", *[head] * 300, *strangers)
    ingest(data, log)
    found = inputs(data)
    assert all(BOTH[record["id"]] == found[record["id"]] for record in strangers)
    later = CHAT | {"id": "chatcmpl-9"} if CHAT not in strangers else MESSAGE | {"id": "msg_9"}
    with log.open("a") as file:
        file.write(json.dumps(later) + "\n")
    ingest(data, log)
    assert later["id"] in inputs(data)


def test_an_error_of_the_applications_own_takes_no_log(tmp_path: Path, data: Path) -> None:
    errors = [{"level": "error", "error": {"message": "db timeout"}}]
    ingest(data, write(tmp_path / "log.jsonl", *errors, *[{"ts": 1, "llm": CHAT | {"id": f"c-{n}"}} for n in range(9)]))
    assert ledger_rows(data).height == 9


def test_nothing_that_people_wrote_is_printed(tmp_path: Path, data: Path) -> None:
    (tmp_path / "log.csv").write_text('tell me a secret,"and {more}"\n1,2\n')
    with pytest.raises(UserError) as refused:
        ingest(data, tmp_path / "log.csv")
    assert "secret" not in str(refused.value) and "more" not in str(refused.value)


def test_a_streams_chunks_beside_their_request(tmp_path: Path, data: Path) -> None:
    request = {"model": "gpt-5", "user": "u-1", "metadata": {"feature": "triage"}}
    ingest(data, write(tmp_path / "log.jsonl", {"request": request, "response": [CHUNK, CHUNK, CHAT]}))
    (call,) = ledger_rows(data).select("input_tokens", "feature", "user_id", "model_requested").rows()
    assert call == (10, "triage", "u-1", "gpt-5")


def test_requests_and_responses_as_texts_of_a_table(tmp_path: Path, data: Path) -> None:
    with (tmp_path / "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["request", "response"])
        for answer in (CHAT, MESSAGE):
            rows.writerow([json.dumps({"model": "asked", "user": "u-1"}), json.dumps(answer)])
    ingest(data, tmp_path / "log.csv")
    assert inputs(data) == BOTH
    assert set(ledger_rows(data)["user_id"]) == {"u-1"}


@pytest.mark.parametrize("shape", [*ORDER, mixed(ORDER[:3]), wrapped(mixed(ORDER[:3]), "a", in_lists=True, level=1)])
def test_no_lines_are_no_calls(shape: Shape) -> None:
    """As where the reader refuses all lines of a batch."""
    lines = pl.DataFrame(schema={**LINE_KEYS, **dict.fromkeys(shape.columns, pl.String)})
    assert calls_of(shape, lines).is_empty()

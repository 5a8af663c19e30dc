"""Logs that are no lines: an array, objects over several lines, server-sent events; whole, cut short and damaged."""

import gzip
import io
import json
from pathlib import Path

import pytest

from pipelines import documents
from pipelines.bounds import DEFAULT
from tests.bad_input.folders import Told, call, ingested
from tests.pipelines.logs import jsonl

RECORDS = [call(number) for number in range(5)]
ARRAY = "[\n" + ",\n".join(map(json.dumps, RECORDS)) + "\n]\n"
PRETTY = "".join(json.dumps(record, indent=2) + "\n" for record in RECORDS)
EVENTS = "".join(f"event: x\ndata: {json.dumps(record)}\n\n" for record in RECORDS) + "data: [DONE]\n\n"
ALL = [1, 2, 3, 4, 5]
THIRD = '"input_tokens": 102'


def read(folder: Path, content: str | bytes) -> Told:
    (folder / "logs").mkdir()
    (folder / "logs" / "m.log").write_bytes(content.encode() if isinstance(content, str) else content)
    return ingested(folder / "logs")


NO_COUNT, NO_OBJECT, NO_JSON = "input_tokens is not a count", "not a JSON object", "not JSON"
# name: (the log, the records that are calls, why others are quarantined)
CASES = {
    "an array": (ARRAY, ALL, {}),
    "an array in one line": (json.dumps(RECORDS), ALL, {}),
    "an array over many lines": (json.dumps(RECORDS, indent=2), ALL, {}),
    "an array after a byte order mark": (b"\xef\xbb\xbf" + ARRAY.encode(), ALL, {}),
    "an array of other things too": (ARRAY.replace("\n]", ",\n42,\nnull\n]"), ALL, {6: NO_OBJECT, 7: NO_OBJECT}),
    "an array with a key twice": (
        ARRAY.replace(THIRD, THIRD + ", " + THIRD), [1, 2, 4, 5], {3: "an object has a key twice"},
    ),
    "an array with NaN": (ARRAY.replace(THIRD, '"input_tokens": NaN'), [1, 2, 4, 5], {3: NO_COUNT}),
    "an array with a long record": (
        json.dumps([call(0, prompt="x" * 9_000_000), call(1)]), [2], {1: "longer than 8 MiB ([bounds] line_bytes)"},
    ),
    "an empty array": ("[]", [], {}),
    "objects over lines": (PRETTY, ALL, {}),
    "objects in one line": ("".join(map(json.dumps, RECORDS)), ALL, {}),
    "objects with commas between": (PRETTY.replace("}\n{", "},\n{"), ALL, {}),
    "objects of which one is no JSON": (PRETTY.replace(THIRD, '"input_tokens": xx'), [1, 2, 4, 5], {3: NO_JSON}),
    "objects with text between": (PRETTY.replace("}\n{", "}\nsome text\n{", 1), [1, 3, 4, 5, 6], {2: NO_OBJECT}),
    "objects with text behind": (PRETTY + "some text\n", ALL, {6: NO_OBJECT}),
    "objects with a quote between": (PRETTY.replace("}\n{", '}\n"{"\n{', 1), [1, 3, 4, 5, 6], {2: NO_OBJECT}),
    "objects with a bracket too many": (PRETTY.replace("}\n{", "}}\n{", 1), [1, 3, 4, 5, 6], {2: NO_OBJECT}),
    "objects of which one is long": (
        json.dumps(call(0, prompt="x" * 9_000_000), indent=1) + json.dumps(call(1), indent=1), [2],
        {1: "longer than 8 MiB ([bounds] line_bytes)"},
    ),
    "events": (EVENTS, ALL, {}),
    "events with other line ends": (EVENTS.replace("\n", "\r\n"), ALL, {}),
    "events, packed": (gzip.compress(EVENTS.encode()), ALL, {}),
    "events of which one is no JSON": (EVENTS.replace(THIRD, '"input_tokens": xx'), [1, 2, 4, 5], {3: NO_JSON}),
    "an event that is no object": (EVENTS.replace("event: x\n", "data: 42\n", 1), [2, 3, 4, 5, 6], {1: NO_OBJECT}),
    "events after zeros": (EVENTS.replace("data: {", "\0\0data: {", 1), [2, 3, 4, 5], {1: NO_OBJECT}),
    "a line among events": (EVENTS + json.dumps(call(7)) + "\n", [*ALL, 6], {}),
}  # fmt: skip


@pytest.mark.parametrize("content, calls, quarantined", CASES.values(), ids=CASES)
def test_each_record_is_a_call_or_quarantined(tmp_path, content, calls, quarantined):
    told = read(tmp_path, content)
    assert told.refused == {}
    assert told.of("m.log") == (calls, quarantined)
    if calls == ALL:
        assert told.column("m.log", "input_tokens") == [100, 101, 102, 103, 104]


CUT, NEITHER = "cut short or damaged; it is read when it is whole", "text that is neither JSON nor CSV with a header"


def no_array(line: int, column: int) -> str:
    fix = "mend it there, or write one object a line: then such damage costs one line"
    return f"is no JSON array in UTF-8 at line {line}, column {column}; {fix}"


AT = json.dumps(RECORDS[2]).index("102") + 1
# name: (the log, why it is refused)
REFUSED = {
    "half an array": (ARRAY[:-30], CUT),
    "an array without its end": (ARRAY[:-3], CUT),
    "an array and text": (ARRAY + "some text\n", CUT),
    "two arrays": (ARRAY + ARRAY, no_array(8, 1)),
    "an array of which one record is no JSON": (ARRAY.replace(THIRD, '"input_tokens": xx'), no_array(4, AT)),
    "an array in one line of which one record is no JSON": (
        json.dumps(RECORDS).replace(THIRD, '"input_tokens": xx'), no_array(1, json.dumps(RECORDS).index('102') + 1),
    ),
    "an array without a comma": (ARRAY.replace("},\n", "}\n", 1), no_array(3, 1)),
    "an array with a comma too many": (ARRAY.replace("\n]", ",\n]"), no_array(7, 1)),
    "an array with a comma too many, packed": (gzip.compress(ARRAY.replace("\n]", ",\n]").encode()), no_array(7, 1)),
    "an array that is not UTF-8": (ARRAY.encode().replace(b"gpt", b"gp\xff", 1), no_array(2, 65)),
    "an array of arrays": (json.dumps([RECORDS]), NEITHER),
    "an array of numbers": ("[1,2,3]", NEITHER),
    "an array of nothing": ("[{},{}]", "a JSON array"),
    "half an object": (PRETTY[:-10], CUT),
    "half an object, packed": (gzip.compress(PRETTY[:-10].encode()), CUT),
    "an object that is never closed": (PRETTY.replace("}\n{", "\n{", 1), CUT),
    "a text that is never closed": (PRETTY.replace('"gpt-5-mini"', '"gpt-5-mini', 1), CUT),
    "events of several lines": (
        'data: {\ndata: "a": 1}\n\n', "none of its first records can be read; the first: not a JSON object",
    ),
    "XML": ("<a><b/></a>\n", NEITHER),
    "prose": ("Hello there, this is\nprose, with commas\n", NEITHER),
    "a number": ("42\n", NEITHER),
}  # fmt: skip


@pytest.mark.parametrize("content, why", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_named_with_its_reason(tmp_path, content, why):
    told = read(tmp_path, content)
    assert told.refused == {"m.log": why}
    assert told.of("m.log") == ([], {})


def test_a_half_event_waits_for_its_end(tmp_path):
    half = EVENTS.index("data: ", len(EVENTS) // 2) + 20
    told = read(tmp_path, EVENTS[:half])
    assert [(path.name, size) for path, size in told.report.waiting] == [("m.log", 20)]
    (tmp_path / "logs" / "m.log").write_text(EVENTS)
    assert ingested(tmp_path / "logs").of("m.log") == (ALL, {})


FOUND = b'{"a":1}\n'
# name: (what a document goes on with for ever, what becomes of it)
ENDLESS = {
    "text between objects": (b"x", b"", [FOUND, b"!not a JSON object\n"]),
    "a text": (b"x", b'{"b":"', EOFError),
    "a text of backslashes": (b"\\\\", b'{"b":"', EOFError),
    "a number": (b"1", b'{"b":', EOFError),
    "a text in a list": (b"x", b'{"b":[{"c":1},{"d":"', EOFError),
    "a text between objects": (b"x", b'"', EOFError),
}


@pytest.mark.parametrize("filling, start, expected", ENDLESS.values(), ids=ENDLESS)
def test_a_document_is_split_in_one_go_and_little_memory(filling, start, expected):
    """Looked at anew with each chunk, these 20 MB would take minutes, a GB days."""
    content = FOUND + start + filling * (20_000_000 // len(filling))
    stream, most = io.BytesIO(content), 0
    splitter = documents._Splitter(DEFAULT)
    found = []
    while chunk := stream.read(documents.CHUNK_BYTES):
        found += splitter.add(chunk)
        most = max(most, len(splitter.text))
    assert most <= DEFAULT.line_bytes + 2 * documents.CHUNK_BYTES
    if expected is EOFError:
        with pytest.raises(EOFError):
            list(documents.lines_of(io.BytesIO(content), DEFAULT))
    else:
        assert [*found, *splitter.junk()] == expected


def test_an_element_of_a_list_that_is_longer_than_a_line_costs_no_other():
    record = b'{"n":%d,"text":"%s"}'
    elements = [record % (number, b"x" * size) for number, size in enumerate((10, 20_000_000, 10))]
    found = list(documents.lines_of(io.BytesIO(b'{"records": [' + b",".join(elements) + b'], "next": null}'), DEFAULT))
    assert [line[:24] for line in found] == [
        b'{"records":[{"n":0,"text',
        b"!longer than 8 MiB\n",
        b'{"records":[{"n":2,"text',
    ]


def test_records_behind_a_damaged_one_keep_their_numbers(tmp_path):
    """The same whether they are an array or lines."""
    lines = jsonl(RECORDS).decode().replace(THIRD, '"input_tokens": 1.5')
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    array = read(tmp_path / "a", "[" + lines.strip().replace("\n", ",\n") + "]")
    assert array.of("m.log") == read(tmp_path / "b", lines).of("m.log") == ([1, 2, 4, 5], {3: NO_COUNT})


def test_a_byte_order_mark_before_a_document_is_no_record(tmp_path):
    told = read(tmp_path, b"\xef\xbb\xbf" + json.dumps(call(1), indent=1).encode())
    assert told.of("m.log") == ([1], {})

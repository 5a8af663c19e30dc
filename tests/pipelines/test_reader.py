"""DuckDB's reader is the only one: the fast path and the exact path say the same of a line, to the byte, whatever
stands around it; and what plain Python says of plain lines."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines import pieces, records
from pipelines.exact import lines_of
from pipelines.new_lines import Taking
from pipelines.reader import Reader, Unclean
from tests import builders

FIELDS = {
    "id": "id",
    "tokens": "usage.input",
    "cached": "usage.details.cached",
    "whole": "usage.details",
    "count": "usage.parts.count",
    "tag": "metadata>tags.feature",
    "dotted": '"a.b"."c d"',
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
details = st.fixed_dictionaries({}, optional={"cached": json_values})
plain_records = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=8)},
    optional={
        "usage": st.none()
        | st.fixed_dictionaries({}, optional={"input": json_values, "details": details, "parts": st.none() | details}),
        "metadata": st.none() | st.fixed_dictionaries({"tags": st.fixed_dictionaries({"feature": json_values})}),
        "a.b": st.fixed_dictionaries({"c d": json_values}),
        "more": json_values,
    },
)

# JSON as it is written, and nearly JSON
NUMBERS = (
    *("0", "-0", "-0.0", "1.50", "1e3", "1E5", "-1e-7", "1e22", "1e400", "-1e-400", "0.10000000000000000555"),
    *("NaN", "nan", "-inf", "Infinity"),
    *("12345678901234567890123", "18446744073709551616", "-9223372036854775809", "123456789.123456789"),
)
WORDS = (
    *("true", "null", '""', '"x"', '"007"', '"5"', '"null"', '"[1,"', '"{not json"'),
    *('"\\u00e9\\/é"', '"\\ud83d\\ude00"', '"\\u0000"', '"{\\"tags\\":{\\"feature\\":1.50}}"'),
)
DEEP = {depth: "[" * depth + "]" * depth for depth in (150, 2_000)}
BAD_VALUES = ('"\\ud800"', '"\t"', "01", "+1", "1.", "tru", "'x'", "")
commas = st.sampled_from(["", "", "", ",", " ,"])


def objects(values, keys):
    pairs = st.lists(st.tuples(st.sampled_from(keys), values), max_size=4)
    return st.builds(
        lambda pairs, comma: (
            "{" + ",".join(f'"{key}": {value}' for key, value in pairs) + (comma if pairs else "") + "}"
        ),
        pairs,
        commas,
    )


def arrays(values):
    return st.builds(
        lambda items, comma: "[" + ", ".join(items) + (comma if items else "") + "]",
        st.lists(values, max_size=3),
        commas,
    )


scalars = st.sampled_from(NUMBERS + WORDS)
nested = st.recursive(scalars, lambda inner: arrays(inner) | objects(inner, ("a", "b", "input")), max_leaves=5)


@st.composite
def any_value(draw):  # a composite, so that Hypothesis does not spell it out wherever it is used
    return draw(nested | st.sampled_from(sorted(DEEP)).map(DEEP.get))


values = any_value()
parts = objects(values, ("count", "x")) | st.just("null")
usages = objects(values | objects(values, ("cached", "x")) | parts, ("input", "details", "parts", "x"))
usages |= parts.map(lambda part: f'{{"parts":{part}}}')
tags = objects(objects(values, ("feature", "x")), ("tags", "x"))
pairs = st.one_of(
    st.tuples(st.sampled_from(["id", "ID", "more", "more", "x y"]), values),
    st.tuples(st.just("usage"), st.one_of(usages, usages, values)),
    st.tuples(st.just("metadata"), st.one_of(tags, tags, values)),
    st.tuples(st.just("a.b"), st.one_of(objects(values, ("c d", "x")), values)),
)
odd_records = st.builds(
    lambda pairs, end: ("{" + ",".join(f'"{key}":{value}' for key, value in pairs) + end).encode(),
    st.lists(pairs, max_size=5, unique_by=lambda pair: pair[0]) | st.lists(pairs, max_size=4),
    st.sampled_from(["}"] * 9 + [",}", "}\r", "} ", "},", "} , ", "},,", "}}", "", "\x0b"]),
)
bad_values = st.builds(lambda value: f'{{"id":"x","more":{value}}}'.encode(), st.sampled_from(BAD_VALUES))
not_objects = st.sampled_from(
    [
        b"",
        b" ",
        b"\x0b",
        b"null",
        b" null\r",
        b"null,",
        b"nullx",
        b"nan",
        b"5",
        b"[1]",
        b'"x"',
        b"{",
        b"}",
        b'"id":1}',
        b",",
    ]
    + [b'{"id":"x"}{"id":"y"}', b'{"id":"x"} {}', b'{"id":"x"}\r{}', b'\xef\xbb\xbf{"id":"x"}', b'\xc2\xa0{"id":"x"}']
    + [
        b'{"id":"\xff"}',
        b'{"id":"\xed\xa0\x80"}',
        b'\x0b{"id":"x"}',
        b'{"id":1}\0',
        b"!longer than 8 MiB",
        b"!what a user said",
    ]
)
damaged = st.builds(
    lambda line, at, byte: line[: at % (len(line) + 1)] + byte + line[at % (len(line) + 1) + 1 :],
    odd_records,
    st.integers(0, 200),
    st.binary(max_size=1).filter(lambda byte: byte != b"\n"),
)
good = st.just(b'{"id":"x"}')
lines = st.one_of(good, good, odd_records, odd_records, bad_values, not_objects, damaged)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("staging"))
    yield reader
    reader.close()


def piece_of(path: Path, content_id: int = 1) -> pieces.Piece:
    return pieces.Piece(path, Taking(None, content_id, True, 0, 0), 0, path.read_bytes().count(b"\n"))


def read(reader: Reader, path: Path, exactly: bool = False):
    """(LINES rows, quarantine rows, blank count) of a file."""
    method = reader.read_exactly if exactly else reader.read_fast
    batches = list(method([piece_of(path)], FIELDS))
    rows = [row for batch in batches for row in batch.lines.select([*FIELDS, "line_number"]).rows()]
    rejects = [row for batch in batches for row in batch.quarantine.select("line_number", "reason").rows()]
    return rows, rejects, sum(sum(batch.blank.values()) for batch in batches)


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def verdicts(reader: Reader, path: Path) -> dict:
    """What becomes of each line, by its number, as the intake reads: fast, else exactly."""
    try:
        rows, rejects, _ = read(reader, path)
    except Unclean:
        rows, rejects, _ = read(reader, path, exactly=True)
    return {row[-1]: row[:-1] for row in rows} | dict(rejects)


random_files = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@random_files
@given(st.lists(lines, min_size=1, max_size=6))
def test_a_lines_verdict_does_not_depend_on_its_neighbours(reader, tmp_path, lines):
    together = verdicts(reader, written(tmp_path / "together.jsonl", lines))
    exactly, rejects, blank = read(reader, tmp_path / "together.jsonl", exactly=True)
    assert {row[-1]: row[:-1] for row in exactly} | dict(rejects) == together
    assert len(together) + blank == len(lines)
    for number, line in enumerate(lines, start=1):
        alone = verdicts(reader, written(tmp_path / "alone.jsonl", [line]))
        assert alone.get(1) == together.get(number), line


@random_files
@given(st.lists(odd_records, min_size=1, max_size=4))
@example([b'{"id":12345678901234567890123,"more":{"a":1,"a":2},"usage":{"input":1e400,"details":{"a":nan,"a":1.50}}}'])
@example([b'{"id":-0,"usage":{"input":[1,],"details":{"cached":' + DEEP[2_000].encode() + b"}},}"])
def test_the_fast_path_and_the_exact_path_give_the_same_text(reader, tmp_path, lines):
    path = written(tmp_path / "log.jsonl", lines)
    exact = read(reader, path, exactly=True)
    try:
        assert read(reader, path) == exact
    except Unclean:
        assert exact[1] or exact[2] or any(line.rstrip().endswith(b",") for line in lines)
    # a bad line at the end makes the same lines go through the exact path
    beside_bad = read(reader, written(path, [*lines, b'{"id":']), exactly=True)
    assert beside_bad == (exact[0], [*exact[1], (len(lines) + 1, "not JSON")], exact[2])


@random_files
@given(st.lists(plain_records, min_size=1, max_size=6), st.booleans())
@example([{"id": "x", "metadata": {"tags": {"feature": "a"}}}], True)
def test_both_read_what_python_reads(reader, tmp_path, rows, metadata_is_text):
    if metadata_is_text:
        rows = [r | ({"metadata": json.dumps(r["metadata"])} if r.get("metadata") else {}) for r in rows]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    expected = builders.lines_of(path, FIELDS.values()).select([*FIELDS.values(), "line_number"]).rows()
    exact, rejects, _ = read(reader, path, exactly=True)
    rejected = {number for number, _ in rejects}
    assert values_of(exact) == values_of(row for row in expected if row[-1] not in rejected)


@random_files
@given(st.lists(odd_records, min_size=1, max_size=3))
def test_a_parsed_record_has_the_texts_that_the_reader_reads(reader, tmp_path, lines):
    """Or a mapping would match one text and read another."""
    kept = [line for line in lines if isinstance(records.parse(line), dict) and not records.fault(line, FIELDS)]
    rows, rejects, _ = read(reader, written(tmp_path / "log.jsonl", kept), exactly=True)
    assert not rejects
    parsed = lines_of([records.parse(line) for line in kept], FIELDS).select([*FIELDS, "line_number"]).rows()
    assert values_of(parsed) == values_of(rows)
    for row, parsed_row in zip(rows, parsed, strict=True):
        assert all(a == b for a, b in zip(row, parsed_row, strict=True) if not str(a).startswith(("{", "[")))


@pytest.mark.parametrize("length", range(8))
def test_a_refusal_that_cites_half_a_letter_is_a_refusal(reader, tmp_path, length):
    bad = json.dumps({"usage": ["x" * length + "\U0001f600" * 200]}, ensure_ascii=False).encode()
    path = written(tmp_path / "log.jsonl", [b'{"id":"a"}', bad])
    with pytest.raises(Unclean):
        read(reader, path)
    rows, rejects, _ = read(reader, path, exactly=True)
    assert [row[0] for row in rows] == ["a"]
    assert rejects == [(2, "usage.input expects an object at the step before input")]


def test_lines_with_none_of_the_fields_are_read_in_one_go(reader, tmp_path):
    path = written(tmp_path / "log.jsonl", [b'{"id":"a"}', b'{"other":1}', b"{}"])
    assert [row[0] for row in read(reader, path)[0]] == ["a", None, None]
    with pytest.raises(Unclean):
        read(reader, written(path, [b'{"other":1}', b"null"]))
    assert read(reader, path, exactly=True)[1] == [(2, "not a JSON object")]


def values_of(rows):
    """Texts as what they say: numbers and nested JSON may be spelt in more than one way."""
    return [tuple(_value(text) for text in row) for row in rows]


def _value(text):
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return text


def test_the_fast_path_is_taken_for_clean_lines_and_spells_numbers_alike(reader, tmp_path):
    """Or the law above would hold of a fast path that always gives up."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"id":"a","usage":{"input":1.50,"details":{"cached":1e3}}}\n{"id":"b","usage":{"input":true}}\n')
    assert read(reader, path) == read(reader, path, exactly=True)
    assert read(reader, path)[0] == [
        ("a", "1.5", "1000.0", '{"cached":1000.0}', None, None, None, 1),
        ("b", "true", None, None, None, None, None, 2),
    ]


BAD_LINES = {
    b"!3 cells, the header has 2": "3 cells, the header has 2",
    b"!said by a user": "not JSON",
    b'{"id":"x"': "not JSON",
    b'{"id":"x"}{"id":"y"}': "not JSON",
    b"null": "not a JSON object",
    b"[1]": "not a JSON object",
    b'{"id":"x","id":"y"}': "an object has a key twice",
    b'{"id":"\xff"}': "not UTF-8",
    b'{"id":"x","usage":{"parts":[]}}': "usage.parts.count expects an object at the step before count",
    b'{"id":"x","usage":{"input":1,"input":2}}': "an object has a key twice",
    b'{"id":"x","usage":[1]}': "usage.input expects an object at the step before input",
    b'{"id":"x","metadata":"{not json"}': "metadata>tags.feature steps into a text that is not JSON",
    b'{"id":"\\ud800"}': "id holds half a surrogate pair",
    b'{"id":"x"} # comment': "not JSON",
    b'{"id": 01}': "not JSON",
}


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_named_and_its_neighbours_are_read(reader, tmp_path, bad):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"id":"before"}\n' + bad + b'\n\n{"id":"after"}\n')
    with pytest.raises(Unclean):
        read(reader, path)
    rows, rejects, blank = read(reader, path, exactly=True)
    assert [(row[0], row[-1]) for row in rows] == [("before", 1), ("after", 4)]
    assert rejects == [(2, BAD_LINES[bad])]
    assert blank == 1


@random_files
@given(st.lists(st.binary(max_size=12) | st.just(b'{"id":"x"}'), min_size=1, max_size=6))
def test_every_line_is_accounted_for(reader, tmp_path, lines):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"{}\n" + b"\n".join(lines) + b"\n")  # else the first bytes may be gzip's
    rows, rejects, blank = read(reader, path, exactly=True)
    assert len(rows) + len(rejects) + blank == path.read_bytes().count(b"\n")


def test_several_files_in_one_go_keep_their_lines(reader, tmp_path):
    for name in ("a [1].jsonl", "b's?.jsonl"):
        (tmp_path / name).write_text("".join(f'{{"id":"{name[0]}{n}"}}\n' for n in range(3)))
    several = [piece_of(path, n) for n, path in enumerate(sorted(tmp_path.iterdir()))]
    (batch,) = reader.read_fast(several, FIELDS)
    assert batch.lines.select("id", "line_number").rows() == [(f"{name}{n}", n + 1) for name in "ab" for n in range(3)]

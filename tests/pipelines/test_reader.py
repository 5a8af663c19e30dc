"""The fast path against line-by-line Python: the same records, or it must say that it cannot be trusted."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines import log_files, new_lines, pieces
from pipelines.reader import Reader, Unclean
from tests import builders

FIELDS = {
    "id": "id",
    "tokens": "usage.input",
    "cached": "usage.details.cached",
    "whole": "usage.details",
    "tag": "metadata>tags.feature",
    "dotted": '"a.b"."c d"',
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
details = st.fixed_dictionaries({}, optional={"cached": json_values})
records = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=8)},
    optional={
        "usage": st.none() | st.fixed_dictionaries({}, optional={"input": json_values, "details": details}),
        "metadata": st.none() | st.fixed_dictionaries({"tags": st.fixed_dictionaries({"feature": json_values})}),
        "a.b": st.fixed_dictionaries({"c d": json_values}),
        "more": json_values,
    },
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("staging"))
    yield reader
    reader.close()


def piece_of(path: Path) -> pieces.Piece:
    (file,) = log_files.find([str(path)])
    return pieces.direct_piece(new_lines.identify(file, new_lines.Known([]), 1))


def read(reader: Reader, path: Path, exactly: bool = False):
    """(LINES rows, quarantine rows, blank count) of a file."""
    method = reader.read_exactly if exactly else reader.read_fast
    batches = list(method([piece_of(path)], FIELDS))
    rows = [row for batch in batches for row in batch.lines.select([*FIELDS, "line_number"]).rows()]
    rejects = [row for batch in batches for row in batch.quarantine.select("line_number", "reason").rows()]
    return rows, rejects, sum(sum(batch.blank.values()) for batch in batches)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=6), st.booleans())
@example([{"id": "x", "metadata": {"tags": {"feature": "a"}}}], True)
def test_the_fast_path_reads_what_python_reads(reader, tmp_path, rows, metadata_is_text):
    if metadata_is_text:
        rows = [r | ({"metadata": json.dumps(r["metadata"])} if r.get("metadata") else {}) for r in rows]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    expected = builders.lines_of(path, FIELDS.values()).select([*FIELDS.values(), "line_number"]).rows()
    exact, rejects, _ = read(reader, path, exactly=True)
    rejected = {number for number, _ in rejects}
    assert values(exact) == values(row for row in expected if row[-1] not in rejected)
    try:
        fast, _, _ = read(reader, path)
    except Unclean:
        return
    assert values(fast) == values(expected)


def values(rows):
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
        ("a", "1.5", "1000.0", '{"cached":1000.0}', None, None, 1),
        ("b", "true", None, None, None, None, 2),
    ]


BAD_LINES = {
    b'{"id":"x"': "not JSON",
    b'{"id":"x"}{"id":"y"}': "not JSON",
    b"null": "not a JSON object",
    b"[1]": "not a JSON object",
    b'{"id":"x","id":"y"}': "an object has a key twice",
    b'{"id":"\xff"}': "not UTF-8",
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


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=12) | st.just(b'{"id":"x"}'), min_size=1, max_size=6))
def test_every_line_is_accounted_for(reader, tmp_path, lines):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"{}\n" + b"\n".join(lines) + b"\n")  # else the first bytes may be gzip's
    rows, rejects, blank = read(reader, path, exactly=True)
    assert len(rows) + len(rejects) + blank == path.read_bytes().count(b"\n")


def test_several_files_in_one_go_keep_their_lines(reader, tmp_path):
    for name in ("a [1].jsonl", "b's?.jsonl"):
        (tmp_path / name).write_text("".join(f'{{"id":"{name[0]}{n}"}}\n' for n in range(3)))
    several = [piece_of(path) for path in sorted(tmp_path.iterdir())]
    (batch,) = reader.read_fast(several, FIELDS)
    assert batch.lines.select("id", "line_number").rows() == [(f"{name}{n}", n + 1) for name in "ab" for n in range(3)]

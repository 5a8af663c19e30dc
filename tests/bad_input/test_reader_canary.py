"""What the fast path relies on in DuckDB's reader: a new version that changes one of these must be looked at first."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.bounds import DEFAULT

FIELDS = "{'id': 'VARCHAR', 'usage': 'STRUCT(\"n\" VARCHAR)'}"


@pytest.fixture
def read(tmp_path: Path):
    connection = duckdb.connect()

    def rows(*lines: bytes, columns: str = FIELDS, more: str = "", name: str = "log.jsonl", data: bytes | None = None):
        path = tmp_path / name
        path.write_bytes(b"".join(line + b"\n" for line in lines) if data is None else data)
        query = f"from read_json('{path}', format = 'newline_delimited', columns = {columns}{more})"
        return connection.execute(query).fetchall()

    yield rows
    connection.close()


def test_it_makes_a_row_of_null(read):
    assert read(b'{"id":"a"}', b"null") == [("a", None), (None, None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.7", "10.7"), ("true", "true"), ("1e3", "1000.0"), ("18446744073709551616", "18446744073709551616"),
     ("NaN", "NaN"), ("-0", "0"), ("[1]", "[1]"), ('"007"', "007")],
)  # fmt: skip
def test_a_number_that_is_read_as_text_stays_what_it_is(read, text: str, expected: str):
    assert read(f'{{"id":{text}}}'.encode()) == [(expected, None)]


def test_a_number_that_is_read_as_a_number_does_not(read):
    """Why every field is read as text."""
    assert read(b'{"id":10.7}', b'{"id":true}', columns="{'id': 'BIGINT'}") == [(11,), (1,)]


@pytest.mark.parametrize(
    "line",
    [b'{"id":1,"id":2}', b'{"usage":{"n":1,"n":2}}', b'{"usage":[1]}', b'{"usage":"x"}', b"[1]", b"5",
     b'{"id":"\\ud800"}',
     b'{"id":"\xff"}', b'{"id":1}{"id":2}', b'{"id":', b'\xef\xbb\xbf{"id":1}', b'{"id":1},'],
)  # fmt: skip
def test_it_refuses(read, line: bytes):
    with pytest.raises(duckdb.Error):
        read(b'{"id":"a"}', line)


def test_it_skips_blank_lines_so_rows_are_counted(read):
    assert len(read(b'{"id":"a"}', b"", b" \t\r")) == 1


def test_it_refuses_a_line_that_is_much_longer_than_the_limit(read):
    with pytest.raises(duckdb.Error):
        read(b'{"id":"' + b"x" * (5 * DEFAULT.line_bytes) + b'"}', more=f", maximum_object_size = {DEFAULT.line_bytes}")


def test_it_ignores_keys_by_case(read):
    assert read(b'{"ID":"a","Usage":{"N":1}}') == [(None, None)]


def test_ignoring_errors_invents_rows(read):
    """Why it is never asked to."""
    assert read(b'{"id":"a"}', b'{"id":', more=", ignore_errors = true") == [("a", None), (None, None)]


def test_it_does_not_check_the_sum_of_a_gzip_file(read):
    """Why it is only given what was unpacked by us."""
    data = bytearray(gzip.compress(b'{"id":"a"}\n'))
    data[-8] ^= 1
    assert read(name="log.jsonl.gz", data=bytes(data)) == [("a", None)]


@pytest.mark.parametrize(
    ("text", "types", "keys"),
    [
        ('{"a":{"b":1,"b":2}}', ["OBJECT", "OBJECT"], [["a"], ["b", "b"]]),
        ('{"a":[1]}', ["OBJECT", "ARRAY"], [["a"], []]),
        ('{"a":null}', ["OBJECT", "NULL"], [["a"], []]),
        ("{}", ["OBJECT", None], [[], None]),
        ("null", ["NULL", None], None),
    ],
)
def test_what_a_text_holds_is_told_with_keys_that_stand_twice(text: str, types: Any, keys: Any):
    """How an object in a text is held to what an object is held to."""
    query = "select json_type(?, ['$', '$.a']), json_keys(?, ['$', '$.a'])"
    found = duckdb.connect().execute(query, [text, text]).fetchall()[0]
    assert found[0] == types
    assert keys is None or found[1] == keys


def test_an_error_that_a_query_raises_is_a_refusal():
    with pytest.raises(duckdb.InvalidInputException):
        duckdb.connect().execute("select case when i = 3 then error('no') else i end from range(5) t(i)").fetchall()

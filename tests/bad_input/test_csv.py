"""CSV logs with one thing wrong: the rows that are right are calls, what is not is quarantined or waits, and is told.

A line number counts the rows below the header, blank lines too; a row with line ends in its quotes is one.
"""

import gzip
import json
from pathlib import Path

import pytest

from pipelines import csv_rows
from pipelines.bounds import DEFAULT
from pipelines.csv_rows import CsvRows
from tests.bad_input.folders import Told, ingested
from tests.pipelines.logs import balance, ledger_rows

HEADER = b"call_id,called_at,model,input_tokens,output_tokens,recorded_cost_usd,feature\n"
ROWS = [f"c{n},2026-11-01T10:00:0{n}Z,gpt-5-mini,{100 + n},10,0.5,shop\n".encode() for n in range(5)]
GOOD = HEADER + b"".join(ROWS)
ALL = [1, 2, 3, 4, 5]


def third(row: bytes) -> bytes:
    """The good log with another third row."""
    return HEADER + b"".join(ROWS[:2]) + row + b"".join(ROWS[3:])


def with_cell(old: bytes, new: bytes) -> bytes:
    return third(ROWS[2].replace(old, new))


def read(folder: Path, content: bytes) -> Told:
    (folder / "logs").mkdir()
    (folder / "logs" / "m.csv").write_bytes(content)
    return ingested(folder / "logs")


def numbered(log: bytes) -> bytes:
    """With a first column that has no name."""
    header, *rows = log.splitlines(keepends=True)
    return b"".join([b"," + header, *(b"%d,%s" % row for row in enumerate(rows, start=1))])


NO_COUNT, NO_AMOUNT = "input_tokens is not a count", "recorded_cost_usd is not an amount in USD"
ZEROS = "holds NUL bytes"
NO_UTF8, QUOTES, LONG = "not UTF-8", "quotes do not match", "longer than 8 MiB ([bounds] line_bytes)"
TOO_LONG = LONG.partition(" (")[0]  # as a note in the staged lines has it
NO_NAME = "feature is not a name: longer than 1 KiB ([bounds] name_bytes)"
# name: (the log, the rows that are calls, why others are quarantined)
CASES = {
    "clean": (GOOD, ALL, {}),
    "a missing cell": (with_cell(b",shop", b""), [1, 2, 4, 5], {3: "6 cells, the header has 7"}),
    "an extra cell": (with_cell(b"shop", b"shop,more"), [1, 2, 4, 5], {3: "8 cells, the header has 7"}),
    "half a last row": (GOOD[:-10], [1, 2, 3, 4], {}),
    "half a last row, packed": (gzip.compress(GOOD[:-10]), [1, 2, 3, 4], {5: "5 cells, the header has 7"}),
    "semicolons": (GOOD.replace(b",", b";"), ALL, {}),
    "tabs": (GOOD.replace(b",", b"\t"), ALL, {}),
    "semicolons, decimal commas": (
        GOOD.replace(b",", b";").replace(b"0.5", b"0,5"),
        [],
        dict.fromkeys(ALL, NO_AMOUNT),
    ),
    "columns that differ in case": (GOOD.replace(b"feature", b"Model"), ALL, {}),
    "10.7 tokens": (with_cell(b"102", b"10.7"), [1, 2, 4, 5], {3: NO_COUNT}),
    "2^63 tokens": (with_cell(b"102", b"9223372036854775808"), [1, 2, 4, 5], {3: NO_COUNT}),
    "1,000 tokens": (with_cell(b"102", b'"1,000"'), [1, 2, 4, 5], {3: NO_COUNT}),
    "abc tokens": (with_cell(b"102", b"abc"), [1, 2, 4, 5], {3: NO_COUNT}),
    "NULL tokens": (with_cell(b"102", b"NULL"), [1, 2, 4, 5], {3: NO_COUNT}),
    "nan tokens": (with_cell(b"102", b"nan"), [1, 2, 4, 5], {3: NO_COUNT}),
    "nan dollars": (with_cell(b"0.5", b"nan"), [1, 2, 4, 5], {3: NO_AMOUNT}),
    "inf dollars": (with_cell(b"0.5", b"inf"), [1, 2, 4, 5], {3: NO_AMOUNT}),
    "a quote that is never closed": (with_cell(b"shop", b'"shop'), [1, 2, 4, 5], {3: QUOTES}),
    "a quote that is never closed, packed": (
        gzip.compress(with_cell(b"shop", b'"shop')),
        [1, 2, 4, 5],
        {3: QUOTES},
    ),
    "a first cell's quote that is never closed": (with_cell(b"c2", b'"c2'), [1, 2, 4, 5], {3: QUOTES}),
    "a quote that another row's quote closes": (
        with_cell(b"shop", b'"shop').replace(b"104,10,0.5,shop", b'104,10,0.5,"a ""shop"""'),
        [1, 2, 4, 5],
        {3: QUOTES},
    ),
    "a quote within a cell": (with_cell(b"shop", b'sh"op'), ALL, {}),
    "text after a closing quote": (with_cell(b"shop", b'"sh"op'), [1, 2, 4, 5], {3: QUOTES}),
    "a quote behind a backslash": (with_cell(b"shop", b'"sh\\"op"'), [1, 2, 4, 5], {3: QUOTES}),
    "mixed line ends": (with_cell(b"\n", b"\r\n"), ALL, {}),
    "carriage returns": (GOOD.replace(b"\n", b"\r"), ALL, {}),
    "one carriage return": (with_cell(b"\n", b"\r"), ALL, {}),
    "blank lines": (third(b"\n" + ROWS[2] + b"\n\n"), [1, 2, 4, 7, 8], {}),
    "a line of spaces": (third(b"  \n"), [1, 2, 4, 5], {3: "1 cells, the header has 7"}),
    "a comment": (third(b"# a comment\n"), [1, 2, 4, 5], {3: "1 cells, the header has 7"}),
    "no UTF-8": (with_cell(b"shop", b"sh\xffop"), [1, 2, 4, 5], {3: NO_UTF8}),
    "Latin-1": (with_cell(b"shop", b"caf\xe9"), [1, 2, 4, 5], {3: NO_UTF8}),
    "a surrogate": (with_cell(b"shop", b"\xed\xa0\x80"), [1, 2, 4, 5], {3: NO_UTF8}),
    "a NUL in a cell": (with_cell(b"shop", b"sh\0op"), [1, 2, 4, 5], {3: ZEROS}),
    "a NUL in a cell of two lines": (with_cell(b"shop", b'"sh\n\0op"'), [1, 2, 4, 5], {3: ZEROS}),
    "a NUL behind a quote": (with_cell(b"shop", b'"shop"\0'), [1, 2, 4, 5], {3: ZEROS}),
    "a NUL in a first row, carriage returns": (
        GOOD.replace(b"\n", b"\r").replace(b"c0", b"c\0"), [2, 3, 4, 5], {1: ZEROS},
    ),
    "zeros on a line of their own": (third(b"\0" * 300 + b"\n" + ROWS[2]), [1, 2, 4, 5, 6], {3: ZEROS}),
    "zeros before a row": (third(b"\0" * 300 + ROWS[2]), [1, 2, 4, 5], {3: ZEROS}),
    "zeros in a row that is half, in its quotes": (
        third(b'c2,2026,"gpt' + b"\0" * 9 + b"\n" + ROWS[2]), [1, 2, 4, 5, 6], {3: ZEROS},
    ),
    "zeros, packed": (gzip.compress(third(b"\0" * 300 + ROWS[2]) + b"\0" * 9), [1, 2, 4, 5], {3: ZEROS, 6: ZEROS}),
    "zeros at the end": (GOOD + b"\0" * 300, ALL, {}),
    "zeros far below the head": (GOOD + b"\n" * 300_000 + b"\0" * 9 + ROWS[0], ALL, {300_006: ZEROS}),
    "an index as pandas writes it": (numbered(GOOD), ALL, {}),
    "an index, tabs": (numbered(GOOD).replace(b",", b"\t"), ALL, {}),
    "an index that is a NUL": (numbered(GOOD).replace(b"\n2,", b"\n\0,"), [1, 3, 4, 5], {2: ZEROS}),
    "an index and a header only": (b"," + HEADER, [], {}),
    "a last column without a name": (GOOD.replace(b"\n", b",\n"), ALL, {}),
    "three columns without a name": (
        numbered(GOOD).replace(b"\n", b",x,\n").replace(b"feature,x", b"feature,"), ALL, {},
    ),
    "spaces behind commas": (GOOD.replace(b",", b", "), ALL, {}),
    "spaces behind commas, quotes": (GOOD.replace(b",", b", ").replace(b"shop", b'"shop"'), ALL, {}),
    "spaces behind commas of a row alone": (third(ROWS[2].replace(b",", b", ")), [1, 2, 4, 5], {3: NO_COUNT}),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, ALL, {}),
    "a cell of 5 MB": (with_cell(b"shop", b"s" * 5_000_000), [1, 2, 4, 5], {3: NO_NAME}),
    "a cell of 9 MB": (with_cell(b"shop", b"s" * 9_000_000), [1, 2, 4, 5], {3: LONG}),
    "a cell of 20 MB": (with_cell(b"shop", b"s" * 20_000_000), [1, 2, 4, 5], {3: LONG}),
    "a header only": (HEADER, [], {}),
    "nothing": (b"", [], {}),
    "a header that is repeated": (third(HEADER), [1, 2, 4, 5], {3: NO_COUNT}),
    "a log behind another": (GOOD + GOOD.replace(b"c0", b"d0"), [*ALL, 7], {6: NO_COUNT}),
    "only commas": (third(b",,,,,,\n"), [1, 2, 4, 5], {3: "no usage and no model"}),
    "rows with a cell too many, all": (
        HEADER + ROWS[0] + b"".join(row[:-1] + b",\n" for row in ROWS[1:]),
        [1],
        dict.fromkeys([2, 3, 4, 5], "8 cells, the header has 7"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("content, calls, quarantined", CASES.values(), ids=CASES)
def test_each_row_is_a_call_or_quarantined(tmp_path, content, calls, quarantined):
    told = read(tmp_path, content)
    assert told.of("m.csv") == (calls, quarantined)
    assert told.refused == {}
    for line, row in told.calls.get("m.csv", {}).items():
        assert (row["model"], row["output_tokens"], row["recorded_cost_pico"]) == ("gpt-5-mini", 10, 5 * 10**11)
        if not quarantined and calls == ALL:
            assert row["input_tokens"] == 99 + line


NEITHER = "text that is neither JSON nor CSV with a header"
BINARY = "binary or UTF-16 bytes; if it is text, save it as UTF-8"
NO_NAME_FOR_8 = "CSV without a name for column 8, and with no row of 8 cells"
# name: (the log, why it is no log)
REFUSED = {
    "bars": (GOOD.replace(b",", b"|"), NEITHER),
    "no header": (b"".join(ROWS), "CSV without a header; add a first line that names its columns"),
    "a header twice": (GOOD.replace(b"feature", b"model"), "CSV with two columns called model; rename one"),
    "a header in Latin-1": (
        GOOD.replace(b"feature", b"caf\xe9"), "CSV with a header that is not UTF-8; save it as UTF-8",
    ),
    "a comment above the header": (b"# a comment\n" + GOOD, NEITHER),
    "a header's open quote": (GOOD.replace(b"feature", b'"feature'), NEITHER),
    "text after a header's quote": (
        GOOD.replace(b"feature", b'"feat"ure'), "the header's quotes do not match; mend it",
    ),
    "a column twice but for a space": (
        GOOD.replace(b",", b", ").replace(b"feature", b" model"), "CSV with two columns called model; rename one",
    ),
    "an empty column that no row has": (
        GOOD.replace(b"feature", b"feature,"),
        f"{NO_NAME_FOR_8}; write a header with a name for each cell of a row",
    ),
    "a letter": (b"Dear Sir,\n\nthis is no log.\n", NEITHER),
    "a list with spaces": (b"red, green, blue\nand no row\n", NEITHER),
    "prose in columns": (b"Hello there, this is\nprose, with commas\n", NEITHER),
    "spaces before commas": (GOOD.replace(b",", b" ,"), NEITHER),
    "a NUL in the header": (GOOD.replace(b"feature", b"f\0"), BINARY),
    "zeros before the header": (b"\0" * 300 + GOOD, BINARY),
    "a picture": (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", BINARY,
    ),
    "a picture with commas": (b"P6,a\xff,b\n\0\0", BINARY),
    "UTF-16": (GOOD.decode().encode("utf-16"), BINARY),
    "UTF-16, no mark": (GOOD.decode().encode("utf-16-le"), BINARY),
    "a cell too many in each row": (
        HEADER + b"".join(row[:-1] + b",\n" for row in ROWS),
        "none of its first records can be read; the first: 8 cells, the header has 7",
    ),
    "other columns": (b"a,b\n1,2\n", "CSV with the columns a, b with the fields a, b"),
    "a list of lists": (b"[1,2]\n[3,4]\n", NEITHER),
}  # fmt: skip


@pytest.mark.parametrize("content, why", REFUSED.values(), ids=REFUSED)
def test_what_is_no_log_is_named_with_its_reason(tmp_path, content, why):
    told = read(tmp_path, content)
    assert told.refused == {"m.csv": why}
    assert told.of("m.csv") == ([], {})


# name: (a cell, the feature that it is)
TEXTS = {
    "a formula": (b"=cmd|'/c calc'!A1", "=cmd|'/c calc'!A1"),
    "leading zeros": (b"007", "007"),
    "a line end": (b'"sh\nop"', "sh\nop"),
    "both line ends": (b'"sh\r\nop\r"', "sh\r\nop\r"),
    "a delimiter": (b'"sh,op"', "sh,op"),
    "a quote": (b'"sh""op"', 'sh"op'),
    "null": (b"null", "null"),
    "nothing": (b"", None),
    "an empty text": (b'""', None),
    "other line ends of Unicode": ("a\u2028b\x85c\x0bd\x0c".encode(), "a\u2028b\x85c\x0bd\x0c"),
    "a terminal's escape": (b"\x1b[31m", "\x1b[31m"),
}


@pytest.mark.parametrize("cell, feature", TEXTS.values(), ids=TEXTS)
def test_a_text_is_what_the_cell_holds(tmp_path, cell, feature):
    told = read(tmp_path, with_cell(b"shop", cell))
    assert told.column("m.csv", "feature") == ["shop", "shop", feature, "shop", "shop"]
    assert told.column("m.csv", "input_tokens") == [100, 101, 102, 103, 104]


@pytest.mark.parametrize("end", [ROWS[4][:-10], ROWS[4][:-1], ROWS[4].replace(b"shop", b'"sh\nop')])
def test_a_last_row_that_may_be_half_waits_and_is_told(tmp_path, end):
    told = read(tmp_path, HEADER + b"".join(ROWS[:4]) + end)
    assert told.of("m.csv") == ([1, 2, 3, 4], {})
    assert [(path.name, size) for path, size in told.report.waiting] == [("m.csv", len(end))]
    with (tmp_path / "logs" / "m.csv").open("ab") as log:
        log.write(b'"\n' if b'"' in end else ROWS[4][len(end) :])
    assert ingested(tmp_path / "logs").of("m.csv") == (ALL, {})


def test_a_log_that_a_power_loss_left_zeros_in_goes_on(tmp_path):
    told = read(tmp_path, HEADER + b"".join(ROWS[:2]))
    assert told.of("m.csv") == ([1, 2], {})
    with (tmp_path / "logs" / "m.csv").open("ab") as log:
        log.write(b"\0" * 300 + b"\n" + b"".join(ROWS[2:]))
    told = ingested(tmp_path / "logs")
    assert (told.of("m.csv"), told.refused) == (([1, 2, 4, 5, 6], {3: ZEROS}), {})
    assert told.column("m.csv", "input_tokens") == [100, 101, 102, 103, 104]


def test_spaces_within_quotes_are_the_cells(tmp_path):
    told = read(tmp_path, with_cell(b"shop", b'" shop"').replace(b",", b", "))
    assert told.column("m.csv", "feature") == ["shop", "shop", " shop", "shop", "shop"]


def test_a_row_that_broke_stays_broken_as_the_log_grows(tmp_path):
    """What was taken must be what the log begins with, or it would be taken again."""
    lines = with_cell(b"shop", b'"shop').splitlines(keepends=True)
    lines += [ROWS[0].replace(b"c0", b"d0").replace(b"shop", b'"closes"')]
    lines += [f"e{n},2026-11-01T11:00:00Z,gpt-5-mini,1,1,0.5,\n".encode() for n in range(3)]
    log = tmp_path / "logs" / "m.csv"
    log.parent.mkdir()
    for count in range(2, len(lines) + 1):
        log.write_bytes(b"".join(lines[:count]))
        told = ingested(log.parent)
    assert told.of("m.csv") == ([1, 2, 4, 5, 6, 7, 8, 9], {3: QUOTES})
    assert len([row for row in balance(tmp_path / "data") if row["path"].endswith("m.csv")]) == 1


@pytest.mark.parametrize("row", [b'x",",', b'a,"x', b'a,""""x', b'a,"""x', b'"'])
def test_quotes_that_never_match_do_not_hang(tmp_path, monkeypatch, row):
    """Each of these rows takes all below it for its own; read once for each of them, the log would take days."""
    monkeypatch.setattr(csv_rows, "REREAD_BYTES", 1 << 20)
    told = read(tmp_path, HEADER + ROWS[0] + (row + b"\n") * 200_000)
    refusal = "its quotes do not match from some line on; write it again, with cells quoted as in CSV"
    assert told.refused == {"m.csv": refusal} or told.calls["m.csv"].keys() == {1}


def test_a_long_line_costs_no_more_memory_than_shows_that_it_is_long(tmp_path):
    """Nor does it take the next line with it, also where it is read twice."""
    rows = third(b'"' + ROWS[2] + b"s" * 30_000_000 + b"\n" + ROWS[2])
    with (tmp_path / "m.csv").open("w+b", buffering=0) as file:
        file.write(rows)
        file.seek(0)
        found = list(CsvRows(file, may_grow=False, bounds=DEFAULT))
    assert [row if isinstance(row, str) else row[0] for row in found] == [
        "c0",
        "c1",
        QUOTES,
        TOO_LONG,
        "c2",
        "c3",
        "c4",
    ]


def test_outcomes_in_csv_have_the_same_rules(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "o.csv").write_bytes(
        b"call_id,outcome,is_success,value_usd\nc0,done,true,1.5\nc1,done,yes,1\nc2,done\nc3,done,true,nan\n"
        b'c4,"done,true,1\nc5,done,false,2\n'
    )
    told = ingested(tmp_path / "logs", outcomes=[tmp_path / "o.csv"])
    assert told.quarantined["o.csv"] == {
        2: "is_success is not true or false",
        3: "2 cells, the header has 4",
        4: "value_usd is not an amount in USD",
        5: QUOTES,
    }
    counts = next(row for row in balance(tmp_path / "data") if row["kind"] == "outcomes")
    assert (counts["line_count"], counts["call_line_count"]) == (6, 2)


def test_the_names_of_columns_are_told_but_no_cell(tmp_path):
    """A file without a header has its first row where the names are."""
    told = read(tmp_path, b"secret-user,some words of a prompt,17\n" * 3)
    assert told.refused.keys() == {"m.csv"}
    assert "secret" not in json.dumps(told.refused)
    assert ledger_rows(tmp_path / "data").height == 2

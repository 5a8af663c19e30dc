"""Names from logs are data at every door: nothing they say is carried out, followed or drawn."""

import csv
import io
import json
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines import sandbox, stages
from pipelines.report import query
from pipelines.report.text import harmless
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl

NASTY = [
    "'; drop table calls; --", '" union select 1 --', "$(touch pwned)", "`touch pwned`", "../../pwned", "/etc/passwd",
    "=cmd|' /C calc'!A0",
    "+1+1", "-2+3", "@SUM(A1)", "\tx", "\r=1", "\n=1", "＝1", 
    "\x1b[31mred\x1b[0m", "\u202eevil\u202c",
    "zero\u200bwidth", "<script>alert(1)</script>", "[bold]x[/bold]", "[a](http://x)", "@everyone", "a\nb", "x" * 200,
    "__HIVE_DEFAULT_PARTITION__", "day=2020-01-01", "{0}", "%s%n", "null",
]  # fmt: skip


def call(number: int, name: str) -> dict:
    return {
        "call_id": f"call-{number}", "called_at": "2026-11-01T10:00:00Z", "provider": name, "model": name,
        "input_tokens": 10, "output_tokens": 1, "feature": name, "user_id": name, "customer_id": name,
        "action_id": name,
    }  # fmt: skip


def test_names_come_out_as_they_went_in_and_do_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log.jsonl").write_bytes(jsonl(call(n, name) for n, name in enumerate(NASTY)))
    settings = Settings.load(data=tmp_path / "data", logs=[str(tmp_path / "log.jsonl")])
    assert stages.ingest(settings).call_count == len(NASTY)
    stages.build(settings)
    calls = sandbox.query(tmp_path / "data" / "warehouse.duckdb", "select user_id, feature, customer_id from calls")
    for column in calls.columns:
        assert sorted(calls[column]) == sorted(NASTY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "log.jsonl"]
    folders = {path.name for path in (tmp_path / "data" / "ledger").iterdir()}
    assert folders == {"day=2026-11-01"}  # of validated days alone
    for output in ("csv", "json", "table"):
        stream = io.StringIO()
        query.write(calls, output, stream)
        check_output(output, stream.getvalue())


def check_output(output: str, text: str) -> None:
    if output == "json":
        assert sorted(row["user_id"] for row in json.loads(text)) == sorted(NASTY)
    elif output == "table":
        assert all(char.isprintable() or char == "\n" for char in text)
    else:
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r\n＝")]


@given(
    st.lists(st.text(st.sampled_from("=+-@\t\r\n＝＋－＠'\"|0123.,% e"), max_size=6), min_size=1, max_size=5), st.text()
)
def test_no_text_becomes_a_formula_and_no_number_is_touched(texts, header):
    stream = io.StringIO()
    frame = pl.DataFrame({"name": texts, "number": [-1.5] * len(texts)}).rename({"name": f"={header}"})
    query.write(frame, "csv", stream)
    first, *rows = list(csv.reader(io.StringIO(stream.getvalue(), newline="")))
    assert first[0] == f"'={header}"
    for (cell, number), text in zip(rows, texts, strict=True):
        assert cell in (text, f"'{text}") and number == "-1.5"
        if cell == text and text[:1] in tuple("=+-@\t\r\n＝＋－＠"):
            assert text[0] in "+-" and text[1:].strip("0123456789.,% e") == ""  # a figure


@given(st.text())
def test_a_terminal_obeys_nothing(text):
    assert harmless(text).isprintable()


def test_paths_of_logs_are_no_globs_and_no_statements(tmp_path):
    path = tmp_path / "a'; drop table x; [1]*.jsonl"
    path.write_bytes(jsonl([call(1, "x")]))
    (tmp_path / "data").mkdir()
    assert stages.ingest(Settings.load(data=tmp_path / "data", logs=[str(Path(path))])).call_count == 1

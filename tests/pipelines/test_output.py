"""How reports are written: to windows of any width, to pipes, as CSV and as Markdown; whatever the names are."""

import csv
import io
import json
import re
from decimal import Decimal

import pytest
from rich.cells import cell_len
from rich.console import Console

from pipelines import warehouse
from pipelines.report import economics, next_step, output, terminal
from pipelines.report.output import Report, Table
from pipelines.report.text import money
from tests.sql import builders

HOSTILE = "[red]x\x1b[2J\u202e|`<b>*a*</b> @me #1 http://x =cmd"
NAMES = ["triage", "客服工单分类与自动回复助手以及更多的功能名称", "f" * 300, HOSTILE]
SHOP = {
    "ledger": [
        {"feature": name, "user_id": f"user-{number}", "input_tokens": 10**number, "customer_id": "books"}
        for number, name in enumerate(NAMES * 2)
    ]
    + [{"feature": None, "model": "no-price"}],
    "outcomes": [{}, {"subject_id": "action-2", "is_success": False}],
    "revenue": [{"feature": "triage", "revenue_pico": 3 * 10**8}, {"feature": HOSTILE, "revenue_pico": 10**6}],
}


def query_of(given):
    connection = builders.catalogue(given)
    return lambda sql: warehouse.frame_of(connection, sql)


@pytest.fixture(scope="module")
def query():
    return query_of(SHOP)


def economics_report(query, by):
    return economics.report(economics.economics_figures(query, by))


class Window(io.StringIO):
    """A terminal, as far as its encoding and being one go."""

    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return True


def shown(report, width, encoding="utf-8"):
    stream = Window(encoding)
    console = Console(
        file=stream, width=width, force_terminal=True, color_system=None, markup=False, highlight=False, emoji=False
    )
    output.print_blocks(console, report)
    return stream.getvalue()


def written(report, form):
    stream = io.StringIO()
    output.write(report, form, stream)
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("make", [terminal.report, economics_report])
def test_every_line_fits_the_window_and_no_figure_is_cut(query, width, make):
    report = make(query, "feature")
    text = re.sub(r"\x1b\[\d*m", "", shown(report, width))
    lines = text.splitlines()
    # commands to copy stand whole
    prose = [line for line in lines if not line.startswith(("    ", "next:"))]
    assert max(cell_len(line.rstrip()) for line in prose) <= width
    assert "\x1b" not in text and "\u202e" not in text
    flat = " ".join(text.split())
    for table in (block for block in report.blocks if isinstance(block, Table)):
        for row in table.rows:
            assert all(" ".join(cell(row).split()) in flat for _, cell in table.columns)


def test_scenarios_stand_side_by_side_in_one_table(query):
    lines = shown(terminal.report(query, "feature"), 80).splitlines()
    assert any(line.split() == ["actual", "-30%", "+50%"] for line in lines)


def test_a_window_without_unicode_gets_none(query):
    text = shown(terminal.report(query, "user"), 80, "ascii")
    assert text.isascii()
    assert "..." in shown(terminal.report(query_of({"ledger": [{"feature": "f" * 300}]}), "feature"), 80, "ascii")


def test_lines_of_a_pipe_are_whole_and_nothing_is_suggested(query):
    text = written(terminal.report(query, "feature"), "text")
    assert "next:" not in text and "\x1b" not in text
    assert any(len(line) > 100 for line in text.splitlines())


def test_what_is_unknown_is_told_in_one_line(query):
    lines = [line for line in written(terminal.report(query, "feature"), "text").splitlines() if "unknown  " in line]
    assert lines == [
        "unknown     of 9 calls 1 without a price, 1 without a feature, 1 without a user; "
        "of 9 actions 7 without an outcome"
    ]
    known = query_of({"ledger": [{"feature": "a", "user_id": "b"}], "outcomes": [{}]})
    assert "unknown     nothing: every call has a price" in written(terminal.report(known, "feature"), "text")


def test_the_dearest_rows_are_shown_and_the_rest_is_told_of_and_in_the_totals(query):
    whole, some = (terminal.report(query, "feature", most=most) for most in (None, 2))
    assert some.left_out_count == some.figures["left_out_count"] == 3
    assert some.figures["total"] == whole.figures["total"]
    assert [row["name"] for row in some.figures["rows"]] == [HOSTILE, "f" * 300]
    rest = [row for row in whole.figures["rows"] if row not in some.figures["rows"]]
    cost = sum(row["cost_usd"] for row in rest if row["cost_usd"] is not None)
    assert f"and 3 more, {money(cost)}+ USD, in the totals" in written(some, "text")
    assert len(some.records()) == 3 and some.records()[-1]["name"] == "all"


def test_thousands_of_names_are_not_all_shown():
    ledger = [{"user_id": f"user-{number}", "input_tokens": 1000 + number} for number in range(2000)]
    query = query_of({"ledger": ledger})
    report = terminal.report(query, "user")
    assert len(written(report, "text").splitlines()) < 300
    assert "and 1,970 more" in written(report, "text")
    assert len(report.records()) == 2001
    days = query_of(
        {"ledger": [{"called_at": f"2026-03-{day:02}T10:00:00Z", "input_tokens": day % 7} for day in range(1, 29)]}
    )
    kept = [row["name"] for row in terminal.report(days, "day", most=3).figures["rows"]]
    assert kept == ["2026-03-06", "2026-03-13", "2026-03-20"]


def test_csv_is_exact_and_no_formula_comes_of_a_name(query):
    rows = list(csv.DictReader(io.StringIO(written(terminal.report(query, "feature"), "csv"))))
    figures = terminal.report(query, "feature").figures
    assert [Decimal(row["cost_usd"]) for row in rows if row["cost_usd"]] == [
        row["cost_usd"] for row in [*figures["rows"], figures["total"]] if row["cost_usd"] is not None
    ]
    told = figures["rows"][0]["scenarios"][2]
    assert told["scenario"] == "+50%" and rows[0]["cost_usd (+50%)"] == f"{told['cost_usd']:f}"
    assert written(Report([], [], lambda: [{"name": "=1+1"}, {"name": "@x"}]), "csv") == "name\n'=1+1\n'@x\n"


def test_markdown_shows_names_as_text(query):
    text = written(terminal.report(query, "feature"), "markdown")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 10
    for line in (line for line in tables if "2J" in line):
        assert not re.search(r"<|(?<!\\)[`*_]|@|(?<!&)#\d(?!\d*;)|://", line)
    starts = [at for at, line in enumerate(text.splitlines()) if line.startswith("| ---")]
    lines = text.splitlines()
    for start in starts:  # each table has as many cells in every row
        end = next((at for at in range(start, len(lines)) if not lines[at].startswith("|")), len(lines))
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines[start - 1 : end]}) == 1
    fenced = output.markdown(["a ``` fence ```` of a name"])
    assert fenced.startswith("`````text\n") and fenced.rstrip().endswith("`````")


def test_json_has_money_as_text(query):
    assert json.loads(written(terminal.report(query, "feature"), "json"))["total"]["cost_usd"] == "22.223022000000"


@pytest.mark.parametrize("by", ["feature", "day"])
@pytest.mark.parametrize("form", output.FORMATS)
def test_no_calls_no_outcomes_and_no_revenue_are_reports_too(by, form):
    for given in ({}, {"ledger": [{"feature": "a"}]}):
        query = query_of(given)
        for report in (terminal.report(query, by), economics_report(query, by)):
            text = written(report, form)
            assert form == "csv" or text


def suggested(given, by="feature"):
    return next_step.after_report(terminal.report(query_of(given), by).figures)


def test_the_next_command_is_chosen_from_what_the_figures_show():
    call, success = {"feature": "it's", "model": "model-a"}, [{}]
    paid = [{"feature": "it's", "revenue_pico": 10}]
    assert suggested({}) == "tokenspread run LOGS..."
    assert suggested({"ledger": [{"model": "no-price"}]}) == "tokenspread build --prices FILE"
    assert suggested({"ledger": [call], "quarantine": [{"line_number": 9}]}) == "tokenspread quarantine list"
    assert suggested({"ledger": [call]}) == "tokenspread run --outcomes FILE"  # one command: its folder is added behind
    assert "--revenue FILE" in suggested({"ledger": [call], "outcomes": success})
    assert suggested({"ledger": [call], "outcomes": success, "revenue": paid}) == (
        "tokenspread reprice --grid -50:100:10 --where 'feature=it'\\''s'"
    )
    fine = [{"feature": "it's", "revenue_pico": 10**12}]
    assert suggested({"ledger": [call], "outcomes": success, "revenue": fine}) == "tokenspread economics --by feature"


def test_a_suggestion_stands_on_a_terminal_and_names_the_data_folder(tmp_path):
    stream = Window()
    report = Report({}, ["line"], list, next_command="tokenspread status")
    output.write(report, "text", stream, tmp_path / "my data")
    assert stream.getvalue().splitlines()[-1] == f"next: tokenspread status --data '{tmp_path / 'my data'}'"

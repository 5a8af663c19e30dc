"""`tokenspread sql` without a query, in a terminal of its own; and `ask`, as a user has it."""

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import duckdb_cli
import polars as pl
import pytest

from pipelines import cookbook, duckdb_client, sandbox, sql_shell, stages
from pipelines.errors import UserError
from pipelines.report import questions as question_output
from pipelines.settings import Settings
from tests.pipelines.logs import chat, jsonl
from tests.test_cli import ROOT, tokenspread

TERMINAL_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][AB0]|\x1b[=>]|\r")
SECONDS = 30


@pytest.fixture
def data(tmp_path) -> Path:
    """A data folder that a run has filled with two calls."""
    return publish(tmp_path, 2)


def publish(folder: Path, call_count: int) -> Path:
    (folder / "log.jsonl").write_bytes(jsonl([chat(number) for number in range(call_count)]))
    settings = Settings(logs=(str(folder / "log.jsonl"),), data=folder / "data")
    stages.ingest(settings)
    stages.build(settings)
    return settings.data


class Terminal:
    """A process on a terminal: what it shows, without what only moves the cursor."""

    def __init__(self, command: list[str], path: str) -> None:
        self.process_id, self.file = pty.fork()
        if self.process_id == 0:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "TERM": "xterm", "COLUMNS": "200"}
            os.execve(command[0], command, environment | {"LINES": "50", "PROMPT_TOOLKIT_NO_CPR": "1"})
        self.shown = ""

    def type(self, text: str, until: str, then: str = "tokenspread>") -> None:
        """Type, and wait for what is to be shown after it, and for what stands below that: keys that are typed before
        the prompt is there are another program's."""
        start = len(self.shown)
        os.write(self.file, text.encode())
        self.wait(until, start)
        self.wait(then, self.shown.index(until, start) + len(until))

    def wait(self, until: str, start: int = 0) -> str:
        deadline = time.monotonic() + SECONDS
        while until not in self.shown[start:]:
            assert time.monotonic() < deadline, f"{until!r} was not shown, but {self.shown[start:]!r}"
            if select.select([self.file], [], [], 0.2)[0] and not self._read():
                break
        assert until in self.shown[start:], self.shown[start:]
        return self.shown[start:]

    def _read(self) -> bool:
        try:
            told = os.read(self.file, 65536)
        except OSError:  # the process has ended
            return False
        self.shown += TERMINAL_CODES.sub("", told.decode(errors="replace"))
        return bool(told)

    def end(self, text: str) -> int:
        """The exit code after what is typed last."""
        os.write(self.file, text.encode())
        deadline = time.monotonic() + SECONDS
        while not select.select([self.file], [], [], 0.2)[0] or self._read():
            assert time.monotonic() < deadline, f"it goes on: {self.shown[-300:]!r}"
        return os.waitstatus_to_exitcode(os.waitpid(self.process_id, 0)[1])


@pytest.fixture
def opened(data) -> Iterator[Callable[..., Terminal]]:
    terminals = []

    def start(*arguments: str, path: str = "/usr/bin:/bin") -> Terminal:
        command = [sys.executable, "-c", "from pipelines.cli import main; main()", "sql", "--data", str(data)]
        terminals.append(Terminal([*command, *arguments], path))
        return terminals[-1]

    yield start
    for terminal in terminals:
        os.close(terminal.file)
        try:
            os.kill(terminal.process_id, signal.SIGKILL)
            os.waitpid(terminal.process_id, 0)
        except (ProcessLookupError, ChildProcessError):  # it has ended by itself
            pass


def test_a_query_over_lines_an_error_and_the_end(opened):
    shell = opened("--own")
    shell.wait("tokenspread>")
    shell.type("select 'calls: ' || count(*) as told\r", "->", "")
    shell.type("from calls;\r", "calls: 2")
    shell.type("from no_such_table;\r", "no_such_table does not exist")
    shell.type("drop table usage_cube;\r", "only one SELECT")
    shell.type("from read_csv('/etc/passwd');\r", 'Cannot access file "/etc/passwd"')
    shell.type("select 'sum: ' || (40 + 1) as sum;\r", "sum: 41")
    assert shell.end("\x04") == 0


def test_interrupts_start_anew_and_commands_tell_what_there_is(opened):
    shell = opened("--own")
    shell.wait("tokenspread>")
    shell.type("select half of", "half of", "")
    shell.type("\x03", "tokenspread>", "")
    shell.type(".tables\r", "one row per call of the ledger")
    shell.type(".schema calls\r", "null: unpriced, see price_status")
    shell.type(".schema reprice\r", "reprice(percent, of_dimension := 'feature'")
    shell.type(".macros\r", "underwater_names(")
    shell.type(".functions\r", "usd_per(usd, divisor)")
    shell.type(".cookbook dearest_users top_count=1\r", "To set: top_count=20")
    shell.type(".frobnicate\r", "no such command; .help lists them")
    shell.type(".help\r", ".quit")
    assert shell.end(".quit\r") == 0


def test_tab_completes_tables_columns_macros_and_questions(opened):
    shell = opened("--own")
    shell.wait("tokenspread>")
    shell.type("select max(unknown_usage_c\t", "all_count", "")
    shell.type(") as most from usage_c\t", "ube", "")
    shell.type(";\r", "most")
    shell.type(".cookbook dearest_u\t", "sers", "")
    assert shell.end("\x03\x04") == 0


def test_the_next_query_sees_what_was_published_meanwhile(opened, data):
    shell = opened("--own")
    shell.wait("tokenspread>")
    shell.type("select 'calls: ' || count(*) as told from calls;\r", "calls: 2")
    publish(data.parent, 5)
    shell.type("select 'calls: ' || count(*) as told from calls;\r", "calls: 5")
    assert shell.end("\x04") == 0


def test_the_duckdb_client_takes_over_read_only_where_it_opens_the_warehouse(opened, data, tmp_path, monkeypatch):
    """Through a script that tells what it is started with: the client itself waits for what only a window answers."""
    real = str(Path(duckdb_cli.__file__).parent / "duckdb")
    monkeypatch.setenv("PATH", str(Path(real).parent))
    assert duckdb_client.found(data / "warehouse.duckdb") == (real, None)
    client = tmp_path / "bin" / "duckdb"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\ncase "$1$2" in *-cmd*) echo "client $*"; exit 3;; esac\nexec {real} "$@"\n')
    client.chmod(0o700)
    shell = opened(path=f"{client.parent}:/usr/bin:/bin")
    shell.wait(f"client -readonly -cmd set TimeZone = 'UTC' {data / 'warehouse.duckdb'}")
    assert shell.end("") == 3


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'v1.2.2 7c039464e4'", "is of version v1.2, and the warehouse takes v1.5 or later"),
        ("echo 'no version'", "does not tell its version"),
        ('[ "$1" = --version ] && echo v1.9.0 && exit; echo broken >&2; exit 1', "(broken)"),
    ],
)
def test_a_client_that_cannot_be_used_gives_way_to_the_own_shell(opened, tmp_path, script, why):
    client = tmp_path / "bin" / "duckdb"
    client.parent.mkdir()
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o700)
    shell = opened(path=f"{client.parent}:/usr/bin:/bin")
    assert why in shell.wait("tokenspread>")
    assert shell.end("\x04") == 0


def test_without_a_client_the_own_shell_opens_and_says_nothing_of_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert duckdb_client.found(tmp_path / "warehouse.duckdb") == (None, None)


@pytest.mark.parametrize("argument", [[], ["-"]])
def test_a_piped_query_is_one_query(data, argument):
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "sql", *argument, "--format", "json"]
    done = subprocess.run(
        [*command, "--data", str(data)],
        input="select count(*) as n\nfrom calls;\n",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [{"n": 2}]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("select 1;", True),
        ("select 1; -- done", True),
        ("select 1", False),
        ("select ';", False),
        ("select ';'", False),
        ("select 1 -- ;", False),
        ("select 1 /* ;", False),
        ("select 'it''s';", True),
        (".tables", True),
        ("", True),
    ],
)
def test_an_input_is_whole_where_a_semicolon_ends_it(text, whole):
    assert sql_shell.is_whole(text) is whole


def test_more_rows_than_a_screen_has_are_counted(data, capsys):
    sql_shell.answer(data / "warehouse.duckdb", "select range as n from range(1001);")
    told = capsys.readouterr().out
    assert "the first 1,000 of 1,001 rows" in told and "\n1000" not in told


def test_ask_lists_answers_sets_and_shows_its_sql(data):
    listed = tokenspread("ask", cwd=data).stdout
    assert [line.split()[0] for line in listed.splitlines()[:25]] == sorted(cookbook.questions())
    asked = ("ask", "dearest_users", "top_count=1", "--data", data)
    told = tokenspread(*asked, cwd=data).stdout
    assert "1 row; figures are rounded, with --format csv or json exact\n" in told and "What is unknown: " in told
    assert len(json.loads(tokenspread(*asked, "--format", "json", cwd=data).stdout)) == 1
    printed = tokenspread("ask", "dearest_users", "top_count=1", "--sql", cwd=data).stdout
    assert "'1'::integer as top_count" in printed
    assert sandbox.query(data / "warehouse.duckdb", printed).height == 1


class Window(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def answer_of(rows: pl.DataFrame, width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """As a terminal of that width shows it, without what stands below the rows."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Window()
    question_output.write(cookbook.question("retries"), rows, terminal)
    shown = TERMINAL_CODES.sub("", terminal.getvalue()).rpartition("\nHow to read it")[0]
    return shown.partition("\n\n")[2].rpartition("\n\n")[0]


@pytest.mark.parametrize("width", [60, 100, 300])
def test_an_answer_fits_the_window_and_is_rounded_as_the_reports_are(monkeypatch, width):
    rows = pl.DataFrame(
        {
            "feature": ["chat", "x\x1b[2J"],
            "call_count": [1_234_567, 0],
            "cost_usd": [Decimal("1234.567800000000"), None],
            "cost_per_action_usd": [Decimal("0.000123456789"), Decimal(0)],
            "action_change_share": [0.25, -0.0004],
            "cache_read_share": [1 / 3, 0.9996],
            "calls_per_action": [1.3636363, 0.000012345678],
        }
    )
    shown = answer_of(rows, width, monkeypatch)
    assert max(map(len, shown.splitlines())) <= width
    assert shown.count("chat") == (2 if width == 60 else 1)
    found = {cell for line in shown.splitlines() for cell in line.split()}
    assert {
        "1,234,567",
        "1,234.57",
        "0.0001235",
        "0.00",
        "+25.0%",
        "-0.04%",
        "33.3%",
        "99.96%",
        "1.36",
        "0.00001235",
        "-",
    } <= found
    assert "\\x1b[2J" in shown


def test_every_part_of_an_answer_tells_its_rows_apart(monkeypatch):
    """By figures where these do: the hour, not the weekday, and a band beside its model."""
    figures = {f"figure_{n}_count": [n, n + 1, n + 2] for n in range(8)}
    hours = pl.DataFrame({"hour": [21, 22, 23], **figures})
    shown = answer_of(hours, 60, monkeypatch)
    assert [len(re.findall(rf"^ *{hour} ", shown, re.MULTILINE)) for hour in (21, 22, 23)] == [2, 2, 2]
    bands = pl.DataFrame({"model": ["a", "a", "b"], "above": [1111, 2222, 1111], **figures})
    shown = answer_of(bands, 60, monkeypatch)
    assert shown.count("1,111") == 2 * shown.count("2,222") == 2 * shown.count("above") > 2


def test_where_names_leave_no_room_each_row_is_a_block_and_no_figure_is_cut(monkeypatch):
    rows = pl.DataFrame({"path": ["x" * 75], "cost_usd": [Decimal("123456789.12")], "ids": [["a" * 40] * 3]})
    shown = answer_of(rows, 80, monkeypatch)
    assert shown.startswith("row 1\n") and "cost_usd  123,456,789.12\n" in shown
    assert f"path      {'x' * 75}\n" in shown and "a" * 40 in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dearest_user"], "did you mean dearest_users"),
        (["dearest_users", "colour=red"], "colour: cannot be set in dearest_users; feature, top_count can"),
        (["dearest_users", "top_count=-1"], "top_count=-1: not understood; give a whole number from 0 on"),
        (["dearest_users", "red"], "red: not understood; set a value as NAME=VALUE"),
        (["dearest_users", "top_count=few"], "top_count=few: not understood; give a whole number from 0 on"),
        (["environments", "period=soon"], "no such period"),
    ],
)
def test_a_mistake_in_a_question_is_told(data, arguments, message):
    done = tokenspread("ask", *arguments, "--data", data, cwd=data)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr


def test_a_value_is_a_value_whatever_it_holds():
    question = cookbook.question("dearest_users")
    text = question.with_values({"feature": "it's', 1 as feature, --"})
    assert "'it''s'', 1 as feature, --'::varchar as feature, --" in text
    assert "null::varchar as feature" in question.with_values({"feature": ""})
    with pytest.raises(UserError, match="cannot be set"):
        question.with_values({"limit": "1"})


def test_a_closed_input_is_no_query(data):
    told = [sys.executable, "-c", "from pipelines.cli import main; main()", "sql", "--data", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments in (told, [*told, "-"]):
        closed = ["sh", "-c", 'exec "$@" <&-', "sh", *arguments]
        done = subprocess.run(closed, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("tokenspread: no query: write one after `tokenspread sql`")

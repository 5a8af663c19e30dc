"""What --help says is so: the examples of every command run, and the shell completes what it can."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pipelines import cli
from pipelines.errors import UserError

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_logs" / "support_desk"
ENDLESS = ("serve",)  # it runs until it is stopped: its options alone are checked
FINE = (0, 5, 6)  # done; the bill is another one than the log's; one model of the sample has no price
TOML = '[input]\nlogs = ["logs/*.jsonl"]\n'


def commands(group=None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    group = group or typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def examples() -> list[str]:
    told = (line.strip() for _, command in commands() for line in (command.epilog or "").splitlines())
    return [line for line in told if line.startswith("tokenspread")]


@pytest.fixture(scope="module")
def house(tmp_path_factory) -> Path:
    """A folder as a reader of the examples may have one, published."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "logs").mkdir()
    for log in SAMPLES.glob("*.jsonl"):
        shutil.copy(log, folder / ("logs" if log.name != "outcomes.jsonl" else "."))
    shutil.copy(SAMPLES / "openai_chat_bare.jsonl", folder / "logs" / "gateway.jsonl")
    lines = (SAMPLES / "tokenspread.jsonl").read_text().splitlines()
    (folder / "logs" / "broken.jsonl").write_text("\n".join([*lines[:2], "{broken", ""]))
    for name in ("revenue.csv", "prices.csv"):
        shutil.copy(SAMPLES / name, folder)
    (folder / "tokenspread.toml").write_text(TOML)
    (folder / "bill.csv").write_text(bill())
    told = invoked(folder, next(example for example in examples() if example.startswith("tokenspread run logs/")))
    assert told.exit_code in FINE, told.output
    return folder


def bill() -> str:
    """What OpenAI's dashboard exports of costs."""
    columns = "start_time,end_time,start_time_iso,amount_value,amount_currency,line_item,project_id"
    return f'{columns}\n1795132800,1795219200,2026-11-20T00:00:00Z,0.01,usd,"gpt-5-mini-2025-08-07, input",p\n'


def invoked(folder: Path, example: str):
    words = shlex.split(re.sub(r" > \S+$", "", example))
    assert words[0] == "tokenspread"
    before = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(cli.app, words[1:], catch_exceptions=False)
    finally:
        os.chdir(before)


def test_every_command_has_examples():
    assert [" ".join(words) for words, command in commands() if "tokenspread " not in (command.epilog or "")] == []


@pytest.mark.parametrize("example", examples())
def test_an_example_runs(house, example):
    if example.split()[1] in ENDLESS:
        assert invoked(house, f"{example} --help").exit_code == 0
        return
    told = invoked(house, example)
    assert told.exit_code in FINE, told.output
    assert told.output


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_help_shows_the_examples_whole_on_a_narrow_terminal(words):
    told = CliRunner().invoke(cli.app, [*words, "--help"], env={"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"})
    assert told.exit_code == 0
    flat = " ".join(told.stdout.split())
    of_command = [line for name, command in commands() if name == words for line in command.epilog.splitlines()]
    assert all(" ".join(line.split()) in flat for line in of_command)


REPORTS = (
    "report", "run logs/", "economics --by user", "reprice -30%", "swap", "compare actual +50%",
    "swap smollm2-135m-instruct openai/gpt-5-mini", "bridge 2026-11-20 2026-11-21", "bridge --scenario +50%",
    "forecast --as-of 2026-11-20", "reconcile bill.csv", "status", "quarantine list",
)  # fmt: skip
NO_ROWS = ("swap", "status")  # none here: no swap in this log, no night


@pytest.mark.parametrize("command", REPORTS)
def test_every_report_has_every_format_and_one_at_a_time(house, command):
    json.loads(invoked(house, f"tokenspread {command} --json").stdout)
    header, *rows = list(csv.reader(io.StringIO(invoked(house, f"tokenspread {command} --csv").stdout))) or [[]]
    assert len(set(header)) == len(header) and {len(row) for row in rows} <= {len(header)}
    assert rows or command in NO_ROWS
    told = invoked(house, f"tokenspread {command} --markdown").stdout
    assert told.startswith(("```text\n", "**")) and "\x1b" not in told
    with pytest.raises(UserError, match="a report has one format"):
        invoked(house, f"tokenspread {command} --csv --markdown")


@pytest.mark.parametrize("command", ["report", "economics", "reprice -30%", "swap"])
def test_what_selects_calls_selects_them_in_every_report(house, command):
    told = invoked(house, f"tokenspread {command} --since 2026-11-21 --until 2026-11-21 --where feature=reply --top 1")
    assert "selected    since 2026-11-21, until 2026-11-21, feature=reply: " in told.stdout


def completed(words: str) -> str:
    program = "import sys; sys.argv[0] = 'tokenspread'; from pipelines.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "_TOKENSPREAD_COMPLETE": "complete_bash"}
    env |= {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr
    return done.stdout


def test_the_shell_completes_commands_options_and_values():
    assert completed("tokenspread rep").split() == ["report", "reprice"]
    assert "--since" in completed("tokenspread report --s").split()
    assert completed("tokenspread report --by c").split() == ["customer"]
    assert completed("tokenspread economics --where e").split() == ["environment="]

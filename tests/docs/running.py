"""Runs the commands of a page as a reader would: in a folder of its own, one after another."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import typer
from typer.exceptions import TyperException

from pipelines import cli
from tests.docs.pages import ROOT, Block, Step, blocks, shown_anew, steps

SAMPLE = Path("sample_logs/support_desk")
DATA = "demo_data"
# What `make demo` runs, see the Makefile.
DEMO = ["run", str(SAMPLE), "--outcomes", str(SAMPLE / "outcomes.jsonl"), "--revenue", str(SAMPLE / "revenue.csv"),
        "--prices", str(SAMPLE / "prices.csv"), "--data", DATA]  # fmt: skip
UNPRICED = 6  # one model of the sample has no price
# The folder that a page is run in, and what stands for it in the page.
FOLDER, HOME = re.compile(r"/[^\s:,]*/reader/"), "/home/you/"


def tokenspread(arguments: list[str]) -> tuple[str, int]:
    """What the command prints, to both streams, and its exit code."""
    printed, ended = io.StringIO(), mock.Mock(side_effect=SystemExit)
    streams = contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed)
    # the command ends its process, which is ours here
    with streams[0], streams[1], mock.patch("pipelines.cli.os._exit", ended), contextlib.suppress(SystemExit):
        cli.main(arguments)
    return printed.getvalue(), ended.call_args.args[0]


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """In `folder`, without a network."""
    before, environment = Path.cwd(), dict(os.environ)
    os.chdir(folder)
    os.environ["COLUMNS"] = "100"
    offline = mock.patch("socket.socket.connect", side_effect=AssertionError("a command of a page asks the network"))
    try:
        with offline:
            yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)


def sample_folder(folder: Path) -> Path:
    """A folder with the sample logs, and what `make demo` makes of them."""
    folder = folder / "reader"
    shutil.copytree(ROOT / SAMPLE, folder / SAMPLE)
    shutil.copytree(ROOT / "sample_logs" / "shapes", folder / "sample_logs" / "shapes")
    with inside(folder):
        printed, code = tokenspread(DEMO)
    assert code == UNPRICED, printed
    return folder


def page_outputs(page: str) -> Iterator[tuple[Block, Step, list[str]]]:
    """Each command of a page's console blocks, with what it prints now. Runs in the present folder.

    A command that ends with another exit code than 0 is followed by `echo $?`, so that a reader sees it.
    """
    code = 0
    for block in blocks(page):
        if block.file:
            Path(block.file).parent.mkdir(parents=True, exist_ok=True)
            Path(block.file).write_text(block.text, encoding="utf-8")
        for step in steps(block) if block.language == "console" else ():
            where = f"{page}:{block.line}: {step.command}"
            is_asked = step.command == "echo $?"
            assert code == 0 or is_asked, f"before {where}: exit code {code}, which the page does not show"
            printed, code = (f"{code}\n", 0) if is_asked else _printed(step.command)
            yield block, step, [line.rstrip() for line in printed.splitlines()]
    assert code == 0, f"{page}: its last command ends with exit code {code}, which the page does not show"


def masked(lines: list[str]) -> list[str]:
    return [FOLDER.sub(HOME, line) for line in lines]


def updated(page: str) -> dict[int, list[str]]:
    """What each console block (by its place in the page) is to show."""
    outputs: dict[int, list[str]] = {}
    for block, step, printed in page_outputs(page):
        lines = outputs.setdefault(block.place[0], [])
        lines += [f"$ {step.command}", *shown_anew(step.shown, masked(printed))]
    return outputs


def _printed(command: str) -> tuple[str, int]:
    words = shlex.split(command, comments=True)
    told = [word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word)]
    if "tokenspread" not in words[: len(told) + 1]:
        done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout, done.returncode
    before = dict(os.environ)
    os.environ.update(told)
    try:
        return tokenspread(words[len(told) + 1 :])
    finally:
        os.environ.clear()
        os.environ.update(before)


def problem_of(line: str) -> str | None:
    """What is wrong with a `tokenspread` command as it is written in a page; brackets mark what may be left out."""
    words = shlex.split(re.sub(r"(?<=\s)\[|\](?=\s|$)", "", line), comments=True)
    end = next((number for number, word in enumerate(words) if word in ("|", "<", ">")), len(words))
    words = words[1:end]
    command: Any = typer.main.get_command(cli.app)
    while hasattr(command, "commands") and words[:1] != ["--help"]:
        if not words or words[0] not in command.commands:
            return f"there is no command {' '.join(words[:1])!r}"
        command = command.commands[words.pop(0)]
    try:
        command.make_context(command.name, words)
    except (TyperException, typer.Exit) as error:
        return None if isinstance(error, typer.Exit) else str(error)
    return None

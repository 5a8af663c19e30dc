"""docs/exports.md: its commands print what it shows; its lists of columns and metrics are those of the code."""

import contextlib
import io
import os
import re
from pathlib import Path

import polars as pl
import pytest

from pipelines import exports, metrics, stages
from pipelines.cli import app
from pipelines.settings import Settings

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "sample_logs" / "support_desk"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    settings = Settings(
        logs=(str(SAMPLE),), outcomes=(SAMPLE / "outcomes.jsonl",), revenue=SAMPLE / "revenue.csv",
        prices=SAMPLE / "prices.csv", data=folder / "tokenspread_data",
    )  # fmt: skip
    stages.ingest(settings)
    stages.build(settings)
    return folder


def steps() -> list[tuple[str, list[str]]]:
    """Commands with what the page shows of their output."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ tokenspread "):
                found.append((line.removeprefix("$ tokenspread "), []))
            else:
                found[-1][1].append(line)
    return found


def test_the_commands_print_what_the_page_shows(folder):
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command, shown in steps():
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                app(command.split(), standalone_mode=False)
            lines = printed.getvalue().splitlines()
            if "..." in shown:
                shown = [line for line in shown if line != "..."]
                assert shown and "\n".join(shown) in "\n".join(lines), command
            else:
                assert lines == shown, command
    finally:
        os.chdir(before)


def cells(section: str) -> list[str]:
    return [line.split("|")[1] for line in PAGE.split(section)[1].split("\n## ")[0].splitlines() if line[:3] == "| `"]


def test_the_columns_are_those_of_the_dataset_in_its_order(folder):
    path = exports.export(
        Settings(data=folder / "tokenspread_data"), ["focus"], None, folder / "f.parquet", False, None
    )
    told = [name for cell in cells("## FOCUS") for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(told) == sorted(pl.read_parquet_schema(path[0].path))


def test_the_metrics_are_those_of_the_code():
    section = PAGE.split("## Prometheus")[1]
    rows = re.findall(r"^\| `tokenspread_(\w+)[^`]*` \| (.*) \|$", section, re.MULTILINE)
    assert dict(rows) == metrics.HELP
    named = set(re.findall(r"tokenspread_([a-z_]+)", section.split("```yaml")[1]))
    assert named <= {*metrics.HELP}

"""docs/queries.md: its list of questions, its SQL, and what it says of other tools, as far as these are installed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb_cli
import pytest

from pipelines import cookbook, sandbox, stages
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.test_cli import ROOT, tokenspread

PAGE = (ROOT / "docs" / "queries.md").read_text(encoding="utf-8")
SAMPLES = ROOT / "sample_logs" / "support_desk"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with the samples' tokenspread_data in it."""
    folder = tmp_path_factory.mktemp("queries")
    settings = Settings(logs=(str(SAMPLES),), prices=SAMPLES / "prices.csv", data=folder / "tokenspread_data")
    stages.ingest(settings)
    stages.build(settings)
    return folder


def test_the_questions_on_the_page_are_those_of_the_cookbook():
    told = dict(re.findall(r"^\| `(\w+)` \| (.+\?) \|$", PAGE, re.MULTILINE))
    assert told == {name: question.asks for name, question in cookbook.questions().items()}


@pytest.mark.parametrize("query", blocks("sql"))
def test_sql_on_the_page_is_answered(folder, query):
    rows = sandbox.query(folder / "tokenspread_data" / "warehouse.duckdb", query)
    assert rows.height > 0 or "not survives" in query  # of these samples no revenue is given


@pytest.mark.parametrize("code", blocks("python"))
def test_python_on_the_page_runs(folder, code):
    for module in re.findall(r"^import (\w+)", code, re.MULTILINE):
        pytest.importorskip(module)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        line.split(" #")[0].strip().removeprefix("tokenspread ")
        for line in PAGE.splitlines()
        if line.startswith("    tokenspread ask ")
    ],
)
def test_commands_on_the_page_run(folder, command):
    arguments = command.split(" > ")[0].split()
    done = tokenspread(*arguments, cwd=folder)
    assert done.returncode == 0 and done.stdout, done.stderr


def test_the_duckdb_client_opens_it_and_cannot_write(folder):
    (line,) = re.findall(r"^    (duckdb -readonly .*)$", PAGE, re.MULTILINE)
    for query, code in (("from reprice(-30)", 0), ("drop table usage_cube", 1)):
        command = [Path(duckdb_cli.__file__).parent / "duckdb", *line.split()[1:], "-c", query]
        assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == code


def test_a_moved_data_folder_says_so_and_a_build_mends_it(folder, tmp_path):
    shutil.copytree(folder / "tokenspread_data", tmp_path / "there", symlinks=True)
    settings = Settings(prices=SAMPLES / "prices.csv", data=tmp_path / "there")
    stages.build(settings)
    link = (tmp_path / "there").rename(tmp_path / "moved") / "warehouse.duckdb"
    count = "select sum(call_count) as call_count from usage_cube"
    assert sandbox.query(link, count).item() == 304
    with pytest.raises(UserError, match="parquet: not there, where .* looks for it; after .* run `tokenspread build`"):
        sandbox.query(link, "select count(*) from calls")
    stages.build(Settings(prices=SAMPLES / "prices.csv", data=link.parent))
    assert sandbox.query(link, "select count(*) from calls").item() == 304

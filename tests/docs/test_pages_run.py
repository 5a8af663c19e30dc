"""Commands, settings and SQL in the pages do what the pages say."""

import re
import shutil
from pathlib import Path

import pytest

from pipelines import stages
from pipelines.settings import Settings
from tests.docs import pages, running

pytestmark = pytest.mark.xdist_group("docs")  # they share one data folder


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return running.sample_folder(tmp_path_factory.mktemp("docs"))


WITH_COMMANDS = [page for page in pages.PAGES if pages.blocks(page, "console")]
WITH_SQL = [page for page in pages.PAGES if pages.blocks(page, "sql")]
WITH_SHELL = [page for page in pages.PAGES if pages.shell_lines(page)]


@pytest.mark.golden
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_print_what_it_shows(page, sample, tmp_path, request):
    folder = tmp_path / "reader"
    shutil.copytree(sample, folder)
    with running.inside(folder):
        if request.config.getoption("--update-goldens"):
            pages.PAGES[page].write_text(pages.rewritten(page, running.updated(page)), encoding="utf-8")
            return
        for block, step, printed in running.page_outputs(page):
            printed, shown = running.masked(printed), running.masked(step.shown)
            if not pages.is_shown(shown, printed):  # then the difference is told line by line
                assert shown == printed, f"{page}:{block.line}: {step.command}"


@pytest.mark.parametrize("page", WITH_SQL)
def test_the_sql_of_a_page_runs(page, sample):
    with running.inside(sample):
        for block in pages.blocks(page, "sql"):
            assert stages.query(Settings.load(data=Path(running.DATA)), block.text).columns, f"{page}:{block.line}"


def test_the_questions_that_a_text_names_are_answered(sample):
    """`from forecast()` and its like, but for those that stand for others: 'MODEL'."""
    texts = {text for page in pages.PAGES for text in re.findall(r"`(from \w+\([^`]*\))`", pages.read(page))}
    asked = sorted(text for text in texts if not re.search(r"'[A-Z/]+'|\.\.\.", text))
    assert len(asked) > 10
    with running.inside(sample):
        for text in asked:
            assert stages.query(Settings.load(data=Path(running.DATA)), text).columns, text


@pytest.mark.parametrize("page", WITH_SHELL)
def test_a_command_that_a_page_names_exists_with_its_options(page):
    for line in pages.shell_lines(page):
        problem = running.problem_of(line)
        assert problem is None, f"{page}: {line}: {problem}"


def test_a_wrong_option_would_be_noticed():
    assert running.problem_of("tokenspread reprot --json") is not None
    assert running.problem_of("tokenspread report --jsn") is not None
    assert running.problem_of("tokenspread prices shw") is not None
    assert running.problem_of("tokenspread reprice -30% --by feature  # a comment") is None


@pytest.mark.parametrize(
    ("shown", "printed", "is_shown"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b"], True),
        (["a", "...", "c"], ["a", "b", "c"], True),
        (["a", "...", "c"], ["a", "c", "b"], False),
        (["...", "b", "..."], ["a", "b", "c"], True),
        (["...", "x", "..."], ["a", "b", "c"], False),
        (["a", "...", "a"], ["a"], False),
    ],
)
def test_what_is_left_out_and_nothing_else_may_differ(shown, printed, is_shown):
    assert pages.is_shown(shown, printed) is is_shown


def test_an_output_that_is_written_anew_leaves_out_what_it_left_out():
    printed = ["lines 12", "calls 3", "reply 0.5", "triage 0.7", "all 1.2"]
    assert pages.shown_anew(["lines 11", "...", "triage 0.6", "..."], printed) == [
        "lines 12", "...", "triage 0.7", "...",
    ]  # fmt: skip
    assert pages.shown_anew(["x"], printed) == printed

"""What the documents say is so: the report and the tables that the README shows, settings, scenarios, links. What their
commands print, and their SQL, is in tests/docs/."""

import re
import tomllib

import pytest

from pipelines import warehouse_models, what_if
from pipelines.settings import Settings
from tests.docs.pages import PAGES, ROOT, blocks, read
from transforms.scenarios import definitions
from transforms.shapes import mapping, outcome_mapping

README = read("README.md")
MOST_README_LINES, MOST_COMMANDS = 200, 5
LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!http)([^)]+)\)", read(page))]


def test_the_demo_in_the_readme_is_what_the_demo_prints():
    (shown,) = blocks("README.md", "text")
    printed = (ROOT / "tests" / "goldens" / "demo.txt").read_text(encoding="utf-8").splitlines()
    printed = {line.rstrip() for line in printed}
    lines = [line for line in shown.text.splitlines() if line != "..."]
    assert len(lines) > 10
    assert [line for line in lines if line not in printed] == []


def test_the_readme_is_read_in_one_go():
    assert len(README.splitlines()) < MOST_README_LINES


def test_the_way_to_own_logs_is_short_and_that_of_the_readme():
    (of_readme,), (of_start,) = blocks("README.md", "sh"), blocks("docs/start.md", "sh")
    assert of_start.text == of_readme.text
    assert len(of_start.text.splitlines()) <= MOST_COMMANDS


def test_the_tables_in_the_readme_are_the_published_ones():
    section = README.split("## What it leaves")[1].split("## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    published = set(warehouse_models.PUBLISHED)
    assert named <= published
    # what the report is made of
    undocumented = {"unit_economics", "revenue_by_group", "scenario_by_dimension"}
    undocumented |= {"recorded_cost", "recorded_cost_gaps", "unmatched_rates"}
    assert published - named <= undocumented


def test_the_settings_in_the_pages_are_understood(tmp_path):
    texts = [block.text for page in PAGES for block in blocks(page, "toml")]
    assert len(texts) > 10
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        settings = Settings.load(path)
        assert tomllib.loads(text)
        for name, table in settings.log_mappings.items():
            assert mapping.shape_from(name, table).name == name
        for name, table in settings.outcome_mappings.items():
            assert outcome_mapping.outcomes_from(name, table).name == name
        assert [scenario.name for scenario in what_if.chosen(settings)][2:] == list(settings.scenario_tables)


def test_the_scenarios_that_the_documents_write_are_understood():
    texts = [
        line.strip().strip("'")
        for block in blocks("docs/scenarios.md", "scenarios")
        for line in block.text.splitlines()
    ]
    assert len(texts) > 10
    for text in texts:
        assert definitions.parse(text).steps


def test_the_macros_are_told_of():
    told = "".join(map(read, PAGES))
    assert [name for name in warehouse_models.TABLE_MACROS if f"{name}(" not in told] == []


def headings(page: str) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_somewhere(page, link):
    path, _, anchor = link.partition("#")
    target = (PAGES[page].parent / path) if path else PAGES[page]
    assert target.exists()
    if anchor:
        assert anchor in headings(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_the_index_leads_to_every_page(page):
    if page.startswith("docs/") and page != "docs/README.md":
        assert f"]({page.removeprefix('docs/')})" in read("docs/README.md")


@pytest.mark.parametrize("path", re.findall(r"`((?:pipelines|transforms|sql|tests)/[\w/]+\.(?:py|sql))`", README))
def test_a_file_that_the_readme_names_is_there(path):
    assert (ROOT / path).exists()

"""What the documents say is so: the commands, the report and the tables that the README shows."""

import re
import tomllib
from pathlib import Path

import pytest

from pipelines import warehouse_models, what_if
from pipelines.settings import Settings
from transforms.scenarios import definitions
from transforms.shapes import mapping, outcome_mapping

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_demo_in_the_readme_is_what_the_demo_prints():
    (shown,) = blocks("text")
    printed = (ROOT / "tests" / "goldens" / "demo.txt").read_text(encoding="utf-8").splitlines()
    printed = {line.rstrip() for line in printed}
    lines = [line for line in shown.splitlines() if line != "..."]
    assert len(lines) > 10
    assert [line for line in lines if line not in printed] == []


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


def test_the_settings_in_the_readme_are_understood(tmp_path):
    for number, text in enumerate(text for page in (README, *DOCS.values()) for text in blocks("toml", page)):
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
        line.strip().strip("'") for text in blocks("scenarios", DOCS["scenarios.md"]) for line in text.splitlines()
    ]
    assert len(texts) > 10
    for text in texts:
        assert definitions.parse(text).steps


def test_the_macros_are_told_of():
    told = README + "".join(DOCS.values())
    assert [name for name in warehouse_models.TABLE_MACROS if f"{name}(" not in told] == []


LINKS = [(ROOT, link) for link in re.findall(r"\]\((?!http)([^)#]+)\)", README)]
LINKS += [(ROOT / "docs", link) for page in DOCS.values() for link in re.findall(r"\]\((?!http)([^)#]+)\)", page)]


@pytest.mark.parametrize(("folder", "link"), LINKS)
def test_a_link_leads_somewhere(folder, link):
    assert (folder / link).exists()


@pytest.mark.parametrize("path", re.findall(r"`((?:pipelines|transforms|sql|tests)/[\w/]+\.(?:py|sql))`", README))
def test_a_file_that_the_readme_names_is_there(path):
    assert (ROOT / path).exists()

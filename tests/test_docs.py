"""What the documents say is so: the commands, the report and the tables that the README shows."""

import re
import tomllib
from pathlib import Path

import pytest

from pipelines import warehouse
from pipelines.settings import Settings
from transforms.shapes import mapping, outcome_mapping

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


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
    published = set(warehouse.VIEWS + warehouse.TABLES)
    assert named <= published
    # what the report is made of
    undocumented = {"unit_economics", "revenue_by_group", "scenario_by_dimension"}
    undocumented |= {"recorded_cost", "recorded_cost_gaps", "unmatched_rates"}
    assert published - named <= undocumented


def test_the_settings_in_the_readme_are_understood(tmp_path):
    for number, text in enumerate(blocks("toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        settings = Settings.load(path)
        assert tomllib.loads(text)
        for name, table in settings.log_mappings.items():
            assert mapping.shape_from(name, table).name == name
        for name, table in settings.outcome_mappings.items():
            assert outcome_mapping.outcomes_from(name, table).name == name


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_a_link_in_the_readme_leads_somewhere(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("path", re.findall(r"`((?:pipelines|transforms|sql|tests)/[\w/]+\.(?:py|sql))`", README))
def test_a_file_that_the_readme_names_is_there(path):
    assert (ROOT / path).exists()

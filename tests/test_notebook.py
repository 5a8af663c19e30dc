"""The notebook, run as a script would: its figures are the warehouse's."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import sandbox, stages
from pipelines.settings import Settings
from tests.test_cli import ROOT

pytest.importorskip("marimo", reason="the notebook needs the extra notebook")
SAMPLES = ROOT / "sample_logs" / "support_desk"
NOTEBOOK = ROOT / "notebooks" / "warehouse.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    data = tmp_path_factory.mktemp("notebook") / "data"
    settings = Settings(logs=(str(SAMPLES),), outcomes=(SAMPLES / "outcomes.jsonl",), data=data)
    stages.ingest(settings)
    stages.build(settings)
    return data


def test_its_figures_are_those_of_the_warehouse(data, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["warehouse.py", "--data", str(data)])
    spec = importlib.util.spec_from_file_location("notebook_of_the_warehouse", NOTEBOOK)
    notebook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebook)
    _, found = notebook.app.run()
    cut = "select cost_usd from scenario_comparison where feature is null and user_id is null and scenario = '-30%'"
    repriced = found["repriced"].filter(name="all")["repriced_cost_usd"].item()
    assert repriced == sandbox.query(data / "warehouse.duckdb", cut).item()
    whole = sandbox.query(data / "warehouse.duckdb", "select sum(cost_usd) as usd from calls").item()
    assert found["whole"]["cost_usd"] == found["spend"]["cost_usd"].sum() == whole > 0


@pytest.mark.parametrize("folder", ["data", "nowhere"])
def test_it_runs_as_a_page(data, tmp_path, folder):
    page = tmp_path / "page.html"
    command = [sys.executable, "-m", "marimo", "export", "html", str(NOTEBOOK), "-o", str(page), "--no-include-code"]
    done = subprocess.run(
        [*command, "--", "--data", str(data.parent / folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("nothing is published there" in page.read_text()) == (folder == "nowhere")

"""docs/exports.md: its lists of columns and metrics are those of the code."""

import re
from pathlib import Path

import polars as pl
import pytest

from pipelines import exports, metrics, stages
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

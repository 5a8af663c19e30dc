"""sample_logs/shapes has a log of every shape, and each yields what EXPECTED.json beside it says."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.pipelines.logs import balance, ingest, ledger_rows, quarantine_rows
from transforms import schemas, settlement
from transforms.shapes.signatures import SIGNATURES

SAMPLES = Path(__file__).parents[2] / "sample_logs"
FILES = sorted(path for path in (SAMPLES / "shapes").glob("*.*") if path.name not in ("EXPECTED.json", "README.md"))
RECORDED = {"claude_code", "tokenspread", "litellm_slp", "litellm_spendlogs", "anthropic_messages"}  # in support_desk


def yielded(path: Path, data: Path) -> dict[str, Any]:
    """Lines by what became of them; each call, without its keys and what is not known of it; what was quarantined."""
    ingest(data, path)
    (file,) = balance(data)
    counts = {name: file[name] for name in file if name.endswith("line_count") and file[name]}
    hidden = (*settlement.KEY, "content_id", "day")
    calls = ledger_rows(data)
    rows = calls.sort("line_number", "part").drop(hidden).to_dicts() if calls.height else []
    bad = quarantine_rows(data)
    reasons = bad.sort("line_number", "part").select("line_number", "reason").rows() if bad.height else []
    return {
        "shape": file["shape"],
        "lines": counts,
        "calls": [{name: value for name, value in row.items() if value is not None} for row in rows],
        "quarantined": [list(reason) for reason in reasons],
    }


def test_every_shape_has_a_sample() -> None:
    assert {path.stem for path in FILES} | RECORDED == set(SIGNATURES)


def test_each_sample_yields_what_is_expected(tmp_path: Path, golden: Any) -> None:
    found = {path.name: yielded(path, tmp_path / path.name) for path in FILES}
    golden(SAMPLES / "shapes" / "EXPECTED.json", json.dumps(found, indent=1, default=str, ensure_ascii=False) + "\n")
    for path in FILES:
        assert found[path.name]["shape"] == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_counts_of_a_sample_hold_together(path: Path, tmp_path: Path) -> None:
    ingest(tmp_path / "data", path)
    calls = ledger_rows(tmp_path / "data")
    if calls.height:
        cached = [name for name in schemas.QUANTITIES if name.startswith("cache_") and "audio" not in name]
        assert calls.filter(pl.sum_horizontal(cached) > pl.col("input_tokens")).is_empty()
        assert calls.filter(pl.col("reasoning_tokens") > pl.col("output_tokens")).is_empty()
        assert calls["called_at"].null_count() < calls.height or path.stem in UNTIMED


UNTIMED = ("anthropic_batch", "codex_exec")  # formats whose records tell no time

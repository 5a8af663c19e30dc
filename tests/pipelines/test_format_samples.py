"""Every sample of a real format, through the real reader: alone, packed, all in one folder, and again."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from tests.builders import SHARED
from tests.pipelines.logs import ADDRESSES, balance, figures, ingest, ledger_rows, quarantine_rows
from tests.transforms.shapes.test_recordings import SHAPE_OF, settled, told_by
from transforms import schemas, settlement

SAMPLES = SHARED / "format_samples"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="../shared is absent: its samples are not part of the project"
)

FILES = sorted(path for path in SAMPLES.glob("*") if path.name != "EXPECTED.json")
NOT_OF_THE_CALL = [*schemas.LINE_KEYS, "part", "action_id"]  # where it was read; an unnamed action is named by it


def keys(rows: pl.DataFrame) -> set[tuple]:
    """Identities of the calls that have an id."""
    return set(rows.filter(pl.col("response_id").is_not_null()).select(settlement.KEY).rows())


def test_no_sample_is_left_out() -> None:
    assert {path.name for path in FILES} == SHAPE_OF.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_reader_sees_what_plain_python_sees(path: Path, tmp_path: Path) -> None:
    summary = ingest(tmp_path / "data", path)
    assert not summary.report.unreadable and not summary.report.skipped and not summary.report.waiting
    (counts,) = balance(tmp_path / "data")
    assert counts["line_count"] == sum(
        counts[f"{what}_line_count"] for what in ("call", "other", "quarantined", "blank")
    )
    told = told_by(path)
    rows = ledger_rows(tmp_path / "data")
    expected = settled(told.filter(pl.col("verdict").is_null() | (pl.col("verdict") == "other")))
    assert rows.height == expected.height == summary.call_count
    if rows.height:
        columns = [name for name in schemas.LEDGER if name not in (*NOT_OF_THE_CALL, *settlement.KEY)]
        assert sorted(rows.select(columns).rows(), key=repr) == sorted(expected.select(columns).rows(), key=repr)
    reasons = told.filter(pl.col("verdict").is_not_null() & (pl.col("verdict") != "other"))["verdict"].unique()
    assert set(reasons) == set(quarantine_rows(tmp_path / "data")["reason"] if len(reasons) else ())


def test_all_in_one_folder_are_the_sum_of_the_parts(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    shutil.copytree(SAMPLES, folder, ignore=shutil.ignore_patterns("EXPECTED.json"))
    alone = [ingest(tmp_path / path.name, path) for path in FILES]
    rows = pl.concat([found for path in FILES if (found := ledger_rows(tmp_path / path.name)).height])
    without_id = rows.filter(pl.col("response_id").is_null()).height
    together = ingest(tmp_path / "data", folder)
    assert together.line_count == sum(summary.line_count for summary in alone)
    # one call that several samples tell is one call: the identities are the union of the parts'
    assert keys(ledger_rows(tmp_path / "data")) == keys(rows)
    assert together.call_count == len(keys(rows)) + without_id
    again = ingest(tmp_path / "data", folder)
    assert (again.call_count, again.line_count, again.is_new) == (0, 0, False)


@pytest.mark.parametrize("path", [path for path in FILES if path.suffix == ".jsonl"], ids=lambda path: path.name)
def test_a_log_that_grows_line_by_line_ends_as_the_whole(path: Path, tmp_path: Path) -> None:
    """Streams, counters and sessions go on where the last run stopped. Only whom a span belongs to may be told by a
    span that comes later, in another run."""
    lines = path.read_bytes().splitlines(keepends=True)
    cut = max(len(lines) // 2, 1)
    log, data = tmp_path / path.name, tmp_path / "data"
    for end in sorted({cut, len(lines)}):
        log.write_bytes(b"".join(lines[:end]))
        try:
            ingest(data, log)
        except Exception as error:  # its first lines alone may be of no known shape
            assert "no log shape fits" in str(error)
    ingest(tmp_path / "whole", path)
    leave_out = [*ADDRESSES, *(schemas.ATTRIBUTES if SHAPE_OF[path.name] == "otel" else ())]
    leave_out = list(dict.fromkeys(leave_out))
    assert figures(data, leave_out) == figures(tmp_path / "whole", leave_out)

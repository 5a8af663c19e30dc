"""The inputs that are kept in fuzz/corpus through the checks of their targets, and a few random ones; what the fuzzer
itself needs is not needed here. FUZZ_SECONDS=n fuzzes for so long, where atheris is installed."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import polars as pl
import pytest

from fuzz import folders, logs, mutations, plain
from fuzz.targets import CORPUS, TARGETS
from pipelines import reader
from transforms import settlement

MUTATIONS = 2  # of each target; the fuzzer makes more
LINE = b'{"call_id":"a","model":"m","called_at":1790000000,"input_tokens":7,"output_tokens":1}\n'


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_shows_a_defect(name: str) -> None:
    target = TARGETS[name]
    seeds = target.seeds()
    changed = [target.mutate(seeds[number % len(seeds)], Random(number)) for number in range(MUTATIONS)]
    for data in [seeds[0], *(path.read_bytes() for path in target.kept()), *changed]:
        target.check(data)


def test_every_kept_input_is_of_a_target_and_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
    sizes = [path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()]
    assert sizes and sum(sizes) < 300_000


def test_changed_json_is_json_but_for_what_is_meant_not_to_be() -> None:
    line = b'{"a":[1,{"b":"x"}],"a":1e999,"c":"{\\"d\\":1}"}'
    assert mutations.written(mutations.parsed(line)).encode() == line
    some = {mutations.mutate(line, Random(number)) for number in range(200)}
    assert len(some) > 150
    assert sum(plain.record_of(one) is not None for one in some) > 50


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"a": 1, "b": [1,],}', {"a": 1, "b": [1]}),
        (b'{"a": "x,}", "b": -Infinity, "c": nan}', {"a": "x,}", "b": None, "c": None}),
        (b'{"a": 1},', {"a": 1}),
        (b'{"a": 01}', None),
        (b'{"a": 1} x', None),
        (b"[1]", None),
        (b"\xff", None),
    ],
)
def test_what_plain_python_makes_of_a_line(line: bytes, record: dict | None) -> None:
    found = plain.record_of(line)
    assert found == record or (record and "c" in record and found["a"] == "x,}")


def a_count_too_low(calls: pl.DataFrame, *rest: pl.DataFrame) -> pl.DataFrame:
    return REAL_TALLIES(calls, *rest).with_columns(pl.col("call_line_count") - 1)


def a_count_too_high(calls: pl.DataFrame) -> pl.DataFrame:
    return REAL_KEYED(calls).with_columns(pl.col("input_tokens") + 1)


def a_message_that_cites(told: pl.DataFrame, by_part: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    kept, rejects = REAL_BY_VERDICT(told, by_part)
    return kept, rejects.with_columns(reason=pl.lit(f"cannot read {mutations.SECRET}"))


REAL_TALLIES, REAL_KEYED, REAL_BY_VERDICT = settlement.line_tallies, settlement.keyed, settlement.by_verdict


@pytest.mark.parametrize(
    ("name", "wrong", "complaint"),
    [
        ("line_tallies", a_count_too_low, "imbalance"),
        ("keyed", a_count_too_high, "the line says 7"),
        ("by_verdict", a_message_that_cites, "cites"),
    ],
)
def test_a_check_sees_what_is_wrong(monkeypatch: pytest.MonkeyPatch, name: str, wrong, complaint: str) -> None:
    log = LINE + b'{"call_id":"b","input_tokens":"x"}\n'
    logs.check("tokenspread", log)
    monkeypatch.setattr(settlement, name, wrong)
    with pytest.raises(AssertionError, match=complaint):
        logs.check("tokenspread", log)


def test_a_check_sees_that_the_two_paths_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    real = reader._BlockParser.rows_of
    monkeypatch.setattr(reader._BlockParser, "rows_of", lambda self, block: real(self, LINE * block.count(b"\n")))
    logs.check("tokenspread", LINE)
    with pytest.raises(AssertionError, match="the two readings differ in ledger: ..model"):
        logs.check("tokenspread", LINE.replace(b'"m"', b'"other"'))


def test_a_check_sees_that_a_good_file_suffers(monkeypatch: pytest.MonkeyPatch) -> None:
    folders.check(b"\x1f\x8b damaged")
    monkeypatch.setattr(settlement, "keyed", lambda calls: REAL_KEYED(calls).with_columns(model=pl.lit("other")))
    with pytest.raises(AssertionError, match="the good file's calls are others"):
        folders.check(b"\x1f\x8b damaged")


@pytest.mark.skipif(not os.environ.get("FUZZ_SECONDS"), reason="FUZZ_SECONDS=n fuzzes for n seconds")
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pip install -e .[fuzz]"
)
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fuzz", "--seconds", os.environ["FUZZ_SECONDS"], "--work", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CORPUS.parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(TARGETS)} targets, 0 findings" in done.stdout

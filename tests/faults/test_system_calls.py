"""Every system call on the data folder fails once; and what a run that succeeds has synced, and when.

TRIALS=500 python -m pytest -s tests/faults/test_system_calls.py
"""

import re
import shutil

import pytest

from tests.faults import folders, processes, tracing
from tests.faults.folders import told

ERRORS_OF = {
    **dict.fromkeys(tracing.WRITING, ("ENOSPC", "EIO")),
    **dict.fromkeys(tracing.SYNCING, ("EIO", "ENOSPC")),
    **dict.fromkeys(tracing.PLACING, ("EIO", "ENOSPC")),
    **dict.fromkeys(tracing.READING, ("EIO",)),
}
STRIDE = 7919
PARTLY = 3
SUCCEEDED = (0, 6)  # 6: a model has no price
SEEDS = processes.seeds(5)

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(bool(tracing.why_none()), reason=f"no system call is made to fail: {tracing.why_none()}"),
]


def words_of(job: str, folder) -> list[str]:
    return [job, str(folder / "logs"), "--data", str(folder / "data")]


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """A folder to be harmed, at a place of its own that every trial uses, since strace goes by paths; and for each
    command what an undisturbed one makes of it, the paths that it touches, and its calls."""
    top = tmp_path_factory.mktemp("traced")
    base, place = top / "base", top / "trial"
    base.mkdir()
    folders.write_logs(base / "logs", 1)
    folders.night(base)
    folders.write_logs(base / "logs", 2)
    found = {
        "top": top,
        "base": base,
        "place": place,
        "states": [(told(base / "data"), folders.published(base / "data"))],
    }
    for job in ("ingest", "run"):
        folders.copy(base, place)
        code = tracing.run(words_of(job, place), top / f"{job}.trace", top / "output")
        assert code in SUCCEEDED, (top / "output").read_text()
        folders.assert_sound(place / "data")
        found["states"].append((told(place / "data"), folders.published(place / "data")))
        paths = tracing.paths_below(place / "data", top / f"{job}.trace")
        calls = [call for call in tracing.calls(top / f"{job}.trace") if str(place / "data") in call.text]
        counts = {name: sum(call.name == name for call in calls) for name in ERRORS_OF}
        faults = [
            (name, error, number + 1)
            for name, errors in ERRORS_OF.items()
            for number in range(counts[name])
            for error in errors
        ]
        found[job] = {"paths": paths, "calls": calls, "faults": faults}
        shutil.rmtree(place)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_system_call_that_fails_is_told_in_a_line_and_the_next_run_makes_it_good(traced, seed):
    job = "run" if seed % 4 == 3 else "ingest"
    faults, place = traced[job]["faults"], traced["place"]
    name, error, number = faults[seed * STRIDE // 4 % len(faults)]
    print(f"SEED={seed} {job}: {error} at {name} {number}")
    shutil.rmtree(place, ignore_errors=True)
    folders.copy(traced["base"], place)
    output, trace = traced["top"] / "output", traced["top"] / "trace"
    only = [word for path in traced[job]["paths"] for word in ("-P", path)]
    injected = f"inject={name}:error={error}:when={number}"
    code = tracing.run(words_of(job, place), trace, output, *only, "-e", injected)
    words = output.read_text()
    assert "Traceback" not in words and "panicked" not in words, words
    if code == PARTLY:  # what is staged of one log could not be read again: the others are taken, and it is named
        assert "COULD NOT BE READ" in words and error == "EIO", words
    else:
        assert folders.published(place / "data") in [published for _, published in traced["states"]]
        assert told(place / "data") in [known for known, _ in traced["states"]]
    if code in SUCCEEDED:
        assert told(place / "data") == traced["states"][-1][0], words
    elif code != PARTLY:
        assert code == 1, words
        (line,) = re.findall(r"^tokenspread: .*", words, re.MULTILINE)
        assert str(place / "data") in line and (
            "run again" in line or "damaged" in line or "cannot be written" in line
        ), line
    folders.JOBS["night" if job == "run" else "ingest"](place)
    folders.assert_sound(place / "data")
    assert (told(place / "data"), folders.published(place / "data")) == traced["states"][1 if job == "ingest" else 2]


def test_what_is_published_was_synced_before_and_is_not_written_after(traced):
    """Of an undisturbed run: each file of the ledger is synced, then renamed, then its folders are synced, then the
    manifest; the catalogue is synced, then its folder, then the link changes, then the link's folder is synced."""
    calls, data = traced["run"]["calls"], str(traced["place"] / "data")

    def first(name_of: tuple[str, ...], path: str, start: int) -> int:
        return next(i for i in range(start, len(calls)) if calls[i].name in name_of and calls[i].is_of(path))

    renames = [(i, *re.findall(r'"([^"]+)"', call.text)) for i, call in enumerate(calls) if call.name == "rename"]
    placed = [(i, source, target) for i, source, target in renames if target.endswith(".parquet")]
    assert len(placed) >= 3
    commit = first(tracing.SYNCING, f"{data}/manifest.sqlite-wal", placed[-1][0])
    for i, source, target in placed:
        synced = first(tracing.SYNCING, source, 0)
        assert synced < i
        assert not [call for call in calls[synced:] if call.name in tracing.WRITING and call.is_of(source)]
        assert not [call for call in calls[i:] if call.name in tracing.WRITING and call.is_of(target)]
        folder = target
        while folder != data:
            folder = folder.rpartition("/")[0]
            assert i < first(tracing.SYNCING, folder, i) < commit, folder
    ((finished, _, catalogue),) = [rename for rename in renames if rename[2].endswith("warehouse-2.duckdb")]
    ((linked, _, link),) = [rename for rename in renames if rename[2].endswith("/data/warehouse.duckdb")]
    synced = first(("fsync",), catalogue, finished)
    assert finished < synced < first(("fsync",), f"{data}/catalog", synced) < linked < first(("fsync",), data, linked)
    assert not [call for call in calls[synced:] if call.name in tracing.WRITING and call.is_of(catalogue)]
    noted = first(tracing.SYNCING, f"{data}/manifest.sqlite-wal", linked)
    assert first(("fsync",), data, linked) < noted

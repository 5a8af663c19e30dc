"""kill -9 at every named point of a commit, a publication and a recovery, and at any moment of a run.

TRIALS=500 python -m pytest -s tests/faults/test_kill.py       # of each of the two tests
SEED=123456 TRIALS=1 python -m pytest -s tests/faults/test_kill.py      # one trial again
"""

import random
import shutil
import signal
import time

import pytest

from tests.faults import folders, points, processes
from tests.faults.folders import Told, told
from tests.faults.test_crash import write_logs as write_large_logs

AT_POINTS, AT_MOMENTS = processes.seeds(6), processes.seeds(2)
JOB_OF = ("ingest", "ingest", "night", "ingest", "ingest", "ingest", "ingest", "prune", "ingest", "ingest")
# a trial of one that publishes costs ten of one that only reads
STRIDE = 7919  # a prime, so that the trials of one after the other seed come by every point

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """A folder as the first night left it, with the logs of the second; what each job makes of it, undisturbed, and
    the points that it comes by."""
    base = tmp_path_factory.mktemp("nights") / "base"
    base.mkdir()
    folders.write_logs(base / "logs", 1)
    folders.night(base)
    folders.write_logs(base / "logs", 2)
    clean, names = {}, {}
    for job in folders.JOBS:
        folder, target = folders.copy(base, base.with_name(job)), base.with_name(f"{job}.txt")
        output = base.with_name("output")
        assert processes.run(points.write_names, target, job, folder, output=output) == 0, output.read_text()
        names[job] = target.read_text().splitlines()
        clean[job] = told(folder / "data"), folders.published(folder / "data")
        folders.assert_sound(folder / "data")
    return {"base": base, "clean": clean, "names": names, "before": (told(base / "data"), clean["ingest"][1])}


def test_the_points_are_those_of_the_table(nights):
    """A name that no run comes by would be tried by no trial."""
    reached = {name.partition(" ")[2] for names in nights["names"].values() for name in names}
    named = {f"{place.__name__}.{name}" for place, names in points.POINTS.items() for name in names}
    assert named - reached == {"Manifest._make_tables"} - reached
    assert {"begin immediate", "commit", "insert into version", "insert into file"} <= reached


@pytest.mark.parametrize("seed", AT_POINTS)
def test_a_run_killed_at_a_point_is_made_good_by_the_next(tmp_path, nights, seed):
    job = JOB_OF[seed % len(JOB_OF)]
    names = nights["names"][job]
    step = seed * STRIDE // len(JOB_OF) % len(names) + 1
    print(f"SEED={seed} {job} killed at {step} of {len(names)}: {names[step - 1]}")
    folder, output = folders.copy(nights["base"], tmp_path / "trial"), tmp_path / "output"
    code = processes.run(points.die_at, step, job, folder, output=output)
    assert code == -signal.SIGKILL, output.read_text()
    assert_readable(folder, nights, job)
    if seed % 2:  # the recovery is killed too: it comes first of what the next run does
        processes.run(points.die_at, random.Random(seed).randint(1, 60), "ingest", folder, output=output)
        assert_readable(folder, nights, job)
    folders.JOBS[job](folder)
    folders.assert_sound(folder / "data")
    assert told(folder / "data") == nights["clean"][job][0]
    assert folders.published(folder / "data") == nights["clean"][job][1]
    assert job == "ingest" or not list((folder / "data" / "catalog").glob("*.building*"))
    shutil.rmtree(folder)


def assert_readable(folder, nights, job) -> None:
    """Readers never wait for a recovery, and see a whole state; of the ledger too, nothing is half there."""
    states = [nights["before"], *nights["clean"].values()]
    assert folders.published(folder / "data") in [published for _, published in states]
    assert told(folder / "data") in [known for known, _ in states]


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Thousands of lines, so that a run has more moments; what they make of the ledger, and in how many seconds."""
    base = tmp_path_factory.mktemp("grown") / "base"
    base.mkdir()
    write_large_logs(base / "logs", 1)
    folders.ingest(base)
    write_large_logs(base / "logs", 2)
    clean = folders.copy(base, base.with_name("clean"))
    started = time.monotonic()
    assert processes.run(folders.ingest, clean, output=base.with_name("output")) == 0
    return {"base": base, "seconds": time.monotonic() - started, "told": told(clean / "data")}


@pytest.mark.parametrize("seed", AT_MOMENTS)
def test_an_ingest_killed_at_any_moment_is_made_good_by_the_next(tmp_path, grown, seed):
    randomly = random.Random(seed)
    print(f"SEED={seed}")
    folder, output = folders.copy(grown["base"], tmp_path / "trial"), tmp_path / "output"
    before: Told = told(folder / "data")
    for _ in range(randomly.randint(1, 2)):
        process = processes.start(folders.ingest, folder, output=output)
        time.sleep(randomly.uniform(0.02, grown["seconds"]))
        process.kill()
        assert processes.ended(process) in (0, -signal.SIGKILL), output.read_text()
        assert told(folder / "data") in (before, grown["told"])
    folders.ingest(folder)
    folders.assert_sound(folder / "data")
    assert told(folder / "data") == grown["told"]
    shutil.rmtree(folder)

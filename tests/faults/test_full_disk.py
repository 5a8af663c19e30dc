"""A disk that takes no more, at every size; that takes nothing at all; and a folder that goes away.

    TRIALS=500 python -m pytest -s tests/faults/test_full_disk.py

The data folder is a disk in memory, with so much room beside what it holds. Where none can be mounted, a bound on the
size of files stands for it in `tests/pipelines/test_ledger.py`.
"""

import contextlib
import os
import re
import shutil

import pytest

from tests.faults import disks, folders, processes
from tests.faults.folders import told
from tests.pipelines.logs import jsonl, snapshot

SUCCEEDED = (0, 6)  # 6: a model has no price
SEEDS = processes.seeds(4)
STRIDE = 7919
ROOM = {"ingest": 400, "run": 9000}  # kilobytes: with these a run succeeds

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(bool(disks.why_no_memory_disk()), reason=f"no full disk is tried: {disks.why_no_memory_disk()}"),
]


def command(words: list[str]) -> None:
    from pipelines.cli import main

    main(words)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A folder as the first night left it, on a disk of its own, with the logs of the second beside it."""
    top = tmp_path_factory.mktemp("disk")
    base, place = top / "base", top / "place"
    base.mkdir()
    folders.write_logs(base / "logs", 1)
    folders.night(base)
    folders.write_logs(base / "logs", 2)
    many = (snapshot(n, n) | {"sessionId": f"{n * 7919 % 10007:x}" * 9} for n in range(2000))
    (base / "logs" / "c").write_bytes(jsonl(many))
    clean = folders.copy(base, top / "clean")
    folders.night(clean)
    after = told(clean / "data"), folders.published(clean / "data")
    place.mkdir()
    shutil.copytree(base / "logs", place / "logs")
    with disks.in_memory(place / "data"):
        yield {"base": base, "place": place, "output": top / "output", "after": after,
               "before": (told(base / "data"), folders.published(base / "data"))}  # fmt: skip


@pytest.fixture
def place(disk):
    """The disk, as it was before."""
    data = disk["place"] / "data"
    disks.remount(data, "rw,size=65536k")
    for path in data.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.copytree(disk["base"] / "data", data, symlinks=True, dirs_exist_ok=True)
    yield disk["place"]
    disks.remount(data, "rw,size=65536k")


def run(disk: dict, job: str) -> tuple[int, str]:
    place = disk["place"]
    words = [job, str(place / "logs"), "--data", str(place / "data")]
    code = processes.run(command, words, output=disk["output"])
    return code, disk["output"].read_text()


def assert_told_in_a_line(words: str, place: str) -> None:
    assert "Traceback" not in words, words
    (line,) = re.findall(r"^tokenspread: .*", words, re.MULTILINE)
    assert place in line, line


def assert_made_good(disk: dict) -> None:
    """Readers see what was published; the next run, with room, needs nothing else."""
    place = disk["place"]
    assert folders.published(place / "data") in (disk["before"][1], disk["after"][1])
    disks.remount(place / "data", "rw,size=65536k")
    assert told(place / "data") in (disk["before"][0], disk["after"][0])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_full_disk_is_told_in_a_line_and_the_next_run_makes_it_good(disk, place, seed):
    job = "run" if seed % 3 == 2 else "ingest"
    kilobytes = seed * STRIDE % (ROOM[job] // 4) * 4
    state = os.statvfs(place / "data")
    used = (state.f_blocks - state.f_bfree) * state.f_frsize // 1024
    disks.remount(place / "data", f"size={used + kilobytes}k")
    code, words = run(disk, job)
    print(f"SEED={seed} {job} with {kilobytes} kB: {code}")
    if code not in SUCCEEDED:
        assert code == 1, words
        assert_told_in_a_line(words, str(place / "data"))
    assert_made_good(disk)
    folders.JOBS["night" if job == "run" else "ingest"](place)
    folders.assert_sound(place / "data")
    assert told(place / "data") == disk["after"][0]
    assert job == "ingest" or folders.published(place / "data") == disk["after"][1]


@pytest.mark.parametrize("job", ["ingest", "build"])
def test_a_disk_that_is_read_only_is_told_in_a_line(disk, place, job):
    disks.remount(place / "data", "ro")
    if job == "build":
        code = processes.run(command, [job, "--data", str(place / "data")], output=disk["output"])
        words = disk["output"].read_text()
    else:
        code, words = run(disk, job)
    assert code == 1, words
    assert_told_in_a_line(words, str(place / "data"))
    assert folders.published(place / "data") == disk["before"][1]
    disks.remount(place / "data", "rw")
    folders.night(place)
    assert (told(place / "data"), folders.published(place / "data")) == disk["after"]


def test_a_staging_folder_that_goes_away_is_told_in_a_line(disk, place):
    """Something cleans up while a run writes."""
    codes = set()
    for number in range(2):
        process = processes.start(vanishing, place, number, output=disk["output"])
        codes.add(code := processes.ended(process))
        words = disk["output"].read_text()
        assert code in (0, 1), words
        if code:
            assert_told_in_a_line(words, str(place / "data"))
        assert told(place / "data") in (disk["before"][0], disk["after"][0])
    assert 1 in codes
    folders.night(place)
    folders.assert_sound(place / "data")
    assert (told(place / "data"), folders.published(place / "data")) == disk["after"]


def vanishing(place, number: int) -> None:
    from pipelines.draft import Draft
    from pipelines.pieces import staged_pieces

    def gone(step):
        def stepping(*given, **named):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(place / "data" / "staging")
            return step(*given, **named)

        return stepping

    patch = pytest.MonkeyPatch()
    if number:
        patch.setattr("pipelines.intake.staged_pieces", gone(staged_pieces))
    else:
        patch.setattr(Draft, "flush", gone(Draft.flush))
    command(["ingest", str(place / "logs"), "--data", str(place / "data")])

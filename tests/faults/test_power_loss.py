"""The power fails: what was told to be committed is there, whole, on the disk as it was at that instant.

    TRIALS=500 python -m pytest -s tests/faults/test_power_loss.py      # cuts in all

A writer works on an ext4 of its own and says when a commit is done; now and then it is stopped, and the disk copied. A
copy is mounted afterwards, which replays its journal, as after a power failure. Root and a loop device are needed.
The same without fsync has to fail: a harness that sees no damage there sees none anywhere.
"""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from pipelines import durable, stages
from pipelines.settings import Settings
from tests.faults import disks, folders, points, processes
from tests.faults.folders import told
from tests.pipelines.logs import chat, jsonl, snapshot

COMMITS = 12  # of a writer
PUBLISHED_AFTER = (3, 9)  # commits
CUTS = 14  # of a writer, at most; it may end before the last
STOPS, POINTS_OF_ALL = 16, 3000  # about
Cut = tuple[Path, bytes]  # the disk, and what the writer had said
WRITERS = [processes.SEED + number for number in range(-(-processes.trials(10) // 10))]

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(bool(disks.why_none()), reason=f"power loss is not tried: {disks.why_none()}"),
]


def settings_of(data: Path, logs: Path, count: int) -> Settings:
    return Settings.load(data=data, logs=[str(logs / f"{number:02}") for number in range(count)])


def write(data: Path, logs: Path, said: Path, without: str = "") -> None:
    """Commits log after log, and says so, one byte for each, when it is done."""
    if without:
        _leave_out_syncing(without)
    with said.open("ab", buffering=0) as file:
        for count in range(1, COMMITS + 1):
            stages.ingest(settings_of(data, logs, count))
            file.write(b"c")
            if count in PUBLISHED_AFTER and not without:
                stages.build(settings_of(data, logs, count))
                file.write(b"p")


def write_stopping(data: Path, logs: Path, said: Path, seed: int) -> None:
    """The same, and stops by itself at named points of a commit, now and then."""
    randomly = random.Random(seed)

    def reach(_name: str) -> None:
        if randomly.random() < STOPS / POINTS_OF_ALL:
            os.kill(os.getpid(), signal.SIGSTOP)

    with points.reached(reach):
        write(data, logs, said)


def _leave_out_syncing(what: str) -> None:
    """Of the ledger's files, or of these and the manifest's."""
    for module in ("ledger", "warehouse"):
        pytest.MonkeyPatch().setattr(f"pipelines.{module}.fsync", lambda path: None)
    pytest.MonkeyPatch().setattr(durable, "fsync", lambda path: None)
    pytest.MonkeyPatch().setattr(os, "fsync", lambda descriptor: None)
    if what == "files":
        return

    class Careless(sqlite3.Connection):
        def execute(self, sql: str, *given):
            return super().execute("pragma synchronous = off" if "synchronous" in sql else sql, *given)

    connect = sqlite3.connect
    pytest.MonkeyPatch().setattr(sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=Careless))


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Logs that each tell more of the calls of the ones before, so that files of the ledger are replaced."""
    folder = tmp_path_factory.mktemp("logs")
    for number in range(COMMITS):
        records = [chat(number), chat(40 + number), snapshot(number % 3, number + 1)]
        (folder / f"{number:02}").write_bytes(jsonl(records))
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory, logs):
    """What the ledger says after each commit, from none to all."""
    data, states = tmp_path_factory.mktemp("clean") / "data", [None]
    for count in range(1, COMMITS + 1):
        stages.ingest(settings_of(data, logs, count))
        states.append(told(data))
    return states


def cuts_of(tmp_path: Path, job, given: tuple, said: Path, moments: Iterator[tuple[int, float]]) -> list[Cut]:
    """Copies of the disk, and what the writer had said until then: of the moments (so many seconds after so many
    commits), and of where the writer stops by itself."""
    image, place, found = disks.made(tmp_path / "image"), tmp_path / "disk", []
    said.touch()
    with disks.mounted(image, place):
        process = processes.start(job, place / "data", *given, output=tmp_path / "output")
        while len(found) < CUTS and (count := next(moments, None)):
            while said.read_bytes().count(b"c") < count[0] and processes.is_going_on(process):
                time.sleep(0.002)
            time.sleep(count[1])
            if not processes.stop(process):
                break
            if (place / "data").exists():
                target = tmp_path / f"cut-{len(found)}"
                disks.cut(place, image, target)
                found.append((target, said.read_bytes()))
            processes.go_on(process)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL), (tmp_path / "output").read_text()
    image.unlink()
    return found


def moments(randomly: random.Random) -> Iterator[tuple[int, float]]:
    yield from sorted((randomly.randrange(COMMITS), randomly.uniform(0, 0.2)) for _ in range(CUTS))


def check(cut: Path, said: bytes, place: Path, logs: Path, clean: list) -> None:
    """Every commit that was told of is there, at most the one after it too, and the next run goes on by itself."""
    with disks.mounted(cut, place):
        data, done = place / "data", said.count(b"c")
        if done:
            assert told(data) in clean[done : done + 2]
        if b"p" in said:
            assert folders.published(data)
        stages.ingest(settings_of(data, logs, COMMITS))
        assert told(data) == clean[-1]
        folders.assert_sound(data)


@pytest.mark.parametrize("seed", WRITERS)
def test_what_was_committed_outlasts_a_loss_of_power(tmp_path, logs, clean, seed):
    said = tmp_path / "said"
    if seed % 2:
        cuts = cuts_of(tmp_path, write, (logs, said), said, moments(random.Random(seed)))
    else:
        cuts = cuts_of(tmp_path, write_stopping, (logs, said, seed), said, repeat((COMMITS, 0)))
    print(f"SEED={seed} {len(cuts)} cuts, after commits", *(words.count(b"c") for _, words in cuts))
    assert cuts
    for number, (cut, words) in enumerate(cuts):
        try:
            check(cut, words, tmp_path / "copy", logs, clean)
        except BaseException as error:
            error.add_note(f"SEED={seed} cut {number} after {words}")
            raise
        cut.unlink()


@pytest.mark.parametrize("what", ["files", "files and manifest"])
def test_without_syncing_the_same_fails(tmp_path, logs, clean, what):
    said = tmp_path / "said"
    cuts = cuts_of(tmp_path, write, (logs, said, what), said, moments(random.Random(processes.SEED)))
    damaged = 0
    for cut, words in cuts:
        try:
            check(cut, words, tmp_path / "copy", logs, clean)
        except Exception:
            damaged += 1
        cut.unlink()
    print(f"SEED={processes.SEED} without syncing {what}: {damaged} of {len(cuts)} cuts did damage")
    assert damaged, "no damage is seen where nothing is synced: this harness is blind"

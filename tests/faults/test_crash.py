"""Runs that really die: kill -9 at random moments, then the next run. The ledger must be as after one clean run."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines import sandbox, stages
from pipelines.draft import KINDS
from pipelines.settings import Settings
from tests.pipelines.logs import ADDRESSES, chat, figures, jsonl, ledger_rows, snapshot, without_id

# `make crash` asks for more
KILLS = int(os.environ.get("KILLS", "8"))
STEPS_TRIED = int(os.environ.get("STEPS_TRIED", "24"))
RUN = "from pipelines.cli import main; main()"


def tokenspread(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def write_logs(folder: Path, night: int) -> None:
    """What stands in the logs on each of two nights: files that grow, calls whose usage grows, a file that is new."""
    folder.mkdir(exist_ok=True)
    count = 1500 * night
    (folder / "chat.jsonl").write_bytes(jsonl(chat(n) for n in range(count)))
    (folder / "flat.jsonl").write_bytes(jsonl(without_id(n % 50) for n in range(count)))
    (folder / "session.jsonl").write_bytes(jsonl(snapshot(n % 700, n) for n in range(count)))
    (folder / f"night-{night}.jsonl").write_bytes(jsonl(chat(n) for n in range(10_000, 10_000 + count)))


def published(data: Path) -> list[tuple]:
    query = (
        "select 'feature', feature, user_id, scenario, cost_usd::varchar, action_count, null from scenario_comparison "
        "union all select 'file', path, shape, null, null, line_count, duplicate_count from files"
    )
    return sorted(sandbox.query(data / "warehouse.duckdb", query).rows(), key=repr)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The logs of two nights, and what two runs that nobody kills make of them."""
    folder = tmp_path_factory.mktemp("clean")
    results = {}
    for night in (1, 2):
        write_logs(folder / "logs", night)
        started = time.monotonic()
        finish(tokenspread("run", folder / "logs", "--data", folder / "data"))
        results[night] = time.monotonic() - started
    return {
        "seconds": max(results.values()),
        "figures": figures(folder / "data"),
        "published": published(folder / "data"),
    }


@pytest.mark.crash
@pytest.mark.parametrize("trial", range(KILLS))
def test_after_kill_9_the_next_run_makes_it_whole(tmp_path, clean, trial):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("SEED", seed)
    randomly = random.Random(seed)
    data, logs = tmp_path / "data", tmp_path / "logs"
    for night in (1, 2):
        write_logs(logs, night)
        for _ in range(randomly.randint(1, 2)):
            process = tokenspread("run", logs, "--data", data)
            time.sleep(randomly.uniform(0.1, clean["seconds"]))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        finish(tokenspread("run", logs, "--data", data))
    rows = ledger_rows(data)
    assert rows.select("key_hi", "key_lo").is_unique().all()
    assert figures(data) == clean["figures"], f"SEED={seed}"
    assert strip(published(data), tmp_path) == strip(clean["published"], None), f"SEED={seed}"
    assert not (data / "staging").exists() or not any((data / "staging").iterdir())
    on_disk = {str(path.relative_to(data)) for kind in KINDS for path in (data / kind).rglob("*.parquet")}
    assert on_disk == manifest_files(data)


def strip(rows: list[tuple], folder: Path | None) -> list[tuple]:
    """Paths differ between the two folders only in the folder."""
    return sorted(((row[0], Path(row[1]).name if row[0] == "file" else row[1], *row[2:]) for row in rows), key=repr)


def manifest_files(data: Path) -> set[str]:
    connection = sqlite3.connect(data / "manifest.sqlite")
    paths = {path for (path,) in connection.execute("select path from file")}
    connection.close()
    return paths


def test_two_runs_at_once_the_second_says_so_and_changes_nothing(tmp_path):
    from pipelines import ledger

    write_logs(tmp_path / "logs", 1)
    with ledger.opened(tmp_path / "data"):
        process = tokenspread("run", tmp_path / "logs", "--data", tmp_path / "data")
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert b"another tokenspread run is writing here" in errors
    assert ledger_rows(tmp_path / "data").height == 0


def test_readers_see_a_whole_catalogue_while_runs_publish(tmp_path):
    """Opened afresh in a loop by a plain client, it never fails, never goes back, and never shows half a night."""
    import duckdb

    data, logs = tmp_path / "data", tmp_path / "logs"
    write_logs(logs, 1)
    finish(tokenspread("run", logs, "--data", data))
    first = figures(data, ADDRESSES)
    write_logs(logs, 2)
    process = tokenspread("run", logs, "--data", data)
    seen = []
    while process.poll() is None:
        with duckdb.connect(str((data / "warehouse.duckdb").resolve()), read_only=True) as connection:
            seen.append(connection.execute("select count(*) from calls").fetchall()[0][0])
    finish(process)
    assert seen and seen == sorted(seen)
    assert set(seen) <= {len(first), len(figures(data))}


class Died(BaseException):
    """Stands for the kill; no handler of errors takes it for one."""


class Life:
    """Dies before the n-th thing that it asks of the disk, and asks nothing of it any more after that, so that what the
    code does to clean up has no effect either: as `kill -9` leaves it, in a process that can be used again."""

    def __init__(self, patch: pytest.MonkeyPatch, n: int | None = None) -> None:
        self.steps, self.n, self.connections = 0, n, []
        for module, names in STEPS.items():
            for name in names:
                patch.setattr(module, name, self.counted(getattr(module, name)))
        connect, life = sqlite3.connect, self

        class Connection(sqlite3.Connection):
            def execute(self, *arguments):
                return life.counted(super().execute)(*arguments)

            def executemany(self, *arguments):
                return life.counted(super().executemany)(*arguments)

        def connected(*given, **named):
            self.connections.append(connect(*given, **named, factory=Connection))
            return self.connections[-1]

        patch.setattr(sqlite3, "connect", connected)

    def end(self) -> None:
        """What the kernel does with the files of a dead process."""
        for connection in self.connections:
            connection.close()

    def counted(self, step: Callable) -> Callable:
        def stepping(*arguments, **named):
            self.steps += 1
            if self.n and self.steps >= self.n:
                raise Died
            return step(*arguments, **named)

        return stepping


STEPS = {os: ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "symlink", "chmod"), shutil: ("rmtree",)}


def write_small_logs(folder: Path, night: int) -> None:
    """A call whose usage grows, so that a file of the ledger is replaced; a new file; a line that is quarantined."""
    folder.mkdir(exist_ok=True)
    (folder / "a").write_bytes(jsonl([snapshot(1, 2), snapshot(2, 2), snapshot(1, 9)][: 1 + night]))
    if night == 2:
        (folder / "b").write_bytes(jsonl([chat(1), without_id(1), chat(40)][::2]) + b"{bad\n")


def run(data: Path, logs: Path) -> None:
    settings = Settings.load(data=data, logs=[str(logs)])
    stages.ingest(settings)
    stages.build(settings)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """A folder as the first night left it, with the logs of the second; what that makes of it; in how many steps."""
    folder = tmp_path_factory.mktemp("nights")
    write_small_logs(folder / "logs", 1)
    run(folder / "data", folder / "logs")
    write_small_logs(folder / "logs", 2)
    clean = folder.with_name("clean")
    shutil.copytree(folder, clean, symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        life = Life(patch)
        run(clean / "data", clean / "logs")
    return {"folder": folder, "clean": clean, "steps": life.steps}


def assert_whole(data: Path, nights: dict) -> None:
    assert figures(data) == figures(nights["clean"] / "data")
    assert strip(published(data), data) == strip(published(nights["clean"] / "data"), None)
    on_disk = {str(p.relative_to(data)) for kind in KINDS for p in (data / kind).rglob("*.parquet")}
    assert on_disk == manifest_files(data)


@pytest.mark.crash
def test_a_run_that_dies_at_any_step_is_made_good_by_the_next(tmp_path, nights):
    """Every step of a commit and a publication, one death each. The steps of recovery are among them: in every other
    trial, the next run dies too."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("SEED", seed, "steps", nights["steps"])
    randomly = random.Random(seed)
    assert nights["steps"] > 60
    at = sorted(randomly.sample(range(1, nights["steps"] + 1), min(STEPS_TRIED, nights["steps"])))
    for n in at:
        folder = tmp_path / str(n)
        shutil.copytree(nights["folder"], folder, symlinks=True)
        before = figures(folder / "data")
        for death in (n, randomly.randint(1, nights["steps"]))[: 1 + n % 2]:
            with pytest.MonkeyPatch.context() as patch:
                life = Life(patch, death)
                with contextlib.suppress(Died):  # the second run may be done sooner
                    run(folder / "data", folder / "logs")
                life.end()
            assert figures(folder / "data") in (before, figures(nights["clean"] / "data")), f"{n=} SEED={seed}"
            assert published(folder / "data"), f"{n=} SEED={seed}"  # readers never wait for a recovery
        run(folder / "data", folder / "logs")
        assert_whole(folder / "data", nights)
        shutil.rmtree(folder)


DRIVER = """
import os, sys
from pathlib import Path
import pytest
from tests.faults import test_crash
class Life(test_crash.Life):
    def counted(self, step):
        def stepping(*arguments, **named):
            self.steps += 1
            if self.steps >= self.n:
                os._exit(9)
            return step(*arguments, **named)
        return stepping
Life(pytest.MonkeyPatch(), int(sys.argv[1]))
test_crash.run(Path(sys.argv[2]), Path(sys.argv[3]))
"""


@pytest.mark.crash
def test_a_process_that_exits_at_a_step_is_made_good_by_the_next(tmp_path, nights):
    """A few of the same steps with a death that is none of Python's making."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    for n in random.Random(seed).sample(range(1, nights["steps"]), 3):
        folder = tmp_path / str(n)
        shutil.copytree(nights["folder"], folder, symlinks=True)
        command = [sys.executable, "-c", DRIVER, str(n), str(folder / "data"), str(folder / "logs")]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120)
        assert done.returncode == 9, f"{n=} SEED={seed} {done.stderr}"
        run(folder / "data", folder / "logs")
        assert_whole(folder / "data", nights)

"""Runs that really die: kill -9 at random moments, then the next run. The ledger must be as after one clean run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pipelines.logs import ADDRESSES, chat, figures, jsonl, ledger_rows, snapshot, without_id

# `make crash` asks for more
KILLS = int(os.environ.get("KILLS", "8"))
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
    from pipelines import warehouse

    query = (
        "select 'feature', feature, user_id, scenario, cost_usd::varchar, action_count, null from scenario_comparison "
        "union all select 'file', path, shape, null, null, line_count, duplicate_count from files"
    )
    return sorted(warehouse.query(data / "warehouse.duckdb", query).rows(), key=repr)


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
    on_disk = {
        str(path.relative_to(data))
        for kind in ("ledger", "outcomes", "quarantine")
        for path in (data / kind).rglob("*.parquet")
    }
    assert on_disk == manifest_files(data)


def strip(rows: list[tuple], folder: Path | None) -> list[tuple]:
    """Paths differ between the two folders only in the folder."""
    return sorted(((row[0], Path(row[1]).name if row[0] == "file" else row[1], *row[2:]) for row in rows), key=repr)


def manifest_files(data: Path) -> set[str]:
    import sqlite3

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
    assert seen == sorted(seen)
    assert set(seen) <= {len(first), len(figures(data))}

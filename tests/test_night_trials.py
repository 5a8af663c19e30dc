"""Nights on a real server with a schedule of each minute: hours of them, so only where TRIALS says how many.

    TRIALS=20 python -m pytest -s tests/test_night_trials.py

Each trial is a night of new, late and repeated files, and a `kill -9` at a random moment: of the process that carries
out the night, of the server, or of all, which are then started again as systemd would. Then a night must complete by
itself, and every published figure must be equal to that of one run over all files.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import stages
from pipelines.settings import Settings
from tests.pipelines.night_logs import Shop, published_figures

ROOT = Path(__file__).parents[1]
TRIALS = int(os.environ.get("TRIALS", "0"))
KILLED = ("the flow", "the server", "all")
WAIT_SECONDS = 420  # for a night that completes: the next minute's, but after a kill leases may have to run out

pytestmark = [
    pytest.mark.prefect,
    pytest.mark.crash,
    pytest.mark.xdist_group("prefect"),
    pytest.mark.skipif(not TRIALS, reason="TRIALS is not set: each takes minutes"),
]
CONFIG = '[input]\nlogs = "logs"\noutcomes = "outcomes.jsonl"\ndata = "data"\n[gate]\nquarantined = "100%"\n'


class Served:
    """`tokenspread serve` in a process of its own, with the server that it starts on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        env |= {"PREFECT_SERVER_API_PORT": str(self.port), "PREFECT_HOME": str(self.folder / "home")}
        command = [sys.executable, "-c", "from pipelines.cli import main; main()", "serve", "--cron", "* * * * *"]
        with (self.folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--config", str(self.folder / "tokenspread.toml")], cwd=ROOT, env=env, stdout=log, stderr=log
            )

    def kill(self, what: str) -> bool:
        """False where there is no such process at the moment."""
        assert self.process is not None
        below = dict(descendants(self.process.pid))
        servers = [pid for pid, command in below.items() if "server" in command]
        flows = [pid for pid, command in below.items() if pid not in servers and "resource_tracker" not in command]
        chosen = {"the flow": flows, "the server": servers, "all": [self.process.pid, *servers, *flows]}[what]
        for pid in chosen:
            os.kill(pid, signal.SIGKILL)
        if what == "all":
            self.process.wait()
            self.start()
        return bool(chosen)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def runs(self, *states: str) -> list[dict[str, Any]]:
        body = json.dumps({"flow_runs": {"state": {"type": {"any_": states}}}, "sort": "END_TIME_DESC"}).encode()
        url = f"http://127.0.0.1:{self.port}/api/flow_runs/filter"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Process ids and command lines of all that a process started, and these started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text().split()
    except OSError:
        return
    for child in map(int, dict.fromkeys(children)):
        try:
            yield child, Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        yield from descendants(child)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "tokenspread.toml").write_text(CONFIG)
    serving = Served(tmp_path)
    yield serving
    serving.stop()
    print((tmp_path / "serve.log").read_text()[-4000:])  # seen when the test fails


def batch_figures(shop: Shop, folder: Path) -> dict[str, list[tuple]]:
    settings = Settings(logs=(str(shop.logs),), outcomes=(shop.outcomes,), data=folder)
    stages.ingest(settings)
    stages.build(settings)
    return published_figures(folder)


def wait_for_a_night(served: Served, since: float) -> float:
    """Until a night that began after `since` is completed; how long that took from there."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            done = served.runs("COMPLETED")
        except OSError:  # the server was killed, and is not back yet
            done = []
        if any(run["start_time"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since)) for run in done):
            return time.time() - since
        time.sleep(1)
    pytest.fail(f"no night was completed in {WAIT_SECONDS} s")


def test_three_nights_on_a_schedule_come_to_what_one_run_over_all_comes_to(tmp_path: Path, served: Served) -> None:
    shop = Shop(tmp_path, seed=7)
    served.start()
    for number in range(3):
        shop.night()
        took = wait_for_a_night(served, time.time())
        assert published_figures(tmp_path / "data") == batch_figures(shop, tmp_path / f"batch-{number}")
        print(f"night {number + 1}: completed after {took:.0f} s, {len(shop.all_calls)} calls, figures equal")


def test_after_kill_9_the_next_night_completes_by_itself(tmp_path: Path, served: Served) -> None:
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("SEED", seed)
    randomly, shop = random.Random(seed), Shop(tmp_path, seed)
    served.start()
    shop.night()
    wait_for_a_night(served, time.time())
    for trial in range(TRIALS):
        shop.night()
        what = KILLED[trial % 3]
        # within a night, which begins at the minute and takes some seconds: its processes are there
        into_the_minute = randomly.uniform(0, 12)
        time.sleep((into_the_minute - time.time()) % 60)
        while not served.kill(what):
            time.sleep(0.2)
        took = wait_for_a_night(served, time.time())
        states = {run["state_type"] for run in served.runs("RUNNING", "PENDING", "CRASHED", "CANCELLED", "FAILED")}
        assert published_figures(tmp_path / "data") == batch_figures(shop, tmp_path / f"batch-{trial}")
        told = f"killed {what} {into_the_minute:.1f} s into the minute; a night completed after {took:.0f} s"
        print(f"trial {trial + 1}: {told}, {len(shop.all_calls)} calls, figures equal; {sorted(states)}", flush=True)

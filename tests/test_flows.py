"""The nightly flow: once, once more, when something is in the way, and on a real schedule."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.settings import LedgerBusy, Settings, UserError

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]  # one worker, so that the harness starts once

ROOT = Path(__file__).parent.parent
START_SECONDS = 120
BERLIN = ZoneInfo("Europe/Berlin")
LOG_LINE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_763_000_000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(LOG_LINE | {"id": f"chatcmpl-{i}"}) + "\n" for i in range(3)), encoding="utf-8")
    return path


def published(data: Path) -> tuple[int, int]:
    """Calls and their input tokens, as a reader of the warehouse sees them."""
    import duckdb

    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute("select count(*), sum(input_tokens) from calls").fetchall()[0]


@pytest.mark.usefixtures("prefect_harness")
def test_a_night_and_the_same_night_again(tmp_path: Path, log: Path) -> None:
    from pipelines import flows

    for _ in range(2):
        state = flows.nightly(data=str(tmp_path / "data"), logs=[str(log)], return_state=True)
        assert state.is_completed()
        assert published(tmp_path / "data") == (3, 30)


@pytest.mark.usefixtures("prefect_harness")
def test_a_busy_ledger_is_tried_again_and_a_mistake_is_not(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines import flows

    tries = []

    def in_the_way(settings: Any) -> Any:
        tries.append(settings)
        raise troubles.pop(0)

    monkeypatch.setattr(flows.stages, "ingest", in_the_way)
    monkeypatch.setattr(flows, "ingest", flows.ingest.with_options(retry_delay_seconds=0))
    troubles: list[Exception] = [LedgerBusy("held by another run"), OSError("disk away"), UserError("no such log")]
    state = flows.nightly(data=str(tmp_path / "data"), logs=[str(log)], return_state=True)
    assert state.is_failed()
    assert len(tries) == 3
    assert not (tmp_path / "data" / "warehouse.duckdb").exists()


@pytest.mark.usefixtures("prefect_harness")
def test_runs_that_died_with_the_machine_are_closed() -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Completed, Running

    from pipelines import flows

    with get_client(sync_client=True) as client:
        died = client.create_flow_run(flows.nightly, state=Running())
        done = client.create_flow_run(flows.nightly, state=Completed())
        assert flows.close_dead_runs(client) == 1
        assert client.read_flow_run(died.id).state.is_crashed()
        assert client.read_flow_run(done.id).state.is_completed()
        assert flows.close_dead_runs(client) == 0


def test_a_night_is_named_after_its_scheduled_day(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines import flows

    scheduled = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # half past midnight in Berlin
    for timezone, day in (("Europe/Berlin", "2026-03-29"), ("UTC", "2026-03-28")):
        run = SimpleNamespace(parameters={"timezone": timezone}, scheduled_start_time=scheduled)
        monkeypatch.setattr(flows, "flow_run", run)
        assert flows.night_name() == f"nightly-{day}"


@pytest.mark.parametrize(
    ("cron", "timezone", "named"), [("15 2 * *", "UTC", "--cron"), ("15 2 * * *", "Europe/Berlim", "--timezone")]
)
def test_a_schedule_that_cannot_be_is_refused(tmp_path: Path, cron: str, timezone: str, named: str) -> None:
    from pipelines import flows

    with pytest.raises(UserError, match=named):
        flows.serve(Settings(logs=("log.jsonl",), data=tmp_path), cron, timezone)
    assert list(tmp_path.iterdir()) == []


def test_a_schedule_without_logs_is_refused(tmp_path: Path) -> None:
    from pipelines import flows

    with pytest.raises(UserError, match="logs"):
        flows.serve(Settings(data=tmp_path), "15 2 * * *", "UTC")


@contextmanager
def served(tmp_path: Path, cron: str) -> Iterator[str]:
    """`tokenspread serve` in a process of its own on a free port; yields the URL of the server that it starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "tokenspread.toml"
    config.write_text('[input]\nlogs = ["log.jsonl"]\ndata = "data"\n', encoding="utf-8")
    code = "from pipelines.cli import main; main()"
    arguments = ["serve", "--cron", cron, "--timezone", "Europe/Berlin", "--config", str(config)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    env |= {"PREFECT_SERVER_API_PORT": str(port), "PREFECT_HOME": str(tmp_path / "home")}
    with (tmp_path / "serve.log").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], cwd=ROOT, env=env, stdout=output, stderr=output
        )
        try:
            yield f"http://127.0.0.1:{port}/api"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            print((tmp_path / "serve.log").read_text())  # seen when the test fails
    assert process.returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server that serve started outlived it"


def ask(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def wait_for_runs(api: str, states: tuple[str, ...], minimum: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + START_SECONDS
    runs: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        try:
            runs = ask(f"{api}/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": states}}}})
        except OSError:  # the server is still starting
            runs = []
        if len(runs) >= minimum:
            return sorted(runs, key=lambda run: run["expected_start_time"])
        time.sleep(0.5)
    pytest.fail(f"fewer than {minimum} runs are {states} after {START_SECONDS} s")


def test_a_cron_deployment_creates_runs_and_carries_them_out(tmp_path: Path, log: Path) -> None:
    """With the wrong SQLAlchemy the scheduler creates none, and only the server's log knows."""
    with served(tmp_path, "15 2 * * *") as api:
        runs = wait_for_runs(api, ("SCHEDULED",), 3)
        starts = [datetime.fromisoformat(run["expected_start_time"]).astimezone(BERLIN) for run in runs]
        assert all(run["auto_scheduled"] for run in runs)
        assert {f"{start:%H:%M}" for start in starts} == {"02:15"}
        assert starts[1].date() - starts[0].date() == timedelta(days=1)

        # Not to wait for the night, its run is told to start now.
        now = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
        ask(f"{api}/flow_runs/{runs[0]['id']}/set_state", {"state": now, "force": True})
        (done,) = wait_for_runs(api, ("COMPLETED", "FAILED", "CRASHED"), 1)
        assert (done["id"], done["state_type"]) == (runs[0]["id"], "COMPLETED")
        assert done["name"] == f"nightly-{starts[0]:%Y-%m-%d}"
    assert published(tmp_path / "data") == (3, 30)

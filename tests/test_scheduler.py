"""`tokenspread serve` and a worker on real servers: schedules, backfills, runs that died; and what deploy/ ships."""

import asyncio
import configparser
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml

from pipelines import lock, nights
from pipelines.errors import UserError
from pipelines.settings import Settings

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
START_SECONDS = 120
ZOMBIES = int(os.environ.get("ZOMBIES", "0"))  # runs to kill and to wait for, two minutes each
BERLIN = ZoneInfo("Europe/Berlin")
LOG_LINE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_763_000_000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
Ask = Callable[..., Any]


def write_inputs(folder: Path) -> Path:
    """A log of three calls, and a settings file that names it."""
    folder.mkdir(exist_ok=True)
    lines = (json.dumps(LOG_LINE | {"id": f"chatcmpl-{number}"}) + "\n" for number in range(3))
    (folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "tokenspread.toml").write_text('[input]\nlogs = ["log.jsonl"]\ndata = "data"\n', encoding="utf-8")
    return folder / "tokenspread.toml"


def published(data: Path) -> tuple[int, int]:
    """Calls and their input tokens, as a reader of the warehouse sees them."""
    with duckdb.connect(str(data / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute("select count(*), sum(input_tokens) from calls").fetchall()[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    often = {"PREFECT_RUNNER_POLL_FREQUENCY": "1", "PREFECT_WORKER_QUERY_SECONDS": "1"}  # not to wait in tests
    quiet = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}  # of servers that a test starts itself
    return env | often | quiet | {"PYTHONPATH": str(ROOT)} | more


@contextmanager
def process(arguments: list[str], folder: Path, env: dict[str, str], log: Path) -> Iterator[subprocess.Popen]:
    """A process of its own, told to stop at the end."""
    with log.open("a") as output:
        started = subprocess.Popen(arguments, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
        try:
            yield started
        finally:
            started.send_signal(signal.SIGTERM)
            started.wait(60)
            print(log.read_text())  # seen when the test fails


def serving(config: Path) -> list[str]:
    code = "from pipelines.cli import main; main()"
    schedule = ["--cron", "15 2 * * *", "--timezone", "Europe/Berlin"]
    return [sys.executable, "-c", code, "serve", *schedule, "--config", str(config)]


def asker(port: int) -> Ask:
    """Asks the API of the server at a port."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api{path}", data, {"Content-Type": "application/json"}
        )
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    return ask


def awaited(question: Callable[[], Any], what: str, seconds: int = START_SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if answer := question():
                return answer
        except OSError:  # the server is still starting
            pass
        time.sleep(0.3)
    pytest.fail(f"{what}: not after {seconds} s")


def runs_of(ask: Ask, flow: str, *states: str) -> list[dict[str, Any]]:
    query: dict[str, Any] = {"flows": {"name": {"any_": [flow]}}}
    if states:
        query["flow_runs"] = {"state": {"type": {"any_": states}}}
    return sorted(ask("/flow_runs/filter", query), key=lambda run: run["expected_start_time"])


def ended(ask: Ask, run_id: str, seconds: int = START_SECONDS) -> dict[str, Any]:
    def run() -> Any:
        told = ask(f"/flow_runs/{run_id}")
        return told if told["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None

    return awaited(run, f"the end of {run_id}", seconds)


def start(ask: Ask, deployment: str, **parameters: Any) -> str:
    found = ask(f"/deployments/name/{deployment}")
    return ask(f"/deployments/{found['id']}/create_flow_run", {"parameters": parameters})["id"]


def start_now(ask: Ask, run_id: str) -> None:
    now = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
    ask(f"/flow_runs/{run_id}/set_state", {"state": now, "force": True})


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, Path, int]]:
    """`tokenspread serve` with a server that it starts itself: asks its API, its folder, its port."""
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    env = environment(PREFECT_SERVER_API_PORT=str(port), PREFECT_HOME=str(folder / "home"))
    with process(serving(write_inputs(folder)), ROOT, env, folder / "serve.log") as started:
        ask = asker(port)
        # with the wrong SQLAlchemy the scheduler creates none, and only the server's log knows
        awaited(lambda: len(runs_of(ask, "nightly", "SCHEDULED")) >= 3, "three scheduled nights")
        yield ask, folder, port
    assert started.returncode == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the server that serve started outlived it"


def name_of(folder: Path) -> str:
    return "-".join((folder / "data").parts[1:])


def test_a_cron_deployment_creates_runs_and_carries_them_out(served: tuple[Ask, Path, int]) -> None:
    ask, folder, _ = served
    runs = runs_of(ask, "nightly", "SCHEDULED")
    starts = [datetime.fromisoformat(run["expected_start_time"]) for run in runs]
    assert all(run["auto_scheduled"] for run in runs)
    assert {f"{at.astimezone(BERLIN):%H:%M}" for at in starts} == {"02:15"}
    assert starts[1].astimezone(BERLIN).date() - starts[0].astimezone(BERLIN).date() == timedelta(days=1)

    assert len(runs) >= 30, "so many are made up after the machine was off"

    start_now(ask, runs[0]["id"])  # not to wait for the night; its day may not be over yet, then it is the one before
    done = ended(ask, runs[0]["id"])
    assert (done["state_type"], done["state"]["message"]) == (
        "COMPLETED",
        "warehouse-1.duckdb is published: 3 calls in 3 new lines",
    )
    before = min(starts[0].astimezone(UTC), datetime.now(UTC)).date() - timedelta(days=1)
    assert done["name"] == f"nightly-{before}"
    assert published(folder / "data") == (3, 30)


def test_a_backfill_asks_for_each_day_once_and_they_all_complete(served: tuple[Ask, Path, int]) -> None:
    ask, folder, _ = served
    days = [f"2025-11-{day:02}" for day in (10, 11)]
    asked = start(ask, f"backfill/{name_of(folder)}", since=days[0], until=days[-1])
    assert ended(ask, asked)["state_type"] == "COMPLETED"
    start_now(ask, asked)  # once more, as a retry does
    awaited(lambda: ask(f"/flow_runs/{asked}")["run_count"] == 2, "a second run of the backfill")
    assert ended(ask, asked)["state_type"] == "COMPLETED"

    def nights_of_days() -> list[dict[str, Any]]:
        return [run for run in runs_of(ask, "nightly") if run["parameters"].get("day")]

    ends = [ended(ask, run["id"]) for run in nights_of_days()]
    assert [run["name"] for run in ends] == [f"nightly-{day}" for day in days]
    assert {run["state_type"] for run in ends} == {"COMPLETED"}
    assert [run["start_time"] for run in ends] == sorted(run["start_time"] for run in ends)
    assert len(nights_of_days()) == len(days)


@pytest.fixture
def client(served: tuple[Ask, Path, int]) -> Iterator[Any]:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    url = f"http://127.0.0.1:{served[2]}/api"
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        yield client


def tell_heartbeat(client: Any, run_id: UUID, tags: list[str]) -> None:
    """As the process of a run does by itself."""
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run_id}"},
        "related": [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"} for tag in tags],
    }
    assert client.request("POST", "/events", json=[event]).status_code == 204


def test_runs_that_died_are_found_by_their_silence(served: tuple[Ask, Path, int], client: Any) -> None:
    """The automations with shorter times; with their own it takes minutes, see ZOMBIES.

    A server on SQLite gives an event up after four tries within a tenth of a second whenever something else writes
    ("database is locked"), and the states that follow it with it. In earnest the next heartbeat makes up for that: here
    are some too, and five that never begin, of which one is enough.
    """
    from prefect.states import Completed, Pending, Running, Scheduled

    from pipelines import flows, scheduler

    ask, names = served[0], [automation.name for automation in scheduler.automations()]
    assert sorted(found["name"] for found in ask("/automations/filter", {})) == sorted(names)
    scheduler.watch_over_runs(client)
    assert len(ask("/automations/filter", {})) == len(names)
    shorter = []
    # the second waits for longer, as it does in earnest: a busy server may be seconds behind with what it is told
    for automation, seconds in zip(scheduler.automations(), (10, 30), strict=True):
        trigger = automation.trigger.model_copy(update={"within": timedelta(seconds=seconds)})
        copy = automation.model_copy(update={"name": f"{automation.name}, soon", "trigger": trigger})
        shorter.append(client.create_automation(copy))
    time.sleep(3)  # the server takes new automations in
    tags = {"silent": ["tokenspread"], "done": ["tokenspread"], "of others": []}
    made = {name: client.create_flow_run(flows.nightly, tags=some, state=Scheduled()).id for name, some in tags.items()}
    for run_id in made.values():
        client.set_flow_run_state(run_id, Pending())
    never_begun = []
    for _ in range(5):
        never_begun.append(client.create_flow_run(flows.nightly, tags=["tokenspread"], state=Pending()).id)
        time.sleep(1)
    for run_id in made.values():
        client.set_flow_run_state(run_id, Running())
    for _ in range(5):
        time.sleep(1)
        for name, run_id in made.items():
            tell_heartbeat(client, run_id, tags[name])
    client.set_flow_run_state(made["done"], Completed())
    assert ended(ask, made["silent"])["state"]["message"] == "Its process is gone: killed, or its machine."

    def found() -> set[str]:
        runs = [ask(f"/flow_runs/{run_id}") for run_id in never_begun]
        return {run["state"]["message"] for run in runs if run["state_type"] == "CRASHED"}

    assert awaited(found, "one that never began") == {"What was to start it is gone."}
    for automation_id in shorter:
        client.delete_automation(automation_id)
    assert [ask(f"/flow_runs/{made[name]}")["state_type"] for name in ("done", "of others")] == ["COMPLETED", "RUNNING"]


def test_a_run_that_has_ended_stays_as_it_ended(client: Any) -> None:
    """What watches over runs may hear the last heartbeat after the end."""
    from prefect.states import Completed, Crashed, Running, Scheduled

    from pipelines import flows

    run_id = client.create_flow_run(flows.nightly, state=Scheduled()).id
    for state in (Running(), Completed(), Crashed()):
        client.set_flow_run_state(run_id, state)
    assert client.read_flow_run(run_id).state.is_completed()


@pytest.mark.usefixtures("prefect_harness")
def test_runs_that_died_with_the_machine_are_closed() -> None:
    from prefect.client.orchestration import get_client
    from prefect.states import Completed, Pending, Running

    from pipelines import flows, own_server

    with get_client(sync_client=True) as client:
        died = client.create_flow_run(flows.nightly, state=Running())
        waiting = client.create_flow_run(flows.backfill, parameters={}, state=Pending())
        done = client.create_flow_run(flows.nightly, state=Completed())
        assert own_server.close_dead_runs(client) == 2
        assert client.read_flow_run(died.id).state.is_crashed()
        assert client.read_flow_run(waiting.id).state.is_crashed()
        assert client.read_flow_run(done.id).state.is_completed()
        assert own_server.close_dead_runs(client) == 0


@pytest.mark.crash
@pytest.mark.parametrize("trial", range(ZOMBIES))
def test_a_night_killed_on_the_users_server_frees_its_place(tmp_path: Path, trial: int) -> None:
    """kill -9 of serve and of its run; the server survives, and has nothing but the automation to go by."""
    port = free_port()
    env = environment(
        PREFECT_API_URL=f"http://127.0.0.1:{port}/api",
        PREFECT_HOME=str(tmp_path / "home"),
        PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE="prefect.server.concurrency.lease_storage.filesystem",
    )
    config, ask = write_inputs(tmp_path), asker(port)
    server = [sys.executable, "-m", "prefect", "--no-prompt", "server", "start", "--port", str(port)]
    with process(server, ROOT, env, tmp_path / "server.log"):
        awaited(lambda: ask("/health"), "the server")
        (tmp_path / "data").mkdir()
        with (
            lock.held(tmp_path / "data" / ".lock"),  # the night waits in mid-run
            process(serving(config), ROOT, env, tmp_path / "serve.log") as serve,
        ):
            awaited(lambda: runs_of(ask, "nightly"), "scheduled nights")
            killed = start(ask, f"nightly/{name_of(tmp_path)}", day="2025-11-10")
            awaited(lambda: ask(f"/flow_runs/{killed}")["state_type"] == "RUNNING", "a night")
            time.sleep(100)  # longer than a silence that is taken for death: its heartbeats are heard
            assert ask(f"/flow_runs/{killed}")["state_type"] == "RUNNING"
            for pid in [*children(serve.pid), serve.pid]:
                os.kill(pid, signal.SIGKILL)
        with process(serving(config), ROOT, env, tmp_path / "serve.log"):
            next_one = start(ask, f"nightly/{name_of(tmp_path)}", day="2025-11-11")
            assert ended(ask, killed, 180)["state"]["message"] == "Its process is gone: killed, or its machine."
            assert ended(ask, next_one, 180)["state_type"] == "COMPLETED"
    assert published(tmp_path / "data") == (3, 30)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    return [each for child in map(int, found) for each in (*children(child), child)]


def test_the_shipped_deployments_are_taken_and_a_worker_carries_them_out(
    served: tuple[Ask, Path, int], tmp_path: Path
) -> None:
    ask, _, port = served
    write_inputs(tmp_path)
    text = (DEPLOY / "prefect.yaml").read_text(encoding="utf-8")
    for shipped in ("/etc/tokenspread", "/var/lib/tokenspread"):
        assert shipped in text
        text = text.replace(shipped, str(tmp_path))
    (tmp_path / "prefect.yaml").write_text(text, encoding="utf-8")
    env = environment(PREFECT_API_URL=f"http://127.0.0.1:{port}/api", PREFECT_HOME=str(tmp_path / "home"))
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    for arguments in (["work-pool", "create", "tokenspread", "--type", "process"], ["deploy", "--all"]):
        done = subprocess.run([*prefect, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    nightly = ask("/deployments/name/nightly/tokenspread")
    assert nightly["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert nightly["global_concurrency_limit"]["limit"] == 1
    schedules = [schedule["schedule"] for schedule in nightly["schedules"]]
    assert [(schedule["cron"], schedule["timezone"]) for schedule in schedules] == [("15 2 * * *", "Europe/Berlin")]

    def scheduled() -> list[dict[str, Any]]:
        return [run for run in runs_of(ask, "nightly", "SCHEDULED") if run["deployment_id"] == nightly["id"]]

    run = awaited(scheduled, "a night of the shipped schedule")[0]
    start_now(ask, run["id"])
    worker = [*prefect, "worker", "start", "--pool", "tokenspread", "--limit", "1"]
    with process(worker, tmp_path, env, tmp_path / "worker.log"):
        assert ended(ask, run["id"])["state_type"] == "COMPLETED"
    assert published(tmp_path / "data") == (3, 30)


@pytest.mark.parametrize(
    "first", [date(2026, 3, 26), date(2026, 10, 22)]
)  # with the night that lacks 02:15, or has two
@pytest.mark.parametrize("asked_every", [timedelta(days=8), timedelta(minutes=10)])
def test_a_night_of_the_clocks_change_is_one_night(first: date, asked_every: timedelta) -> None:
    """However often the scheduler asks, also between two 02:15: one run each night, each UTC day once."""
    from prefect.server.schemas.schedules import CronSchedule

    schedule = CronSchedule(cron="15 2 * * *", timezone="Europe/Berlin")
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    asked_at = [begin + number * asked_every for number in range(timedelta(days=6) // asked_every + 1)]
    dates = {at for start in asked_at for at in asyncio.run(schedule.get_dates(n=8, start=start))}
    found = sorted(at.astimezone(UTC) for at in dates if at < begin + timedelta(days=6))
    assert [nights.day_of(at) for at in found] == [first + timedelta(days=number - 1) for number in range(6)]
    assert len({at.astimezone(BERLIN).date() for at in found}) == 6


@pytest.mark.parametrize(
    ("cron", "timezone", "named"),
    [("15 2 * *", "UTC", "--cron"), ("0 0 30 2 *", "UTC", "--cron"), ("15 2 * * *", "Europe/Berlim", "--timezone")],
)
def test_a_schedule_that_cannot_be_is_refused(tmp_path: Path, cron: str, timezone: str, named: str) -> None:
    from pipelines import scheduler

    with pytest.raises(UserError, match=named):
        scheduler.serve(Settings(logs=("log.jsonl",), data=tmp_path), cron, timezone)
    assert list(tmp_path.iterdir()) == []


def test_a_second_serve_of_a_data_folder_is_refused(tmp_path: Path) -> None:
    from pipelines import lock, scheduler

    (tmp_path / "prefect").mkdir()
    with lock.held(tmp_path / "prefect" / ".serve.lock"), pytest.raises(UserError, match="is served already"):
        scheduler.serve(Settings(logs=("log.jsonl",), data=tmp_path), "15 2 * * *", "UTC")


def test_a_schedule_without_logs_is_refused(tmp_path: Path) -> None:
    from pipelines import scheduler

    with pytest.raises(UserError, match="logs"):
        scheduler.serve(Settings(data=tmp_path), "15 2 * * *", "UTC")


def test_the_shipped_automations_are_those_that_serve_makes() -> None:
    from prefect.events.schemas.automations import AutomationCore

    from pipelines import scheduler

    shipped = yaml.safe_load((DEPLOY / "automations.yaml").read_text(encoding="utf-8"))
    assert [AutomationCore.model_validate(told) for told in shipped] == scheduler.automations()


def test_the_shipped_environment_is_what_serve_sets_by_itself() -> None:
    lines = (DEPLOY / "prefect.env").read_text(encoding="utf-8").splitlines()
    shipped = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    code = "import json, os; from pipelines import scheduler; print(json.dumps(dict(os.environ)))"
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True)
    prefects = ("PREFECT_", "DO_NOT_TRACK")
    sets = {name: value for name, value in json.loads(done.stdout).items() if name.startswith(prefects)}
    assert sets.items() <= shipped.items()
    assert shipped.keys() - sets.keys() == {"PREFECT_API_URL", "PREFECT_HOME", "PREFECT_LOGGING_LEVEL"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_one(path: Path, tmp_path: Path) -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str
    unit.read(path)
    service = unit["Service"]
    assert (service["Restart"], service["KillMode"], service["NoNewPrivileges"]) == ("always", "mixed", "yes")
    assert "TimeoutStopSec" in service and service["ProtectSystem"] == "strict"
    assert service["EnvironmentFile"] == "/etc/tokenspread/prefect.env"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here to verify the unit")
    for source in UNITS:  # they name one another; the programs are not installed here
        text = source.read_text(encoding="utf-8")
        for program in ("prefect", "tokenspread"):
            text = text.replace(f"/opt/tokenspread/bin/{program} ", "/bin/true ")
        (tmp_path / source.name).write_text(text, encoding="utf-8")
    env = os.environ | {"SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / path.name)], env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_is_one() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert services.keys() == {"server", "tokenspread", "worker"}
    named = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert {volume for volume in named if not volume.startswith(".")} == compose["volumes"].keys()
    assert all(service["restart"] == "unless-stopped" for service in services.values())
    assert all(
        (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        for service in services.values()
    )
    assert services["server"]["ports"] == ["127.0.0.1:4200:4200"]
    probe = subprocess.run(["docker", "compose", "version"], capture_output=True) if shutil.which("docker") else None
    if probe is None or probe.returncode:
        pytest.skip("docker compose is not here to check the file")
    command = ["docker", "compose", "--file", str(DEPLOY / "compose.yaml"), "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_image_is_made_of_what_is_there() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert {"pipelines", "transforms", "sql", "pyproject.toml", "constraints.txt"} <= {*copied}
    assert [name for name in copied if not (ROOT / name).exists()] == []

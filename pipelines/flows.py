"""The stages as Prefect tasks, and the nightly flow on a schedule; the only module that imports Prefect.

One command runs it all on one machine:

    tokenspread serve --cron "15 2 * * *" --timezone Europe/Berlin --config tokenspread.toml

It looks for a Prefect server where PREFECT_API_URL says. Where nothing says so, it takes 127.0.0.1:4200 (or the port in
PREFECT_SERVER_API_PORT): a server that answers there is used as it is, else one is started as a child with its database
in DATA/prefect and stopped again at the end. Then it registers the deployment `nightly/<data folder>` and carries out
its runs until SIGTERM, which lets a run under way finish, or Ctrl-C, which ends it. Missed nights start at once.

Prefect gives the schedule, the retries and the view in its UI. The lock, idempotence and atomic publication are the
ledger's, since they must hold for the command line too; a night that died is made good by the next one.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

# Prefect reads these when it is imported; what the user has set wins. Telemetry off needs both of the first two.
for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # An ephemeral server outlives a killed run.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    # The default, leases in the server's memory, lets a run cut off by a power failure hold its slot for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}.items():
    os.environ.setdefault(_name, _value)

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, State, StateType
from prefect.runner import Runner
from prefect.runtime import flow_run
from prefect.schedules import Cron, Schedule
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_SERVER_API_PORT, temporary_settings
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType

from pipelines import stages
from pipelines.settings import LedgerBusy, Settings, StorageTrouble, UserError

SERVER_START_SECONDS = 120  # the first start migrates a new database; 20 s is usual on a busy machine
SERVER_STOP_SECONDS = 15


def is_passing_trouble(_task: Any, _run: Any, state: State) -> bool:
    """Whether trying again can help: a file system or network in trouble, or another run holding the ledger."""
    try:
        state.result()
    except (OSError, LedgerBusy, StorageTrouble):
        return True
    except Exception:
        return False
    return False


PATIENTLY: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [60, 300, 900],
    "retry_condition_fn": is_passing_trouble,
    "cache_policy": NO_CACHE,
}


@task(**PATIENTLY)
def ingest(settings: Settings) -> Any:
    return stages.ingest(settings)


@task(**PATIENTLY)
def build(settings: Settings) -> Any:
    return stages.build(settings)


def night() -> date:
    """The day that the current run was scheduled for, in its schedule's time zone, however late it starts."""
    timezone = flow_run.parameters.get("timezone") or "UTC"
    return flow_run.scheduled_start_time.astimezone(ZoneInfo(timezone)).date()


def night_name() -> str:
    return f"nightly-{night():%Y-%m-%d}"


@flow(flow_run_name=night_name)
def nightly(
    config: str | None = None, data: str | None = None, logs: list[str] | None = None, timezone: str = "UTC"
) -> None:
    """Takes in whatever is new, then builds and publishes the warehouse. The settings file is read anew each night."""
    settings = Settings.load(Path(config) if config else None, data=data, logs=tuple(logs or ()))
    logger = get_run_logger()
    taken = ingest(settings)
    logger.info("%s: %d calls in %d new lines", night(), taken.call_count, taken.line_count)
    built = build(settings)
    logger.info("%s: %s %s", night(), built.catalogue, "is published" if built.is_new else "is unchanged")


def serve(settings: Settings, cron: str, timezone: str, config: Path | None = None) -> None:
    """Schedules `nightly` by `cron` in `timezone` and carries out its runs until told to stop.

    `settings` names the data folder, and the logs where no `config` does. Raises UserError.
    """
    if not settings.logs and not settings.outcomes:
        raise UserError("no logs to take in every night: set logs in [input] of tokenspread.toml")
    schedule = _schedule(cron, timezone)
    folder = settings.data.absolute()
    parameters = {
        "config": str(config.absolute()) if config else None,
        "data": str(folder),
        "logs": None if config else [str(Path(log).absolute()) for log in settings.logs],
        "timezone": timezone,
    }
    home = folder / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that a server that we started is stopped too
    with temporary_settings({PREFECT_HOME: home}), prefect_server(home) as url:
        name = deployment_name(folder)
        runner = Runner(name=name, limit=1, pause_on_shutdown=False)  # paused, it would lose the nights it misses
        runner.add_flow(
            nightly,
            name=name,
            schedule=schedule,
            parameters=parameters,
            # One night at a time. A night that meets another waits for it: CANCEL_NEW would drop it, also when the
            # other is only the remains of a power failure.
            concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        print(f"nightly/{name} is scheduled at {cron} {timezone}; Prefect shows it at {url}", flush=True)
        asyncio.run(_carry_out(runner))


async def _carry_out(runner: Runner) -> None:
    """Carries out runs until SIGTERM or Ctrl-C."""
    work = asyncio.ensure_future(runner.start())
    await asyncio.sleep(0)  # by now the runner has set its own handler, whose SystemExit any library can swallow
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


def deployment_name(folder: Path) -> str:
    """One deployment for each data folder; Prefect forbids slashes in names."""
    return "-".join(part for part in folder.parts if part != folder.anchor)


def _schedule(cron: str, timezone: str) -> Schedule:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise UserError(f"--timezone {timezone}: not an IANA time zone; give one like Europe/Berlin or UTC") from None
    try:
        return Cron(cron, timezone=timezone)
    except ValueError:
        fix = 'give minute, hour, day, month and weekday, as in "15 2 * * *"'
        raise UserError(f"--cron {cron!r}: not a cron expression; {fix}") from None


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """Within it Prefect has a server that answers: the user's, one that is there already, or a child of our own.

    Gives the address of its UI.
    """
    url = PREFECT_API_URL.value()
    if url and not _answers(url):
        raise UserError(
            f"PREFECT_API_URL is {url} and no Prefect server answers there; "
            "start it, or unset PREFECT_API_URL and one is started here"
        )
    url = url or f"http://127.0.0.1:{PREFECT_SERVER_API_PORT.value()}/api"
    with temporary_settings({PREFECT_API_URL: url}):
        if _answers(url):
            yield url.removesuffix("/api")
            return
        server = _start_server(home)
        try:
            _wait_for_server(server, url, home)
            with get_client(sync_client=True) as client:
                close_dead_runs(client)
            yield url.removesuffix("/api")
        finally:
            _stop(server)


def close_dead_runs(client: SyncPrefectClient) -> int:
    """Ends the nights that a power failure left Running or Pending, which frees their slot; returns how many.

    Only for a server that was just started: nobody else can be running anything on it.
    """
    unfinished = filters.FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    runs = client.read_flow_runs(
        flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=[nightly.name])),
        flow_run_filter=filters.FlowRunFilter(state=filters.FlowRunFilterState(type=unfinished)),
    )
    for run in runs:
        client.set_flow_run_state(run.id, Crashed(message="The machine stopped during this run."), force=True)
    return len(runs)


def _answers(url: str) -> bool:
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        return client.api_healthcheck() is None


def _start_server(home: Path) -> subprocess.Popen[bytes]:
    os.environ["PREFECT_HOME"] = str(home)  # for the children: the server, and the processes of the runs
    with (home / "server.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", "--no-prompt", "server", "start", "--host", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: the run under way still needs its server
        )


def _wait_for_server(server: subprocess.Popen[bytes], url: str, home: Path) -> None:
    deadline = time.monotonic() + SERVER_START_SECONDS
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > deadline:
            fix = "its last lines say why (a port that is taken: set PREFECT_SERVER_API_PORT)"
            raise UserError(f"{home / 'server.log'}: the Prefect server did not start at {url}; {fix}")
        time.sleep(0.5)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(SERVER_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()

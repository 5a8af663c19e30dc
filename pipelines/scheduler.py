"""`tokenspread serve`: the flows on a schedule, on one machine, with one command.

    tokenspread serve --cron "15 2 * * *" --timezone Europe/Berlin --config tokenspread.toml

It looks for a Prefect server where PREFECT_API_URL says. Where nothing says so, it takes 127.0.0.1:4200 (or the port in
PREFECT_SERVER_API_PORT): a server that answers there is used as it is, else one is started as a child with its database
in DATA/prefect and stopped again at the end. Then it registers the deployments `nightly/<data folder>`, `backfill/...`
and `reprice/...` and carries out their runs, one at a time, until SIGTERM, which lets a run under way finish, or
Ctrl-C, which ends it. Missed nights start at once.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

# Prefect reads these when it is imported; what the user has set wins. Telemetry off needs the first three: the new page
# asks another host for its analytics, whatever the second says.
for _name, _value in {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # An ephemeral server outlives a killed run.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    # The default, leases in the server's memory, lets a run cut off by a power failure hold its slot for ever.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
}.items():
    os.environ.setdefault(_name, _value)

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.runner import Runner
from prefect.schedules import Cron, Schedule
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_SERVER_API_PORT, temporary_settings
from prefect.states import Crashed
from prefect.types.entrypoint import EntrypointType

from pipelines import flows
from pipelines.settings import Settings, UserError

SERVER_START_SECONDS = 120  # the first start migrates a new database; 20 s is usual on a busy machine
SERVER_STOP_SECONDS = 15
TAG = "tokenspread"  # of every run of ours, so that what watches over them leaves a server's other runs alone
ENDED = ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Cancelling")
WAITING = ("AwaitingRetry", "Paused", "Suspended", "AwaitingConcurrencySlot", "Scheduled", "Late")


def serve(settings: Settings, cron: str, timezone: str) -> None:
    """Schedules `nightly` by `cron` in `timezone` and carries out its runs until told to stop.

    `settings` names the data folder, and the logs where they come from no file. Raises UserError.
    """
    if not settings.logs and not settings.outcomes:
        raise UserError("no logs to take in every night: set logs in [input] of tokenspread.toml")
    schedule = _schedule(cron, timezone)
    home = settings.data.absolute() / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that a server that we started is stopped too
    with temporary_settings({PREFECT_HOME: home}), prefect_server(home) as url:
        with get_client(sync_client=True) as client:
            watch_over_runs(client)
        runner = _runner(settings, schedule)
        print(f"nightly/{runner.name} is scheduled at {cron} {timezone}; Prefect shows it at {url}", flush=True)
        asyncio.run(_carry_out(runner))


def _runner(settings: Settings, schedule: Schedule) -> Runner:
    folder, config = settings.data.absolute(), settings.config
    common: dict[str, Any] = {"config": str(config.absolute()) if config else None, "data": str(folder)}
    logs = None if config else [str(Path(log).absolute()) for log in settings.logs]
    name = flows.deployment_name(folder)
    # One run at a time, in the order of their times; paused at its end, it would lose the nights that it misses.
    runner = Runner(name=name, limit=1, pause_on_shutdown=False)
    how: dict[str, Any] = {"name": name, "tags": [TAG], "entrypoint_type": EntrypointType.MODULE_PATH}
    runner.add_flow(
        flows.nightly,
        schedule=schedule,
        parameters=common | {"logs": logs},
        # A night that meets another waits for it: CANCEL_NEW would drop it, also when the other is only the remains of
        # a power failure.
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        **how,
    )
    runner.add_flow(flows.backfill, **how)
    runner.add_flow(flows.reprice, parameters=common, **how)
    return runner


async def _carry_out(runner: Runner) -> None:
    """Carries out runs until SIGTERM or Ctrl-C."""
    work = asyncio.ensure_future(runner.start())
    await asyncio.sleep(0)  # by now the runner has set its own handler, whose SystemExit any library can swallow
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, work.cancel)
    with suppress(asyncio.CancelledError):
        await work


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


def automations() -> list[AutomationCore]:
    """What watches over our runs on any server: one that says nothing more has died, and is to free its slot."""
    silent = _automation(
        "tokenspread: a run without heartbeats has crashed",
        "Its process is gone: killed, or its machine.",
        after=("heartbeat", "Running"),
        expect=("heartbeat", *ENDED, *WAITING),
        within=timedelta(seconds=90),  # three heartbeats
    )
    never_begun = _automation(
        "tokenspread: a run that never begins has crashed",
        "What was to start it is gone.",
        after=("Pending", "Submitting", "InfrastructurePending"),
        expect=("Running", "heartbeat", *ENDED, *WAITING),
        within=timedelta(minutes=10),  # a machine that is busy, or pulls an image, is not dead
    )
    return [silent, never_begun]


def _automation(
    name: str, message: str, after: tuple[str, ...], expect: tuple[str, ...], within: timedelta
) -> AutomationCore:
    return AutomationCore(
        name=name,
        description="Made by tokenspread; safe to disable, and to delete: `tokenspread serve` makes it again.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
            ),
            for_each={"prefect.resource.id"},
            after={f"prefect.flow-run.{event}" for event in after},
            expect={f"prefect.flow-run.{event}" for event in expect},
            threshold=1,
            within=within,
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=message)],
    )


def watch_over_runs(client: SyncPrefectClient) -> None:
    """Makes the automations that the server does not have yet, told by their names."""
    for automation in automations():
        if not client.read_automations_by_name(automation.name):
            client.create_automation(automation)


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
    """Ends the runs that a power failure left Running or Pending, which frees their slot; returns how many.

    Only for a server that was just started: nobody else can be running anything on it.
    """
    unfinished = filters.FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
    names = [flow.name for flow in (flows.nightly, flows.backfill, flows.reprice)]
    runs = client.read_flow_runs(
        flow_filter=filters.FlowFilter(name=filters.FlowFilterName(any_=names)),
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

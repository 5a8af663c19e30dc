"""`tokenspread serve`: the flows on a schedule, on one machine, with one command.

    tokenspread serve --cron "15 2 * * *" --timezone Europe/Berlin --config tokenspread.toml

It looks for a Prefect server where PREFECT_API_URL says. Where nothing says so, it takes 127.0.0.1:4200 (or the port in
PREFECT_SERVER_API_PORT): a server that answers there is used as it is, else one is started as a child with its database
in DATA/prefect and stopped again at the end. Then it registers the deployments `nightly/<data folder>`, `backfill/...`
and `reprice/...` and carries out their runs, one at a time, until SIGTERM, which lets a run under way finish, or
Ctrl-C, which ends it. Missed nights start at once.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

# first: it sets Prefect's environment
from pipelines.own_server import OwnServer, prefect_server

# isort: split
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.runner import Runner
from prefect.schedules import Cron, Schedule
from prefect.server.schemas.schedules import CronSchedule
from prefect.settings import PREFECT_HOME, temporary_settings
from prefect.types.entrypoint import EntrypointType

from pipelines import dated, flows, lock, night_rules, nights
from pipelines.durable import owners_alone
from pipelines.errors import UserError
from pipelines.settings import Settings

LOOK_SECONDS = 1  # at a server of our own, whether it still runs
PAUSE_SECONDS = 10  # before it is started once more
TAG = "tokenspread"  # of every run of ours, so that what watches over them leaves a server's other runs alone
ENDED = ("Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Cancelling")
WAITING = ("AwaitingRetry", "Paused", "Suspended", "AwaitingConcurrencySlot", "Scheduled", "Late")


def serve(settings: Settings, cron: str, timezone: str) -> None:
    """Schedules `nightly` by `cron` in `timezone` and carries out its runs until told to stop.

    `settings` names the data folder, and the logs where they come from no file. Raises UserError.
    """
    nights.refuse_no_logs(settings)
    schedule = _schedule(cron, timezone)
    night_rules.rules(settings)  # a mistake in them is told now, not at night
    dated.of_any_day(settings.logs)
    home = settings.data.absolute() / "prefect"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that a server that we started is stopped too
    # what is made here, by the server and by the processes of the runs is the owner's alone
    with (
        owners_alone(),
        _served_once(home),
        temporary_settings({PREFECT_HOME: home}),
        prefect_server(home) as (url, server),
    ):
        with get_client(sync_client=True) as client:
            watch_over_runs(client)
        runner = _runner(settings, schedule)
        when = f"scheduled at {cron} {timezone}, next at {_next(cron, timezone):%Y-%m-%d %H:%M %Z}"
        print(f"nightly/{runner.name} is {when}; Prefect shows it at {url}", flush=True)
        asyncio.run(_carry_out(runner, server))


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


async def _carry_out(runner: Runner, server: OwnServer | None) -> None:
    """Carries out runs until SIGTERM or Ctrl-C."""
    work = asyncio.ensure_future(runner.start())
    await asyncio.sleep(0)  # by now the runner has set its own handler, whose SystemExit any library can swallow
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, work.cancel)
    keeping = asyncio.ensure_future(_keep(server)) if server else None
    with suppress(asyncio.CancelledError):
        await work
    if keeping:
        keeping.cancel()


async def _keep(server: OwnServer) -> None:
    """Starts the server again whenever it ended: the runner waits for it, and so does a night that goes on."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if server.has_ended():
            print("the Prefect server has ended; it is started again", flush=True)
            with suppress(OSError):  # no process, no disk: as if it had ended at once
                server.start()
            await asyncio.sleep(PAUSE_SECONDS)


def _schedule(cron: str, timezone: str) -> Schedule:
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise UserError(f"--timezone {timezone}: not an IANA time zone; give one like Europe/Berlin or UTC") from None
    fix = 'give minute, hour, day, month and weekday, as in "15 2 * * *"'
    try:
        schedule = Cron(cron, timezone=timezone)
    except ValueError:
        raise UserError(f"--cron {cron!r}: not a cron expression; {fix}") from None
    if _next(cron, timezone) is None:
        raise UserError(f"--cron {cron!r}: there is no such day; {fix}")
    return schedule


def _next(cron: str, timezone: str) -> datetime | None:
    """When it is due next, in its time zone; None: never."""
    try:
        return asyncio.run(CronSchedule(cron=cron, timezone=timezone).get_dates(1))[0]
    except (ValueError, IndexError):
        return None


@contextmanager
def _served_once(home: Path) -> Iterator[None]:
    """Two that serve one data folder would each put its schedule in the place of the other's."""
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(lock.held(home / ".serve.lock"))
        except lock.Busy as busy:
            raise UserError(f"{home.parent}: is served already ({busy}); stop that one first") from None
        yield


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

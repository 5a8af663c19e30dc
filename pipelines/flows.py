"""The nights as Prefect flows: `nightly` on a schedule, `backfill` of days, `reprice` under any scenarios.

Prefect gives the schedule, the retries and a page to look at. The lock, idempotence and atomic publication are the
ledger's, since they must hold for the command line too; a night that died is made good by the next one.

What a flow hands to Prefect names features, models, counts and money: no user, no customer, no line of a log.
"""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.deployments import run_deployment
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed

from pipelines import artifacts, nights, scenario_desk, tracebacks
from pipelines.errors import LedgerBusy, NotPublished, StorageTrouble, UserError
from pipelines.report import repriced, stage_log
from pipelines.report.figures import repriced_figures
from pipelines.report.text import counted
from pipelines.settings import Settings

T = TypeVar("T")
PASSING = (OSError, LedgerBusy, StorageTrouble)  # a file system or network in trouble, another run with the ledger
TOLD = (UserError, NotPublished, OSError)  # errors whose text is ours, or the system's
OF_LOGS = ("missing", "unreadable")  # stages that tell of a log file
RETRY_DELAYS = [60, 300, 900]  # seconds


def is_passing_trouble(_task: Any, _run: Any, state: State) -> bool:
    """Whether trying again can help."""
    try:
        state.result()
    except PASSING:
        return True
    except Exception:
        return False
    return False


def night_name() -> str:
    return f"nightly-{night_day(flow_run.parameters.get('day'))}"


def night_day(day: date | str | None) -> date | str:
    """The UTC day that was asked for, else what the schedule meant this run for, however late it starts; of one that
    somebody starts early, the last day that is over."""
    return day or min(map(nights.day_of, (flow_run.scheduled_start_time, datetime.now(UTC))))


@flow(flow_run_name=night_name)
def nightly(
    config: str | None = None,
    data: str | None = None,
    logs: list[str] | None = None,
    day: date | None = None,
    accept: bool = False,
    quiet: bool = False,
) -> State:
    """Takes in what is new, and publishes it if the gate lets it through, or anyway if `accept` is set.

    `day` is the UTC day that the night is for; a `quiet` one calls nobody, unless it fails. The settings file is read
    anew each night.
    """
    return _ended(partial(_night, config, data, logs, night_day(day), accept, quiet))


@flow
def backfill(since: date, until: date, accept: bool = False) -> State:
    """Asks for one run of the deployment `nightly/...` of the same name for each UTC day; waits for none of them."""
    return _ended(partial(_backfill, since, until, accept))


@flow
def reprice(
    scenarios: list[str],
    by: Literal["feature", "model", "day"] = "feature",
    config: str | None = None,
    data: str | None = None,
) -> State:
    """Prices the published usage under scenarios such as "-30%" or "+50% provider=openai", as a table artifact.

    Nothing is read again and nothing is published.
    """
    return _ended(partial(_reprice, scenarios, by, config, data))


def _night(config: str | None, data: str | None, logs: list[str] | None, day: date, accept: bool, quiet: bool) -> str:
    settings = _settings(config, data, logs)
    steps = Steps(key_of(settings))
    night = nights.run(settings, day, accept, steps, steps.tell, quiet)
    with artifacts.optional("what the night did"):
        steps("show", partial(artifacts.of_night, settings, night, steps.key))
    lines, calls = counted(night.line_count, "new line"), counted(night.call_count, "call")
    return f"{night.catalogue.name} is {night.status}: {calls} in {lines}"


def _backfill(since: date, until: date, accept: bool) -> str:
    name = deployment.name
    if not name:
        raise UserError(
            "backfill runs nights of its own deployment; start it with: prefect deployment run backfill/..."
        )
    days = nights.days_between(since, until)
    now = datetime.now(UTC)
    for number, day in enumerate(days):
        run_deployment(
            f"nightly/{name}",
            flow_run_name=f"nightly-{day}",
            parameters={"day": day.isoformat(), "accept": accept, "quiet": True},
            scheduled_time=now + timedelta(milliseconds=number),  # the runner takes them in this order
            idempotency_key=f"{flow_run.id}-{day}",  # a retry asks for none of them again
            timeout=0,
            as_subflow=False,
        )
    return f"{counted(len(days), 'night')} of nightly/{name} asked for"


def _reprice(scenarios: list[str], by: str, config: str | None, data: str | None) -> str:
    settings = _settings(config, data, None)
    chosen = scenario_desk.chosen(settings, scenarios, None)
    with scenario_desk.asked(chosen, settings, *repriced.MODELS) as ask:
        figures = repriced_figures(ask, by)
    artifacts.scenario_table(figures, f"{key_of(settings)}-reprice")
    return f"{counted(len(figures['rows']), by)} under {', '.join(scenario.name for scenario in chosen)}"


def _settings(config: str | None, data: str | None, logs: list[str] | None) -> Settings:
    return Settings.load(Path(config) if config else None, data=data, logs=tuple(logs or ()))


def _ended(work: Callable[[], str]) -> State:
    """Completed with what `work` tells, or Failed with the reason: a flow that raises would log it three times over."""
    try:
        return Completed(message=work())
    except TOLD as error:
        return Failed(message=str(error))
    except Exception as error:
        sys.stderr.write(tracebacks.told(error))
        return Failed(message=f"{type(error).__name__}: the output of the process that ran this has the traceback")


def key_of(settings: Settings) -> str:
    return artifacts.key(deployment.name or deployment_name(settings.data.absolute()))


def deployment_name(folder: Path) -> str:
    """One deployment for each data folder; Prefect forbids slashes in names."""
    return "-".join(part for part in folder.parts if part != folder.anchor)


class Unexpected(Exception):
    """Stands in a task for an error whose text may cite a log."""


class Steps:
    """Carries out the steps of a night as tasks: `ingest-1`, `ingest-2`, ...; and shows what they tell."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._counts: Counter[str] = Counter()
        self._progress: artifacts.Progress | None = None

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        self._counts[name] += 1
        errors: list[Exception] = []

        def step() -> T:
            try:
                return work()
            except TOLD:
                raise
            except Exception as error:
                errors.append(error)
                raise Unexpected(type(error).__name__) from None

        carried_out = task(
            step,
            name=name,
            task_run_name=f"{name}-{self._counts[name]}",
            retries=len(RETRY_DELAYS),
            retry_delay_seconds=RETRY_DELAYS,
            retry_jitter_factor=0.3,
            retry_condition_fn=is_passing_trouble,
            cache_policy=NO_CACHE,
        )
        try:
            return carried_out()
        except Unexpected:
            raise errors[-1] from None

    def tell(self, stage: str, **figures: Any) -> None:
        told = {name: figure for name, figure in figures.items() if stage not in OF_LOGS}  # whose path may name a user
        get_run_logger().info("%s", stage_log.line(stage, told))
        if stage == "discover":
            self._progress = artifacts.Progress(self.key, figures["batches"])
        if stage == "ingest" and self._progress:
            self._progress.advance()

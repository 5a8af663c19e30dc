"""The Prefect server of `tokenspread serve`: the user's, or a child of our own.

Imported first of what imports Prefect: it sets what Prefect reads of the environment.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    # So many nights to come are written down, and so many are made up after the machine was off; the default is 3.
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "30",
}.items():
    os.environ.setdefault(_name, _value)

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_API_URL, PREFECT_SERVER_API_PORT, temporary_settings
from prefect.states import Crashed

from pipelines import flows
from pipelines.errors import UserError

SERVER_START_SECONDS = 120  # the first start migrates a new database; 20 s is usual on a busy machine
SERVER_STOP_SECONDS = 15
PR_SET_PDEATHSIG = 1  # of prctl(2)


class OwnServer:
    """A server as a child, with its database in `home`."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.url = home, url
        self.start()

    def start(self) -> None:
        os.environ["PREFECT_HOME"] = str(self.home)  # for the children: the server, and the processes of the runs
        with (self.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "--no-prompt", "server", "start", "--host", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: the run under way still needs its server
                preexec_fn=_end_with_the_parent,
            )

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + SERVER_START_SECONDS
        while not answers(self.url):
            if self.has_ended() or time.monotonic() > deadline:
                fix = "its last lines say why (a port that is taken: set PREFECT_SERVER_API_PORT)"
                raise UserError(f"{self.home / 'server.log'}: the Prefect server did not start at {self.url}; {fix}")
            time.sleep(0.5)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(SERVER_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()


@contextmanager
def prefect_server(home: Path) -> Iterator[tuple[str, OwnServer | None]]:
    """Within it Prefect has a server that answers: the user's, one that is there already, or a child of our own.

    Gives the address of its UI, and the child.
    """
    url = PREFECT_API_URL.value()
    if url and not answers(url):
        raise UserError(
            f"PREFECT_API_URL is {url} and no Prefect server answers there; "
            "start it, or unset PREFECT_API_URL and one is started here"
        )
    url = url or f"http://127.0.0.1:{PREFECT_SERVER_API_PORT.value()}/api"
    with temporary_settings({PREFECT_API_URL: url}):
        if answers(url):
            yield url.removesuffix("/api"), None
            return
        server = OwnServer(home, url)
        try:
            server.wait_until_it_answers()
            with get_client(sync_client=True) as client:
                close_dead_runs(client)
            yield url.removesuffix("/api"), server
        finally:
            server.stop()


def close_dead_runs(client: SyncPrefectClient) -> int:
    """Ends the runs that a power failure left Running or Pending, which frees their slot; returns how many.

    Only for a server that was just started: what still runs, orphaned, can tell it nothing, and holds the lock.
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


def _end_with_the_parent() -> None:
    """In the child: killed, `serve` would leave a server behind that nobody starts again. Linux alone knows how."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def answers(url: str) -> bool:
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        return client.api_healthcheck() is None

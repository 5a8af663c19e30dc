"""Processes that really die: forked from a warm one, which has imported everything and used nothing."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

TRIALS = int(os.environ.get("TRIALS", "0"))  # 0: the few of the default suite
# the same in each of the workers of one run of pytest, which must all collect the same trials
SEED = int(os.environ.get("SEED", random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")).randrange(10**6)))
SECONDS = 600  # for what hangs

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.faults.warm"])


def trials(of_default_suite: int) -> int:
    return TRIALS or of_default_suite


def seeds(of_default_suite: int) -> list[int]:
    """One for each trial; `SEED=n` repeats the trials that begin with n, alone with `TRIALS=1`."""
    return [SEED + number for number in range(trials(of_default_suite))]


def start(job: Callable[..., None], *given: Any, output: Path) -> BaseProcess:
    process = _CONTEXT.Process(target=_run, args=(job, given, output), daemon=True)
    process.start()
    return process


def _run(job: Callable[..., None], given: tuple, output: Path) -> None:
    from tests.faults import warm

    assert os.getpid() != warm.SERVER and not warm.POOLS, "the workers are not forked from a process that is warm"
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    job(*given)


def ended(process: BaseProcess) -> int:
    """The exit code; that of a signal is negative."""
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"{process} hangs")
    return process.exitcode


def run(job: Callable[..., None], *given: Any, output: Path) -> int:
    return ended(start(job, *given, output=output))


def stop(process: BaseProcess) -> bool:
    """Stops it where it is, if it is still going on."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)
    for _ in range(10_000):
        state = _state(process.pid)
        if state in "TtZX":
            return state in "Tt"
        time.sleep(0.0005)
    raise AssertionError(f"{process} cannot be stopped: {state}")


def is_going_on(process: BaseProcess) -> bool:
    """Neither stopped nor ended."""
    return _state(process.pid) not in "TtZX"


def go_on(process: BaseProcess) -> None:
    os.kill(process.pid, signal.SIGCONT)


def _state(process_id: int) -> str:
    """Of all its threads: T where they all stand still."""
    try:
        states = {
            (task / "stat").read_text().rpartition(")")[2].split()[0]
            for task in Path(f"/proc/{process_id}/task").iterdir()
        }
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    return states.pop() if len(states) == 1 else "R"

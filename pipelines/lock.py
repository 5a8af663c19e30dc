"""Locks that the kernel frees when their holder dies, and what their holder says of itself."""

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

LEAST_WAIT_SECONDS = 0.3  # `holder` takes a lock for an instant to see whether it is free
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, as they wrote it down when they took it."""

    process_id: int
    host: str
    command: str  # the program and its command, without arguments: these may hold a secret
    since: str  # UTC


class Busy(Exception):
    """Another process holds the lock, and kept it for as long as was waited."""

    def __init__(self, by: Holder | None) -> None:
        super().__init__()
        self.by = by

    def __str__(self) -> str:
        return said_of(self.by)


def said_of(holder: Holder | None) -> str:
    if holder is None:
        return "another process"
    return f"{holder.command}, process {holder.process_id} on {holder.host}, since {holder.since}"


@contextmanager
def held(path: Path, wait_seconds: float = 0) -> Iterator[None]:
    """The lock file at `path`, held. Raises Busy after `wait_seconds`, OSError where it cannot be opened."""
    with path.open("a+") as file:
        deadline = time.monotonic() + max(wait_seconds, LEAST_WAIT_SECONDS)
        while not _is_taken(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise Busy(_read(file))
            time.sleep(POLL_SECONDS)
        _write(file, json.dumps(asdict(_myself())))
        try:
            yield
        finally:
            with suppress(OSError):  # a note of a holder that is gone is told apart by the lock itself
                _write(file, "")


def holder(path: Path) -> tuple[bool, Holder | None]:
    """Whether the lock at `path` is held, and by whom where that is told."""
    try:
        with path.open("r") as file:
            if _is_taken(file, fcntl.LOCK_SH):
                return False, None  # what a killed holder wrote is still there, and no longer true
            return True, _read(file)
    except FileNotFoundError:
        return False, None


def _is_taken(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _myself() -> Holder:
    command = " ".join([Path(sys.argv[0]).name, *[word for word in sys.argv[1:2] if word.isalpha()]])
    return Holder(os.getpid(), socket.gethostname(), command, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC")


def _read(file: IO[str]) -> Holder | None:
    file.seek(0)
    try:
        return Holder(**json.loads(file.read()))
    except (ValueError, TypeError):  # taken a moment ago, and not written yet
        return None


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()

"""The named points of a commit, a publication and a recovery: where a worker can be made to die.

The product knows nothing of them: in a worker of the tests, its functions are wrapped. Each name is a point before it
and one after it.
"""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines import assembly, build_inputs, erasure, ledger, pruning, warehouse
from pipelines.draft import Draft
from pipelines.ledger import Ledger
from pipelines.manifest import Manifest
from tests.faults import folders

POINTS = {
    os: ("fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "symlink", "chmod"),
    shutil: ("rmtree",),
    Ledger: ("_recover", "settle_with_ledger", "commit", "_place", "new_catalogue", "remove_old", "close"),
    ledger: ("record_taking", "assert_balance", "make_folder"),
    Manifest: ("_make_tables", "remember", "record_build", "_end_run"),
    Draft: ("flush", "_write_file"),
    assembly: ("assemble", "_find_losers", "_merged"),
    warehouse: ("build", "fill", "make_cube", "make_models", "run_checks", "publish"),
    erasure: ("note", "finish", "_remove_superseded"),
    build_inputs: ("keep_inputs", "keep_price_history"),
    pruning: ("carry_out",),
}  # and every statement of the manifest: "begin immediate", "insert into version", "commit" ...


@contextmanager
def reached(reach: Callable[[str], None]) -> Iterator[None]:
    """`reach` is told the name of each point when it is reached."""

    def pointed(name: str, step: Callable) -> Callable:
        def stepping(*given: Any, **named: Any) -> Any:
            reach(f"before {name}")
            result = step(*given, **named)
            reach(f"after {name}")
            return result

        return stepping

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
            return pointed(" ".join(sql.split()[:3]), super().execute)(sql, *given)

        def executemany(self, sql: str, *given: Any) -> sqlite3.Cursor:
            return pointed(" ".join(sql.split()[:3]), super().executemany)(sql, *given)

    connect = sqlite3.connect
    with pytest.MonkeyPatch.context() as patch:
        for place, names in POINTS.items():
            for name in names:
                patch.setattr(place, name, pointed(f"{place.__name__}.{name}", getattr(place, name)))
        patch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, **named, factory=Connection))
        yield


def die_at(step: int, job: str, folder: Path) -> None:
    """Does the job until that point (the first is 1), and is killed there."""
    count = 0

    def reach(_name: str) -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with reached(reach):
        folders.JOBS[job](folder)


def write_names(target: Path, job: str, folder: Path) -> None:
    """Does the job and writes down the points that it reached, one a line."""
    names: list[str] = []
    with reached(names.append):
        folders.JOBS[job](folder)
    target.write_text("\n".join(names))

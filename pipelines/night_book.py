"""One row of the manifest for each nightly run: what it was for, what it did, how it ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from pipelines import ledger
from pipelines.manifest import now
from pipelines.settings import GateClosed, NotPublished, UserError

NIGHT_LOCK = ".night.lock"


@contextmanager
def recorded(data: Path, day: date, wait_seconds: float) -> Iterator[Callable[..., None]]:
    """One night at a time of a data folder, and its row; the block is given a function that takes figures to note.

    Raises LedgerBusy where another night goes on for longer than is waited for.
    """
    with ledger.locked(data, NIGHT_LOCK, wait_seconds):
        with ledger.opened(data, wait_seconds) as store, store.manifest.transaction() as connection:
            # whoever wrote that no longer holds the lock
            connection.execute("update night set status = 'died', ended_at = ? where status = 'running'", (now(),))
            query = "insert into night (day, started_at, status) values (?, ?, 'running')"
            night_id = connection.execute(query, (day.isoformat(), now())).lastrowid
        figures: dict[str, Any] = {}
        try:
            yield figures.update
        except BaseException as error:
            status = "stopped" if isinstance(error, GateClosed) else "failed"
            _end(data, night_id, wait_seconds, figures | {"status": status, "reason": _reason(error)})
            raise
        _end(data, night_id, wait_seconds, figures)


def _end(data: Path, night_id: int | None, wait_seconds: float, figures: dict[str, Any]) -> None:
    values = {"ended_at": now(), **figures}
    with ledger.opened(data, wait_seconds) as store, store.manifest.transaction() as connection:
        sets = ", ".join(f"{name} = ?" for name in values)
        connection.execute(f"update night set {sets} where night_id = ?", (*values.values(), night_id))


def _reason(error: BaseException) -> str:
    """What our own errors say; of others only the kind, since they may cite what a log holds."""
    return str(error) if isinstance(error, UserError | NotPublished) else type(error).__name__

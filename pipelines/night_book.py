"""One row of the manifest for each nightly run: what it was for, what it did, how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pipelines import ledger
from pipelines.manifest import now
from pipelines.settings import GateClosed, NotPublished, UserError

NIGHT_LOCK = ".night.lock"


@dataclass
class Row:
    """The row of a night that goes on."""

    last_catalogue: str | None  # what the last night told of that came to its end
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, **figures: Any) -> None:
        self.figures |= figures


@contextmanager
def recorded(data: Path, day: date, wait_seconds: float) -> Iterator[Row]:
    """One night at a time of a data folder, and its row. Raises LedgerBusy where another night goes on for longer than
    is waited for."""
    with ledger.locked(data, NIGHT_LOCK, wait_seconds):
        with ledger.opened(data, wait_seconds) as store:
            query = "select catalogue from night where catalogue is not null order by night_id desc limit 1"
            row = Row(store.manifest.one(query))
            with store.manifest.transaction() as connection:
                # whoever wrote that no longer holds the lock
                connection.execute("update night set status = 'died', ended_at = ? where status = 'running'", (now(),))
                query = "insert into night (day, started_at, status) values (?, ?, 'running')"
                night_id = connection.execute(query, (day.isoformat(), now())).lastrowid
        try:
            yield row
        except BaseException as error:
            status = "stopped" if isinstance(error, GateClosed) else "failed"
            _end(data, night_id, wait_seconds, row.figures | {"status": status, "reason": reason(error)})
            raise
        _end(data, night_id, wait_seconds, row.figures)


def _end(data: Path, night_id: int | None, wait_seconds: float, figures: dict[str, Any]) -> None:
    values = {"ended_at": now(), **figures}
    with ledger.opened(data, wait_seconds) as store, store.manifest.transaction() as connection:
        sets = ", ".join(f"{name} = ?" for name in values)
        connection.execute(f"update night set {sets} where night_id = ?", (*values.values(), night_id))


def reason(error: BaseException) -> str:
    """What our own errors say; of others only the kind, since they may cite what a log holds."""
    return str(error) if isinstance(error, UserError | NotPublished) else type(error).__name__

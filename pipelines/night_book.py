"""One row of the manifest for each nightly run: what it was for, what it did, how it ended."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pipelines import data_folder, ledger
from pipelines.errors import GateClosed, NotPublished, UserError
from pipelines.manifest import now

NIGHT_LOCK = ".night.lock"
Tell = Callable[..., None]  # a stage of a night by its name, and its figures


@dataclass
class Row:
    """The row of a night that goes on."""

    last_catalogue: str | None  # what the last night told of that came to its end
    judged_to: date | None  # the latest day of such nights
    stopped: list[date]  # days of nights that the gate stopped since the last such night
    published: str | None  # what is published when this one begins
    since: str  # when this one began
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, **figures: Any) -> None:
        self.figures |= figures


@contextmanager
def recorded(data: Path, day: date, wait_seconds: float) -> Iterator[Row]:
    """One night at a time of a data folder, and its row. Raises LedgerBusy where another night goes on for longer than
    is waited for."""
    with alone(data, wait_seconds):
        with ledger.opened(data, wait_seconds) as store:
            row = _row(store)
            with store.manifest.transaction() as connection:
                # whoever wrote that no longer holds the lock
                connection.execute("update night set status = 'died', ended_at = ? where status = 'running'", (now(),))
                query = "insert into night (day, started_at, status) values (?, ?, 'running')"
                night_id = connection.execute(query, (day.isoformat(), row.since)).lastrowid
        try:
            yield row
        except BaseException as error:
            status = "stopped" if isinstance(error, GateClosed) else "failed"
            with suppress(UserError):  # what it failed of is what is to be told
                _end(data, night_id, 0, row.figures | {"status": status, "reason": reason(error)})
            raise
        _end(data, night_id, wait_seconds, row.figures)


def _row(store: ledger.Ledger) -> Row:
    ended = "from night where catalogue is not null"
    judged_to = store.manifest.one(f"select max(day) {ended}")
    since = f"night_id > (select coalesce(max(night_id), 0) {ended})"
    stopped = store.manifest.rows(f"select distinct day from night where status = 'stopped' and {since}")
    return Row(
        last_catalogue=store.manifest.one(f"select catalogue {ended} order by night_id desc limit 1"),
        judged_to=date.fromisoformat(judged_to) if judged_to else None,
        stopped=[date.fromisoformat(row["day"]) for row in stopped],
        published=store.manifest.one("select catalogue from build order by id desc limit 1"),
        since=now(),
    )


def alone(data: Path, wait_seconds: float = 0) -> AbstractContextManager[None]:
    """With no night going on, and none to begin. Raises LedgerBusy, UserError."""
    return data_folder.locked(data, NIGHT_LOCK, wait_seconds)


def stopped(store: ledger.Ledger) -> str | None:
    """Why the last night was stopped at the gate; None: it was not, or one goes on."""
    rows = store.manifest.rows("select * from night order by night_id desc limit 1")
    if not rows or rows[0]["status"] != "stopped":
        return None
    return f"the night of {rows[0]['day']} was stopped at the gate ({rows[0]['reason']})"


def _end(data: Path, night_id: int | None, wait_seconds: float, figures: dict[str, Any]) -> None:
    values = {"ended_at": now(), **figures}
    with ledger.opened(data, wait_seconds) as store, store.manifest.transaction() as connection:
        sets = ", ".join(f"{name} = ?" for name in values)
        connection.execute(f"update night set {sets} where night_id = ?", (*values.values(), night_id))


def reason(error: BaseException) -> str:
    """What our own errors say; of others only the kind, since they may cite what a log holds."""
    return str(error) if isinstance(error, UserError | NotPublished) else type(error).__name__

"""What is no longer in the ledger, and not yet gone from the disk: table `erasure` of the manifest.

An erasure is opened in the transaction that takes the rows out of the ledger. Files that still hold them are needed
until a catalogue is published without them; whichever run publishes that one, or finds it published, removes them. A
run that dies in between therefore leaves nothing to be done by hand.
"""

import shutil
import sqlite3
from contextlib import suppress

from pipelines.errors import LedgerBusy
from pipelines.ledger import Ledger
from pipelines.log_files import PAGE
from pipelines.manifest import now

CALLS, USER = "calls", "user"  # kinds: calls of days before a horizon; a person's name


def note(connection: sqlite3.Connection, kind: str, version: int) -> None:
    """Opens an erasure, in the transaction that makes `version`."""
    connection.execute("insert into erasure (kind, version, at) values (?, ?, ?)", (kind, version, now()))


def is_open(store: Ledger) -> bool:
    return bool(store.manifest.one("select count(*) from erasure where done_at is null"))


def finish(store: Ledger) -> None:
    """Removes what still holds erased rows, once the published catalogue is made without them: every other catalogue,
    the page, the ledger's superseded files and, after a person, the manifest's free pages. Safe to repeat, and to be
    killed in.

    A reader that has an older catalogue open loses the files behind it at once, not after a week.
    """
    manifest = store.manifest
    version = manifest.one("select version from build order by id desc limit 1") or 0
    due = manifest.rows("select kind from erasure where done_at is null and version <= ?", version)
    link = store.data / "warehouse.duckdb"
    if not due or not link.exists():
        return
    for path in (store.data / "catalog").iterdir():
        if path != link.resolve():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (store.data / PAGE, *store.data.glob(f".{PAGE}.*.unfinished")):
        path.unlink(missing_ok=True)  # its data is packed: no search would find a name in it
    _remove_superseded(store, version)
    if any(row["kind"] == USER for row in due):
        _scrub(store)
    with manifest.transaction() as connection:
        connection.execute("update erasure set done_at = ? where done_at is null and version <= ?", (now(), version))


def _remove_superseded(store: Ledger, version: int) -> None:
    rows = store.manifest.rows("select path from file where removed <= ?", version)
    for row in rows:
        path = store.data / row["path"]
        path.unlink(missing_ok=True)
        with suppress(OSError):  # a folder of a day that has other files
            path.parent.rmdir()
    with store.manifest.transaction() as connection:
        connection.executemany("delete from file where path = ?", [(row["path"],) for row in rows])


def _scrub(store: Ledger) -> None:
    """Writes the manifest anew, without the bytes of what was deleted from it, and empties its log."""
    connection = store.manifest.connection
    connection.execute("pragma secure_delete = on")
    connection.execute("vacuum")
    is_read, *_ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
    if is_read:
        raise LedgerBusy(
            f"{store.data / 'manifest.sqlite'}: another process is reading it, so what was deleted from it cannot be "
            "wiped; end that process, then run tokenspread build"
        )

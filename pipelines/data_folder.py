"""The data folder itself: its locks, its rights, and what its disk refuses."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipelines import assembly, lock
from pipelines.durable import fsync, owners_alone
from pipelines.errors import LedgerBusy, StorageTrouble, UserError
from pipelines.log_files import OWN_FOLDERS, is_data_folder


@contextmanager
def locked(data: Path, name: str, wait_seconds: float = 0) -> Iterator[None]:
    """One of the locks of folder `data`, which is made where it is missing. Raises LedgerBusy or UserError."""
    with ExitStack() as stack:
        stack.enter_context(owners_alone())
        try:
            make_folder(data)
            stack.enter_context(lock.held(data / name, wait_seconds))
        except lock.Busy as busy:
            fix = "wait for it, or use another --data"
            raise LedgerBusy(f"{data}: another tokenspread run is writing here ({busy}); {fix}") from None
        except OSError as error:
            raise UserError(f"{data}: cannot be written ({error.strerror}); choose another --data folder") from None
        yield


@contextmanager
def naming_trouble(data: Path) -> Iterator[None]:
    """What the disk refuses is told as the user's to mend; every other error is passed on as it is."""
    try:
        yield
    except UserError:
        raise
    except (OSError, sqlite3.OperationalError, *assembly.ERRORS) as error:
        why = getattr(error, "strerror", None) or str(error)  # polars raises an OSError that has but words
        if not why or not (isinstance(error, OSError | sqlite3.Error) or assembly.is_of_disk(error)):
            raise
        place = error.filename if isinstance(error, OSError) and error.filename else data
        raise StorageTrouble(
            f"{place}: {why.splitlines()[0]}; make room or mend that, then run again (the ledger is as it was last "
            "committed), or choose another --data folder"
        ) from error


def make_folder(path: Path) -> None:
    """A folder, and those around it, that a power failure does not take back."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        fsync(folder.parent)


def refuse_what_is_not_ours(data: Path) -> None:
    """A folder in use for something else: its `staging` would be emptied."""
    for name in OWN_FOLDERS:
        if name != "prefect" and (data / name).exists():
            fact = f"has a {name!r} and no manifest that knows it"
            fix = "restore manifest.sqlite from a backup, or choose another --data folder"
            raise UserError(f"{data}: {fact}; {fix}")


def refuse_place(path: Path, overwrite: bool) -> None:
    """Raises UserError for a place where a file for others must not be written: in a data folder, or over another."""
    inner = path.absolute().parent.resolve()
    for folder in (inner, *inner.parents):
        if is_data_folder(folder):
            raise UserError(f"{path}: is in the data folder {folder}, which is not for files of others; choose another")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name a file, or the folder around it")
    if path.exists() and not overwrite:
        raise UserError(f"{path}: is there already; choose another path, or say --overwrite")

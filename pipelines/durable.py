"""Files that outlast a loss of power, and that nobody but their owner can read."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def owners_alone() -> Iterator[None]:
    """Files and folders that are made within are readable by their owner alone, whatever the umask is. The umask is one
    for the whole process, so what other threads make in the meantime is so too."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to: what is there in the end takes the place of `path` in one step, and outlasts a
    loss of power; after an error nothing is left of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        yield unfinished
        fsync(unfinished)
        os.replace(unfinished, path)
        fsync(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def lend(path: Path, rights: int) -> None:
    """Gives `path` those rights for its owner, and lets read it whoever may read its folder: only the owner can have
    said so, with chmod, since we make folders for them alone."""
    shared = path.parent.stat().st_mode & (0o055 if path.is_dir() else 0o044)
    path.chmod(rights | shared)


def leave_text(path: Path, text: str) -> None:
    """A file in a folder of ours, whole or as it was, for its owner and whoever may read the folder."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
        lend(unfinished, 0o600)


def refuses_writing(error: Exception) -> bool:
    """Whether the error, of Python or of a library that cites the system, tells of a disk that takes nothing more."""
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
    return getattr(error, "errno", None) in numbers or any(os.strerror(number) in str(error) for number in numbers)

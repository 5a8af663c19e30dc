"""Which log files there are, and how to open each: plain, gzip or zstd, told by its first bytes, never by its name."""

import errno
import gzip
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import BinaryIO

from pipelines import dated, globs
from pipelines.bounds import DEFAULT, Bounds
from pipelines.errors import UserError
from pipelines.settings import Settings
from pipelines.unpacking import Unpacked
from pipelines.zstd import ZSTD, ZstdStream

GZIP, PARQUET, BOM = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"
NO_FILE = "a pipe, socket, device or folder, not a file"
DATA_FOLDER_HAS, METRICS, PAGE = (".lock", "manifest.sqlite"), "metrics.prom", "report.html"
# what stands in a data folder and is no log, also where a user keeps logs in the same folder
OWN_FOLDERS = ("catalog", "kept_lines", "ledger", "outcomes", "prefect", "quarantine", "reports", "staging")
OWN_FILES = (".night.lock", "manifest.sqlite-shm", "manifest.sqlite-wal", "warehouse.duckdb", *OWN_FOLDERS)
OWN = (*DATA_FOLDER_HAS, METRICS, PAGE, *OWN_FILES)


@dataclass(frozen=True)
class LogFile:
    path: Path
    is_named: bool  # named by the user, not found in a folder: then it must be a log
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    staged: Path | None = None  # its records as lines, where its own layout is another
    waiting_bytes: int = 0  # of a half last record that is not among them

    @property
    def source(self) -> Path:
        return self.staged or self.path

    @property
    def state(self) -> tuple[int, ...]:
        return (self.device, self.inode, self.size, self.modified_ns, self.changed_ns)

    def has_changed(self) -> bool:
        """Whether the file is another than when it was found."""
        info = self.path.stat()
        return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns) != self.state


@dataclass
class Found:
    files: list[LogFile] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)  # what cannot be looked at, and why
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # what is found but no file: what it is


def given(settings: Settings) -> dict[str, Found]:
    """What the settings name, by kind. A file is read as one kind: what is given for outcomes, revenue or prices is no
    log. Raises UserError."""
    outcomes = find([str(path) for path in settings.outcomes], bounds=settings.bounds)
    others = [path for path in (settings.revenue, settings.prices) if path]
    excluded = [*others, *(file.path for file in outcomes.files)]
    logs = find(dated.of_any_day(settings.logs), excluded, settings.bounds)
    logs.unreadable = [trouble for trouble in logs.unreadable if trouble not in outcomes.unreadable]
    return {"calls": logs, "outcomes": outcomes}


def find(patterns: Iterable[str], excluded: Iterable[Path] = (), bounds: Bounds = DEFAULT) -> Found:
    """The regular files that `patterns` (files, folders, globs) name, each once, in the order of their paths.

    What tokenspread keeps in a data folder is no log, and a data folder below a named folder is passed over. Raises
    UserError for a pattern that names nothing, for a named file that cannot be looked at, and for too many files.
    """
    left_out = {os.path.realpath(path) for path in excluded}
    found: dict[str, LogFile] = {}
    troubles: dict[str, str] = {}
    no_files: dict[str, str] = {}
    real_folder, is_own_folder = cache(os.path.realpath), cache(_is_own)  # thousands of files lie in few folders
    for pattern in patterns:
        for path, is_named in _expand(pattern, troubles):
            folder, name = os.path.split(path)
            real = os.path.realpath(path) if os.path.islink(path) else os.path.join(real_folder(folder), name)
            if real in left_out or (real in found and not is_named):
                continue
            try:
                is_own = is_own_folder(os.path.dirname(real)) or (os.path.basename(real) in OWN and _is_own(real))
                file = None if is_own else _looked_at(real, is_named)
            except OSError as error:
                _complain(troubles, path, error.strerror or "cannot be read", is_named)
                continue
            if file is not None:
                found[real] = file
                _refuse_too_many(pattern, len(found), bounds)
            elif is_named:
                raise UserError(
                    f"{shown(path)}: not a log but a device, or a file of tokenspread's own; "
                    "name a file, a folder or a glob of log files"
                )
            elif not is_own:
                no_files[path] = NO_FILE
    unreadable = [(Path(shown(path)), why) for path, why in sorted(troubles.items())]
    skipped = [(Path(shown(path)), what) for path, what in sorted(no_files.items())]
    return Found([found[real] for real in sorted(found)], unreadable, skipped)


def _refuse_too_many(pattern: str, count: int, bounds: Bounds) -> None:
    if count > bounds.files:
        fix = "name fewer, put many into one (zcat can), or raise it in tokenspread.toml"
        raise UserError(f"{shown(pattern)}: more log files than {bounds.told('files')}; {fix}")


def _looked_at(real: str, is_named: bool) -> LogFile | None:
    """None for what is no regular file. Raises OSError."""
    info = os.stat(real)
    if not stat.S_ISREG(info.st_mode):
        return None
    if shown(real) != real:
        raise OSError(errno.EILSEQ, "its path is not UTF-8; rename it")
    return LogFile(Path(real), is_named, info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _complain(troubles: dict[str, str], path: str, why: str, is_named: bool) -> None:
    why = why[:1].lower() + why[1:]
    if is_named:
        raise UserError(f"{shown(path)}: cannot be read ({why}); check the path")
    troubles[path] = why


def shown(path: str | Path) -> str:
    """The path as text that can be printed and stored, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def _expand(pattern: str, troubles: dict[str, str]) -> Iterator[tuple[str, bool]]:
    """(path, whether the user named it) of each file; what is found by a glob or in a folder is not named."""
    path = os.path.expanduser(pattern)
    if os.path.isdir(path):
        yield from ((inner, False) for inner in _walk(path, troubles, is_named=True))
    elif _exists(path):
        yield path, True
    else:
        matches = [] if "\0" in path else sorted(set(globs.matches(path)))
        if not matches:
            raise UserError(
                f"{shown(pattern)}: no such file or folder, and no file matches it as a glob; check the path"
            )
        for match in matches:
            if not os.path.isdir(match):
                yield match, False
            elif "**" not in path or not os.path.islink(match):
                yield from ((inner, False) for inner in _walk(match, troubles))


def _exists(path: str) -> bool:
    """Whether there is something of this name, be it one that cannot be looked at."""
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _walk(folder: str, troubles: dict[str, str], is_named: bool = False) -> Iterator[str]:
    """Files below `folder`. Hidden entries, data folders and folders behind links are passed over (a link loop must
    end)."""
    folders = [folder]
    while folders:
        inside = folders.pop()
        try:
            with os.scandir(inside) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            _complain(troubles, inside, error.strerror or "cannot be read", is_named and inside == folder)
            continue
        if inside != folder and is_data_folder(inside):
            continue
        for entry in visible:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif not os.path.isdir(entry.path):
                yield entry.path


def is_data_folder(folder: str | Path) -> bool:
    return all(os.path.lexists(os.path.join(folder, name)) for name in DATA_FOLDER_HAS)


def _is_own(real: str) -> bool:
    """Whether the file is one of those that tokenspread keeps in a data folder."""
    inner = Path(real)
    return any(inner.name in OWN and is_data_folder(inner.parent) for inner in (inner, *inner.parents))


def compression(path: Path) -> str:
    """`gzip`, `zstd` or `none`."""
    with open_plain(path) as file:
        return _compression(file)


def _compression(file: BinaryIO) -> str:
    magic = file.read(4)
    file.seek(0)
    return "gzip" if magic.startswith(GZIP) else "zstd" if magic in ZSTD else "none"


def open_plain(path: Path) -> BinaryIO:
    """The bytes of a regular file as they are. Never waits, as it would for a pipe that has taken a log's name: OSError
    tells of what is no regular file (any more)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NO_FILE)
    return os.fdopen(descriptor, "rb", buffering=0)  # type: ignore[return-value]


def open_bytes(path: Path, bounds: Bounds) -> BinaryIO:
    """The decompressed bytes of `path` as a stream. gzip's check sum is verified when its end is reached (EOFError,
    gzip.BadGzipFile or zlib.error tell of damage; EOFError or zstandard.ZstdError of a zstd file's; TooMuch of one that
    unpacks beyond its bounds)."""
    file = open_plain(path)
    kind = _compression(file)
    if kind == "none":
        return file
    if kind == "gzip":
        stream = gzip.GzipFile(fileobj=file)
        stream.myfileobj = file  # which it closes
    else:
        stream = ZstdStream(file)
    return Unpacked(stream, os.fstat(file.fileno()).st_size, bounds)  # type: ignore[return-value]


def read_up_to(stream: BinaryIO, size: int) -> bytes:
    """`size` bytes, fewer only at the end: a raw file or a decompressor may give less at a time."""
    parts, missing = [], size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def as_glob(path: Path | str) -> str:
    """The path as DuckDB must be given it to read this one file: glob characters are only themselves in brackets."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))

"""Which log files there are, and how to open each: plain, gzip or zstd, told by its first bytes, never by its name."""

import glob
import gzip
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from pipelines.settings import UserError

GZIP, ZSTD, PARQUET, BOM = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1", b"\xef\xbb\xbf"


@dataclass(frozen=True)
class LogFile:
    path: Path
    is_named: bool  # named by the user, not found in a folder: then it must be a log
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @property
    def state(self) -> tuple[int, ...]:
        return (self.device, self.inode, self.size, self.modified_ns, self.changed_ns)

    def has_changed(self) -> bool:
        """Whether the file is another than when it was found."""
        info = self.path.stat()
        return (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns) != self.state


def find(patterns: Iterable[str], excluded: Iterable[Path] = ()) -> list[LogFile]:
    """The regular files that `patterns` (files, folders, globs) name, each once, in the order of their paths.

    Raises UserError for a pattern that names nothing.
    """
    left_out = {Path(path).resolve() for path in excluded}
    found: dict[Path, LogFile] = {}
    for pattern in patterns:
        for path, is_named in _expand(pattern):
            real = path.resolve()
            if real in left_out or (real in found and not is_named):
                continue
            info = os.stat(real)
            if stat.S_ISREG(info.st_mode):
                found[real] = LogFile(
                    real, is_named, info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns
                )
            elif is_named:
                raise UserError(f"{path}: not a regular file; name a file, a folder or a glob of log files")
    return [found[path] for path in sorted(found)]


def _expand(pattern: str) -> Iterator[tuple[Path, bool]]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        yield from ((inner, False) for inner in _walk(path))
    elif path.exists():
        yield path, True
    else:
        matches = sorted(glob.glob(str(path), recursive=True))
        if not matches:
            raise UserError(f"{pattern}: no such file or folder, and no file matches it as a glob; check the path")
        for match in matches:
            if os.path.isdir(match):
                yield from ((inner, False) for inner in _walk(Path(match)))
            else:
                yield Path(match), True


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`; hidden entries and folders behind links are passed over (a link loop must end)."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file():
                yield Path(entry.path)


def compression(path: Path) -> str:
    """`gzip`, `zstd` or `none`."""
    with path.open("rb") as file:
        magic = file.read(4)
    return "gzip" if magic.startswith(GZIP) else "zstd" if magic == ZSTD else "none"


def open_bytes(path: Path) -> BinaryIO:
    """The decompressed bytes of `path` as a stream. gzip's check sum is verified when its end is reached (EOFError,
    gzip.BadGzipFile or zlib.error tell of damage; zstandard.ZstdError of a damaged zstd file)."""
    kind = compression(path)
    if kind == "gzip":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if kind == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(  # type: ignore[return-value]
            path.open("rb"), read_across_frames=True, closefd=True
        )
    return path.open("rb", buffering=0)  # type: ignore[return-value]


def as_glob(path: Path | str) -> str:
    """The path as DuckDB must be given it to read this one file: glob characters are only themselves in brackets."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in str(path))

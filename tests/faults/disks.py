"""Disks that can be cut off, filled or made read-only: loop devices and memory, mounted where the tests may."""

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTES = 48
# noauto_da_alloc: a rename is no barrier, so that what was not synced is not there. A journal that is written only when
# it is asked for: nothing reaches the disk by waiting.
OPTIONS = "loop,noauto_da_alloc,noatime,commit=600"


@functools.cache
def why_none() -> str | None:
    """What there is no loop device for, or None."""
    missing = [tool for tool in ("mkfs.ext4", "mount", "umount") if not shutil.which(tool, path=_PATH)]
    if missing:
        return f"{missing[0]} is not installed"
    if os.geteuid():
        return "only root may mount a loop device"
    with tempfile.TemporaryDirectory() as folder:
        try:
            image = made(Path(folder) / "image")
            with mounted(image, Path(folder) / "disk"):
                return None
        except subprocess.CalledProcessError as error:
            return f"no loop device can be mounted here ({error.stderr.strip()})"


@functools.cache
def why_no_memory_disk() -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with in_memory(Path(folder) / "disk"):
                return None
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            return f"no tmpfs can be mounted here ({error})"


_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _call(*command: object) -> str:
    environment = os.environ | {"PATH": _PATH, "LC_ALL": "C"}
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True, env=environment).stdout


def made(image: Path) -> Path:
    """A sparse file that holds an empty ext4."""
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    _call("mkfs.ext4", "-q", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
    return image


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    with _mount(place, "-o", OPTIONS, image) as disk:
        yield disk


@contextmanager
def in_memory(place: Path, kilobytes: int = 64 << 10) -> Iterator[Path]:
    with _mount(place, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs") as disk:
        yield disk


@contextmanager
def _mount(place: Path, *words: object) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    _call("mount", *words, place)
    try:
        yield place
    finally:
        # lazily: after a failure, what it tells of may still hold a file open there
        _call("umount", "-l", place)


def remount(place: Path, options: str) -> None:
    _call("mount", "-o", f"remount,{options}", place)


def cut(place: Path, image: Path, target: Path) -> None:
    """Copies what is on the disk at one instant, at which whoever writes there stands still. The kernel may be writing
    all the same, so it is copied again until nothing was written in the meantime."""
    device = _call("findmnt", "-n", "-o", "SOURCE", place).strip()
    counters = Path("/sys/block") / Path(device).name / "stat"
    for _ in range(100):
        before = counters.read_text()
        _call("cp", "--sparse=always", image, target)
        if counters.read_text() == before and before.split()[8] == "0":
            return
    raise AssertionError("the kernel does not stop writing")

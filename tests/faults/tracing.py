"""Runs of the command whose system calls are watched, or made to fail, by strace."""

import functools
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults import processes

WRITING = ("write", "pwrite64", "writev", "ftruncate", "fallocate")
SYNCING = ("fsync", "fdatasync")
PLACING = ("rename", "openat", "mkdir", "unlink", "unlinkat", "rmdir", "symlink", "chmod")
READING = ("read", "pread64")
CALL = re.compile(r"^\d+ +(\w+)\((.*)$")


@dataclass(frozen=True)
class Call:
    name: str
    text: str  # what strace wrote down of it

    def is_of(self, path: str) -> bool:
        return f"<{path}>" in self.text or f'"{path}"' in self.text


@functools.cache
def why_none() -> str | None:
    """What nothing can be traced for, or None."""
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-e", "inject=fsync:error=EIO:when=1", "true"], capture_output=True, text=True)
    return f"strace may not trace here ({done.stderr.strip()})" if done.returncode else None


def command(words: list[str]) -> None:
    from pipelines.cli import main

    os.kill(os.getpid(), signal.SIGSTOP)  # until strace looks
    main(words)


def run(words: list[str], trace: Path, output: Path, *options: str) -> int:
    """The exit code of the command; what strace saw is in `trace`."""
    process = processes.start(command, words, output=output)
    while processes.is_going_on(process):
        time.sleep(0.002)
    names = ",".join(f"?{name}" for name in WRITING + SYNCING + PLACING + READING)
    watching = ["strace", "-f", "-y", "-o", str(trace), "-p", str(process.pid), "-e", f"trace={names}", *options]
    strace = subprocess.Popen(watching, stderr=subprocess.PIPE, text=True)
    assert any("attached" in line for line in strace.stderr), "strace did not begin"
    processes.go_on(process)
    try:
        return processes.ended(process)
    finally:
        strace.communicate(timeout=processes.SECONDS)


def calls(trace: Path) -> list[Call]:
    found = map(CALL.match, trace.read_text(errors="replace").splitlines())
    return [Call(match[1], match[2]) for match in found if match]


def paths_below(folder: Path, trace: Path) -> list[str]:
    """What the calls were about, of that folder."""
    place = re.escape(str(folder))
    return sorted(set(re.findall(rf'[<"]({place}(?:/[^">]*)?)[>"]', trace.read_text(errors="replace"))))

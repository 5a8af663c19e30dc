"""python -m fuzz [--seconds N] [--work FOLDER] [TARGET ...]: every target for its share of the time, one after another,
each in a process that may die. Exit code 1 where an input was found that shows a defect."""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from fuzz.targets import ROOT, TARGETS

MOST_FINDINGS = 20  # of one target in one run
STARTING = 600  # seconds that a process may take to start and to end; the check of one input has 120

NOISE = re.compile(r"nanobind:| - (leaked|\.\.\. skipped)")  # what DuckDB says of itself whenever a process ends


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="in all")
    parser.add_argument("--work", type=Path, default=ROOT / "fuzz" / "work")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}")
    given = parser.parse_args()
    if unknown := [name for name in given.targets if name not in TARGETS]:
        parser.error(f"no target {', '.join(unknown)}; known are {', '.join(TARGETS)}")
    names = given.targets or list(TARGETS)
    findings = [
        path for name in names for path in _run(name, max(given.seconds // len(names), 1), given.work.resolve())
    ]
    print(f"{len(names)} targets, {len(findings)} findings", *findings, sep="\n", flush=True)
    return 1 if findings else 0


def _run(name: str, seconds: int, work: Path) -> list[Path]:
    """The inputs that show a defect."""
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Path] = []
    runs, end = 0, time.monotonic() + seconds
    while (left := round(end - time.monotonic())) > 0 and len(found) < MOST_FINDINGS:
        code = _child(name, left, folder)
        text = (folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        runs += int(next(iter(re.findall(r"number_of_executed_units: (\d+)", text)), 0))
        if code:
            found.append(_keep(folder, text))
    print(f"{datetime.now(UTC):%H:%M:%S} {name}: {seconds} s, {runs} inputs, {len(found)} findings", flush=True)
    return found


def _child(name: str, seconds: int, folder: Path) -> int:
    """The exit code of a process that fuzzes the target; what it says goes to log.txt."""
    command = [sys.executable, "-m", "fuzz.child", name, str(seconds), str(folder)]
    in_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (folder / "log.txt").open("wb") as log, tempfile.TemporaryDirectory(dir=in_memory) as room:
        # of a few lines, more threads would only be woken
        environment = os.environ | {"TMPDIR": room, "POLARS_MAX_THREADS": "1"}
        try:
            return subprocess.run(
                command, stdout=log, stderr=log, timeout=seconds + STARTING, env=environment, cwd=ROOT
            ).returncode
        except subprocess.TimeoutExpired:
            return -1


def _keep(folder: Path, text: str) -> Path:
    """The input that the process died of, with what it said beside it."""
    data = (folder / "input").read_bytes()
    path = folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(
        "\n".join(line for line in text.splitlines() if not NOISE.match(line))[-20_000:], encoding="utf-8"
    )
    return path


if __name__ == "__main__":
    sys.exit(main())

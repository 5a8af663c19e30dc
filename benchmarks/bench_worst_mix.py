"""The worst logs that we know of, beside good ones: ingested and built in one process within a gigabyte of memory, and
every line accounted for.

    [SIZE_GB=1] python -m benchmarks.bench_worst_mix [NAME...]

NAME: only these of worst_logs.LOGS, each by itself, with as many bytes (unpacked) as SIZE_GB says.
"""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.worst_logs import LOGS, Expected, call

TARGET_BYTES = 10**9
COUNTS = ("call_line_count", "quarantined_line_count", "blank_line_count", "other_line_count")


def run(folder: Path) -> None:
    """Ingests and builds the logs in `folder`, and prints what it took."""
    from pipelines import stages
    from pipelines.errors import UserError
    from pipelines.settings import Settings

    told, settings = {}, Settings.load(logs=[str(folder / "logs")], data=folder / "data")
    for stage in ("ingest", "build"):
        start, cpu = time.monotonic(), time.process_time()
        try:
            summary = getattr(stages, stage)(settings)
        except UserError as error:
            told["refused"] = str(error)
        if stage == "ingest":
            told["unreadable"] = {path.name: why for path, why in summary.report.unreadable}
        told[stage] = {
            "seconds": round(time.monotonic() - start, 1),
            "cpu_seconds": round(time.process_time() - cpu, 1),
            "peak": peak_bytes(),
        }
    print(json.dumps(told))


def peak_bytes() -> int:
    """Of this process since it was started; where it says so, not since its parent was."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(folder: Path) -> dict:
    command = [sys.executable, "-m", "benchmarks.bench_worst_mix", "--run", str(folder)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])


def lines_of(data: Path) -> dict[str, Expected]:
    """What became of the lines of each file, by its name."""
    connection = sqlite3.connect(data / "manifest.sqlite")
    rows = connection.execute(f"select path, {', '.join(COUNTS)} from content").fetchall()
    connection.close()
    return {Path(path).name: Expected(*counts) for path, *counts in rows}


def problems(folder: Path, expected: dict[str, Expected], told: dict) -> list[str]:
    found = lines_of(folder / "data")
    for name, why in told["unreadable"].items():
        found[name] = Expected(is_refused=True) if "[bounds]" in why else Expected(other=-1)
    return [
        f"{name}: {found.get(name)}, not {expected.get(name)} {told['unreadable'].get(name, '')}"
        for name in sorted({*expected, *found})
        if found.get(name) != expected.get(name)
    ]


def write_good(logs: Path, byte_count: int) -> dict[str, Expected]:
    count = byte_count // len(call(0))
    with (logs / "good.jsonl").open("wb") as file:
        file.writelines(call(f"good-{n}", user=f"user-{n % 997}") for n in range(count))
    return {"good.jsonl": Expected(calls=count)}


def trial(names: list[str], byte_count: int, with_good: bool) -> bool:
    with tempfile.TemporaryDirectory(prefix="tokenspread-bench-", dir=os.environ.get("BENCH_DIR")) as place:
        folder = Path(place)
        (folder / "logs").mkdir()
        expected = {name: LOGS[name](folder / "logs" / name, byte_count) for name in names}
        expected |= write_good(folder / "logs", byte_count) if with_good else {}
        told = measured(folder)
        wrong = problems(folder, expected, told)
        shutil.rmtree(folder / "data")
    peak = max(told["ingest"]["peak"], told["build"]["peak"])
    print(
        f"{', '.join(names) if len(names) < 3 else f'{len(names)} logs'}: {byte_count / 1e6:,.0f} MB each; "
        f"ingest {told['ingest']['seconds']} s ({told['ingest']['cpu_seconds']} s CPU, "
        f"{told['ingest']['peak'] / 1e6:,.0f} MB); build {told['build']['seconds']} s "
        f"({told['build']['cpu_seconds']} s CPU); peak memory {peak / 1e6:,.0f} MB"
    )
    for text in (*wrong, *([f"not built: {told['refused']}"] if "refused" in told else [])):
        print(f"  {text}")
    return not wrong and peak < TARGET_BYTES


def main() -> None:
    if sys.argv[1:2] == ["--run"]:
        run(Path(sys.argv[2]))
        return
    byte_count = int(float(os.environ.get("SIZE_GB", "1")) * 1e9)
    if names := sys.argv[1:]:
        met = [trial([name], byte_count, with_good=False) for name in names]
    else:  # the names of features are there to be refused by the build
        mixed = [name for name in LOGS if name != "features.jsonl"]
        met = [trial(mixed, byte_count // (len(mixed) + 1), with_good=True)]
    sys.exit(0 if all(met) else 1)


if __name__ == "__main__":
    main()

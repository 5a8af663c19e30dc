"""DuckDB's own command-line client, where one is installed that opens the warehouse."""

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (1, 5)  # below, it does not open what DuckDB 2 wrote
SECONDS = 20


def found(link: Path) -> tuple[str | None, str | None]:
    """The client on the PATH, or why it is not the one to ask with; neither: none is installed."""
    client = shutil.which("duckdb")
    if client is None:
        return None, None
    try:
        trouble = _trouble(client, link)
    except (OSError, subprocess.TimeoutExpired) as error:
        trouble = f"does not run ({error})"
    return (None, f"{client} {trouble}; this is tokenspread's own shell") if trouble else (client, None)


def start(client: str, link: Path) -> None:
    """In place of this process: its keys and signals are the client's own. It keeps the publication that it opened."""
    print(f"{client} -readonly {link}  (.quit ends it; `tokenspread sql --own` is tokenspread's own shell)", flush=True)
    os.execv(client, [client, "-readonly", "-cmd", "set TimeZone = 'UTC'", str(link)])


def _trouble(client: str, link: Path) -> str | None:
    version = re.search(r"v(\d+)\.(\d+)", _run([client, "--version"]).stdout)
    if version is None:
        return "does not tell its version"
    if (int(version[1]), int(version[2])) < OLDEST:
        return f"is of version {version[0]}, and the warehouse takes v1.5 or later"
    opened = _run([client, "-readonly", "-batch", str(link), "select 1 from about"])
    if opened.returncode:
        reason = next(iter(opened.stderr.split("\n")))
        return f"cannot open {link} ({reason})"
    return None


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )

"""What Prefect adds to a night: 1,000 small files by `tokenspread nightly`, and by the flow on a real server.

Each in a process of its own, the server started before. The targets are under 100 task runs, and under 15 s more.
"""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bench_nights import FILES, lines
from pipelines import own_server  # first: it sets Prefect's environment

# isort: split
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, PREFECT_SERVER_API_PORT, temporary_settings

FLOW = "import sys; from pipelines import flows; print(flows.nightly(config=sys.argv[1]))"
COMMAND = "from pipelines.cli import main; main()"


def seconds_of(code: str, *arguments: object) -> float:
    started = time.monotonic()
    command = [sys.executable, "-c", code, *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def config_of(folder: Path, name: str) -> Path:
    config = folder / f"{name}.toml"
    config.write_text(f'[input]\nlogs = "logs"\ndata = {json.dumps(name)}\n', encoding="utf-8")
    return config


def main() -> None:
    randomly = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="tokenspread-bench-") as name, socket.socket() as probe:
        folder = Path(name)
        (folder / "logs").mkdir()
        for number in range(FILES):
            (folder / "logs" / f"{number}.jsonl").write_text("".join(lines(number % 30, 3, randomly)))
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        os.environ["PREFECT_SERVER_API_PORT"] = str(port)
        with (
            temporary_settings({PREFECT_HOME: folder, PREFECT_SERVER_API_PORT: port, PREFECT_API_URL: None}),
            own_server.prefect_server(folder) as (url, _),
        ):
            os.environ["PREFECT_API_URL"] = f"{url}/api"
            for what in (f"{FILES} small files", "nothing new"):
                plain = seconds_of(COMMAND, "nightly", "--config", config_of(folder, "plain"))
                flow = seconds_of(FLOW, config_of(folder, "flow"))
                with get_client(sync_client=True) as client:
                    time.sleep(2)  # the server records behind the client
                    count = len(client.read_task_runs())
                print(f"{what:<18} nightly {plain:5.1f} s, flow {flow:5.1f} s, {count} task runs so far", flush=True)


if __name__ == "__main__":
    main()

"""Starts and stops what the recorder talks to: the model server, the LiteLLM proxy, the receiver of its log."""

import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECORDER = Path(__file__).resolve().parent
LOGS = RECORDER.parent / "support_desk"
MODEL_SERVER = "http://127.0.0.1:8081"
RECEIVER_PORT = 8082
GATEWAY = "http://127.0.0.1:8083"


@contextmanager
def program(*command: str, ready: str) -> Iterator[None]:
    # a bare environment: nothing of this machine can end up in a log, and nothing is sent home
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": tempfile.gettempdir(),
        "DO_NOT_TRACK": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",
        "SPEND_ROWS_FILE": str(LOGS / "litellm_spendlogs.jsonl"),
    }
    with tempfile.NamedTemporaryFile(suffix=".log", delete=False) as output:
        process = subprocess.Popen(command, cwd=RECORDER, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_up(ready, process, output.name)
        yield
    finally:
        process.terminate()
        process.wait(30)


def serve_model() -> AbstractContextManager[None]:
    port = MODEL_SERVER.rsplit(":", 1)[1]
    return program(sys.executable, "model_server.py", port, ready=f"{MODEL_SERVER}/direct/v1/models")


def proxy(config: str) -> AbstractContextManager[None]:
    litellm = str(Path(sys.executable).parent / "litellm")
    port = GATEWAY.rsplit(":", 1)[1]
    command = (litellm, "--config", config, "--host", "127.0.0.1", "--port", port)
    return program(*command, ready=f"{GATEWAY}/health/readiness")


def wait_until_up(url: str, process: subprocess.Popen, output: str) -> None:
    for _ in range(240):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} stopped, see {output}")
        try:
            urllib.request.urlopen(url, timeout=2)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit(f"{url} never answered, see {output}")


@contextmanager
def receiver(path: Path) -> Iterator[None]:
    """Keeps what LiteLLM's generic API logger posts, as it was posted."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with path.open("ab") as log:
                log.write(body.rstrip(b"\n") + b"\n")
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", RECEIVER_PORT), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()

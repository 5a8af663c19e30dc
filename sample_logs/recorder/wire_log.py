"""An httpx transport that writes every HTTP attempt of an SDK as one line, retries and failures included."""

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx


class WireLog(httpx.HTTPTransport):
    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent_at = datetime.now(UTC)
        started = time.perf_counter()
        response, error = None, None
        try:
            response = super().handle_request(request)
            response.read()
            return response
        except httpx.HTTPError as exception:
            # no body came back: whether the host billed it is not known
            response, error = None, type(exception).__name__
            raise
        finally:
            self.write(
                {
                    "time": sent_at.isoformat(timespec="microseconds"),
                    "latency_ms": round((time.perf_counter() - started) * 1000, 3),
                    "status_code": response.status_code if response else None,
                    "request": json.loads(request.content),
                    "response": response.json() if response else None,
                    "error": error,
                }
            )

    def write(self, line: dict) -> None:
        with self.lock, self.path.open("a") as log:
            log.write(json.dumps(line, separators=(",", ":")) + "\n")

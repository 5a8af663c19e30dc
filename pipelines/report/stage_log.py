"""What an operator reads of a night while it goes on: one line for each stage, as text or as JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from pipelines.report.text import harmless


def line(stage: str, figures: dict[str, Any]) -> str:
    """`build published=True seconds=1.2`: what is unknown (None) is left out."""
    told = (f"{name}={_shown(value)}" for name, value in figures.items() if value is not None)
    return " ".join([stage, *told])


def writer(stream: TextIO, as_json: bool) -> Callable[..., None]:
    """Writes a line with its time (UTC) for each stage that it is told of."""

    def tell(stage: str, **figures: Any) -> None:
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        if as_json:
            print(json.dumps({"at": at, "stage": stage, **figures}, default=str), file=stream, flush=True)
        else:
            print(at, line(stage, figures), file=stream, flush=True)

    return tell


def _shown(value: Any) -> str:
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else harmless(str(value))
    return json.dumps(text) if " " in text or not text else text

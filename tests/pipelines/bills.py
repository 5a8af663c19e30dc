"""Bills for tests, as providers export them; written by hand, with invented figures."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

FIRST = date(2026, 11, 1)


def openai_costs(days: Iterable[tuple[date, list[dict[str, Any]]]], has_more: bool = False) -> str:
    """A page of /v1/organization/costs; results are (line_item, value) or whole results."""
    buckets = [
        {"object": "bucket", **_seconds(day), "results": [
            {"object": "organization.costs.result", "project_id": None, **result} for result in results
        ]} for day, results in days
    ]  # fmt: skip
    return json.dumps({"object": "page", "data": buckets, "has_more": has_more, "next_page": None})


def usd(line_item: str | None, value: str, **others: Any) -> dict[str, Any]:
    return {"amount": {"value": json.loads(value), "currency": "usd"}, "line_item": line_item, **others}


def openai_usage(days: Iterable[tuple[date, list[dict[str, Any]]]]) -> str:
    buckets = [{"object": "bucket", **_seconds(day), "results": results} for day, results in days]
    return json.dumps({"object": "page", "data": buckets, "has_more": False})


def anthropic_page(days: Iterable[tuple[date, list[dict[str, Any]]]]) -> str:
    """A page of cost_report or usage_report/messages."""
    buckets = [
        {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{day + timedelta(days=1)}T00:00:00Z", "results": results}
        for day, results in days
    ]
    return json.dumps({"data": buckets, "has_more": False, "next_page": None})


def cents(amount: str, model: str | None = "claude-sonnet-4-5-20250929", **others: Any) -> dict[str, Any]:
    kinds = {"cost_type": "tokens", "token_type": "uncached_input_tokens", "context_window": "0-200k"}
    described = {"description": "Claude Sonnet 4.5 Usage - Input Tokens", "service_tier": "standard"}
    return {"amount": amount, "currency": "USD", "model": model, **kinds, **described, **others}


def table(header: Iterable[str], *rows: Iterable[Any], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows([list(header), *rows])
    return text.getvalue()


def written(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def _seconds(day: date) -> dict[str, int]:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return {"start_time": start, "end_time": start + 86_400}

"""The corridor of `tokenspread status`: what nights did, what is covered, what runs, what it takes. Locks nothing."""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipelines import lock, questions
from pipelines.errors import UserError
from pipelines.log_files import is_data_folder
from pipelines.manifest_schema import SCHEMA_NUMBER
from pipelines.night_book import NIGHT_LOCK
from pipelines.settings import Settings

LOCKS = {"night": NIGHT_LOCK, "ledger": ".lock"}
SHOWN_NIGHTS = 14


@dataclass(frozen=True)
class Status:
    data: Path
    nights: list[dict[str, Any]]  # the newest first
    last_published: dict[str, Any] | None  # build: catalogue, version, at
    holders: dict[str, lock.Holder | None]  # of the locks that are held
    first_day: date | None  # of the published calls (UTC)
    last_day: date | None
    gaps: list[tuple[date, date]]  # days between them without any call: first and last of each
    undated_call_count: int
    alerts: list[dict[str, Any]]  # those that hold
    bytes_by_part: dict[str, int]  # of the data folder
    free_bytes: int


def look(settings: Settings) -> Status:
    """What there is to know of the data folder. Raises UserError."""
    data = settings.data
    if not is_data_folder(data):
        raise UserError(f"{data}: no data folder of tokenspread; check --data, or read logs with tokenspread ingest")
    with closing(_reading(data / "manifest.sqlite")) as connection:
        nights = _rows(connection, "select * from night order by night_id desc limit ?", SHOWN_NIGHTS)
        builds = _rows(connection, "select catalogue, version, at from build order by id desc limit 1")
        alerts = _rows(connection, "select * from alert where ended_at is null order by kind, key")
    held = {name: lock.holder(data / file) for name, file in LOCKS.items()}
    days, undated_count = _days(data / "warehouse.duckdb")
    return Status(
        data=data,
        nights=nights if held["night"][0] else [_over(night) for night in nights],
        last_published=builds[0] if builds else None,
        holders={name: by for name, (is_held, by) in held.items() if is_held},
        first_day=days[0] if days else None,
        last_day=days[-1] if days else None,
        gaps=gaps_of(days),
        undated_call_count=undated_count,
        alerts=alerts,
        bytes_by_part=_bytes_by_part(data),
        free_bytes=os.statvfs(data).f_bavail * os.statvfs(data).f_frsize,
    )


def gaps_of(days: list[date]) -> list[tuple[date, date]]:
    """Spans (first, last) of days that are missing between those given, which ascend."""
    one = timedelta(days=1)
    return [(day + one, after - one) for day, after in zip(days, days[1:], strict=False) if after - day > one]


def _reading(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        number = connection.execute("pragma user_version").fetchone()[0]
    except sqlite3.OperationalError as error:  # of the disk, not of what is on it
        raise UserError(
            f"{path}: cannot be read now ({error}); make room on its disk, or let it be written to"
        ) from None
    except sqlite3.Error as error:
        raise UserError(f"{path}: cannot be read ({error}); restore it from a backup") from None
    if number != SCHEMA_NUMBER:
        connection.close()
        raise UserError(f"{path}: of another version of tokenspread; run `tokenspread ingest` or `nightly` once")
    return connection


def _rows(connection: sqlite3.Connection, query: str, *parameters: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query, parameters)]


def _over(night: dict[str, Any]) -> dict[str, Any]:
    """Nobody holds the lock of a night that says that it is running: it was killed."""
    return night | {"status": "died"} if night["status"] == "running" else night


def _days(link: Path) -> tuple[list[date], int]:
    if not link.exists():
        return [], 0
    rows = questions.answer(link, "covered_days").rows(named=True)
    undated = sum(row["call_count"] for row in rows if row["day"] is None)
    return [row["day"] for row in rows if row["day"] is not None], undated


def _bytes_by_part(data: Path) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for folder, _, names in os.walk(data):
        inner = Path(folder).relative_to(data).parts
        for name in names:
            part = inner[0] if inner else "manifest" if name.startswith("manifest") else "other"
            sizes[part] = sizes.get(part, 0) + os.lstat(os.path.join(folder, name)).st_size
    return dict(sorted(sizes.items()))

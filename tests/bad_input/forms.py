"""Good lines of three forms, each value of which can be another JSON text; and what the ledger makes of them."""
# ruff: noqa: UP031 - JSON is full of braces

import gzip
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from pipelines import stages
from pipelines.settings import Settings

AT = 1_790_000_000  # 2026-09-21T13:33:20Z
MAPPING = """
[log.agent]
match = { kind = "agent_call" }
[log.agent.fields]
model = "model"
response_id = "id"
called_at = "at"
input_tokens = "usage.input"
output_tokens = "usage.output"
recorded_cost_usd = "cost"
user_id = "who"
feature = "meta>tags.area"
"""


def _chat(tag: str, number: int, **texts: str) -> str:
    given = {
        "id": f'"chatcmpl-{tag}-{number}"',
        "time": str(AT + number),
        "model": '"gpt-5-mini"',
        "tokens": "10",
        "cost": "5",
        "usage": None,
        "more": "",
    } | texts
    usage = given["usage"] or '{"prompt_tokens":%(tokens)s,"completion_tokens":7,"cost_in_usd_ticks":%(cost)s}' % given
    head = '{"id":%(id)s,"object":"chat.completion","created":%(time)s,"model":%(model)s,"usage":' % given
    return f"{head}{usage}{given['more']}}}"


def _spend(tag: str, number: int, **texts: str) -> str:
    """The counts of cached tokens, and what is opened at all, stand in a text that holds JSON."""
    given = {
        "id": f'"req-{tag}-{number}"',
        "time": f'"2026-09-21T13:33:{20 + number % 40}Z"',
        "model": '"gpt-5-mini"',
        "tokens": "10",
        "cost": "0.5",
        "usage": None,
        "more": "",
    } | texts
    inner = given["usage"] or '{"prompt_tokens_details":{"cached_tokens":%(tokens)s}}' % given
    given["metadata"] = json.dumps('{"status":"success","usage_object":%s}' % inner, ensure_ascii=False)
    return (
        '{"request_id":%(id)s,"call_type":"acompletion","spend":%(cost)s,"startTime":%(time)s,"model":%(model)s,'
        '"prompt_tokens":5000,"completion_tokens":7,"request_tags":null,"metadata":%(metadata)s%(more)s}' % given
    )


def _mapped(tag: str, number: int, **texts: str) -> str:
    given = {
        "id": f'"a-{tag}-{number}"',
        "time": str(AT + number),
        "model": '"gpt-5-mini"',
        "tokens": "10",
        "cost": "0.5",
        "usage": None,
        "more": "",
    } | texts
    given["usage"] = given["usage"] or '{"input":%(tokens)s,"output":7}' % given
    return (
        '{"kind":"agent_call","id":%(id)s,"at":%(time)s,"model":%(model)s,"usage":%(usage)s,"cost":%(cost)s,'
        '"who":"ann","meta":"{\\"tags\\":{\\"area\\":\\"sales\\"}}"%(more)s}' % given
    )


@dataclass(frozen=True)
class Form:
    name: str
    text: Callable[..., str]
    tokens_column: str  # of CALLS, that `tokens` is read into
    tokens_path: str  # as a reason names it
    cost_path: str

    def line(self, tag: str, number: int, **texts: str) -> bytes:
        """A line that tells of a call, with the JSON texts given in place of its values."""
        return self.text(tag, number, **texts).encode("utf-8", errors="surrogatepass")


_CACHED = "metadata>usage_object.prompt_tokens_details.cached_tokens"
FORMS = {
    form.name: form
    for form in (
        Form("chat", _chat, "input_tokens", "usage.prompt_tokens", "usage.cost_in_usd_ticks"),
        Form("spend", _spend, "cache_read_tokens", _CACHED, "spend"),
        Form("mapped", _mapped, "input_tokens", "input_tokens", "recorded_cost_usd"),
    )
}


@dataclass
class Taken:
    """What became of one file."""

    calls: dict[int, dict[str, Any]]  # by line number
    quarantined: dict[int, str]
    balance: dict[str, int] | None  # null: nothing of the file is in the ledger
    refused: str | None  # why the file was not read
    waiting: int  # bytes of a half last line


def settings_of(data: Path, logs: Path) -> Settings:
    config = data.parent / "tokenspread.toml"
    config.write_text(MAPPING)
    return Settings.load(config, data=data, logs=[str(logs)])


def taken(data: Path, logs: Path) -> dict[str, Taken]:
    """Takes what is new in the folder into the ledger, and tells what is in it of each file, by name."""
    report = stages.ingest(settings_of(data, logs)).report
    refused = {path.name: why for path, why in report.unreadable + report.skipped}
    waiting = {path.name: size for path, size in report.waiting}
    with sqlite3.connect(data / "manifest.sqlite") as connection:
        connection.row_factory = sqlite3.Row
        contents = [dict(row) for row in connection.execute("select * from content")]
        paths = {kind: [] for kind in ("ledger", "quarantine")}
        for row in connection.execute("select path, kind from file where removed is null and kind <> 'outcomes'"):
            paths[row["kind"]].append(data / row["path"])
    connection.close()
    rows = {kind: _rows(some) for kind, some in paths.items()}
    found = {
        path.name: Taken({}, {}, None, refused.get(path.name), 0)
        for path in (logs.iterdir() if logs.is_dir() else [logs])
    }
    for content in contents:
        of_file = found[Path(content["path"]).name]
        of_file.balance = {name: content[name] for name in content if name.endswith("line_count")}
        own = [row for row in rows["ledger"] if row["content_id"] == content["content_id"]]
        of_file.calls |= {row["line_number"]: row for row in own}
        own = [row for row in rows["quarantine"] if row["content_id"] == content["content_id"]]
        of_file.quarantined |= {row["line_number"]: row["reason"] for row in own}
    for name, size in waiting.items():
        found[name].waiting = size
    return found


def _rows(paths: list[Path]) -> list[dict[str, Any]]:
    frames = [pl.read_parquet(path, glob=False, hive_partitioning=False) for path in paths]
    return pl.concat(frames).rows(named=True) if frames else []


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=1, mtime=0)


def zstd_packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)

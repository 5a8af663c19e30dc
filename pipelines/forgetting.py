"""A person leaves the ledger, and the calls stay: their cost is real, so no total moves.

`user_id` and `customer_id` become null where they are the name. An action or response whose id names the person gets
one made at random, the same for all of its calls and outcomes. Kept revenue that is restricted to the person is
removed: with the cell blanked it would count for everybody.
"""

import csv
import io
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import xxhash

from pipelines import erasure, kept_lines
from pipelines.draft import Draft, DraftFile
from pipelines.ledger import Ledger
from pipelines.manifest import now
from pipelines.settings import Settings
from pipelines.sought import Sought
from pipelines.users import Users

PERSON = ("user_id", "customer_id")
IDS = ("action_id", "response_id")  # what an outcome may name its call by, beside the call's own number
FORGOTTEN = "forgotten"  # in place of the name in the path of a log
TOLD = {"alert": ("key", "dimension", "name", "text"), "night": ("reason",)}


@dataclass
class Found:
    """What names the person, table by table."""

    call_count: int
    ids: dict[str, str]  # of actions, responses and outcomes' subjects that name them -> what these are called instead
    outcome_count: int  # told of these
    logs: list[str]  # paths of the log files that told of the person's calls
    inputs: list[dict[str, Any]] = field(default_factory=list)  # rows of `input` as they are to be
    revenue_row_count: int = 0  # of the revenue in force
    revenue_usd: Decimal = Decimal(0)
    earlier_row_count: int = 0  # of revenue that was given before
    alert_ids: list[int] = field(default_factory=list)
    night_ids: list[int] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)  # paths of logs that name them -> what they become
    reports: list[Path] = field(default_factory=list)
    kept_line_count: int = 0  # quarantined lines that hold the name, where what they say was kept

    @property
    def is_anything(self) -> bool:
        kept = (self.inputs, self.alert_ids, self.night_ids, self.paths, self.reports, self.kept_line_count)
        return bool(self.call_count or self.ids or any(kept))


def look(store: Ledger, sought: Sought) -> Found:
    found = _in_ledger(store, sought)
    _in_revenue(store, sought, found)
    for table, ids in (("alert", found.alert_ids), ("night", found.night_ids)):
        rows = store.manifest.rows(f"select {table}_id as id, {', '.join(TOLD[table])} from {table}")
        ids += [row["id"] for row in rows if any(sought.is_in(row[name]) for name in TOLD[table])]
    paths = store.manifest.rows("select path from content union select path from seen")
    found.paths = {row["path"]: sought.without(row["path"], FORGOTTEN) for row in paths if sought.is_in(row["path"])}
    reports = [path for path in sorted((store.data / "reports").glob("*")) if path.is_file()]
    found.kept_line_count = kept_lines.count(store, kept_lines.are_naming(sought.name))
    found.reports = [path for path in reports if sought.is_in(path.read_text(errors="replace"))]
    return found


def together(parts: Sequence[Found]) -> Found:
    """What names the person by any of several names."""
    first, *others = parts
    for other in others:
        for name in (each.name for each in fields(Found)):
            one, more = getattr(first, name), getattr(other, name)
            setattr(first, name, one | more if isinstance(one, dict) else one + more)
    first.logs = list(dict.fromkeys(first.logs))
    return first


def carry_out(store: Ledger, settings: Settings, sought: Sought, found: Found, users: Users) -> None:
    """Commits it whole, as a new version of the ledger; reports go first, since only this run knows the name."""
    for path in found.reports:
        path.unlink(missing_ok=True)
    store.manifest.connection.execute("pragma secure_delete = on")
    draft = Draft(store.staging, lambda rows: rows)
    replaced = _rewritten(store, sought, found, draft)
    replaced += kept_lines.without(store, draft, kept_lines.are_naming(sought.name))

    def also(connection: sqlite3.Connection, version: int) -> None:
        _in_manifest(connection, found)
        connection.execute("insert or ignore into forgotten values (?, ?, ?)", (*users.tombstone(sought.name), now()))
        erasure.note(connection, erasure.USER, version)

    with store.manifest.run("forget"):
        store.commit(draft, replaced, [], settings.reading_digest, also)


def _in_ledger(store: Ledger, sought: Sought) -> Found:
    calls, contents, named, outcome_count = 0, set(), set(), 0
    for path in store.paths("ledger"):
        wanted = _scan(path).select("content_id", *IDS, is_theirs=_is_theirs(sought))
        holds = pl.any_horizontal(pl.col(name).str.contains(sought.name, literal=True) for name in IDS)
        rows = wanted.filter(pl.col("is_theirs") | holds).collect(engine="streaming")
        theirs = rows.filter("is_theirs")
        calls, contents = calls + theirs.height, contents | {*theirs["content_id"]}
        for name in IDS:
            named |= {text for text in theirs[name].drop_nulls().unique() if sought.name in text}
            named |= {text for text in rows[name].unique() if sought.is_in(text)}
    for path in store.paths("outcomes"):
        told = _scan(path).select("subject_id").collect()["subject_id"]
        named |= {subject for subject in told.unique() if sought.is_in(subject)}
        outcome_count += told.is_in(list(named)).sum()
    paths = store.manifest.rows("select content_id, path from content order by path")
    logs = [row["path"] for row in paths if row["content_id"] in contents]
    return Found(calls, {one: f"forgotten-{uuid4().hex}" for one in sorted(named)}, outcome_count, logs)


def _is_theirs(sought: Sought) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).eq_missing(sought.name) for name in PERSON)


def _rewritten(store: Ledger, sought: Sought, found: Found, draft: Draft) -> list[str]:
    """Puts into the draft what files with the name are to be without it. Returns their paths below the data folder."""
    blanked = [pl.when(pl.col(name).ne_missing(sought.name)).then(name).alias(name) for name in PERSON]
    ids = {"ledger": IDS, "outcomes": ("subject_id",)}
    replaced = []
    for kind, columns in ids.items():
        is_named = pl.any_horizontal(pl.col(name).is_in(list(found.ids)) for name in columns)
        changes = [pl.col(name).replace(found.ids) for name in columns]
        if kind == "ledger":
            is_named, changes = is_named | _is_theirs(sought), changes + blanked
        for row in store.manifest.live_files(kind):
            scan = _scan(str(store.data / row["path"]))
            if not scan.select(is_named.any()).collect(engine="streaming").item():
                continue
            target = draft.next_path(kind)
            scan.with_columns(changes).sink_parquet(
                target, compression="zstd", compression_level=1, statistics=False, maintain_order=True
            )
            draft.files.append(DraftFile(target, kind, row["day"], row["row_count"]))
            replaced.append(row["path"])
    return replaced


def _in_manifest(connection: sqlite3.Connection, found: Found) -> None:
    for row in found.inputs:
        connection.execute("update input set name = :name, content = :content, hash = :hash where id = :id", row)
    connection.executemany("delete from alert where alert_id = ?", [(one,) for one in found.alert_ids])
    connection.executemany("update night set reason = null where night_id = ?", [(one,) for one in found.night_ids])
    connection.executemany("update content set path = ? where path = ?", [(b, a) for a, b in found.paths.items()])
    connection.executemany("delete from seen where path = ?", [(path,) for path in found.paths])


def _in_revenue(store: Ledger, sought: Sought, found: Found) -> None:
    rows = store.manifest.rows("select id, kind, name, content from input order by id desc")
    last = next((row["id"] for row in rows if row["kind"] == "revenue"), None)
    for row in rows:
        content, gone = row["content"], []
        if row["kind"] == "revenue":
            content, gone = _without_rows(content, sought.name)
        name = sought.without(row["name"], FORGOTTEN) if sought.is_in(row["name"]) else row["name"]
        if not gone and name == row["name"]:
            continue
        digest = xxhash.xxh3_128(content).hexdigest()
        found.inputs.append({"id": row["id"], "name": name, "content": content, "hash": digest})
        if row["id"] == last:
            found.revenue_row_count = len(gone)
            found.revenue_usd = sum(_amounts(gone), Decimal(0))
        else:
            found.earlier_row_count += len(gone)


def _without_rows(content: bytes, name: str) -> tuple[bytes, list[dict[str, str]]]:
    """The revenue file without the rows of that user or customer, and these."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    rows = list(reader)
    gone = [row for row in rows if name in ((row.get(column) or "").strip() for column in PERSON)]
    if not gone:
        return content, []
    text = io.StringIO()
    writer = csv.DictWriter(text, reader.fieldnames or [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for row in rows if row not in gone)
    return text.getvalue().encode(), gone


def _amounts(rows: Iterable[dict[str, str]]) -> Iterable[Decimal]:
    """What the rows earn in all; what each success earns is no amount of its own."""
    return (Decimal(row["revenue_usd"].strip()) for row in rows if (row.get("revenue_usd") or "").strip())


def _scan(path: str) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)

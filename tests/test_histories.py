"""Random histories: logs that are written, grow, are cut, rotated, packed, copied and rewritten, runs that take them in
or die in it, persons that are forgotten and days that are pruned. After each the ledger is the plain-Python one.

`HISTORIES=2000` runs as many.
"""

import copy
import gzip
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import polars as pl
import pytest
import zstandard
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipelines import build_inputs, forgetting, ledger, pruning, sandbox, stages
from pipelines.draft import KEPT_LINES, KINDS
from pipelines.retention import prune_ledger
from pipelines.settings import Settings
from pipelines.sought import Sought
from tests.faults.test_crash import Died, Life
from tests.history_logs import COLUMNS, DEATHS, ENDS, LINES, SLOTS, SUBJECTS, TELLINGS, USERS, WHICH, Log, rendered
from tests.pipelines.logs import chat, ingest, jsonl, ledger_rows, quarantine_rows, without_id
from tests.reference_ledger import Call, ReferenceLedger, is_object
from transforms import schemas

HISTORIES = int(os.environ.get("HISTORIES", "40"))
CONFIG = '[attribution.claude_code]\nuser_id = "who"\n'


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="histories-", dir=shared))
        self.data, self.outcomes = self.folder / "data", self.folder / "outcomes.jsonl"
        (self.folder / "logs").mkdir()
        (self.folder / "c.toml").write_text(CONFIG)
        self.logs: dict[str, Log] = {}
        self.expected = ReferenceLedger()
        self.is_clean = True  # no run died since the last one that did not
        self.is_built = False
        self.is_news = True  # something may have changed since all logs were last taken in
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda _: None)  # nothing here loses power

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.folder)

    # what happens to logs

    def pick(self, n: int, *, layout: str = "") -> str | None:
        names = [name for name, log in sorted(self.logs.items()) if layout in ("", log.layout)]
        return names[n % len(names)] if names else None

    def save(self, name: str, log: Log | None = None, is_old: bool = False) -> None:
        log = self.logs[name] = log or self.logs[name]
        if log.layout == "lines" and log.lines and not log.start.endswith(b"\n") and not is_object(log.lines[0]):
            log.lines.insert(0, rendered(log.kind, (0, 1, None, 1, None, None)))  # what a log is, its first line tells
        path = self.path(name)
        path.write_bytes(log.packed())
        self.is_news = True
        if is_old:  # as a copy that keeps the time, or a log that nobody wrote to for a while
            os.utime(path, (path.stat().st_mtime - 3600,) * 2)

    def path(self, name: str) -> Path:
        return self.folder / "logs" / name

    @initialize(told=st.lists(LINES, min_size=2, max_size=2))
    def begin(self, told):
        for name, lines in zip(("a", "s"), told, strict=True):
            self.save(name, Log("flat" if name == "a" else "session", []))
            self.grow(name, lines, "whole")

    @rule(
        kind=st.sampled_from(["flat", "flat", "session"]),
        n=WHICH,
        told=LINES,
        start=st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b'kens": 3}\n']),
        ends=st.sampled_from([b"\n", b"\n", b"\r\n"]),
        end=ENDS,
    )
    def write(self, kind, n, told, start, ends, end):
        """A new log, also in place of one that was there."""
        if start.endswith(b"\n"):  # more than a quarter of the first lines must be records
            told = [one for one in told if not isinstance(one, str)]
        names = SLOTS[kind]
        self.save(names[n % len(names)], Log(kind, [], start=start, ends=ends))
        self.grow(names[n % len(names)], told, end)

    @precondition(lambda self: self.logs)
    @rule(n=WHICH, told=LINES, end=ENDS, is_glued=st.sampled_from([False, False, False, True]), is_old=st.booleans())
    def append(self, n, told, end, is_glued, is_old):
        self.go_on(self.pick(n), told, end, is_glued, is_old)

    @precondition(lambda self: self.logs)
    @rule(n=WHICH, told=LINES, end=ENDS, death=st.none() | DEATHS)
    def append_and_ingest(self, n, told, end, death):
        self.go_on(self.pick(n), told, end)
        self.take_in(death=death)

    def go_on(self, name: str, told: list, end: str, is_glued: bool = False, is_old: bool = False) -> None:
        """The half line that stood there gets its other half, or (a writer that died) does not."""
        log = self.logs[name]
        log.arrived = 1.0
        if log.tail:
            is_glued = is_glued and log.layout == "lines" and bool(log.lines) and not log.start.endswith(b"\n")
            log.lines.append(log.tail + (b"" if is_glued else log.rest))
        log.tail = log.rest = b""
        if log.start.endswith(b"\n") or log.layout != "lines":  # more than a quarter of them must be records
            told = [one for one in told if not isinstance(one, str)]
        self.grow(name, told, end, is_old)

    def grow(self, name: str, told: list, end: str, is_old: bool = False) -> None:
        log = self.logs[name]
        lines = [rendered(log.kind, one) for one in told]
        if lines and end != "whole" and is_object(lines[-1]) and log.layout != "array":
            last = lines.pop()
            cut = len(last) // 2 if end == "half" or log.layout == "csv" else len(last)
            log.tail, log.rest = last[:cut], last[cut:]
            if log.layout == "csv":
                log.tail, log.rest = last, b""
        log.lines += lines
        self.save(name, is_old=is_old)

    @precondition(lambda self: self.logs)
    @rule(n=WHICH, place=st.integers(0, 5), told=TELLINGS | st.none())
    def rewrite(self, n, place, told):
        """A line in the middle is another now, or is gone."""
        name = self.pick(n)
        log = self.logs[name]
        if log.lines:
            place %= len(log.lines)
            log.lines[place : place + 1] = [rendered(log.kind, told)] if told else []
        self.save(name)

    @precondition(lambda self: self.pick(0, layout="lines"))
    @rule(n=WHICH, share=st.sampled_from([0, 0.3, 0.5, 0.8, 0.97]))
    def truncate(self, n, share):
        name = self.pick(n, layout="lines")
        log = self.logs[name]
        data = log.data()[len(log.start) :]
        *log.lines, log.tail = data[: int(len(data) * share)].split(b"\n")
        log.lines = [line.removesuffix(b"\r") for line in log.lines]
        log.rest = b""
        if not is_object(log.tail):
            log.rest = b"gone"
        self.save(name)

    @precondition(lambda self: self.logs)
    @rule(
        n=WHICH,
        to=WHICH,
        how=st.sampled_from(["rename", "copytruncate", "copy"]),
        told=st.lists(LINES, max_size=2),
        is_old=st.booleans(),
    )
    def rotate(self, n, to, how, told, is_old):
        """And perhaps the copy goes on, and the log, or what is written in its place."""
        name = self.pick(n)
        log = self.logs[name]
        names = [slot for slot in SLOTS[log.kind] if slot != name]
        target = names[to % len(names)]
        if how == "rename":
            os.rename(self.path(name), self.path(target))
            self.is_news = True
            self.logs[target] = self.logs.pop(name)
        else:
            self.save(target, replace(log, lines=[*log.lines]), is_old)
        if how != "copy":
            self.save(name, Log(log.kind, []))
        for going_on, lines in zip((target, name), told, strict=False):
            self.go_on(going_on, lines, "whole")

    @precondition(lambda self: self.logs)
    @rule(
        n=WHICH,
        packing=st.sampled_from(["gzip", "zstd", "none"]),
        arrived=st.sampled_from([1.0, 1.0, 0.6]),
        is_old=st.booleans(),
    )
    def pack(self, n, packing, arrived, is_old):
        name = self.pick(n)
        log = self.logs[name]
        log.packing, log.arrived = packing, 1.0 if packing == "none" else arrived
        self.save(name, is_old=is_old)

    @precondition(lambda self: self.logs)
    @rule(n=WHICH, layout=st.sampled_from(["csv", "array", "lines"]))
    def convert(self, n, layout):
        name = self.pick(n)
        log = self.logs[name]
        if layout == "csv" and log.kind != "flat":
            return
        records = [line for line in log.records() if list(json.loads(line)) == list(COLUMNS) or layout != "csv"]
        if records:
            self.save(name, Log(log.kind, records, layout=layout))

    @precondition(lambda self: self.logs)
    @rule(n=WHICH)
    def delete(self, n):
        name = self.pick(n)
        self.path(name).unlink()
        del self.logs[name]

    @rule(
        told=st.lists(
            st.tuples(st.sampled_from(SUBJECTS), st.sampled_from([True, False, None])), min_size=1, max_size=3
        ),
        odd=st.sampled_from([b"", b"\n", b"{bad\n", b'{"action_id": "act-1"}\n', b'{"action_id": "ac']),
    )
    def tell_outcomes(self, told, odd):
        lines = [{"action_id": one, "outcome": "resolved", "is_success": is_success} for one, is_success in told]
        with self.outcomes.open("ab") as file:
            self.is_news = True
            file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + odd)

    # what tokenspread does

    def settings(self, pattern: str = "") -> Settings:
        logs = [str(self.folder / "logs" / pattern)] if self.named(pattern) or not pattern else []
        outcomes = [self.outcomes] if self.outcomes.exists() else []
        return Settings.load(self.folder / "c.toml", data=self.data, logs=logs, outcomes=outcomes)

    def named(self, pattern: str) -> list[Path]:
        return sorted((self.folder / "logs").glob(pattern or "*"))

    def live(self, deed: Callable[[], Any], after: ReferenceLedger, death: int | None) -> Any:
        """What `deed` returns, None where it died: then the ledger is as before or as after."""
        version, result = self.version(), None
        with pytest.MonkeyPatch.context() as patch:
            life = Life(patch, death)
            try:
                result = deed()
                self.is_clean = True
            except Died:
                self.is_clean = False
            finally:
                life.end()
        if self.is_clean or self.version() > version:
            self.expected = after
        self.check_ledger()
        return result

    def version(self) -> int:
        return self.rows("select coalesce(max(id), 0) from version", [(0,)])[0][0]

    def rows(self, query: str, otherwise: list[tuple] = []) -> list[tuple]:  # noqa: B006
        if not (self.data / "manifest.sqlite").exists():
            return otherwise
        connection = sqlite3.connect(self.data / "manifest.sqlite")
        try:
            if not connection.execute("select count(*) from sqlite_master").fetchone()[0]:
                return otherwise  # it died before it made the tables
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def take_in(self, pattern: str = "", death: int | None = None) -> None:
        settings, after = self.settings(pattern), copy.deepcopy(self.expected)
        told = after.ingest(self.named(pattern), settings.outcomes)
        version = self.version()
        summary = self.live(lambda: stages.ingest(settings), after, death)
        if summary:
            assert (summary.line_count, summary.call_count, summary.quarantined_count) == (
                told.line_count, told.call_count, told.quarantined_count
            )  # fmt: skip
            assert summary.is_new == (told.line_count > 0) == (self.version() > version)

    @precondition(lambda self: self.is_news)
    @rule(pattern=st.sampled_from(["", "", "a*", "*.1", "[bs]"]), deaths=st.lists(DEATHS, max_size=2))
    def ingest(self, pattern, deaths):
        self.is_news = pattern != ""
        for death in deaths:
            self.take_in(pattern, death)
        self.take_in(pattern)

    @precondition(lambda self: self.is_news)
    @rule()
    def ingest_twice(self):
        self.is_news = False
        self.take_in()
        version, files = self.version(), self.rows("select * from file")
        self.take_in()
        assert (self.version(), self.rows("select * from file")) == (version, files)

    @precondition(lambda self: self.expected.calls)
    @rule(n=WHICH, death=st.none() | DEATHS)
    def forget(self, n, death):
        named = sorted({call.user_id for call in self.expected.calls.values() if call.user_id}) or USERS
        user, after = named[n % len(named)], copy.deepcopy(self.expected)
        is_named = after.forget(user)

        def deed() -> bool:
            settings, sought = self.settings(), Sought(user, [str(self.data.resolve())])
            with ledger.opened(self.data) as store:
                found = forgetting.look(store, sought)
                if found.is_anything:
                    users = build_inputs.users_of(store, settings)
                    forgetting.carry_out(store, settings, sought, found, users)
            return found.is_anything

        assert self.live(deed, after, death) in (is_named, None)

    @precondition(lambda self: self.expected.calls)
    @rule(day=st.integers(2, 4), death=st.none() | DEATHS)
    def prune(self, day, death):
        after, before = copy.deepcopy(self.expected), f"2026-11-0{day}"
        count = after.prune(before)
        plan = self.live(lambda: prune_ledger(self.settings(), pruning.date.fromisoformat(before)), after, death)
        assert plan is None or plan.call_count == count

    @precondition(lambda self: self.expected.calls and not self.is_built)
    @rule(dice=st.integers(0, 5))
    def build(self, dice):
        """Once in some of the histories: it takes as long as all the rest of one."""
        if dice == 5:
            self.is_built = True
            stages.build(self.settings())
            self.is_clean = True
            self.check_ledger()
            self.check_published()

    # what must hold

    def check_ledger(self):
        if not self.rows("select 1 from version limit 1"):
            assert not self.expected.contents
            return
        numbers = {row[0]: n for n, row in enumerate(self.rows("select content_id from content order by 1"))}
        kinds = [kind for kind in KINDS if kind != KEPT_LINES]
        frames = {kind: self.frame(kind).with_columns(pl.col("content_id").replace_strict(numbers)) for kind in kinds}
        assert frames["ledger"].select("key_hi", "key_lo").is_unique().all()
        names = self.names_of(frames)
        assert self.calls_of(frames["ledger"]) == {
            call.address: replace(call, action_id=names.get(call.action_id, call.action_id))
            for call in self.expected.calls.values()
        }
        told = frames["outcomes"].select("content_id", "line_number", "subject_id", "outcome", "is_success").rows()
        expected = [
            replace(told, subject_id=names.get(told.subject_id, told.subject_id)) for told in self.expected.outcomes
        ]
        assert sorted(told, key=repr) == sorted(
            ((*told.address, told.subject_id, told.outcome, told.is_success) for told in expected), key=repr
        )
        bad = frames["quarantine"].select("content_id", "line_number", "reason").rows()
        assert sorted(bad) == sorted((*address, reason) for address, reason in self.expected.quarantine)
        self.check_contents(numbers)
        self.check_files()

    def frame(self, kind: str) -> pl.DataFrame:
        query = f"select path, row_count, day from file where kind = '{kind}' and removed is null order by path"
        frames = []
        for path, row_count, day in self.rows(query):
            frames.append(pl.read_parquet(self.data / path, glob=False, hive_partitioning=False))
            assert frames[-1].height == row_count
            days = frames[-1]["day"].unique().to_list() if kind == "ledger" else []
            assert [str(one or "unknown") for one in days] == ([day] if kind == "ledger" else [])
        schema = {"ledger": schemas.LEDGER, "outcomes": schemas.OUTCOMES, "quarantine": schemas.QUARANTINE}[kind]
        return pl.concat([schemas.empty(schema), *frames])

    def names_of(self, frames: dict[str, pl.DataFrame]) -> dict[str, str]:
        """What an action is called whose name was taken: by the reference, and in the ledger, which draws names."""
        expected = {call.address: call.action_id for call in self.expected.calls.values()}
        expected |= {told.address: told.subject_id for told in self.expected.outcomes}
        named = frames["ledger"].select("content_id", "line_number", "action_id").rows()
        named += frames["outcomes"].select("content_id", "line_number", "subject_id").rows()
        pairs = {
            (expected[content_id, line_number], name)
            for content_id, line_number, name in named
            if name.startswith("forgotten-") and (content_id, line_number) in expected
        }
        names = dict(pairs)
        assert len(names) == len({*names.values()}) == len(pairs)
        return names

    def calls_of(self, rows: pl.DataFrame) -> dict[tuple[int, int], Call]:
        found = {}
        for row in rows.iter_rows(named=True):
            address, at = (row["content_id"], row["line_number"]), row["called_at"]
            assert row["day"] == (at and at.date())
            action = f"call-{address}" if row["action_id"].startswith("call-") else row["action_id"]
            told = [row[name] for name in ("shape", "provider", "response_id")]
            at = at and at.strftime("%Y-%m-%dT%H:%M:%S")
            counts = [row[name] for name in ("input_tokens", "output_tokens")]
            found[address] = Call(address, *told, at, row["user_id"], action, *counts, row["status"])
        assert len(found) == rows.height
        return found

    def check_contents(self, numbers: dict[int, int]) -> None:
        query = (
            "select content_id, kind, path, shape, line_count, call_line_count, other_line_count, blank_line_count, "
            "quarantined_line_count, pruned_line_count, byte_count from content order by content_id"
        )
        assert [(numbers[number], *rest) for number, *rest in self.rows(query)] == [
            (
                number, content.kind, content.path, content.shape, content.counts.total(), content.counts["call"],
                content.counts["other"], content.counts["blank"], content.counts["quarantined"],
                content.pruned_count, len(content.segments[-1].prefix),
            )
            for number, content in enumerate(self.expected.contents)
        ]  # fmt: skip
        query = "select content_id, from_byte, to_byte, line_count, is_open from segment order by content_id, to_byte"
        assert [(numbers[number], *rest) for number, *rest in self.rows(query)] == [
            (number, segment.from_byte, len(segment.prefix), segment.line_count, segment.is_open)
            for number, content in enumerate(self.expected.contents)
            for segment in content.segments
        ]

    def check_files(self) -> None:
        known = {path for (path,) in self.rows("select path from file")}
        found = {str(path.relative_to(self.data)) for kind in KINDS for path in (self.data / kind).rglob("*.parquet")}
        assert known <= found
        if self.is_clean:
            assert known == found and not any((self.data / "staging").glob("*"))

    def check_published(self) -> None:
        def query(text: str) -> list[tuple]:
            return sandbox.query(self.data / "warehouse.duckdb", text).rows()

        calls = self.expected.calls.values()
        kept = Counter(
            told.address[0] for told in {each.address: each for each in [*calls, *self.expected.outcomes]}.values()
        )
        assert query(
            "select line_count, kept_line_count, duplicate_count, quarantined_count, other_count, blank_count, "
            "pruned_count from files order by content_id"
        ) == [
            (
                content.counts.total(), kept[number], content.counts["call"] - kept[number] - content.pruned_count,
                content.counts["quarantined"], content.counts["other"], content.counts["blank"], content.pruned_count,
            )
            for number, content in enumerate(self.expected.contents)
        ]  # fmt: skip
        told = query("select source_file, line_number, day::varchar, user_id, input_tokens, output_tokens from calls")
        assert sorted(told, key=repr) == sorted(
            (
                (self.expected.contents[call.address[0]].path, call.address[1], call.day, call.user_id,
                 call.input_tokens, call.output_tokens)
                for call in calls
            ),
            key=repr,
        )  # fmt: skip
        # what was pruned or forgotten is in no file any more
        if self.rows("select 1 from erasure"):
            assert len(list((self.data / "catalog").iterdir())) == 1
            assert not self.rows("select 1 from erasure where done_at is null")
            assert not self.rows("select 1 from file where removed is not null")


Histories.TestCase.settings = hypothesis.settings(
    max_examples=HISTORIES,
    stateful_step_count=25,
    suppress_health_check=list(hypothesis.HealthCheck),
)
TestHistories = Histories.TestCase


# what histories found


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gz", "zst"]
)
def test_a_line_that_its_shape_refuses_is_looked_at_again_in_a_packed_log_too(tmp_path, pack):
    (tmp_path / "log").write_bytes(pack(jsonl([without_id(1), {"hello": 1}, without_id(2)])))
    assert ingest(tmp_path / "data", tmp_path / "log").call_count == 2
    assert quarantine_rows(tmp_path / "data").select("line_number", "reason").rows() == [(2, "no usage and no model")]


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gz", "zst"]
)
def test_packed_events_read_like_plain_ones(tmp_path, pack):
    (tmp_path / "log").write_bytes(pack(b"".join(b"data: %b\n\n" % jsonl([chat(n)]).strip() for n in range(3))))
    assert ingest(tmp_path / "data", tmp_path / "log").call_count == 3


def test_a_line_end_that_came_late_is_no_line_also_where_the_log_is_read_again(tmp_path):
    """The line before it was taken without it; a line that its shape refuses has the new ones read a second time."""
    log = tmp_path / "log"
    log.write_bytes(jsonl([without_id(1), without_id(2)])[:-1])
    assert ingest(tmp_path / "data", log).line_count == 2
    with log.open("ab") as file:
        file.write(b"\n" + jsonl([{"hello": 1}, without_id(3)]))
    told = ingest(tmp_path / "data", log)
    assert (told.line_count, told.call_count, told.quarantined_count) == (2, 1, 1)
    assert quarantine_rows(tmp_path / "data")["line_number"].to_list() == [3]
    assert sorted(ledger_rows(tmp_path / "data")["line_number"]) == [1, 2, 4]

"""Quarantined lines: listed, shown without what they say, and taken in after all, each once, with the balance kept."""

import contextlib
import csv
import gzip
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines import data_folder, kept_lines, ledger, quarantine, retention, sandbox, stages
from pipelines.draft import KINDS
from pipelines.errors import LedgerBusy, UserError
from pipelines.quarantine import Retried
from pipelines.retrying import HALF_IN, HANGS_TOGETHER, NEEDS_LOG
from pipelines.settings import Settings
from pipelines.whereabouts import CHANGED, GONE
from tests.faults.test_crash import Died, Life, manifest_files
from tests.pipelines.logs import balance, chat, figures, ingest, jsonl, ledger_rows, quarantine_rows, without_id
from transforms import attribution

ROOT = Path(__file__).parents[2]
STEPS_TRIED = int(os.environ.get("STEPS_TRIED", "12"))
SECRET = "my-prompt-4711"
MAPPING = """
[log.mine]
match = { when = "*", mod = "*" }

[log.mine.fields]
called_at = "when"
model = "mod"
input_tokens = "tin"
output_tokens = "tout"
user_id = "who"
"""
MISTAKEN = MAPPING.replace('"tin"', '"mod"')  # no count
BAD = b'{"prompt": "' + SECRET.encode() + b'", "broken\n'


def mine(number: int, **told: object) -> dict:
    """A call of an application's own format, without an id."""
    return {"when": "2026-11-01T10:00:00Z", "mod": "gpt-5-mini", "tin": number, "tout": 1, "say": SECRET} | told


def with_mapping(tmp_path: Path, data: Path, text: str = MAPPING, *logs: Path) -> Settings:
    path = tmp_path / "tokenspread.toml"
    path.write_text(text)
    return Settings.load(path, data=data, logs=tuple(str(log) for log in logs))


def retry(settings: Settings, *files: Path) -> Retried:
    retried = quarantine.retry(settings, [str(file) for file in files])
    assert_sound(settings.data)
    return retried


def came_in(retried: Retried) -> int:
    return sum(result.came_in_count for result in retried.results)


def troubles(retried: Retried) -> list[str | None]:
    return [result.trouble for result in retried.results]


def version(data: Path) -> int:
    with ledger.opened(data) as store:
        return store.manifest.version()


def assert_sound(data: Path) -> None:
    """Every line is accounted for; of lines of one record each, as many are quarantined as rows say so; and nothing
    lies around."""
    contents = balance(data)
    for row in contents:
        parts = ("call", "other", "blank", "quarantined")
        assert row["line_count"] == sum(row[f"{part}_line_count"] for part in parts)
    rows = quarantine_rows(data)
    for row in contents:
        mine = rows.filter(pl.col("content_id") == row["content_id"]) if rows.height else rows
        if rows.height and mine["part"].null_count() == mine.height:
            assert mine["line_number"].n_unique() == mine.height == row["quarantined_line_count"]
    if ledger_rows(data).height:
        assert ledger_rows(data).select("key_hi", "key_lo").is_unique().all()
    on_disk = {str(path.relative_to(data)) for kind in KINDS for path in (data / kind).rglob("*.parquet")}
    assert on_disk == manifest_files(data)


def assert_published(data: Path) -> None:
    stages.build(Settings.load(data=data))
    asked = (
        "select count(*), coalesce(sum(quarantined_count), 0)::bigint from files where line_count <> "
        "kept_line_count + duplicate_count + quarantined_count + other_count + blank_count + pruned_count"
    )
    assert sandbox.query(data / "warehouse.duckdb", asked).row(0)[0] == 0
    asked = "select count(*) from (select distinct content_id, line_number from quarantine)"
    total = sandbox.query(data / "warehouse.duckdb", "select sum(quarantined_count)::bigint from files").item()
    assert sandbox.query(data / "warehouse.duckdb", asked).item() == total


@pytest.fixture
def mixed(tmp_path):
    """A log of three kinds of lines, of which the ledger knows one."""
    log, data = tmp_path / "logs" / "a.jsonl", tmp_path / "data"
    log.parent.mkdir()
    log.write_bytes(jsonl([chat(1), mine(5)]) + BAD + b"\n" + jsonl([chat(2), mine(5), mine(7)]))
    ingest(data, log)
    return log, data


def test_lines_are_listed_by_file_and_reason(mixed):
    log, data = mixed
    groups = quarantine.listed(Settings.load(data=data))
    told = [(group.path, group.reason, group.line_count, group.first_lines) for group in groups]
    assert told == [(str(log), "not a chat completion", 3, [2, 6, 7]), (str(log), "not JSON", 1, [3])]
    assert all(group.is_log_there and group.kept_line_count == 0 for group in groups)
    assert [group.reason for group in quarantine.listed(Settings.load(data=data), "JSON")] == ["not JSON"]
    for name in (str(log), "a.jsonl", "logs/a.jsonl", str(log.parent), "*/a.*"):
        assert len(quarantine.listed(Settings.load(data=data), None, [name])) == 2
    assert quarantine.listed(Settings.load(data=data), None, ["b.jsonl"]) == []
    log.unlink()
    assert not quarantine.listed(Settings.load(data=data))[0].is_log_there


def test_lines_are_shown_without_what_they_say(mixed):
    log, data = mixed
    shown, count = quarantine.show(Settings.load(data=data), str(log), 20, False)
    assert count == 4
    assert [(line.line_number, line.reason) for line in shown][:2] == [(2, "not a chat completion"), (3, "not JSON")]
    assert [line.fields for line in shown][:2] == [["when", "mod", "tin", "tout", "say"], None]
    assert {line.content for line in shown} == {None}
    shown, count = quarantine.show(Settings.load(data=data), f"{log}:3", 20, True)
    assert count == 1
    assert shown[0].content == BAD.decode().rstrip("\n")
    assert len(quarantine.show(Settings.load(data=data), str(log), 1, False)[0]) == 1
    for wrong in (f"{log}:1", "nothing.jsonl", f"{log}:x"):
        with pytest.raises(UserError, match="no line of it is quarantined"):
            quarantine.show(Settings.load(data=data), wrong, 20, False)


def test_after_a_mapping_the_lines_come_in_once(tmp_path, mixed):
    log, data = mixed
    settings = with_mapping(tmp_path, data)
    retried = retry(settings)
    assert (came_in(retried), retried.call_count, retried.is_new, retried.version) == (3, 3, True, 2)
    assert sorted(ledger_rows(data)["input_tokens"]) == [5, 5, 7, 101, 102]
    assert quarantine_rows(data).rows() == [(1, 3, None, "not JSON")]
    again = retry(settings)
    assert (came_in(again), again.call_count, again.is_new, again.version) == (0, 0, False, 2)
    stages.ingest(Settings.load(settings.config, data=data, logs=[str(log)]))
    assert ledger_rows(data).height == 5
    assert_published(data)


def test_they_come_in_as_if_they_had_been_read_so_at_once(tmp_path):
    """A mapping that was wrong in one field, mended: all rows as in a folder that knew the right one, addresses too."""
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl(mine(n, who=f"u-{n % 3}") for n in range(200)) + BAD + jsonl([mine(3), {"when": 1}]))
    stages.ingest(with_mapping(tmp_path, data, MISTAKEN, log))
    assert ledger_rows(data).height == 0
    settings = with_mapping(tmp_path, data)
    assert came_in(retry(settings, log)) == 201
    stages.ingest(with_mapping(tmp_path, tmp_path / "other", MAPPING, log))
    assert figures(data, ()) == figures(tmp_path / "other", ())
    assert quarantine_rows(data).sort("line_number").rows() == quarantine_rows(tmp_path / "other").rows()
    counts = [{k: v for k, v in balance(d)[0].items() if k.endswith("line_count")} for d in (data, tmp_path / "other")]
    assert counts[0] == counts[1]


def test_a_new_reason_takes_the_place_of_the_old_one(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl([mine(1), mine(2, tin="?")]) + BAD)
    stages.ingest(with_mapping(tmp_path, data, MISTAKEN, log))
    assert [reason for *_, reason in quarantine_rows(data).rows()].count("input_tokens is not a count") == 2
    settings = with_mapping(tmp_path, data, MAPPING.replace('"tout"', '"mod"'))
    for _ in range(2):
        assert came_in(retry(settings)) == 0
        reasons = dict(quarantine_rows(data).select("line_number", "reason").rows())
        assert (reasons[1], reasons[3], version(data)) == ("output_tokens is not a count", "not JSON", 2)


def test_what_another_log_told_is_a_duplicate(tmp_path, mixed):
    log, data = mixed
    mapping = MAPPING + 'response_id = "id"\n'
    ids = tmp_path / "b.jsonl"
    ids.write_bytes(jsonl([chat(50), mine(5, id="x-1"), mine(6, id="x-2"), mine(6, id="x-2")]))
    ingest(data, ids)
    settings = with_mapping(tmp_path, tmp_path / "data", mapping)
    own = tmp_path / "own.jsonl"
    own.write_bytes(jsonl([mine(5, id="x-1")]))
    stages.ingest(with_mapping(tmp_path, data, mapping, own))
    retried = retry(settings, ids)
    assert (came_in(retried), retried.call_count) == (3, 1)
    assert ledger_rows(data).filter(pl.col("response_id").is_in(["x-1", "x-2"])).height == 2
    assert_published(data)


def test_the_log_may_have_grown_or_be_packed_or_moved(tmp_path, mixed):
    log, data = mixed
    with log.open("ab") as file:
        file.write(jsonl([mine(9), chat(3)]))
    ingest(data, log)
    assert quarantine_rows(data).height == 5
    (tmp_path / "archive").mkdir()
    packed = tmp_path / "archive" / "a.gz"
    packed.write_bytes(gzip.compress(log.read_bytes() + jsonl([chat(4)])))
    log.unlink()
    assert troubles(retry(with_mapping(tmp_path, data))) == [GONE]
    settings = with_mapping(tmp_path, data, MAPPING, tmp_path / "archive")
    assert came_in(retry(settings)) == 4
    assert sorted(ledger_rows(data)["input_tokens"]) == [5, 5, 7, 9, 101, 102, 103]
    assert_published(data)


def test_where_the_log_is_today_may_be_named(tmp_path, mixed):
    log, data = mixed
    moved = log.rename(tmp_path / "elsewhere.jsonl")
    assert came_in(retry(with_mapping(tmp_path, data), moved)) == 3


def test_a_log_that_was_edited_is_not_read_for_what_it_was(tmp_path, mixed):
    """Its lines are another content's; those that were quarantined stay what they are."""
    log, data = mixed
    log.write_bytes(log.read_bytes().replace(BAD, jsonl([chat(9)])))
    before = quarantine_rows(data).rows()
    retried = retry(with_mapping(tmp_path, data))
    assert troubles(retried) == [CHANGED]
    assert (came_in(retried), retried.is_new, quarantine_rows(data).rows()) == (0, False, before)
    ingest(data, log)  # calls with an id are known by it
    assert ledger_rows(data)["response_id"].drop_nulls().sort().to_list() == ["chatcmpl-1", "chatcmpl-2", "chatcmpl-9"]


def test_a_last_line_without_its_end_keeps_its_number(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl([chat(1), mine(5)])[:-1])
    ingest(data, log)
    log.write_bytes(jsonl([chat(1), mine(5), mine(6)])[:-1])
    ingest(data, log)
    log.write_bytes(jsonl([chat(1), mine(5), mine(6), chat(2), mine(7)]))
    ingest(data, log)
    assert quarantine_rows(data)["line_number"].sort().to_list() == [2, 3, 5]
    assert came_in(retry(with_mapping(tmp_path, data))) == 3
    assert sorted(ledger_rows(data).select("line_number", "input_tokens").rows()) == [
        (1, 101), (2, 5), (3, 6), (4, 102), (5, 7)
    ]  # fmt: skip


def test_rows_of_a_table_come_in(tmp_path):
    """CSV and Parquet are lines of a staged copy, then as now."""
    data = tmp_path / "data"
    records = [mine(n) if n % 3 else mine(n, tin="?") for n in range(1, 10)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(mine(0)))
    writer.writeheader()
    writer.writerows(records)
    (tmp_path / "a.csv").write_text(text.getvalue() + "too,few\n")
    pl.DataFrame([mine(n) for n in range(20, 25)]).write_parquet(tmp_path / "a.parquet")
    logs = [tmp_path / "a.csv", tmp_path / "a.parquet"]
    stages.ingest(with_mapping(tmp_path, data, MISTAKEN, *logs))
    assert quarantine_rows(data).height == 15
    retried = retry(with_mapping(tmp_path, data))
    assert came_in(retried) == 11
    reasons = quarantine_rows(data)["reason"].to_list()
    assert len(reasons) == 4 and "2 cells, the header has 5" in reasons
    assert_published(data)


@contextlib.contextmanager
def refusing(*input_tokens: int, instead: dict[int, int] | None = None):
    """A tokenspread that takes calls with so many tokens for mistakes, and others for what they are not, before it is
    mended."""

    def refused(told: pl.DataFrame, rules: attribution.Rules) -> pl.DataFrame:
        told = attribute(told, rules)
        strange = pl.col("input_tokens").is_in(input_tokens)
        verdict = pl.when(strange).then(pl.lit("input_tokens is not a count")).otherwise("verdict")
        return told.with_columns(verdict=verdict, input_tokens=pl.col("input_tokens").replace(instead or {}))

    attribute = attribution.attribute
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "attribute", refused)
        yield


def test_records_of_one_line_are_told_apart(tmp_path):
    """Where some of a line's records came in, only the others are taken in later, with ids or without."""
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    numbers = [[1, 2, 3], [2], [1, 1, 4], [2, 1]]
    lines = [{"records": [without_id(n) | {"outcome": "done"} for n in some]} for some in numbers]
    log.write_bytes(jsonl([*lines, {"records": [chat(1), chat(2)]}, {"records": [chat(1), chat(2), chat(3)]}]))
    with refusing(2, 102):
        ingest(data, log)
        assert sorted(ledger_rows(data)["input_tokens"]) == [1, 1, 1, 1, 3, 4, 101, 103]
    rows = quarantine_rows(data).sort("line_number").select("line_number", "part").rows()
    assert rows == [(1, 1), (2, 0), (4, 0), (5, 1), (6, 1)]
    assert balance(data)[0]["quarantined_line_count"] == 1
    with refusing(102):
        retried = retry(Settings.load(data=data))
    assert (came_in(retried), retried.call_count) == (1, 3)
    assert quarantine_rows(data).sort("line_number").select("line_number", "part").rows() == [(5, 1), (6, 1)]
    retried = retry(Settings.load(data=data))
    assert (came_in(retried), retried.call_count, quarantine_rows(data).height) == (0, 1, 0)
    assert retry(Settings.load(data=data)).results == []
    ingest(tmp_path / "other", log)
    assert figures(data, ()) == figures(tmp_path / "other", ())
    assert_published(data)
    assert_published(tmp_path / "other")
    asked = (
        "select line_count, kept_line_count, duplicate_count, quarantined_count, call_count, outcome_count from files"
    )
    counts = [sandbox.query(folder / "warehouse.duckdb", asked).rows() for folder in (data, tmp_path / "other")]
    assert counts[0] == counts[1]


def test_half_of_a_line_stays_where_another_shape_would_read_it(tmp_path):
    """Which of its records came in would not be known."""
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl([{"records": [without_id(n) for n in (1, 2, 3)]}, {"records": [without_id(2)]}]))
    with refusing(2):
        ingest(data, log)
    mapping = MAPPING.replace('{ when = "*", mod = "*" }', '{ records = "*" }\nopen = "records"')
    for name, source in {
        "when": ".called_at",
        "mod": ".model",
        "tin": ".input_tokens",
        "tout": ".output_tokens",
    }.items():
        mapping = mapping.replace(f'= "{name}"', f'= "{source}"')
    retried = retry(with_mapping(tmp_path, data, mapping))
    assert (retried.is_new, troubles(retried)) == (False, [HALF_IN])
    assert sorted(ledger_rows(data)["input_tokens"]) == [1, 3]
    assert quarantine_rows(data).height == 2


def test_outcomes_come_in(tmp_path, mixed):
    log, data = mixed
    told = tmp_path / "outcomes.jsonl"
    told.write_bytes(jsonl([{"ticket": f"t-{n}", "state": "ok", "at": "?"} for n in range(3)]))
    mapping = """
[outcomes.tickets]
match = { ticket = "*", state = "*" }

[outcomes.tickets.fields]
subject_id = "ticket"
outcome = { const = "done" }
is_success = { path = "state", equals = "ok" }
"""
    wrong = mapping + 'value_usd = "at"\n'
    stages.ingest(Settings.load(with_mapping(tmp_path, data, wrong).config, data=data, outcomes=[told]))
    assert quarantine_rows(data).height == 7
    retried = retry(with_mapping(tmp_path, data, mapping), told)
    assert (came_in(retried), retried.call_count) == (3, 0)
    assert {group.path for group in quarantine.listed(Settings.load(data=data))} == {str(log)}
    assert_published(data)


def session(total: int, number: int) -> dict:
    """A Codex line: what the session took so far."""
    usage = {"input_tokens": total, "cached_input_tokens": 0, "output_tokens": number, "total_tokens": total + number}
    payload = {"type": "token_count", "info": {"total_token_usage": usage, "last_token_usage": None}}
    return {"timestamp": f"2026-11-01T10:00:{number:02}Z", "type": "event_msg", "payload": payload}


def sessions(log: Path) -> None:
    start = [
        {"timestamp": "2026-11-01T09:00:00Z", "type": "session_meta", "payload": {"id": "s-1", "cwd": "/x"}},
        {"timestamp": "2026-11-01T09:00:01Z", "type": "turn_context", "payload": {"model": "gpt-5-codex"}},
    ]
    log.write_bytes(jsonl([*start, session(10, 1), session(30, 2), session(60, 3)]))


def test_lines_that_hang_together_are_read_with_the_others(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    sessions(log)
    with refusing(20):
        ingest(data, log)
    assert sorted(ledger_rows(data)["input_tokens"]) == [10, 30]
    assert came_in(retry(Settings.load(data=data))) == 1
    assert sorted(ledger_rows(data)["input_tokens"]) == [10, 20, 30]
    assert_published(data)


def test_what_would_count_twice_does_not_come_in(tmp_path):
    """The line after one that was not understood has its step too, until both are."""
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    sessions(log)
    with refusing(20, instead={30: 50}):
        ingest(data, log)
    before = ledger_rows(data).rows()
    retried = retry(Settings.load(data=data))
    assert (troubles(retried), retried.is_new, ledger_rows(data).rows()) == ([HANGS_TOGETHER], False, before)


def keeping(tmp_path: Path, data: Path, *logs: Path, mapping: str = "") -> Settings:
    path = tmp_path / "tokenspread.toml"
    path.write_text(mapping + "\n[quarantine]\nkeep_lines = true\n")
    settings = Settings.load(path, data=data, logs=[str(log) for log in logs])
    stages.ingest(settings)
    return settings


def files_with(folder: Path, text: str) -> set[str]:
    """Folders or files of a data folder in which the text stands, in Parquet too."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content = repr(pl.read_parquet(path, glob=False).rows()).encode()
            if text.encode() in content:
                found.add(path.relative_to(folder).parts[0])
    return found


def test_by_default_nothing_of_the_lines_is_kept(mixed):
    log, data = mixed
    stages.build(Settings.load(data=data))
    log.unlink()
    assert files_with(data, SECRET) == set()
    assert troubles(retry(Settings.load(data=data))) == [GONE]


def test_kept_lines_come_in_without_their_log(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl([chat(1), mine(5)]) + BAD)
    keeping(tmp_path, data, log)
    with log.open("ab") as file:
        file.write(jsonl([mine(6), chat(2)]))
    keeping(tmp_path, data, log)
    stages.build(Settings.load(data=data))
    assert files_with(data, SECRET) == {"kept_lines"}
    places = [data / "kept_lines", *(data / "kept_lines").iterdir()]
    assert [stat.S_IMODE(place.stat().st_mode) for place in places] == [0o700, 0o600, 0o600]
    log.unlink()
    groups = quarantine.listed(Settings.load(data=data))
    assert [(group.line_count, group.kept_line_count, group.is_log_there) for group in groups] == [
        (2, 2, False), (1, 1, False)
    ]  # fmt: skip
    shown, _ = quarantine.show(Settings.load(data=data), f"{log}:4", 1, True)
    assert (shown[0].source, json.loads(shown[0].content or "")) == ("kept", mine(6))
    retried = retry(with_mapping(tmp_path, data))
    assert (came_in(retried), troubles(retried)) == (2, [None])
    assert sorted(ledger_rows(data).select("line_number", "input_tokens").rows()) == [
        (1, 101),
        (2, 5),
        (4, 6),
        (5, 102),
    ]
    with ledger.opened(data) as store:  # what came in is kept no longer
        assert kept_lines.lines(store).rows() == [(1, 3)]
    assert len(list((data / "kept_lines").iterdir())) == 1
    assert_published(data)


def test_a_line_that_was_never_at_hand_is_not_kept(tmp_path):
    """Of a line beyond the bound, and of a row that is no record, only the reason is known."""
    data = tmp_path / "data"
    (tmp_path / "a.jsonl").write_bytes(jsonl([chat(1)]) + b"{" + b" " * (9 << 20) + b"}\n" + BAD)
    (tmp_path / "b.csv").write_text("when,mod,tin,tout\n1,2\n")
    keeping(tmp_path, data, tmp_path / "a.jsonl", tmp_path / "b.csv", mapping=MAPPING)
    with ledger.opened(data) as store:
        assert kept_lines.lines(store)["line_number"].to_list() == [3]
    shown, _ = quarantine.show(Settings.load(data=data), str(tmp_path / "a.jsonl"), 9, True)
    assert [(line.source, line.content) for line in shown] == [(None, None), ("log", BAD.decode().rstrip())]


def test_kept_lines_that_mean_something_only_with_the_others_stay(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    sessions(log)
    with refusing(20):
        keeping(tmp_path, data, log)
    log.unlink()
    assert troubles(retry(Settings.load(data=data))) == [NEEDS_LOG]


def test_lines_of_a_log_that_is_written_to_while_it_is_read_are_kept(tmp_path, monkeypatch):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl([chat(1)]) + BAD)
    keep = kept_lines.keep

    def late(*arguments):
        with log.open("ab") as file:
            file.write(jsonl([chat(2)]))
        keep(*arguments)

    monkeypatch.setattr(kept_lines, "keep", late)
    keeping(tmp_path, data, log)
    with ledger.opened(data) as store:
        assert kept_lines.lines(store).rows() == [(1, 2)]


def test_a_forgotten_name_goes_out_of_kept_lines(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    names = ["zoë@example.org", "bob@example.org"]
    lines = [json.dumps(mine(n, who=name), ensure_ascii=n > 3).encode() for n in range(1, 6) for name in names]
    lines.append(b'{"who": "zo\\u00EB@example\\u002eorg", broken')
    log.write_bytes(jsonl([chat(1)]) + b"\n".join([*lines, b""]))
    settings = keeping(tmp_path, data, log)
    stages.build(settings)
    with ledger.opened(data) as store:
        assert kept_lines.lines(store).height == 11
    log.unlink()
    settings = Settings.load(settings.config, data=data)
    done = retention.forget_user(settings, names[0])
    assert done.proof and (done.found.kept_line_count, done.proof.places) == (6, [])
    with ledger.opened(data) as store:
        assert kept_lines.lines(store).height == 5
    assert files_with(data, names[1]) == {"kept_lines"}
    assert troubles(retry(with_mapping(tmp_path, data))) == [GONE]
    assert {*ledger_rows(data)["user_id"]} == {None, names[1]}


def test_kept_lines_are_pruned_by_when_they_were_kept(tmp_path):
    log, data = tmp_path / "a.jsonl", tmp_path / "data"
    log.write_bytes(jsonl([chat(1)]) + BAD)
    settings = keeping(tmp_path, data, log)
    today = datetime.now(UTC).date()
    assert retention.prune(settings, today).plan.kept_line_count == 0
    assert files_with(data, SECRET) == {"kept_lines"}
    assert retention.prune(settings, today + timedelta(days=1)).plan.kept_line_count == 1
    assert files_with(data, SECRET) == set()
    assert quarantine_rows(data).height == 1
    assert retention.prune(settings, today + timedelta(days=1)).plan.kept_line_count == 0


def test_setting_and_mistakes(tmp_path, mixed):
    _, data = mixed
    path = tmp_path / "t.toml"
    for text, told in (("keep_lines = 1", "give true or false"), ("keep = true", "known are keep_lines")):
        path.write_text(f"[quarantine]\n{text}\n")
        with pytest.raises(UserError, match=told):
            Settings.load(path)
    with pytest.raises(UserError, match="no line of it is quarantined"):
        quarantine.retry(Settings.load(data=data), ["nothing.jsonl"])
    with pytest.raises(UserError, match="no data folder"):
        quarantine.listed(Settings.load(data=tmp_path / "nothing"))
    with data_folder.locked(data, ".night.lock"), pytest.raises(LedgerBusy):
        quarantine.retry(Settings.load(data=data), [])


def tokenspread(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_the_commands(tmp_path, mixed):
    log, data = mixed
    evil = tmp_path / "evil.jsonl"
    evil.write_bytes(jsonl([chat(7)]) + b'{"\x1b[2J": 1, "say": "\x1b]0;x\x07"}\n')
    kept = ("ingest", evil, "--data", data, "--keep-lines")
    assert tokenspread(*kept).returncode == 0
    listed = tokenspread("quarantine", "list", "--data", data)
    assert listed.returncode == 0
    assert f"{log} (in place)\n  3 lines: not a chat completion (lines 2, 6, 7)\n  1 line: not JSON" in listed.stdout
    assert "content of 1 kept" in listed.stdout
    groups = json.loads(tokenspread("quarantine", "list", "--json", "--file", log, "--data", data).stdout)
    assert [(group["line_count"], group["first_lines"]) for group in groups] == [(3, [2, 6, 7]), (1, [3])]
    shown = tokenspread("quarantine", "show", log, "--data", data)
    assert "line 2: not a chat completion\n  fields: when, mod, tin, tout, say\n" in shown.stdout
    assert SECRET not in listed.stdout + shown.stdout
    shown = tokenspread("quarantine", "show", f"{evil}:2", "--content", "--data", data)
    assert "\x1b" not in shown.stdout and "\\x1b]0;x" in shown.stdout
    config = with_mapping(tmp_path, data).config
    retried = tokenspread("quarantine", "retry", "--data", data, "--config", config)
    assert retried.returncode == 0, retried.stderr
    assert retried.stdout.startswith("3 quarantined lines of 1 file came in: 3 new calls (ledger version 3); 2 left\n")
    assert "tokenspread build publishes that" in retried.stdout
    log.unlink()
    retried = tokenspread("quarantine", "retry", log, "--data", data)
    assert retried.returncode == 3
    assert f"{log}: 1 line: {GONE}" in retried.stdout


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A folder with quarantined lines, kept ones too; what a retry that nobody kills makes of it, and in how many
    steps."""
    folder = tmp_path_factory.mktemp("before")
    log = folder / "a.jsonl"
    log.write_bytes(jsonl([chat(1), mine(5), mine(6, tin="?"), mine(6)]) + BAD)
    keeping(folder, folder / "data", log)
    with_mapping(folder, folder / "data")
    clean = folder.with_name("retried")
    shutil.copytree(folder, clean, symlinks=True)
    shutil.rmtree(folder / "data" / "staging", ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        life = Life(patch)
        quarantine.retry(Settings.load(clean / "tokenspread.toml", data=clean / "data"), [str(log)])
    return {"folder": folder, "clean": clean, "steps": life.steps, "log": log}


def state(data: Path) -> tuple:
    with ledger.opened(data) as store:
        kept = sorted(kept_lines.lines(store).rows())
    counts = [{name: n for name, n in row.items() if name.endswith("line_count")} for row in balance(data)]
    return figures(data, ()), sorted(quarantine_rows(data).rows()), counts, kept


@pytest.mark.crash
def test_a_retry_that_dies_at_any_step_has_done_nothing_or_all(tmp_path, before):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("SEED", seed, "steps", before["steps"])
    states = [state(before["folder"] / "data"), state(before["clean"] / "data")]
    assert states[0] != states[1] and before["steps"] > 30
    for n in random.Random(seed).sample(range(1, before["steps"] + 1), min(STEPS_TRIED, before["steps"])):
        data = tmp_path / str(n) / "data"
        shutil.copytree(before["folder"] / "data", data)
        settings = Settings.load(before["folder"] / "tokenspread.toml", data=data)
        with pytest.MonkeyPatch.context() as patch:
            life = Life(patch, n)
            with contextlib.suppress(Died):
                quarantine.retry(settings, [])
            life.end()
        assert state(data) in states, f"{n=} SEED={seed}"
        retry(settings)
        assert state(data) == states[1], f"{n=} SEED={seed}"
        shutil.rmtree(data)


def test_a_name_is_found_in_json_within_a_text_of_json():
    line = json.dumps({"body": json.dumps({"user": json.dumps(["J\u00f6rg"])})}).encode()
    found = kept_lines.are_naming("J\u00f6rg")(pl.DataFrame({"line": [line, b"{}"]}))
    assert found.to_list() == [True, False]


def test_a_retry_needs_no_run_before_it(tmp_path):
    (tmp_path / "log").write_bytes(jsonl([chat(1)]) + b"{bad\n")
    ingest(tmp_path / "data", tmp_path / "log")
    with ledger.opened(tmp_path / "data") as store, store.manifest.transaction() as connection:
        connection.execute("delete from run")  # as prune does, of old ones
    assert quarantine.retry(Settings.load(data=tmp_path / "data"), []).call_count == 0

"""Old days and forgotten persons: nothing of them is left in any file, and what stays is told to the last digit."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import erasure, gate, ledger, nights, retention, sandbox, stages
from pipelines.draft import KINDS
from pipelines.errors import GateClosed, UserError
from pipelines.night_rules import Gate
from pipelines.settings import Settings
from pipelines.sought import Sought
from pipelines.warehouse_models import PUBLISHED
from tests.faults.test_crash import Died, Life
from tests.pipelines.logs import balance, chat, ingest, jsonl, ledger_rows

ROOT = Path(__file__).parents[2]
DESK = ROOT / "sample_logs" / "support_desk"
KILLS = int(os.environ.get("KILLS", "6"))
STEPS_TRIED = int(os.environ.get("STEPS_TRIED", "14"))
RUN = "from pipelines.cli import main; main()"
ALICE = "alice@example.org"
BALANCE = """
select count(*) from files where line_count <>
    kept_line_count + duplicate_count + quarantined_count + other_count + blank_count + pruned_count
"""


def tokenspread(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)


def done(*arguments: object) -> str:
    ran = tokenspread(*arguments)
    assert ran.returncode in (0, 6), ran.stderr + ran.stdout
    return ran.stdout


def call(number: int, day: int, **told: object) -> dict:
    """A call of our own schema on a day of November."""
    told = {"feature": "reply", "user_id": f"user-{number % 3}", "action_id": f"act-{number % 4}"} | told
    at = f"2026-11-{day:02}T{number % 24:02}:30:00Z"
    return {"call_id": f"call-{number}", "called_at": at, "provider": "openai", "model": "gpt-5-mini"} | {
        "input_tokens": 100 + number, "output_tokens": 10 + number, **told
    }  # fmt: skip


def outcome(subject: str, is_success: bool = True) -> dict:
    return {"action_id": subject, "outcome": "resolved", "is_success": is_success}


def rows(data: Path, query: str) -> list[tuple]:
    return sorted(sandbox.query(data / "warehouse.duckdb", query).rows(), key=repr)


UNLIKE = ("recorded_at", "superseded_at", "source_file", "ledger_version", "cell_id")


def published(data: Path, leave_out: Iterable[str] = ("files", "runs")) -> dict[str, list[tuple]]:
    """Every table, without when a price was learned, where the logs stood, and how cells are numbered."""
    tables = {}
    for name in set(PUBLISHED) - {*leave_out}:
        frame = sandbox.query(data / "warehouse.duckdb", f"select * from {name}")
        tables[name] = sorted(frame.drop(set(UNLIKE) & {*frame.columns}).rows(), key=repr)
    return tables


def manifest_rows(data: Path, query: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(data / "manifest.sqlite")) as connection:
        return connection.execute(query).fetchall()


def assert_nothing_old_is_left(data: Path) -> None:
    assert [path.name for path in (data / "catalog").iterdir()] == [(data / "warehouse.duckdb").resolve().name]
    on_disk = {str(path.relative_to(data)) for kind in KINDS for path in (data / kind).rglob("*.parquet")}
    assert on_disk == {path for (path,) in manifest_rows(data, "select path from file where removed is null")}
    assert manifest_rows(data, "select count(*) from file where removed is not null") == [(0,)]
    assert manifest_rows(data, "select count(*) from erasure where done_at is null") == [(0,)]


def prune(data: Path, before: str) -> retention.Pruned:
    return retention.prune(Settings.load(data=data), date.fromisoformat(before))


def build(data: Path) -> stages.BuildSummary:
    return stages.build(Settings.load(data=data))


def test_the_commands_on_recorded_logs(tmp_path):
    data = tmp_path / "data"
    done("run", DESK, "--outcomes", DESK / "outcomes.jsonl", "--revenue", DESK / "revenue.csv", "--data", data)
    days = rows(data, "select day, count(*), sum(cost_usd) from calls where day is not null group by day")
    (data / "reports").mkdir()
    for day in ("2026-11-20", "2026-11-21"):
        (data / "reports" / f"{day}.txt").write_text("x")
    assert "would remove 8 calls of 1 day" in done("prune", "--before", "2026-11-21", "--dry-run", "--data", data)
    assert len(list((data / "reports").iterdir())) == 2 and not manifest_rows(data, "select * from erasure")
    told = done("prune", "--before", "2026-11-21", "--data", data)
    assert "removed 8 calls of 1 day (2026-11-20 to 2026-11-20), 7 outcomes\nremoved 1 report" in told
    assert rows(data, "select day, count(*), sum(cost_usd) from calls where day is not null group by day") == days[1:]
    assert "484 = 455 of calls or outcomes + 11 duplicate + 0 quarantined + 10 other + 0 blank + 8 pruned" in done(
        "report", "--data", data
    )
    assert rows(data, BALANCE) == [(0,)]
    assert_nothing_old_is_left(data)
    version = manifest_rows(data, "select max(id) from version")
    assert done("prune", "--before", "2026-11-21", "--data", data).startswith("nothing to prune")
    assert manifest_rows(data, "select max(id) from version") == version
    again = tokenspread("ingest", DESK, "--outcomes", DESK / "outcomes.jsonl", "--data", data)
    assert again.returncode == 0 and manifest_rows(data, "select max(id) from version") == version  # nothing is read


MISTAKES = [
    ([], "how much to keep"),
    (["--keep-days", "0"], "whole number from 1"),
    (["--keep-days", "3", "--before", "2026-11-01"], "give one of them"),
    (["--before", "soon"], "no date; write"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_prune_that_does_not_say_how_much_is_refused(tmp_path, arguments, message):
    (tmp_path / "a").write_bytes(jsonl([call(1, 1)]))
    ingest(tmp_path / "data", tmp_path / "a")
    ran = tokenspread("prune", *arguments, "--data", tmp_path / "data")
    assert (ran.returncode, message in ran.stderr, len(ran.stderr.splitlines())) == (1, True, 1)
    assert tokenspread("prune", "--before", "2026-11-01", "--data", tmp_path / "none").returncode == 1
    assert not (tmp_path / "none").exists()


def test_the_horizon_is_as_the_settings_say(tmp_path):
    today = datetime.now(UTC).date()
    at = [f"{today - timedelta(days=days)}T00:00:00Z" for days in range(4)]
    (tmp_path / "a").write_bytes(jsonl([call(n, 1) | {"called_at": day} for n, day in enumerate(at)]))
    (tmp_path / "tokenspread.toml").write_text("[retention]\ndays = 2\n")
    ingest(tmp_path / "data", tmp_path / "a")
    done("prune", "--data", tmp_path / "data", "--config", tmp_path / "tokenspread.toml")
    assert ledger_rows(tmp_path / "data").height == 3  # today and two days before it


def test_a_line_of_several_days_is_pruned_with_its_last_call(tmp_path):
    """And outcomes stay as long as any call that they may be of; calls without a time stay for good."""
    data, log, config = tmp_path / "data", tmp_path / "log.jsonl", tmp_path / "c.toml"
    config.write_text(
        '[log.my]\nmatch = { runs = "*" }\nopen = "runs"\n[log.my.fields]\n'
        'called_at = ".at"\nmodel = ".m"\ninput_tokens = ".n"\naction_id = ".a"\n'
    )
    entries = [[(1, "x"), (3, "x")], [(3, "y"), (1, "z")], [(1, "z"), (1, "w")], [(2, "v")]]
    lines = [{"runs": [{"at": f"2026-11-0{d}T01:00:00Z", "m": "g", "n": d, "a": a} for d, a in e]} for e in entries]
    log.write_bytes(jsonl(lines) + jsonl([{"runs": [{"m": "g", "n": 5, "a": "untimed"}]}]))
    told = tmp_path / "outcomes.jsonl"
    told.write_bytes(jsonl(outcome(subject) for subject in "xyzwvu") + b"\n")
    stages.ingest(Settings.load(config, data=data, logs=[str(log)], outcomes=[told]))

    def counts() -> dict[str, tuple[int, int]]:
        query = "select kind, kept_line_count, pruned_count, duplicate_count from files"
        return {kind: told for kind, *told in sandbox.query(data / "warehouse.duckdb", query).rows()}

    pruned = prune(data, "2026-11-02")
    assert (pruned.plan.call_count, pruned.plan.outcome_count, pruned.plan.untimed_count) == (4, 2, 1)
    assert counts() == {"calls": [4, 1, 0], "outcomes": [4, 2, 0]}
    assert rows(data, "select subject_id from outcomes") == [("u",), ("v",), ("x",), ("y",)]
    assert prune(data, "2026-11-09").plan.call_count == 3
    assert counts() == {"calls": [1, 4, 0], "outcomes": [1, 5, 0]} and rows(data, BALANCE) == [(0,)]
    assert [row[0] for row in rows(data, "select action_id from calls")] == ["untimed"]
    assert_nothing_old_is_left(data)


def test_outcomes_by_response_and_call_id_go_with_their_call(tmp_path):
    data, log, told = tmp_path / "data", tmp_path / "log", tmp_path / "o.jsonl"
    log.write_bytes(jsonl([call(1, 1), call(2, 1), call(3, 2), call(4, 2)]))
    ingest(data, log)
    ids = {row["response_id"]: f"{row['key_hi']:016x}{row['key_lo']:016x}" for row in ledger_rows(data).to_dicts()}
    told.write_bytes(jsonl(map(outcome, ["call-1", ids["call-2"], "call-3", ids["call-4"], "f" * 32])))
    stages.ingest(Settings.load(data=data, outcomes=[told]))
    assert prune(data, "2026-11-02").plan.outcome_count == 2
    assert rows(data, "select subject_id from outcomes") == sorted([("call-3",), (ids["call-4"],), ("f" * 32,)])
    assert prune(data, "2026-11-03").plan.outcome_count == 2  # all calls are gone
    assert rows(data, "select subject_id from outcomes") == [("f" * 32,)] and rows(data, "from calls") == []


def test_runs_and_nights_of_old_days_go_and_pruned_lines_of_another_file_come_in_again(tmp_path):
    data, log = tmp_path / "data", tmp_path / "log"
    log.write_bytes(jsonl([call(1, 1), call(2, 5)]))
    ingest(data, log)
    with ledger.opened(data) as store, store.manifest.transaction() as connection:
        connection.execute("update run set started_at = '2026-11-01T00:00:00+00:00'")
        connection.execute("insert into night (day, status) values ('2026-11-01', 'published'), ('2026-11-05', 'x')")
    prune(data, "2026-11-04")
    assert manifest_rows(data, "select kind from run order by 1") == [("build",), ("prune",)]
    assert manifest_rows(data, "select day from night") == [("2026-11-05",)]
    (tmp_path / "other").write_bytes(jsonl([call(9, 5), call(1, 1)]))
    ingest(data, tmp_path / "other")
    assert ledger_rows(data).height == 3
    assert prune(data, "2026-11-04").plan.call_count == 1
    assert rows(data, "select path[-5:], pruned_count from files") == [(str(log)[-5:], 1), ("other", 1)]


TOLD_CALLS = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=1, max_size=14
)


@settings(max_examples=6)
@given(TOLD_CALLS, st.integers(1, 7), st.lists(st.integers(0, 5), max_size=4))
def test_a_pruned_ledger_is_one_of_the_later_days_only(tmp_path_factory, told, horizon, successes):
    """Figure by figure. Where a line of an earlier day stood, the other log has an empty one."""
    folder = tmp_path_factory.mktemp("law")
    calls = [
        call(n, day, action_id=None if is_bare else f"act-{action}", user_id=f"user-{user}")
        for n, (day, action, user, is_bare) in enumerate(told)
    ]
    later = [row for row, (day, *_) in zip(calls, told, strict=True) if day >= horizon]
    outcomes = [outcome(f"act-{n}", n % 2 == 0) for n in successes]  # 4 and 5 are of no call
    subjects = {row["action_id"] or row["call_id"] for row in later}
    early = {row["action_id"] or row["call_id"] for row in calls} - subjects
    logs = {"pruned": calls, "later": [row if row in later else None for row in calls]}
    for name, lines in logs.items():
        path, told_path = folder / f"{name}.jsonl", folder / f"{name}-outcomes.jsonl"
        # the same heads, so that both are known by shape and number; a time that is missing is of no day
        path.write_bytes(b"".join(jsonl([line]) if line else b"\n" for line in lines) + jsonl([UNTIMED]))
        kept = [line for line in outcomes if name == "pruned" or line["action_id"] not in early]
        told_path.write_bytes(jsonl([outcome("none"), *kept]))
        given = Settings.load(data=folder / name, logs=[str(path)], outcomes=[told_path], shape="tokenspread")
        stages.ingest(given)
    plan = retention.prune_ledger(Settings.load(data=folder / "pruned"), date(2026, 11, horizon))
    assert plan.call_count == len(calls) - len(later)
    for name in logs:
        build(folder / name)
    assert figures_of(folder / "pruned") == figures_of(folder / "later")
    assert rows(folder / "pruned", BALANCE) == [(0,)]


UNTIMED = {name: value for name, value in call(99, 1, feature="untimed").items() if name != "called_at"}


def figures_of(data: Path) -> dict[str, list[tuple]]:
    """All tables; the lines of outcome files are counted otherwise where one was left out."""
    tables = published(data, ("files", "runs", "outcomes", "price_book"))
    query = "select * exclude (content_id, line_number) from outcomes"
    return tables | {"outcomes": rows(data, query)}


# What is killed at some step, and what must be left of it when the next build is done.
def erased_logs(folder: Path) -> Path:
    folder.mkdir()
    lines = [call(n, 1 + n % 4, user_id=ALICE if n % 3 == 0 else "bob", action_id=f"act-{n // 2}") for n in range(40)]
    lines += [call(n, 2, user_id=ALICE, action_id=f"chat/{ALICE}/{n % 2}") for n in range(50, 60)]
    (folder / "log.jsonl").write_bytes(jsonl(lines))
    (folder / "outcomes.jsonl").write_bytes(jsonl(map(outcome, ["act-1", "act-2", f"chat/{ALICE}/1"])))
    data = folder / "data"
    given = {"data": data, "logs": [str(folder / "log.jsonl")], "outcomes": [folder / "outcomes.jsonl"]}
    for number in range(2):  # so that there is an older catalogue, and a superseded file
        stages.ingest(Settings.load(**given))
        stages.build(Settings.load(**given))
        (folder / "log.jsonl").write_bytes(jsonl([*lines, call(3, 4, output_tokens=900 + number)]))
    return data


DEEDS = {
    "prune": lambda data: prune(data, "2026-11-03"),
    "forget-user": lambda data: retention.forget_user(Settings.load(data=data), ALICE),
}
ARGUMENTS = {"prune": ["--before", "2026-11-03"], "forget-user": [ALICE]}


@pytest.fixture(scope="module", params=DEEDS)
def deed(request, tmp_path_factory):
    """A folder before the deed, what a run that nobody kills makes of it, in how many steps and seconds."""
    folder = tmp_path_factory.mktemp(request.param)
    data = erased_logs(folder / "before")
    before = totals(data)
    shutil.copytree(data, folder / "clean", symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        life = Life(patch)
        DEEDS[request.param](folder / "clean")
    started = time.monotonic()
    shutil.copytree(data, folder / "timed", symlinks=True)
    done(request.param, *ARGUMENTS[request.param], "--data", folder / "timed")
    seconds = time.monotonic() - started
    return {
        "name": request.param, "data": data, "before": before, "clean": totals(folder / "clean"),
        "steps": life.steps, "seconds": seconds,
    }  # fmt: skip


def totals(data: Path) -> list[tuple]:
    query = "select day, sum(cost_usd), count(*), count(user_id), count(distinct action_id) from calls group by day"
    return rows(data, query) + rows(data, "select outcome, action_count, success_count from cost_per_outcome")


def assert_whole_after_a_build(data: Path, deed: dict) -> bool:
    """Whether the deed was committed before the death. Either way no manual step is needed."""
    build(data)
    if totals(data) != deed["clean"]:
        assert totals(data) == deed["before"]
        return False
    assert_nothing_old_is_left(data)
    if deed["name"] == "forget-user":
        assert not name_in_bytes(data)
    return True


def name_in_bytes(data: Path, name: str = ALICE) -> list[Path]:
    files = [path for path in data.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if name.encode() in path.read_bytes()]


@pytest.mark.crash
def test_a_deed_that_dies_at_any_step_is_made_good_by_the_next_build(tmp_path, deed):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("SEED", seed, "steps", deed["steps"])
    steps = random.Random(seed).sample(range(1, deed["steps"] + 1), min(STEPS_TRIED, deed["steps"]))
    for n in sorted(steps):
        data = tmp_path / str(n)
        shutil.copytree(deed["data"], data, symlinks=True)
        with pytest.MonkeyPatch.context() as patch:
            life = Life(patch, n)
            with contextlib.suppress(Died):
                DEEDS[deed["name"]](data)
            life.end()
        assert totals(data) in (deed["before"], deed["clean"]), f"{n=} SEED={seed}"  # readers see one or the other
        if not assert_whole_after_a_build(data, deed):
            DEEDS[deed["name"]](data)
            assert assert_whole_after_a_build(data, deed), f"{n=} SEED={seed}"
        shutil.rmtree(data)


@pytest.mark.crash
@pytest.mark.parametrize("trial", range(KILLS // 2))
def test_a_deed_that_is_killed_is_made_good_by_the_next_build(tmp_path, deed, trial):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("SEED", seed)
    data = tmp_path / "data"
    shutil.copytree(deed["data"], data, symlinks=True)
    command = [sys.executable, "-c", RUN, deed["name"], *ARGUMENTS[deed["name"]], "--data", str(data)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(random.Random(seed).uniform(0.2, deed["seconds"]))
    process.send_signal(signal.SIGKILL)
    process.wait()
    if not assert_whole_after_a_build(data, deed):
        DEEDS[deed["name"]](data)
        assert assert_whole_after_a_build(data, deed)


@pytest.mark.parametrize("place", ["before the build", "after it was published"])
def test_whoever_comes_next_completes_it(tmp_path, deed, monkeypatch, place):
    def dying(*_):
        raise KeyboardInterrupt

    data = tmp_path / "data"
    shutil.copytree(deed["data"], data, symlinks=True)
    before = manifest_rows(data, "select max(id) from build")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        module, name = (stages, "build") if place == "before the build" else (erasure, "finish")
        patch.setattr(module, name, dying)
        DEEDS[deed["name"]](data)
    assert len(list((data / "catalog").iterdir())) > 1
    if place == "before the build":
        assert manifest_rows(data, "select max(id) from build") == before
        DEEDS[deed["name"]](data)  # nothing is left to take out, and the old files go all the same
    else:
        assert not build(data).is_new
    assert assert_whole_after_a_build(data, deed)


def test_a_night_prunes_before_it_builds(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(jsonl(call(n, 1 + n) for n in range(6)))
    config = tmp_path / "tokenspread.toml"
    config.write_text('[input]\nlogs = "log.jsonl"\ndata = "data"\n[retention]\ndays = 2\n')
    told = []

    def tell(stage: str, **figures: object) -> None:
        told.append((stage, figures))

    night = nights.run(Settings.load(config), date(2026, 11, 6), accept=True, tell=tell)
    assert [stage for stage, _ in told if stage in ("ingest", "prune", "build")] == ["ingest", "prune", "build"]
    figures = dict(told)["prune"]
    assert (figures["before"], figures["days"], figures["calls"]) == (date(2026, 11, 5), 4, 4)
    assert rows(tmp_path / "data", "select count(*) from calls") == [(2,)] and night.status == "published"
    assert_nothing_old_is_left(tmp_path / "data")


def test_the_gate_does_not_set_pruned_calls_off_against_new_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(gate, "thin", lambda *_: [])
    data, limits = tmp_path / "data", Gate(Decimal("0.05"), Decimal("0.2"), Decimal("0.3"))
    (tmp_path / "1").write_bytes(jsonl([call(n, 1) for n in range(20)] + [UNTIMED]))
    ingest(data, tmp_path / "1")
    build(data)
    models = ["gpt-5-mini"] * 7 + ["of nobody"] * 3
    (tmp_path / "2").write_bytes(jsonl(call(30 + n, 6, model=model) for n, model in enumerate(models)))
    ingest(data, tmp_path / "2")
    given = Settings.load(data=data)
    retention.prune_ledger(given, date(2026, 11, 2))
    with pytest.raises(GateClosed, match="unpriced: 3 of 10 new calls"):
        stages.build(given, gate.judge(limits, date(2026, 11, 6)))
    # what was pruned is published as long as nothing else is
    assert rows(data, "select count(*) from calls") == [(21,)]
    build(data)
    assert_nothing_old_is_left(data)


def person_logs(folder: Path) -> dict[str, Path]:
    """A user named in every place that a name gets to."""
    folder.mkdir()
    lines = [call(n, 1 + n % 3, user_id=(ALICE, "bob", None)[n % 3], action_id=f"a{n // 2}") for n in range(12)]
    lines += [call(n, 2, user_id=ALICE, action_id=f"{ALICE}/{n % 2}", customer_id=ALICE) for n in range(20, 24)]
    lines += [call(n, 3, user_id="bob", action_id=f"shared with {ALICE}") for n in range(24, 26)]
    lines += [call(26, 3, user_id=f"x{ALICE}", action_id=f"of x{ALICE}", customer_id="acme")]  # somebody else
    lines += [call(27, 3, user_id=ALICE, action_id="r") | {"call_id": f"{ALICE}:27"}]
    (folder / f"{ALICE}.jsonl").write_bytes(jsonl(lines))
    subjects = ["a1", f"{ALICE}/0", f"{ALICE}/1", f"shared with {ALICE}", f"{ALICE}:27", f"unknown {ALICE}"]
    (folder / "outcomes.jsonl").write_bytes(jsonl(map(outcome, subjects)))
    revenue = "period_start,period_end,feature,user_id,customer_id,revenue_usd\n"
    for name, amount in (("first", "7.5"), ("revenue", "8.25")):
        told = f"2026-11-01,2026-12-01,reply,{ALICE},,{amount}\n2026-11-01,2026-12-01,reply,,{ALICE},1\n"
        (folder / f"{name}.csv").write_text(revenue + told + "2026-11-01,2026-12-01,reply,bob,,20\n")
    return {
        "log": folder / f"{ALICE}.jsonl", "outcomes": folder / "outcomes.jsonl", "data": folder / "data",
        "first": folder / "first.csv", "revenue": folder / "revenue.csv",
    }  # fmt: skip


@pytest.fixture
def person(tmp_path):
    paths = person_logs(tmp_path / "logs")
    data = paths["data"]
    for revenue in ("first", "revenue"):
        done("run", paths["log"], "--outcomes", paths["outcomes"], "--revenue", paths[revenue], "--data", data)
    with ledger.opened(data) as store, store.manifest.transaction() as connection:
        connection.execute("insert into alert (key, text) values (?, 'spends'), ('x', ?)", [ALICE, f"{ALICE}: 9 USD"])
        connection.execute("insert into alert (key, text) values ('bob', ?)", [f"of x{ALICE}"])
        connection.execute("insert into night (status, reason) values ('failed', ?)", [f"{ALICE} is new"])
    (data / "reports").mkdir()
    (data / "reports" / "2026-11-01.txt").write_text(f"spent by {ALICE}")
    (data / "reports" / "2026-11-02.txt").write_text(f"spent by x{ALICE}")
    return paths


TOTALS = (
    "select day, model, feature, sum(cost_usd), sum(input_tokens), count(*) from calls group by all",
    "select feature, cost_usd, call_count, action_count from tokens_per_action where user_id is null",
    "select feature, outcome, cost_usd, action_count, success_count, cost_per_outcome_usd from cost_per_outcome "
    "where user_id is null",
    "select sum(kept_line_count)::int, sum(duplicate_count)::int, sum(outcome_count)::int from files",
    "select matched_by, count(*) from outcomes group by all",
    "select count(*), count(distinct action_id) from calls",
)


def test_a_forgotten_user_is_nowhere_and_no_total_moves(person):
    data = person["data"]
    before = [rows(data, query) for query in TOTALS]
    sizes = rows(data, "select count(*) from calls group by action_id")
    version = manifest_rows(data, "select max(id) from version")
    assert "nothing was changed" in done("forget-user", ALICE, "--dry-run", "--data", data)
    assert manifest_rows(data, "select max(id) from version") == version
    told = done("forget-user", ALICE, "--data", data)
    assert "\n0 places left\n" in told and "2 rows of revenue of the user, 9.25 USD: removed; 2 of revenue" in told
    assert "2 alerts with the name: removed" in told and str(person["log"]) in told
    assert [rows(data, query) for query in TOTALS] == before
    assert rows(data, "select count(*) from calls group by action_id") == sizes
    assert rows(data, "select user_id, customer_id from calls where user_id is not null group by all") == [
        ("bob", None), (f"x{ALICE}", "acme")
    ]  # fmt: skip
    revenue = rows(data, "select user_id, customer_id, revenue_usd from revenue")
    assert revenue == [("bob", None, Decimal(20))]
    assert manifest_rows(data, "select key, reason from alert, night") == [("bob", None)]
    assert [path.name for path in (data / "reports").iterdir()] == ["2026-11-02.txt"]
    assert_nothing_old_is_left(data)
    left = {found for path in name_in_bytes(data) for found in around(path)}
    assert left == {b"x" + ALICE.encode()}
    assert tokenspread("forget-user", ALICE, "--data", data).returncode == 1  # nothing names them any more
    assert not ingest(data, person["log"]).is_new


def around(path: Path) -> set[bytes]:
    data, name = path.read_bytes(), ALICE.encode()
    places = [i for i in range(len(data)) if data.startswith(name, i)]
    return {data[max(place - 1, 0) : place + len(name)] for place in places}


def test_what_is_left_is_listed_and_exits_with_4(person):
    data = person["data"]
    (data / "prefect").mkdir()
    (data / "prefect" / "prefect.db").write_bytes(b"\0" + ALICE.encode() + b"\0")
    with ledger.opened(data) as store, store.manifest.transaction() as connection:
        connection.execute("insert into price_ref values (?, '2026-11-01T00:00:00+00:00')", [
            json.dumps({"provider": "openai", "model": ALICE, "service_tier": None, "region": None, "is_batch": None})
        ])  # fmt: skip
    ran = tokenspread("forget-user", ALICE, "--data", data)
    assert ran.returncode == 4, ran.stderr
    assert "prefect/prefect.db: 1 time among its bytes" in ran.stdout
    assert "manifest.sqlite, price_ref, column ref: 1 text" in ran.stdout


@pytest.mark.parametrize("told", ["revenue", "scenarios"])
def test_what_a_build_would_bring_back_is_to_be_taken_out_first(person, tmp_path, told):
    config = tmp_path / "tokenspread.toml"
    lines = {
        "revenue": f'[input]\nrevenue = "{person["revenue"]}"\n',
        "scenarios": f'[scenarios.gone]\nchanges = [{{ activity = "-100%", user = "{ALICE}" }}]\n',
    }
    config.write_text(lines[told])
    ran = tokenspread("forget-user", ALICE, "--data", person["data"], "--config", config)
    assert ran.returncode == 1 and "take that out first" in ran.stderr
    assert ALICE.encode() in (person["data"] / "warehouse.duckdb").read_bytes()


def test_a_user_that_nobody_knows_is_a_mistake(tmp_path):
    (tmp_path / "log").write_bytes(jsonl([chat(1)]))
    ingest(tmp_path / "data", tmp_path / "log")
    for name in ("alice", " "):
        with pytest.raises(UserError):
            retention.forget_user(Settings.load(data=tmp_path / "data"), name)
    assert len(balance(tmp_path / "data")) == 1


WORDS = {
    "user_1": (["user_1", "a/user_1", "user_1-x", "(user_1)"], ["user_10", "xuser_1", "a_user_1", "USER_1", ""]),
    "@al": (["@al", "by @al"], ["@ally", "x@al"]),
    "Zoë": (["Zoë", "an Zoë."], ["Zoën"]),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_name_is_a_word_of_its_own(tmp_path, name):
    held, others = WORDS[name]
    sought = Sought(name)
    assert [text for text in held + others if sought.is_in(text)] == held
    met = [text for text in others if name in text]
    (tmp_path / "x").write_bytes("|".join([*met, name]).encode())
    assert sought.count_in_file(tmp_path / "x") == 1 and sought.example in met
    (tmp_path / "x").write_bytes(b"")
    assert sought.count_in_file(tmp_path / "x") == 0


def test_the_path_of_the_data_folder_is_no_trace(tmp_path):
    data = tmp_path / "alice" / "data"
    (tmp_path / "log").write_bytes(jsonl(call(n, 1 + n, user_id=("alice", "bob")[n % 2]) for n in range(4)))
    ingest(data, tmp_path / "log")
    told = done("forget-user", "alice", "--data", data)
    assert "\n0 places left\n" in told and "not of catalog" in told
    assert rows(data, "select user_id, count(*) from calls group by 1") == [("bob", 2), (None, 2)]

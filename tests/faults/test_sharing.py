"""One data folder, several processes: two runs at once, a run and ten readers, and a clock that goes back."""

import json
import sys
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from pipelines import ledger, retention, stages
from pipelines.settings import Settings
from tests.faults import folders, processes
from tests.faults.folders import told
from tests.pipelines.logs import jsonl

READERS = 10 if processes.TRIALS else 2  # ten of them keep two cores busy for minutes
READ = "select day::varchar, count(*) as call_count, sum(input_tokens)::bigint from calls group by all order by all"

pytestmark = pytest.mark.crash


def record(number: int, day: int) -> dict:
    return {
        "called_at": f"2026-10-{day:02}T10:00:00Z", "model": "gpt-5-mini", "user_id": f"user-{number % 3}-of-ours",
        "call_id": f"c-{number}", "input_tokens": number, "output_tokens": 1,
    }  # fmt: skip


def read(folder, done: str, target) -> None:
    """Asks what is published, over and over, and writes down each answer that is another one."""
    answers = []
    while not (folder / done).exists():
        try:
            answer = stages.query(folders.settings_of(folder), READ).rows()
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        if not answers or answers[-1] != answer:
            answers.append(answer)
        time.sleep(1 if processes.TRIALS == 0 else 0.2)
    target.write_text(json.dumps(answers))


def test_readers_see_whole_nights_and_never_an_error(tmp_path):
    """While runs ingest, publish, prune and forget."""
    (tmp_path / "logs").mkdir()
    states, settings = [], folders.settings_of(tmp_path)

    def night(number: int) -> None:
        rows = [record(100 * number + n, number) for n in range(40)]
        (tmp_path / "logs" / f"{number}.jsonl").write_bytes(jsonl(rows))
        folders.night(tmp_path)

    def note() -> None:
        states.append([list(row) for row in stages.query(settings, READ).rows()])

    night(1)
    note()
    readers = [
        processes.start(read, tmp_path, "done", tmp_path / f"told-{n}", output=tmp_path / f"output-{n}")
        for n in range(READERS)
    ]
    for step in (
        lambda: night(2),
        lambda: retention.prune(settings, date(2026, 10, 2)),
        lambda: retention.forget_user(settings, "user-1-of-ours"),
        lambda: night(3),
    ):
        step()
        note()
    (tmp_path / "done").touch()
    assert [processes.ended(reader) for reader in readers] == [0] * READERS
    seen = 0
    for number in range(READERS):
        answers = json.loads((tmp_path / f"told-{number}").read_text())
        assert not [answer for answer in answers if isinstance(answer, str)]
        places = [states.index(answer) for answer in answers]
        assert places == sorted(places)
        seen += len(places)
    assert seen > READERS, "the readers saw but one state"


def test_two_runs_at_once_take_each_call_once(tmp_path):
    """Whichever is second waits or says so, and is run again."""
    folders.write_logs(tmp_path / "logs", 1)
    folders.write_logs(tmp_path / "logs", 2)
    runs = [processes.start(folders.ingest, tmp_path, output=tmp_path / f"output-{n}") for n in range(3)]
    codes = [processes.ended(run) for run in runs]
    said = [(tmp_path / f"output-{n}").read_text() for n in range(3)]
    assert 0 in codes
    assert all("LedgerBusy" in words for code, words in zip(codes, said, strict=True) if code)
    first = told(tmp_path / "data")
    folders.ingest(tmp_path)
    assert told(tmp_path / "data") == first
    folders.assert_sound(tmp_path / "data")
    assert len(first.calls) == 5


def test_a_clock_that_goes_back_a_day_changes_nothing(tmp_path, monkeypatch):
    """The order of versions, of catalogues and of what was given is that of their numbers."""
    at = datetime(2026, 11, 10, tzinfo=UTC)
    for module in ("manifest", "ledger", "build_inputs", "erasure"):
        if hasattr(sys.modules[f"pipelines.{module}"], "now"):
            monkeypatch.setattr(f"pipelines.{module}.now", lambda: at.isoformat())
    base, clean = tmp_path / "base", tmp_path / "clean"
    revenue = tmp_path / "revenue.csv"
    base.mkdir()
    folders.write_logs(base / "logs", 1)
    for folder in (base, clean):
        if folder == clean:
            at = datetime(2026, 11, 10, tzinfo=UTC)
            clean.mkdir()
            folders.write_logs(clean / "logs", 1)
        revenue.write_text("period_start,period_end,feature,revenue_usd\n2026-11-01,2026-12-01,,5\n")
        folders.ingest(folder)
        stages.build(Settings.load(data=folder / "data", revenue=revenue))
        at += timedelta(days=-1 if folder == base else 1)
        folders.write_logs(folder / "logs", 2)
        folders.night(folder)
    with ledger.opened(base / "data") as store:
        store.remove_old(at)
        assert store.manifest.version() == 2
        assert (
            store.last_catalogue().name == "warehouse-2.duckdb" == (base / "data" / "warehouse.duckdb").resolve().name
        )
    earned = "select scenario, revenue_usd::varchar from scenario_comparison"
    for question in (folders.PUBLISHED, earned):
        answers = [sorted(stages.query(folders.settings_of(f), question).rows(), key=repr) for f in (base, clean)]
        assert answers[0] == answers[1]
    folders.assert_sound(base / "data")
    assert told(base / "data") == told(clean / "data")

"""`tokenspread status` and the locks that it looks at: true while others work, and after they were killed."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import data_folder, ledger, lock, nights, status
from pipelines.errors import LedgerBusy, UserError
from pipelines.night_book import NIGHT_LOCK
from pipelines.settings import Settings
from tests.pipelines.night_logs import Shop, call, jsonl

ROOT = Path(__file__).parents[2]
DAY = date(2026, 10, 1)
HOLD = """
import sys, time
from pathlib import Path
from pipelines import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def holding(path: Path) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_lock_tells_its_holder_and_is_free_when_that_is_killed(tmp_path):
    process = holding(tmp_path / "lock")
    is_held, by = lock.holder(tmp_path / "lock")
    assert is_held and by is not None and by.process_id == process.pid
    with pytest.raises(lock.Busy, match=str(process.pid)), lock.held(tmp_path / "lock"):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert lock.holder(tmp_path / "lock") == (False, None)
    with lock.held(tmp_path / "lock"):
        assert lock.holder(tmp_path / "lock")[1].process_id == os.getpid()
    assert lock.holder(tmp_path / "nowhere") == (False, None)


def test_a_lock_is_waited_for(tmp_path):
    process = holding(tmp_path / "lock")
    killer = subprocess.Popen([sys.executable, "-c", f"import os, time; time.sleep(1); os.kill({process.pid}, 9)"])
    started = time.monotonic()
    with lock.held(tmp_path / "lock", wait_seconds=60):
        assert time.monotonic() - started > 0.5
    process.wait(), killer.wait()


def test_looking_at_a_lock_does_not_make_its_next_holder_fail(tmp_path):
    look = (
        "import sys\nfrom pathlib import Path\nfrom pipelines import lock\nwhile True: lock.holder(Path(sys.argv[1]))"
    )
    (tmp_path / "lock").touch()
    process = subprocess.Popen([sys.executable, "-c", look, str(tmp_path / "lock")], cwd=ROOT)
    try:
        for _ in range(300):
            with lock.held(tmp_path / "lock"):
                pass
    finally:
        process.kill()
        process.wait()


@given(st.sets(st.dates(date(2026, 1, 1), date(2026, 3, 1))))
def test_gaps_and_days_make_up_the_span(days):
    gaps = status.gaps_of(sorted(days))
    missing = {first + timedelta(days=n) for first, last in gaps for n in range((last - first).days + 1)}
    if days:
        span = {min(days) + timedelta(days=n) for n in range((max(days) - min(days)).days + 1)}
        assert missing == span - days
    assert missing.isdisjoint(days)


def settings_of(tmp_path: Path) -> Settings:
    gate = {"gate": {"quarantined": "100%"}}
    return Settings(logs=(str(tmp_path / "logs"),), data=tmp_path / "data", night_tables=gate)


def test_what_nights_did_and_which_days_are_covered(tmp_path):
    shop = Shop(tmp_path, 1)
    (shop.logs / "gap.jsonl").write_bytes(jsonl([call(9000, 5, shop.randomly), call(9001, 7, shop.randomly)]))
    shop.night()
    settings = settings_of(tmp_path)
    nights.run(settings, DAY)
    nights.run(settings, DAY + timedelta(days=1))
    seen = status.look(settings)
    assert [night["status"] for night in seen.nights] == ["unchanged", "published"]
    assert seen.nights[1]["call_count"] == 134
    assert (seen.first_day, seen.last_day) == (DAY, date(2026, 10, 8))
    assert seen.gaps == [(date(2026, 10, 2), date(2026, 10, 5)), (date(2026, 10, 7), date(2026, 10, 7))]
    assert seen.holders == {}
    assert sum(seen.bytes_by_part.values()) == sum(
        path.lstat().st_size for path in (tmp_path / "data").rglob("*") if not path.is_dir() or path.is_symlink()
    )


def test_a_night_that_goes_on_and_one_that_was_killed(tmp_path):
    shop = Shop(tmp_path, 1)
    shop.night()
    settings = settings_of(tmp_path)
    nights.run(settings, DAY)
    with ledger.opened(settings.data) as store, store.manifest.transaction() as connection:
        connection.execute("insert into night (day, started_at, status) values ('2026-10-02', '2026', 'running')")
    with data_folder.locked(settings.data, NIGHT_LOCK):
        seen = status.look(settings)
        assert seen.nights[0]["status"] == "running"
        assert seen.holders["night"].process_id == os.getpid()
    seen = status.look(settings)
    assert seen.nights[0]["status"] == "died"
    nights.run(settings, DAY)
    assert [night["status"] for night in status.look(settings).nights] == ["unchanged", "died", "published"]


def test_as_text_and_as_json(tmp_path, capsys):
    from pipelines.report import status as report

    shop = Shop(tmp_path, 1)
    shop.night()
    nights.run(settings_of(tmp_path), DAY)
    seen = status.look(settings_of(tmp_path))
    report.write(seen, "text", sys.stdout)
    text = capsys.readouterr().out
    assert f"last night  for {DAY}: published, started " in text
    assert "days        2026-10-01 to 2026-10-01 (UTC), 1 day\nrunning     nothing\nalerts      none\ndisk " in text
    report.write(seen, "json", sys.stdout)
    assert json.loads(capsys.readouterr().out)["first_day"] == "2026-10-01"


def test_no_data_folder_and_one_of_another_version(tmp_path):
    with pytest.raises(UserError, match="no data folder of tokenspread"):
        status.look(Settings(data=tmp_path))
    with ledger.opened(tmp_path / "data") as store, store.manifest.transaction() as connection:
        connection.execute("pragma user_version = 3")
    with pytest.raises(UserError, match="of another version"):
        status.look(Settings(data=tmp_path / "data"))


NEW_IN_4, NEW_IN_5 = ("night", "alert", "erasure"), ("forgotten", "user_key")


@pytest.mark.parametrize(("number", "new"), [(3, (*NEW_IN_4, *NEW_IN_5)), (4, NEW_IN_5)])
def test_the_manifest_of_a_version_before_grows_and_one_of_a_version_to_come_is_refused(tmp_path, number, new):
    from pipelines import manifest_schema

    with ledger.opened(tmp_path / "data") as store, store.manifest.transaction() as connection:
        told = connection.execute("select sql from sqlite_master order by name").fetchall()
        for table in new:
            connection.execute(f"drop table {table}")
        if number == 3:
            connection.execute("alter table content drop column pruned_line_count")
        connection.execute(f"pragma user_version = {number}")
    with ledger.opened(tmp_path / "data") as store, store.manifest.transaction() as connection:
        names = "select name, type from pragma_table_info(?)"
        assert len(connection.execute("select sql from sqlite_master order by name").fetchall()) == len(told)
        assert ("pruned_line_count", "INTEGER") in map(tuple, connection.execute(names, ("content",)))
        connection.execute(f"pragma user_version = {manifest_schema.SCHEMA_NUMBER + 1}")
    with pytest.raises(UserError, match="of another version"), ledger.opened(tmp_path / "data"):
        pass


def test_a_busy_ledger_names_who_holds_it(tmp_path):
    (tmp_path / "data").mkdir()
    process = holding(tmp_path / "data" / ".lock")
    said = rf"is writing here \(-c, process {process.pid} on "
    with pytest.raises(LedgerBusy, match=said), ledger.opened(tmp_path / "data"):
        pass
    process.kill()
    process.wait()

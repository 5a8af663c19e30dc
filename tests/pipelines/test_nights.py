"""Nights without Prefect: what they take, publish and tell, what stops them, and that their work is done once."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines import data_folder, ledger, nights, stages
from pipelines.errors import GateClosed, LedgerBusy, UserError
from pipelines.night_book import NIGHT_LOCK
from pipelines.settings import Settings
from tests.pipelines.night_logs import FIRST, Shop, call, jsonl, outcome, published_figures

ROOT = Path(__file__).parents[2]
DAY = date(2026, 10, 1)
OPEN_GATE = {"gate": {"quarantined": "100%", "unpriced": "100%", "calls_of_usual": "0%"}}


def settings_of(shop: Shop, data: Path, **more: Any) -> Settings:
    more = {"night_tables": OPEN_GATE} | more
    return Settings(logs=(str(shop.logs),), outcomes=(shop.outcomes,), data=data, **more)


def tokenspread(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seed", range(3))
def test_nights_with_new_late_and_repeated_files_come_to_what_one_run_over_all_comes_to(tmp_path, seed):
    shop = Shop(tmp_path, seed)
    for number in range(3):
        shop.night()
        night = nights.run(settings_of(shop, tmp_path / "nights"), date.fromordinal(DAY.toordinal() + number))
        assert night.status == "published"
        assert nights.run(settings_of(shop, tmp_path / "nights"), DAY).status == "unchanged"
    batch = settings_of(shop, tmp_path / "batch")
    stages.ingest(batch)
    stages.build(batch)
    figures = published_figures(tmp_path / "nights")
    assert figures == published_figures(tmp_path / "batch")
    assert len(figures["calls"]) == len(shop.all_calls)


def test_a_night_tells_which_days_moved_and_by_how_much(tmp_path):
    shop, said = Shop(tmp_path, 1), []
    for _ in range(2):
        shop.night()
        nights.run(settings_of(shop, tmp_path / "data"), DAY)
    late = call(10_001, 0, shop.randomly, model="gpt-5-mini", action_id="new", feature="search")
    (shop.logs / "late.jsonl").write_bytes(jsonl([late]))
    shop.outcomes.write_bytes(shop.outcomes.read_bytes() + jsonl([outcome(100, True, 4) | {"outcome": "refund"}]))
    night = nights.run(settings_of(shop, tmp_path / "data"), DAY, tell=lambda *told, **row: said.append((told, row)))
    first, second = night.restated
    assert (first["day"], first["change"]) == (DAY, "calls")
    assert first["call_count"] == first["call_count_before"] + 1
    assert first["cost_change_usd"] == first["cost_usd"] - first["cost_before_usd"] > 0
    assert (second["day"], second["change"]) == (date(2026, 10, 2), "outcomes")
    assert second["cost_change_usd"] == 0
    assert second["labelled_count"] >= second["labelled_count_before"]
    assert [row["day"] for (stage,), row in said if stage == "restated"] == [first["day"], second["day"]]
    assert f"restated    {DAY} (calls): " in (tmp_path / "data" / "reports" / f"{DAY}.txt").read_text()


def test_a_night_that_died_after_it_published_is_told_of_by_the_next(tmp_path):
    shop = Shop(tmp_path, 1)
    for _ in range(2):
        shop.night()
        stages.ingest(settings_of(shop, tmp_path / "data"))
        stages.build(settings_of(shop, tmp_path / "data"))
    night = nights.run(settings_of(shop, tmp_path / "data"), DAY)
    assert night.status == "unchanged"
    assert [row["day"] for row in night.restated] == [DAY, date(2026, 10, 2)]
    assert nights.run(settings_of(shop, tmp_path / "data"), DAY).restated == []


def test_what_a_run_in_between_restated_is_told_too(tmp_path):
    shop = Shop(tmp_path, 1)
    settings = settings_of(shop, tmp_path / "data")
    shop.night()
    nights.run(settings, DAY)
    (shop.logs / "late.jsonl").write_bytes(jsonl([call(10_001, 0, shop.randomly, action_id="new")]))
    stages.ingest(settings)
    stages.build(settings)
    (shop.logs / "new.jsonl").write_bytes(jsonl([call(10_002, 4, shop.randomly, action_id="newer")]))
    told = nights.run(settings, DAY).restated
    assert [(row["day"], row["change"]) for row in told] == [(DAY, "calls"), (date(2026, 10, 5), "new day")]
    assert told[0]["call_count"] == told[0]["call_count_before"] + 1


def test_an_emptied_manifest_does_not_make_the_ledger_rubbish(tmp_path):
    shop = Shop(tmp_path, 1)
    settings = settings_of(shop, tmp_path / "data")
    shop.night()
    nights.run(settings, DAY)
    before = sorted((tmp_path / "data" / "ledger").rglob("*.parquet"))
    for path in (tmp_path / "data").glob("manifest.sqlite*"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="no manifest that knows it; restore manifest.sqlite from a backup"):
        nights.run(settings, DAY)
    assert sorted((tmp_path / "data" / "ledger").rglob("*.parquet")) == before


def test_a_thousand_small_files_take_few_steps(tmp_path):
    steps: list[str] = []

    def step(name: str, work: Callable[[], Any]) -> Any:
        steps.append(name)
        return work()

    shop = Shop(tmp_path, 1)
    for number in range(1000):
        (shop.logs / f"{number}.jsonl").write_bytes(jsonl([call(number, 0, shop.randomly)]))
    night = nights.run(settings_of(shop, tmp_path / "data"), DAY, step=step)
    assert night.call_count == 1000
    assert steps == ["discover", "ingest", "build", "alert", "report"]


def test_many_bytes_take_several_commits_and_a_lot_of_them_no_more_than_fifty(tmp_path):
    from pipelines import batches
    from pipelines.log_files import LogFile

    files = [LogFile(Path(f"/{n}"), False, 0, n, 3 << 20, 0, 0) for n in range(1000)]
    cut = batches.cut({"calls": files, "outcomes": files[:1]}, 1 << 20)
    assert len(cut) <= 50
    taken = [file for batch in cut for found in batch.given.values() for file in found.files]
    assert taken == files + files[:1]
    assert [batch.byte_count for batch in batches.cut({"calls": files[:4]}, 6 << 20)] == [6 << 20, 6 << 20]


class TestGate:
    def bad(self, tmp_path: Path, gate: dict[str, str] | None = None) -> tuple[Shop, Settings]:
        """A good night, then one of which half the lines are broken."""
        shop = Shop(tmp_path, 1)
        settings = settings_of(shop, tmp_path / "data", night_tables={"gate": gate or {}})
        shop.night()
        assert nights.run(settings, DAY).status == "published"
        lines = jsonl(call(20_000 + n, 1, shop.randomly) for n in range(100)).splitlines(keepends=True)
        (shop.logs / "bad.jsonl").write_bytes(b"".join(line[:40] + b"\n" + line for line in lines))
        return shop, settings

    def test_half_of_the_lines_broken_is_not_published_until_it_is_accepted(self, tmp_path):
        _, settings = self.bad(tmp_path)
        before = published_figures(settings.data), (settings.data / "warehouse.duckdb").resolve()
        for _ in range(2):  # the night after, nothing came and nothing was mended
            with pytest.raises(GateClosed, match=r"quarantined: 100 of 200 new lines, 50.0% where .* allows 5%"):
                nights.run(settings, date(2026, 10, 2))
            assert (published_figures(settings.data), (settings.data / "warehouse.duckdb").resolve()) == before
        assert len(list((settings.data / "catalog").iterdir())) == 1
        assert nights.run(settings, date(2026, 10, 2), accept=True).status == "published"
        assert stages.query(settings, "select count(*) from calls").item() == 232
        assert nights.run(settings, date(2026, 10, 2)).status == "unchanged"

    def test_what_stopped_it_is_written_down_and_the_exit_code_says_so(self, tmp_path):
        shop, settings = self.bad(tmp_path)
        config = tmp_path / "tokenspread.toml"
        config.write_text(f'[input]\nlogs = ["logs"]\noutcomes = "outcomes.jsonl"\ndata = "{settings.data}"\n')
        process = tokenspread("nightly", "--config", config)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 4, errors
        assert "tokenspread: quarantined: 100 of 200 new lines" in errors
        assert "Traceback" not in errors
        out, _ = tokenspread("status", "--config", config, "--json").communicate(timeout=60)
        night = json.loads(out)["nights"][0]
        assert night["status"] == "stopped"
        assert night["reason"].startswith("quarantined: 100 of 200 new lines")

    def test_calls_without_a_price_above_the_share(self, tmp_path):
        shop = Shop(tmp_path, 1)
        settings = settings_of(shop, tmp_path / "data", night_tables={"gate": {"unpriced": "10%"}})
        shop.night()
        nights.run(settings, DAY)
        unknown = [call(30_000 + n, 1, shop.randomly, model=f"nobody-knows-{n}") for n in range(20)]
        (shop.logs / "unknown.jsonl").write_bytes(jsonl(unknown))
        with pytest.raises(GateClosed, match="unpriced: 20 of 20 new calls, 100.0%"):
            nights.run(settings, DAY)

    @pytest.mark.parametrize(("count", "is_thin"), [(29, True), (30, False)])
    def test_a_day_with_far_fewer_calls_than_its_weekday(self, tmp_path, count, is_thin):
        shop = Shop(tmp_path, 1)
        settings = settings_of(shop, tmp_path / "data", night_tables={"gate": {}})
        for week in range(4):
            calls = [call(1000 * week + n, 7 * week, shop.randomly) for n in range(count if week == 3 else 100)]
            (shop.logs / f"{week}.jsonl").write_bytes(jsonl(calls))
        day = date(2026, 10, 22)
        if not is_thin:
            assert nights.run(settings, day).status == "published"
            return
        with pytest.raises(GateClosed, match="calls: 2026-10-22 has 29 calls, 29.0% of the 100 that its weekday"):
            nights.run(settings, day)

    def prices(self, tmp_path: Path, *models: str) -> Path:
        rows = "".join(f"acme,{model},{of},1\n" for model in models for of in ("input", "output"))
        (tmp_path / "prices.csv").write_text(
            "provider,model,token_class,usd_per_million,valid_from\n" + rows.replace(",1\n", ",1,\n")
        )
        return tmp_path / "prices.csv"

    def test_a_price_that_came_hides_no_new_call_without_one_and_a_price_that_went_is_told(self, tmp_path):
        shop = Shop(tmp_path, 1)
        more = {"provider": "acme"}
        before = [call(n, 0, shop.randomly, model="known", **more) for n in range(50)]
        before += [call(100 + n, 0, shop.randomly, model="late-priced", **more) for n in range(50)]
        (shop.logs / "before.jsonl").write_bytes(jsonl(before))
        settings = settings_of(shop, tmp_path / "data", night_tables={}, prices=self.prices(tmp_path, "known"))
        nights.run(settings, DAY, accept=True)
        new = [call(200 + n, 1, shop.randomly, model="of-nobody", **more) for n in range(10)]
        (shop.logs / "new.jsonl").write_bytes(jsonl(new))
        self.prices(tmp_path, "known", "late-priced")
        with pytest.raises(GateClosed, match="unpriced: 10 of 10 new calls"):
            nights.run(settings, DAY)
        nights.run(settings, DAY, accept=True)
        self.prices(tmp_path, "late-priced")
        with pytest.raises(GateClosed, match="unpriced: 50 of 110 calls that had been published with a price, 45.5%"):
            nights.run(settings, DAY)

    def test_a_thin_day_that_was_stopped_is_stopped_in_the_nights_of_other_days_too(self, tmp_path):
        shop = Shop(tmp_path, 1)
        settings = settings_of(shop, tmp_path / "data", night_tables={})
        for week in range(4):
            calls = [call(1000 * week + n, 7 * week, shop.randomly) for n in range(1 if week == 3 else 50)]
            (shop.logs / f"{week}.jsonl").write_bytes(jsonl(calls))
            if week == 2:
                nights.run(settings, date(2026, 10, 15))
        for day in (date(2026, 10, 22), date(2026, 10, 23), date(2026, 10, 16)):
            with pytest.raises(GateClosed, match="calls: 2026-10-22 has 1 calls, 2.0% of the 50"):
                nights.run(settings, day)
        assert nights.run(settings, date(2026, 10, 22), accept=True).status == "published"
        (shop.logs / "late.jsonl").write_bytes(jsonl([call(9000, 21, shop.randomly)]))
        assert nights.run(settings, date(2026, 10, 23)).status == "published", "the day was accepted"

    def test_logs_that_are_a_day_behind_are_published(self, tmp_path):
        shop = Shop(tmp_path, 1)
        settings = settings_of(shop, tmp_path / "data", night_tables={})
        for day in range(25):
            (shop.logs / f"{day}.jsonl").write_bytes(jsonl(call(100 * day + n, day, shop.randomly) for n in range(9)))
            if day > 22:
                night = nights.run(settings, date(2026, 10, 2 + day))
                assert night.status == "published"
        assert [alert.kind for alert in night.alerts if alert.kind == "thin_day"] == []
        with ledger.opened(settings.data) as store:
            assert store.manifest.one("select count(*) from alert where kind = 'thin_day' and ended_at is null") == 1

    def test_what_it_stopped_is_not_published_in_passing(self, tmp_path, capsys):
        from pipelines import cli, retention

        _, settings = self.bad(tmp_path)
        with pytest.raises(GateClosed):
            nights.run(settings, DAY)
        with pytest.raises(UserError, match="was stopped at the gate .* and a build would publish it"):
            retention.prune(settings, date(2026, 10, 1))
        assert cli._build(settings) == 0
        assert "was stopped at the gate" in capsys.readouterr().err


class TestAtOnce:
    def test_a_night_says_so_when_another_goes_on_for_too_long(self, tmp_path):
        shop = Shop(tmp_path, 1)
        settings = settings_of(shop, tmp_path / "data", night_tables={"nightly": {"wait_minutes": 0}})
        with (
            data_folder.locked(settings.data, NIGHT_LOCK),
            pytest.raises(LedgerBusy, match=r"process \d+ on .*, since 20"),
        ):
            nights.run(settings, DAY)

    def test_two_nights_and_a_run_at_once_do_the_work_once(self, tmp_path):
        shop = Shop(tmp_path, 1, calls_a_night=600)
        shop.night()
        config = tmp_path / "tokenspread.toml"
        text = '[input]\nlogs = ["logs"]\noutcomes = "outcomes.jsonl"\ndata = "data"\n[gate]\nquarantined = "100%"\n'
        config.write_text(text)
        commands = ("nightly", "nightly", "run")
        processes = [tokenspread(command, "--config", config) for command in commands]
        said = [process.communicate(timeout=300)[1] for process in processes]
        codes = [process.returncode for process in processes]
        assert codes[:2] == [0, 0], said
        assert codes[2] in (0, 75), said
        assert codes[2] == 0 or "another tokenspread run is writing here" in said[2]
        batch = settings_of(shop, tmp_path / "batch")
        stages.ingest(batch)
        stages.build(batch)
        assert published_figures(tmp_path / "data") == published_figures(tmp_path / "batch")
        with ledger.opened(tmp_path / "data") as store:
            assert store.manifest.one("select count(*) from build") == 1


class TestDays:
    @pytest.mark.parametrize(
        ("scheduled", "day"),
        [("2026-07-02T00:15:00Z", "2026-07-01"), ("2026-07-01T23:15:00Z", "2026-06-30")],
    )
    def test_a_night_is_for_the_last_day_that_was_over(self, scheduled, day):
        assert nights.day_of(datetime.fromisoformat(scheduled)) == date.fromisoformat(day)
        assert nights.day_of(datetime.fromisoformat(scheduled).astimezone(UTC)) == date.fromisoformat(day)

    def test_a_night_looks_for_the_files_of_its_day_and_of_some_before(self, tmp_path):
        shop, said = Shop(tmp_path, 1), []
        for day in range(4):
            folder = tmp_path / "exports" / f"2026-10-0{day + 1}"
            folder.mkdir(parents=True)
            (folder / "calls.jsonl").write_bytes(jsonl(call(100 * day + n, day, shop.randomly) for n in range(5)))
        tables = {"nightly": {"look_back_days": 1}} | OPEN_GATE
        settings = Settings(
            logs=(str(tmp_path / "exports" / "{day}" / "*.jsonl"),), data=tmp_path / "data", night_tables=tables
        )
        counts = []
        for day in (date(2026, 10, 3), date(2026, 10, 5), date(2026, 10, 1)):
            night = nights.run(settings, day, tell=lambda stage, **told: said.append((stage, told.get("path", ""))))
            counts.append(night.call_count)
        assert counts == [10, 5, 5]
        assert [path for stage, path in said if stage == "missing"] == [
            str(tmp_path / "exports" / day / "*.jsonl") for day in ("2026-10-05", "2026-09-30")
        ]
        assert nights.run(settings, date(2026, 10, 1)).status == "unchanged"
        assert stages.ingest(settings).call_count == 0, "any other command takes the files of every day"
        assert FIRST.date() == DAY

    def test_a_day_that_is_not_over_has_no_night(self, tmp_path):
        settings = settings_of(Shop(tmp_path, 1), tmp_path / "data", night_tables={"retention": {"days": 1}})
        today = datetime.now(UTC).date()
        for day in (today, date(2062, 1, 1), date(1900, 1, 1)):
            with pytest.raises(UserError, match=f"there is no night of {day}; name UTC days from 2020-01-01 to "):
                nights.run(settings, day)
        assert not settings.data.exists()

    def test_a_path_of_which_no_day_has_a_file_is_a_mistake_that_is_written_down(self, tmp_path):
        settings = Settings(logs=(str(tmp_path / "typo" / "{day}.jsonl"),), data=tmp_path / "data")
        with pytest.raises(UserError, match="typo/{day}.jsonl: no file of any day matches"):
            nights.run(settings, DAY)
        with ledger.opened(settings.data) as store:
            (night,) = store.manifest.rows("select status, reason from night")
            assert night["status"] == "failed" and "no file of any day" in night["reason"]
            assert store.manifest.one("select kind from alert") == "failure"

    @pytest.mark.parametrize("pattern", ["{day:}", "{day:%H}", "{day:2026}", "logs/{day:%Y-%q}"])
    def test_a_path_that_names_no_day_is_refused(self, tmp_path, pattern):
        with pytest.raises(UserError, match="is no day of a path"):
            nights.run(Settings(logs=(str(tmp_path / pattern),), data=tmp_path / "data"), DAY)

    def test_a_backfill_twice_changes_nothing_the_second_time(self, tmp_path):
        shop = Shop(tmp_path, 1)
        shop.night()
        config = tmp_path / "tokenspread.toml"
        config.write_text('[input]\nlogs = ["logs"]\ndata = "data"\n[gate]\nquarantined = "100%"\n')
        figures = []
        for _ in range(2):
            command = ("backfill", "--since", "2026-10-01", "--until", "2026-10-03", "--log-json", "--config", config)
            process = tokenspread(*command)
            _, said = process.communicate(timeout=300)
            assert process.returncode == 0, said
            built = [json.loads(line) for line in said.splitlines()]
            figures.append(
                (published_figures(tmp_path / "data"), [b["published"] for b in built if b["stage"] == "build"])
            )
        assert [published for _, published in figures] == [[True, False, False], [False, False, False]]
        assert figures[0][0] == figures[1][0]


def test_logs_that_stop_and_files_that_cannot_be_read_are_alerts(tmp_path):
    shop = Shop(tmp_path, 1)
    settings = settings_of(shop, tmp_path / "data", night_tables={"gate": {"calls_of_usual": "30%"}})
    for week in range(3):
        calls = [call(1000 * week + n, 7 * week, shop.randomly) for n in range(10)]
        (shop.logs / f"{week}.jsonl").write_bytes(jsonl(calls))
    (shop.logs / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08 but no gzip")
    last, after = date(2026, 10, 15), date(2026, 10, 22)
    night = nights.run(settings, last)
    assert [(alert.kind, alert.text.partition(" could")[0]) for alert in night.alerts] == [
        ("unreadable", str(shop.logs / "cut.jsonl.gz"))
    ]
    (shop.logs / "cut.jsonl.gz").unlink()
    (stopped,) = nights.run(settings, after).alerts
    assert stopped.kind == "thin_day"
    assert stopped.text.startswith("calls: 2026-10-22 has 0 calls, 0.0% of the 10 that its weekday usually has")
    assert nights.run(settings, after).alerts == [], "it was told"
    with ledger.opened(settings.data) as store:
        told = store.manifest.rows("select kind, ended_at from alert order by alert_id")
    assert [(row["kind"], row["ended_at"] is None) for row in told] == [("unreadable", False), ("thin_day", True)]

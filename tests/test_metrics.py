"""What a scraper reads of the last night: parsed by Prometheus' own parser, whatever the logs hold."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines import metrics, nights, stages
from pipelines.errors import GateClosed, UserError
from pipelines.settings import Settings
from tests.pipelines.exported_logs import HOSTILE, USER, published
from tests.test_exports import command

DAY = date(2026, 10, 1)
PRICES = "provider,model,token_class,usd_per_million,valid_from\nlab,*,input,1,\nlab,*,output,1,\n"


def parsed(text: str) -> dict[str, dict[tuple, float]]:
    """Values by labels by metric."""
    found: dict[str, dict[tuple, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            values = found.setdefault(sample.name.removeprefix("tokenspread_"), {})
            assert values.setdefault(tuple(sample.labels.values()), sample.value) is sample.value, "told twice"
    return found


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return published(tmp_path_factory.mktemp("metrics"))


def test_figures_are_the_published_ones(settings):
    found = parsed(metrics.text(settings))

    def asked(query: str):
        return stages.query(settings, query).item()

    assert found["cost_usd"][()] == float(asked("select sum(cost_usd) from calls"))
    statuses = stages.query(settings, "select price_status, count(*) as n from calls group by all").rows()
    assert found["calls"] == {(status,): count for status, count in statuses}
    assert found["unpriced_calls"][()] == asked("select count(*) from calls where cost_usd is null")
    lines = stages.query(settings, "select sum(line_count) as lines from files").item()
    assert sum(found["lines"].values()) == lines
    last = "day = (select max(day) from calls)"
    assert found["last_day_cost_usd"][()] == float(asked(f"select sum(cost_usd) from calls where {last}"))
    assert found["last_day_calls"][()] == asked(f"select count(*) from calls where {last}")
    assert found["data_bytes"][("ledger",)] == sum(
        path.stat().st_size for path in (settings.data / "ledger").rglob("*") if path.is_file()
    )


def test_hostile_features_are_labels_and_nobody_is_named(settings):
    text = metrics.text(settings)
    assert {labels[0] for labels in parsed(text)["feature_cost_usd"]} == set(HOSTILE)
    assert USER not in text


def test_features_are_few_whatever_the_log_has(tmp_path):
    call = {"called_at": "2026-10-05T12:00:00Z", "provider": "lab", "model": "m", "output_tokens": 0}
    calls = [call | {"feature": f"f-{number}", "input_tokens": 100 * (number + 1)} for number in range(50)]
    calls.append(call | {"input_tokens": 7})
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in calls))
    (tmp_path / "prices.csv").write_text(PRICES)
    settings = Settings(logs=(str(tmp_path / "log.jsonl"),), prices=tmp_path / "prices.csv", data=tmp_path / "data")
    stages.ingest(settings)
    stages.build(settings)
    text = metrics.text(settings)
    found = parsed(text)
    assert set(found["feature_cost_usd"]) == {(f"f-{number}",) for number in range(30, 50)}
    assert found["other_features_cost_usd"][()] == pytest.approx(sum(range(1, 31)) * 100e-6, abs=1e-15)
    assert found["unattributed_cost_usd"][()] == 7e-6
    samples = [line.split() for line in text.splitlines() if line[0] != "#" and "last_day" not in line]
    (whole,) = [Decimal(value) for name, value in samples if name == "tokenspread_cost_usd"]
    parts = [Decimal(value) for name, value in samples if "_cost_usd" in name.removeprefix("tokenspread")[1:]]
    assert sum(parts) - whole == 0, "to the last digit"


def test_each_night_leaves_them_also_one_that_fails(tmp_path):
    log = tmp_path / "log.jsonl"
    record = {"called_at": "2026-10-01T12:00:00Z", "provider": "openai", "model": "gpt-5-mini", "input_tokens": 9}
    log.write_text(json.dumps(record | {"output_tokens": 9}) + "\n")
    settings = Settings(logs=(str(log),), data=tmp_path / "data")
    nights.run(settings, DAY)
    path = settings.data / "metrics.prom"
    first = parsed(path.read_text())
    assert (first["night_success"][()], first["night_running"][()], first["night_new_calls"][()]) == (1, 0, 1)
    assert first["night_end_timestamp_seconds"][()] >= first["night_start_timestamp_seconds"][()]
    assert first["night_last_success_timestamp_seconds"] == first["night_end_timestamp_seconds"]
    log.unlink()
    with pytest.raises(UserError):
        nights.run(settings, DAY)
    failed = parsed(path.read_text())
    assert (failed["night_success"][()], failed["alerts"][("failure",)]) == (0, 1)
    assert failed["night_last_success_timestamp_seconds"] == first["night_end_timestamp_seconds"]
    assert failed["cost_usd"] == first["cost_usd"], "what is published is still there"
    assert path.stat().st_mode & 0o077 == 0


def test_a_night_that_the_gate_stops_says_so(tmp_path):
    log = tmp_path / "log.jsonl"
    record = {"called_at": "2026-10-01T12:00:00Z", "model": "gpt-5-mini", "input_tokens": 9, "output_tokens": 9}
    log.write_text(json.dumps(record) + "\n" + "{\n" * 50)
    settings = Settings(logs=(str(log),), data=tmp_path / "data", night_tables={"gate": {"quarantined": "5%"}})
    with pytest.raises(GateClosed):
        nights.run(settings, DAY)
    found = parsed((settings.data / "metrics.prom").read_text())
    assert (found["night_success"][()], found["night_gate_stopped"][()]) == (0, 1)
    assert "published_timestamp_seconds" not in found
    assert "cost_usd" not in found, "nothing is known of it, which is not zero"


def test_what_cannot_be_left_stops_no_night(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"called_at": "2026-10-01T12:00:00Z", "model": "gpt-5-mini", "input_tokens": 1, "output_tokens": 1}\n'
    )
    settings = Settings(logs=(str(log),), data=tmp_path / "data")
    (settings.data / "metrics.prom" / "in the way").mkdir(parents=True)
    told = []
    night = nights.run(settings, DAY, tell=lambda stage, **figures: told.append((stage, figures)))
    assert night.status == "published"
    assert [figures for stage, figures in told if stage == "metrics"] == [{"trouble": "IsADirectoryError"}]
    assert [path.name for path in settings.data.iterdir() if "unfinished" in path.name] == []


def test_the_command_prints_them_or_writes_a_file_for_a_collector(settings, tmp_path):
    printed = command("prometheus", "--data", settings.data, cwd=tmp_path)
    assert (printed.returncode, printed.stderr) == (0, "")
    path = Path("metrics.prom")
    done = command("prometheus", "--to", path, "--data", settings.data, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "metrics.prom: the last night\n")
    text = (tmp_path / path).read_bytes().decode()
    cost = stages.query(settings, "select sum(cost_usd) from calls").item()
    assert parsed(text)["cost_usd"] == {(): float(cost)}
    without_free = [line for line in text.replace("\r", "\n").splitlines() if "free_bytes" not in line]
    assert [line for line in printed.stdout.splitlines() if "free_bytes" not in line] == without_free
    again = command("prometheus", "--to", path, "--data", settings.data, cwd=tmp_path)
    assert again.returncode == 1 and "--overwrite" in again.stderr
    both = command("prometheus", "calls", "--data", settings.data, cwd=tmp_path)
    assert both.returncode == 1 and "by itself" in both.stderr

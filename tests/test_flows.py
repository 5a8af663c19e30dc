"""The flows: what they carry out, what they try again, what they say when something is in the way, what they show."""

import base64
import json
import time
import xml.etree.ElementTree as ElementTree
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from pipelines import batches, nights, stages
from pipelines.errors import LedgerBusy, UserError

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]  # one worker, so that the harness starts once

START_SECONDS = 120
ODD = ("<script>alert(1)</script>", "a|b", "**bold** [x](http://example.org)", "-", "+ x", "ticket-triage")


def call(number: int, **more: Any) -> str:
    told = {
        "call_id": f"call-{number}",
        "called_at": f"2026-11-{1 + number % 20:02}T10:00:00Z",
        "provider": "openai",
        "model": "gpt-4o-mini-2024-07-18",
        "input_tokens": 1000,
        "output_tokens": 5,
        "feature": "search",
        "user_id": f"secret-user-{number}",
        "customer_id": "secret-customer",
    }
    return json.dumps(told | more) + "\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "log.jsonl").write_text("".join(map(call, range(3))), encoding="utf-8")
    path = tmp_path / "tokenspread.toml"
    path.write_text('[input]\nlogs = ["*.jsonl"]\ndata = "data"\n', encoding="utf-8")
    return path


def published(config: Path) -> tuple[int, int]:
    """Calls and their input tokens, as a reader of the warehouse sees them."""
    with duckdb.connect(str(config.parent / "data" / "warehouse.duckdb"), read_only=True) as warehouse:
        return warehouse.execute("select count(*), sum(input_tokens) from calls").fetchall()[0]


def carried_out(flow: Any, config: Path, **parameters: Any) -> Any:
    return flow(config=str(config), **parameters, return_state=True)


def told_to_prefect(state: Any, task_count: int = 0) -> dict[str, Any]:
    """All that the server has of a flow run: itself, its tasks (known a moment later), its artifacts."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters

    run_id = state.state_details.flow_run_id
    of_run = filters.FlowRunFilter(id=filters.FlowRunFilterId(any_=[run_id]))
    deadline = time.monotonic() + START_SECONDS
    with get_client(sync_client=True) as client:
        while True:
            tasks = client.read_task_runs(flow_run_filter=of_run)
            if len(tasks) >= task_count and all(task.state and task.state.is_final() for task in tasks):
                break
            assert time.monotonic() < deadline, f"the server knows of {[(task.name, task.state) for task in tasks]}"
            time.sleep(0.2)
        body = {"flow_runs": {"id": {"any_": [str(run_id)]}}}
        return {
            "run": client.read_flow_run(run_id).model_dump(mode="json"),
            "tasks": sorted(task.name for task in tasks),
            "task runs": [task.model_dump(mode="json") for task in tasks],
            "artifacts": client.request("POST", "/artifacts/filter", json=body).json(),
        }


def shown(told: dict[str, Any], kind: str) -> Any:
    """The data of a run's artifact whose key ends so."""
    (artifact,) = (artifact for artifact in told["artifacts"] if artifact["key"].endswith(f"-{kind}"))
    return artifact["data"]


@pytest.mark.usefixtures("prefect_harness")
def test_a_night_and_the_same_night_again(config: Path) -> None:
    from pipelines import flows

    for status in ("published: 3 calls in 3 new lines", "unchanged: 0 calls in 0 new lines"):
        state = carried_out(flows.nightly, config, day="2026-11-03")
        assert state.is_completed()
        assert state.message == f"warehouse-1.duckdb is {status}"
        assert published(config) == (3, 3000)
    assert told_to_prefect(state)["run"]["name"] == "nightly-2026-11-03"


@pytest.mark.usefixtures("prefect_harness")
def test_each_batch_is_a_task_and_the_progress_tells_of_them(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines import flows

    (config.parent / "more.jsonl").write_text("".join(map(call, range(3, 6))), encoding="utf-8")
    monkeypatch.setattr(batches, "MOST_FILES", 1)
    told = told_to_prefect(carried_out(flows.nightly, config), 7)
    assert told["tasks"] == ["alert-1", "build-1", "discover-1", "ingest-1", "ingest-2", "report-1", "show-1"]
    assert shown(told, "progress") == 100
    assert published(config) == (6, 6000)


@pytest.mark.usefixtures("prefect_harness")
def test_a_busy_ledger_is_tried_again_and_a_mistake_is_not(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines import flows

    tries = []

    def in_the_way(*_: Any, **__: Any) -> Any:
        tries.append(1)
        raise troubles.pop(0)

    monkeypatch.setattr(stages, "ingest", in_the_way)
    monkeypatch.setattr(flows, "RETRY_DELAYS", [0, 0, 0])
    troubles: list[Exception] = [LedgerBusy("held by another run"), OSError("disk away"), UserError("no such log")]
    state = carried_out(flows.nightly, config)
    assert state.is_failed()
    assert state.message == "no such log"
    assert len(tries) == 3
    troubles = [OSError("disk away")] * 5
    state = carried_out(flows.nightly, config)
    assert (state.is_failed(), state.message) == (True, "disk away")
    assert len(tries) == 3 + 1 + 3
    assert not (config.parent / "data" / "warehouse.duckdb").exists()


@pytest.mark.usefixtures("prefect_harness")
def test_a_closed_gate_fails_the_night_once_and_says_why(config: Path, caplog: pytest.LogCaptureFixture) -> None:
    from pipelines import flows

    assert carried_out(flows.nightly, config).is_completed()
    broken = '{"call_id": "x", "model": "gpt-4o-mini", "input_tokens": -1, "output_tokens": 1}\n' * 9
    (config.parent / "broken.jsonl").write_text(call(7) + broken, encoding="utf-8")
    state = carried_out(flows.nightly, config)
    assert state.is_failed()
    reason = "quarantined: 9 of 10 new lines, 90.0% where [gate] quarantined allows 5%"
    assert state.message == f"{reason}; to publish it all the same: tokenspread nightly --accept"
    told = told_to_prefect(state, 4)
    assert told["tasks"] == ["alert-1", "build-1", "discover-1", "ingest-1"]
    assert {task["run_count"] for task in told["task runs"]} == {1}
    assert not any(record.exc_info for record in caplog.records)
    assert published(config) == (3, 3000)
    assert carried_out(flows.nightly, config, accept=True).is_completed()
    assert published(config) == (4, 4000)


@pytest.mark.usefixtures("prefect_harness")
def test_an_error_of_others_is_named_by_its_kind_alone(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Its text may cite a log; who runs the process reads there where it happened."""
    from pipelines import flows

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("secret-user-7 is no number")

    monkeypatch.setattr(stages, "build", broken)
    state = carried_out(flows.nightly, config)
    assert state.is_failed()
    assert state.message.startswith("ValueError: ")
    assert "secret" not in json.dumps(told_to_prefect(state, 3)) + caplog.text
    printed = capfd.readouterr().err
    assert "in broken\nbuiltins.ValueError\n" in printed and "secret" not in printed


@pytest.mark.usefixtures("prefect_harness")
def test_what_is_shown_is_what_is_published_and_names_nobody(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pipelines import flows
    from pipelines.alert_desk import Alert, Told

    odd = [call(100 + number, feature=feature) for number, feature in enumerate(ODD)]
    odd.append(call(200, model="<b>unknown</b>", feature="search"))
    (config.parent / "odd.jsonl").write_text("".join(odd), encoding="utf-8")
    alert = Alert("spend user secret-user-1", "spend", date(2026, 11, 3), "secret-user-1 spent too much")
    monkeypatch.setattr(nights.alert_desk, "tell", lambda *_: Told([alert], None))
    (config.parent / "before.toml").write_text(
        '[input]\nlogs = ["log.jsonl"]\ndata = "data"\n[gate]\nunpriced = "100%"\n'
    )
    carried_out(flows.nightly, config.parent / "before.toml")
    report = config.parent / "data" / "reports" / "2026-11-03.txt"
    report.parent.mkdir(exist_ok=True)
    report.write_text("a report")
    config.write_text(config.read_text() + '[gate]\nunpriced = "100%"\n')
    told = told_to_prefect(carried_out(flows.nightly, config, day="2026-11-03"), 5)

    assert "secret" not in json.dumps(told) + caplog.text
    rows = json.loads(shown(told, "features"))
    assert len(rows) == 3 * (2 + len(ODD))
    assert {row["scenario"] for row in rows} == {"actual", "-30%", "+50%"}
    names = {row["feature"] for row in rows}
    assert r"\<script\>alert\(1\)\</script\>" in names and r"a\|b" in names and r"\-" in names
    query = (
        "select cost_usd from scenario_by_dimension where dimension = 'feature' and name = 'a|b' and scenario = '+50%'"
    )
    with duckdb.connect(str(config.parent / "data" / "warehouse.duckdb"), read_only=True) as warehouse:
        (cost,) = warehouse.execute(query).fetchone()
    (row,) = (row for row in rows if row["feature"] == r"a\|b" and row["scenario"] == "+50%")
    assert float(row["cost USD"]) == float(cost)
    assert row["margin USD"] == "\N{EN DASH}"  # unknown

    night = shown(told, "night")
    assert "| 10 | 10 | 0 | 0 | 0 | 0 |" in night  # read = calls + duplicate + quarantined + other + blank
    assert "New: 7 lines with 7 calls; 0 quarantined." in night and "has 1 call without a price" in night
    assert "| 2026-11-01 |" in night.split("### Restated days")[1]
    assert "| spend | 1 |" in night
    assert f"`{report}`" in night and report.as_uri() in shown(told, "report")

    image = shown(told, "spend")
    svg = ElementTree.fromstring(base64.b64decode(image.removeprefix("data:image/svg+xml;base64,")))
    assert not [element for element in svg.iter() if element.tag.endswith("script")]
    assert "gpt-4o-mini-2024-07-18" in "".join(svg.itertext())


@pytest.mark.usefixtures("prefect_harness")
def test_a_night_whose_figures_cannot_be_shown_is_published_all_the_same(
    config: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pipelines import artifacts, flows

    def broken(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(artifacts, "spend_chart", broken)
    state = carried_out(flows.nightly, config)
    assert state.is_completed()
    assert published(config) == (3, 3000)
    assert "could not be shown: ValueError" in caplog.text


@pytest.mark.usefixtures("prefect_harness")
def test_scenarios_are_repriced_and_nothing_is_published(config: Path) -> None:
    from pipelines import flows

    carried_out(flows.nightly, config)
    before = sorted((config.parent / "data").rglob("*.duckdb"))
    state = carried_out(flows.reprice, config, scenarios=["-50%"], by="model")
    assert state.message == "1 model under -50%"
    rows = json.loads(shown(told_to_prefect(state), "reprice"))
    costs = {row["scenario"]: float(row["cost USD"]) for row in rows if row["model"] != "all"}
    assert costs == {"actual": pytest.approx(2 * costs["-50%"]), "-50%": costs["-50%"]}
    assert sorted((config.parent / "data").rglob("*.duckdb")) == before
    state = carried_out(flows.reprice, config, scenarios=["nonsense"])
    assert state.is_failed() and "nonsense" in state.message
    state = carried_out(flows.reprice, config, scenarios=["-50%"], by="user")  # Prefect is told of no user
    assert state.is_failed()


@pytest.mark.usefixtures("prefect_harness")
def test_a_backfill_that_is_no_deployment_says_so() -> None:
    from pipelines import flows

    state = flows.backfill(since="2026-11-01", until="2026-11-02", return_state=True)
    assert state.is_failed() and "deployment" in state.message


def test_the_days_of_a_backfill() -> None:
    assert nights.days_between(date(2026, 2, 28), date(2026, 3, 1)) == [date(2026, 2, 28), date(2026, 3, 1)]
    with pytest.raises(UserError, match="swap them"):
        nights.days_between(date(2026, 3, 1), date(2026, 2, 28))


def test_a_night_is_named_after_the_utc_day_that_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines import flows

    scheduled = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # however late it starts
    for parameters, day in (({}, "2026-03-27"), ({"day": "2026-01-31"}, "2026-01-31")):
        run = SimpleNamespace(parameters=parameters, scheduled_start_time=scheduled)
        monkeypatch.setattr(flows, "flow_run", run)
        assert flows.night_name() == f"nightly-{day}"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("ticket-triage", "ticket-triage"),
        ("<b>", r"\<b\>"),
        ("a|b", r"a\|b"),
        ("- x", r"\- x"),
        ("-30%", "-30%"),
        ("http://example.org", r"http\://example\.org"),
        ("1. x", r"1\. x"),
        ("a\nb", r"a\\nb"),
        ("`a`", r"\`a\`"),
    ],
)
def test_what_a_log_names_is_no_markdown(text: str, escaped: str) -> None:
    from pipelines import artifacts

    assert artifacts.escaped(text) == escaped


def test_a_path_is_code_whatever_stands_in_it() -> None:
    from pipelines import artifacts

    assert artifacts.code("/a/b_c.txt") == "`/a/b_c.txt`"
    assert artifacts.code("/a/`b`") == "`` /a/`b` ``"


def test_an_artifacts_key_is_what_prefect_takes() -> None:
    from pipelines import artifacts

    assert artifacts.key("srv-Token_Spread.Data") == "tokenspread-srv-token-spread-data"

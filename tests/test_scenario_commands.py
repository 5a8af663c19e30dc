"""`tokenspread reprice` and `swap` as a user has them, and the scenarios that a build takes from tokenspread.toml."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines import cli, scenario_desk, stages
from pipelines.errors import UserError
from pipelines.report import repriced
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl
from tests.test_cli import tokenspread

PRICES = """\
kind,provider,model,multiplier,above_usd_per_month,usd_per_month,valid_from
multiplier,openai,gpt-5,0.8,,,
volume_tier,openai,*,0.9,0.05,,
commitment,anthropic,*,,,5,2026-10-01
"""
TOML = """\
[scenarios.dear-output]
reason = "as announced"
changes = [{ change = "+100%", token_class = "output" }, { change = "-10%", provider = "openai" }]

[scenarios.haiku]
replace = "gpt-5"
with = "claude-haiku-4-5"
"""
HAIKU = "claude-haiku-4-5"
HOURS = "replace=gpt-5* with=deepseek/deepseek-v4-pro"  # dearer at some hours of the week


def call(number: int, model: str = "gpt-5", day: int = 1, provider: str = "openai", **told: object) -> dict:
    return {
        "call_id": f"own-{number}", "called_at": f"2026-10-{day:02}T{number % 24:02}:30:00Z", "provider": provider,
        "model": model, "feature": "triage", "user_id": ("ana", "ben")[number % 2], "action_id": f"action-{number}",
        "customer_id": ("north", "south", "west")[number % 3], "input_tokens": 1000 + 37 * (number % 11),
        "output_tokens": 100 + 13 * (number % 7), "outcome": "done", "is_success": number % 5 != 0,
    } | told  # fmt: skip


LOG = [
    *(call(number, day=1 + number % 2) for number in range(40)),
    *(call(number, "gpt-5-mini", 3 + number % 2, input_tokens=1500 + 41 * (number % 9)) for number in range(40, 80)),
    *(call(number, HAIKU, 5, "anthropic", feature="reply", cache_read_tokens=300) for number in range(80, 92)),
    call(92, "gemini-2.5-pro", 6, "google", feature="long", input_tokens=250_000),
    call(93, "nobody-prices-this", 6, "labs", feature=None),
    call(94, "nobody-prices-this", 6, "labs", feature="long\x1b[31m", user_id=None, customer_id=None),
]  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The data folder that the house's scenarios were built in."""
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "log.jsonl").write_bytes(jsonl(LOG))
    (folder / "prices.csv").write_text(PRICES)
    (folder / "revenue.csv").write_text("feature,customer_id,revenue_usd\ntriage,north,0.06\ntriage,south,0.02\n")
    (folder / "mine.toml").write_text(TOML)
    stages.ingest(settings_of(folder))
    stages.build(settings_of(folder))
    return folder / "data"


def settings_of(folder: Path, data: str = "data", **told: object) -> Settings:
    return Settings(
        logs=(str(folder / "log.jsonl"),), prices=folder / "prices.csv", revenue=folder / "revenue.csv",
        data=folder / data, **told,
    )  # fmt: skip


def invoked(data: Path, *arguments: str):
    """The command in this process, by its door."""
    return CliRunner().invoke(cli.app, [*arguments, "--data", str(data)], standalone_mode=False)


def asked(data: Path, *arguments: str) -> str:
    done = invoked(data, *arguments)
    assert done.exception is None, done.exception
    return done.stdout


def figures(data: Path, *arguments: str) -> dict:
    return json.loads(asked(data, *arguments, "--json"))


def costs(told: dict, name: str | None = None) -> dict[str, str | None]:
    """Cost by scenario, of all or of one name."""
    row = told["total"] if name is None else next(row for row in told["rows"] if row["name"] == name)
    return {scenario["scenario"]: scenario["cost_usd"] for scenario in row["scenarios"]}


# Agreement with a build

EVERY_KIND = (
    "-30%",
    "+50% provider=openai",
    "change=-33.3333% token_class=output feature=triage from=2026-10-02 to=2026-10-03",
    "usd_per_million=3 token_class=cache_read; caching=none model=claude*",
    "cache_share=50% model=claude-haiku-4-5",
    "replace=gpt-5 with=gpt-5-mini; -10%",
    "replace=gpt-5 with=gpt-5-mini tokens=measured",
    "replace=gpt-5-mini with=gpt-5 input_ratio=1.5 output_ratio=0.333333 customer=north",
    "replace=gemini-2.5-pro with=gpt-5 input_ratio=0.7",
    "move_to=batch",
    "without=contract",
    "without=contract; +10% user=ana",
    "activity=-100% top_customers=1",
    "activity=+50% customer=south; activity=-20% feature=reply",
    HOURS,
    f"{HOURS} input_ratio=1.1",
)


@pytest.fixture(scope="module")
def built(published) -> Path:
    """The same logs in a folder of its own, whose build had every scenario."""
    folder = published.parent
    stages.ingest(settings_of(folder, "built"))
    stages.build(settings_of(folder, "built", scenarios=EVERY_KIND))
    return folder / "built"


@pytest.mark.parametrize("by", ["feature", "user", "customer", "model", "day"])
def test_reprice_tells_to_the_last_digit_what_a_build_tells(published, built, by):
    told = figures(published, "reprice", *EVERY_KIND, "--by", by)
    known = figures(built, "report", "--by", by)
    assert [row["scenario"] for row in told["total"]["scenarios"]] == ["actual", *EVERY_KIND]
    assert told["total"] == known["total"] and told["underwater"] == known["underwater"]
    assert sorted(told["rows"], key=by_name) == sorted(known["rows"], key=by_name)
    changed = {row["cost_usd"] for row in told["total"]["scenarios"]}
    assert len(changed) == len(EVERY_KIND) + 1, "each one does something of its own"


def by_name(row: dict) -> str:
    return row["name"]


def test_a_swap_to_a_model_with_hours_needs_bands_that_the_published_cube_lacks(published, built):
    """Of calls that are alike in all that is published, some are made at dearer hours."""
    ask = f"select cost_usd from scenario_by_dimension where scenario = '{HOURS}' and dimension = 'all'"
    cost = stages.query(Settings(data=built), ask).item()
    assert costs(figures(published, "reprice", HOURS))[HOURS] == f"{cost:f}"
    bands = "select count(distinct time_band) from usage_cube"
    assert stages.query(Settings(data=published), bands).item() < stages.query(Settings(data=built), bands).item()


def test_every_grouping_adds_up_to_the_same_total(published):
    scenarios = ("replace=gpt-5 with=gpt-5-mini output_ratio=0.7", HOURS, "activity=-50% customer=north")
    told = [figures(published, "reprice", *scenarios, "--by", by) for by in ("feature", "customer")]
    for found in told:
        for scenario in ("actual", *scenarios):
            known = [costs(found, row["name"])[scenario] for row in found["rows"]]
            assert sum(Decimal(cost) for cost in known if cost) == Decimal(costs(told[0])[scenario])


# reprice


def test_reprice_writes_nothing(published):
    def state() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(published.rglob("*"))
            if path.is_file()
        }

    before = state()
    asked(published, "reprice", "-30%", HOURS)
    asked(published, "swap", "gpt-5", "gpt-5-mini")
    assert state() == before


def test_reprice_prints_a_line_for_each_scenario_and_names_side_by_side(published):
    lines = asked(published, "reprice", "-30%", "+50% provider=openai", "--by", "model").splitlines()
    assert lines[0] == "Cost of all calls under each scenario (USD)"
    assert [line.split()[0] for line in lines[3:6]] == ["actual", "-30%", "+50%"]
    assert "-30.0%" in lines[4] and "Cost when prices move, by model (USD)" in lines
    mini = next(line for line in lines if line.startswith("openai/gpt-5-mini"))
    assert mini.split()[1:] == ["0.0278", "0.01946", "0.04169"]
    assert any(line.startswith("labs/nobody-prices-this ") for line in lines)
    assert lines[-1] == "+ calls without a price come on top"


def test_reprice_by_default_takes_the_scenarios_of_the_house(published):
    assert list(costs(figures(published, "reprice"))) == ["actual", "-30%", "+50%"]


def test_a_grid_is_so_many_scenarios_and_no_change_is_actual(published):
    told = costs(figures(published, "reprice", "--grid", "-50:100:50"))
    assert list(told) == ["actual", "-50%", "+50%", "+100%"]
    actual = Decimal(told["actual"])
    exact = {"-50%": actual / 2, "+50%": actual * 3 / 2, "+100%": actual * 2}
    assert all(abs(Decimal(told[name]) - cost) <= Decimal("1e-12") for name, cost in exact.items())
    text = asked(published, "reprice", "-1%", "--grid", "-50%:+100%:5%")
    assert "-1%" in text and "+95%" in text and "Cost when prices move" not in text  # too many side by side


@pytest.mark.parametrize(
    "text, scenarios",
    [
        ("-50:100:75", ("-50%", "+25%", "+100%")),
        ("-50% : +100% : 100%", ("-50%", "+50%")),
        ("-1:1:0.5", ("-1.0%", "-0.5%", "+0.5%", "+1.0%")),
    ],
)
def test_a_grid(text, scenarios):
    assert scenario_desk.grid_of(text) == scenarios


def test_a_name_is_shown_without_what_steers_a_terminal(published):
    text = asked(published, "reprice", "-30%", "--by", "feature")
    assert "\x1b" not in text and "long" in text


def test_a_file_of_scenarios_is_taken_beside_others_with_their_reasons(published):
    file = published.parent / "mine.toml"
    told = figures(published, "reprice", "-30%", str(file))
    assert list(costs(told)) == ["actual", "-30%", "dear-output", "haiku"]
    (swap,) = told["scenario_swaps"]
    assert (swap["scenario"], swap["from_model"], swap["to_provider"], swap["tokens"]) == (
        "haiku", "gpt-5", "anthropic", "same tokens assumed",
    )  # fmt: skip
    alone = figures(published, "reprice", "change=+100% token_class=output; change=-10% provider=openai")
    assert costs(told)["dear-output"] == [*costs(alone).values()][1]


def test_a_swap_of_a_model_tells_which_calls_move(published):
    told = asked(published, "reprice", "replace=gpt-5 with=gpt-5-mini feature=triage")
    named = "replace=gpt-5 with=gpt-5-mini feature=triage"
    assert told.splitlines()[0] == f"{named}: openai/gpt-5 -> openai/gpt-5-mini in triage, same tokens assumed"


# swap


def test_swap_compares_the_same_tokens_with_the_measured(published):
    told = figures(published, "swap", "gpt-5", "gpt-5-mini")
    assert list(costs(told)) == ["actual", "same tokens", "measured tokens"]
    assumed, measured = sorted(told["scenario_swaps"], key=lambda row: row["scenario_order"])
    assert (assumed["tokens"], assumed["input_ratio"], assumed["from_action_count"]) == (
        "same tokens assumed",
        1.0,
        None,
    )
    assert (measured["tokens"], measured["feature"]) == ("measured", "triage")
    assert (measured["from_action_count"], measured["to_action_count"]) == (40, 40)
    assert (measured["first_day"], measured["last_day"]) == ("2026-10-01", "2026-10-04")
    inputs = [sum(call["input_tokens"] for call in LOG[some]) for some in (slice(0, 40), slice(40, 80))]
    assert measured["input_ratio"] == pytest.approx(inputs[1] / inputs[0], abs=1e-6)
    assert measured["input_ratio_low"] < measured["input_ratio"] < measured["input_ratio_high"]
    row = told["total"]["scenarios"][2]
    assert Decimal(row["cost_low_usd"]) < Decimal(row["cost_usd"]) < Decimal(row["cost_high_usd"])
    lines = asked(published, "swap", "gpt-5", "gpt-5-mini").splitlines()
    told_of = "measured tokens: openai/gpt-5 -> openai/gpt-5-mini in triage, measured: input x1.4"
    assert any(line.startswith(told_of) for line in lines[:2])
    assert "40 and 40 actions, 2026-10-01 to 2026-10-04)" in " ".join(lines[:3])
    assert any(line.startswith("from, to: every call that may cross a context bound, or whose") for line in lines)
    assert "openai/gpt-5 -> openai/gpt-5-mini, as measured" in lines


def test_swap_of_models_whose_calls_name_no_provider_is_told(tmp_path):
    log = [told | {"provider": None} for told in LOG]
    (tmp_path / "log.jsonl").write_bytes(jsonl(log))
    settings = Settings(logs=(str(tmp_path / "log.jsonl"),), data=tmp_path / "data")
    stages.ingest(settings)
    stages.build(settings)
    lines = asked(tmp_path / "data", "swap", "gpt-5", "gpt-5-mini")
    assert "gpt-5 -> gpt-5-mini, as measured" in lines.splitlines()


def test_costs_and_evidence_of_a_swap_are_of_one_publication(tmp_path, monkeypatch):
    settings = Settings(logs=(str(tmp_path / "log.jsonl"),), data=tmp_path / "data")

    def publish(log):
        (tmp_path / "log.jsonl").write_bytes(jsonl(log))
        stages.ingest(settings)
        stages.build(settings)

    publish(LOG[:70])
    before, pairs = asked(settings.data, "swap", "gpt-5", "gpt-5-mini"), repriced.measured_pairs
    monkeypatch.setattr(repriced, "measured_pairs", lambda query: publish(LOG) or pairs(query))
    assert asked(settings.data, "swap", "gpt-5", "gpt-5-mini") == before
    monkeypatch.undo()
    assert asked(settings.data, "swap", "gpt-5", "gpt-5-mini") != before


def test_swap_with_ratios_takes_these(published):
    told = figures(published, "swap", "gpt-5", "gpt-5-mini", "--input-ratio", "2", "--output-ratio", "0.5")
    assert list(costs(told)) == ["actual", "same tokens", "given tokens"]
    assert [(row["tokens"], row["input_ratio"], row["output_ratio"]) for row in told["scenario_swaps"]] == [
        ("given", 2.0, 0.5), ("same tokens assumed", 1.0, 1.0),
    ]  # fmt: skip
    same = figures(published, "reprice", "replace=gpt-5 with=gpt-5-mini input_ratio=2 output_ratio=0.5")
    assert [*costs(told).values()][2] == [*costs(same).values()][1]


def test_swap_in_one_feature_leaves_the_others(published):
    told = figures(published, "swap", "*", "openai/gpt-5-mini", "--feature", "reply", "--output-ratio", "1")
    assert {row["feature"] for row in told["scenario_swaps"]} == {"reply"}
    assert len({*costs(told, "triage").values()}) == 1 and len({*costs(told, "reply").values()}) == 2


def test_swap_without_models_lists_those_of_the_past(published):
    assert "1 swap of a feature's main model" in asked(published, "swap")


# A build's own


def test_a_build_takes_the_scenarios_of_the_settings_beside_those_of_the_house(published):
    folder = published.parent
    files = ["--config", str(folder / "mine.toml"), "--prices", str(folder / "prices.csv")]
    done = invoked(folder / "by-name", "run", str(folder / "log.jsonl"), *files)
    assert done.exception is None and "dear-output" in done.stdout
    told = figures(folder / "by-name", "report")
    assert list(costs(told)) == ["actual", "-30%", "+50%", "dear-output", "haiku"]
    again = costs(figures(published, "reprice", str(folder / "mine.toml")))
    assert {name: cost for name, cost in costs(told).items() if name in again} == again
    reasons = stages.query(
        Settings(data=folder / "by-name"), "select scenario, reason from source.scenarios order by scenario_order"
    )
    assert reasons.rows()[3:] == [("dear-output", "as announced"), ("haiku", None)]


# Mistakes


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["reprice", "hike"], "scenario 'hike' is not defined, nor is it a change such as -30%"),
        (["reprice", "-30"], "scenario '-30': '-30' is not a change in percent; write it as -30%"),
        (["reprice", "-10% provider=openia"], "no call is found by provider=openia; the log's values of provider are"),
        (["reprice", "-10% model=gpt-6"], "openai/gpt-5, openai/gpt-5-mini (* is any text)"),
        (["reprice", "-10% feature=nothing"], "no call is found by feature=nothing"),
        (["reprice", "-1%; -10% from=2027-01-01"], "no call is found by from=2027-01-01"),
        (["reprice", "move_to=batch model=nobody*"], "no call is found by move_to=batch, model=nobody*"),
        (["reprice", "without=free"], "scenario 'without=free': no call is found by without=free"),
        (["reprice", "replace=gpt-5 with=gpt-99"], "nobody knows whose gpt-99 is; write provider/model"),
        (["reprice", "replace=gpt-5 with=openai/gpt-99"], "nobody has a price of openai/gpt-99; check the name"),
        (["reprice", "without=commitment provider=openai"], "the prices given have no such commitment; check --prices"),
        (["reprice", "colour=red"], "no step has colour; each step has one of change"),
        (["reprice", "--by", "team"], "--by team: no such grouping; choose one of feature, user"),
        (["reprice", "--grid", "1:2"], "--grid 1:2: no grid; write from:to:step in percent, such as -50:100:5"),
        (["reprice", "--grid", "a:b:c"], "--grid a:b:c: no grid"),
        (["reprice", "--grid", "nan:1:1"], "--grid nan:1:1: no grid"),
        (["reprice", "--grid", "0:inf:inf"], "--grid 0:inf:inf: no grid"),
        (["reprice", "--grid", "0:1e999999999:1"], "--grid 0:1e999999999:1: "),
        (["reprice", "--grid", "5:1:1"], "--grid 5:1:1: from must be below to, by 1 to 1000 steps above 0"),
        (["reprice", "--grid", "0:0:1"], "from must be below to"),
        (["reprice", "--grid", "-50:100:0"], "from must be below to"),
        (["reprice", "--grid", "0:100:0.01"], "from must be below to"),
        (["reprice", "--grid", "-200:100:50"], "'-200%' is below -100%"),
        (["reprice", "nowhere.toml"], "nowhere.toml: cannot be read (No such file or directory); check the path"),
        (["reprice", "torn.toml"], "torn.toml: not valid TOML"),
        (["reprice", "other.toml"], "other.toml: has no setting 'scenario'; known are scenarios"),
        (["reprice", "text.toml"], "text.toml: [scenarios] cannot be '-30%'; it is a table of settings"),
        (["reprice", "flat.toml"], "scenario 'hike' cannot be '+50%'; it is a table with changes and a reason"),
        (["reprice", "actual.toml"], "scenario 'actual' is always there; give another name"),
        (["reprice", "reason.toml"], "scenario 'hike': no step has no key at all"),
        (["swap", "gpt-5"], "swap: name two models, or none to see the swaps of the past"),
        (["swap", "gpt-6", "gpt-5-mini"], "scenario 'same tokens': no call is found by replace=gpt-6"),
        (["swap", "gpt-5", "gpt-99"], "nobody knows whose gpt-99 is"),
        (["swap", "gpt-5", "gpt-5-mini", "--input-ratio", "lots"], "input_ratio: 'lots' is no number"),
        (["swap", "gpt-5", "gpt-5-mini", "--feature", "nothing"], "no call is found by replace=gpt-5, feature=nothing"),
        (["swap", "gpt-5", "gpt-5-mini", "--by", "team"], "--by team: no such grouping"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_fix(published, monkeypatch, arguments, message):
    folder = published.parent
    for name, text in {
        "torn": "[scenarios.hike\nchange = 1",
        "other": "[scenario.hike]\nchange = '+1%'",
        "flat": "[scenarios]\nhike = '+50%'",
        "actual": "[scenarios.actual]\nchange = '+50%'",
        "reason": "[scenarios.hike]\nreason = 'why'",
        "text": "scenarios = '-30%'",
    }.items():
        (folder / f"{name}.toml").write_text(text)
    monkeypatch.chdir(folder)
    done = invoked(published, *arguments)
    assert isinstance(done.exception, UserError), done.exception  # `main` prints it, and no traceback
    assert message in str(done.exception) and done.stdout == ""


@pytest.mark.parametrize("arguments", [["reprice", "-10% model=gpt-6"], ["swap", "gpt-6", "gpt-5-mini"]])
def test_a_mistake_ends_with_1_and_no_traceback(published, arguments):
    done = tokenspread(*arguments, "--data", published, cwd=published.parent)
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.startswith("tokenspread: scenario ")


def test_without_a_warehouse_each_command_says_so(tmp_path):
    for arguments in (["reprice", "-30%"], ["swap", "a", "openai/b"], ["swap"]):
        done = invoked(tmp_path / "none", *arguments)
        assert isinstance(done.exception, UserError) and "run `tokenspread build`" in str(done.exception)
    assert not (tmp_path / "none").exists()


def test_a_build_refuses_a_scenario_that_finds_no_call(published):
    wrong = settings_of(published.parent, scenarios=("-10% provider=openia",))
    with pytest.raises(UserError, match="no call is found by provider=openia"):
        stages.build(wrong)


def test_a_scenario_of_an_empty_ledger_is_no_mistake(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b"")
    empty = Settings(logs=(str(tmp_path / "log.jsonl"),), data=tmp_path / "data", scenarios=("-10% provider=openai",))
    stages.ingest(empty)
    stages.build(empty)
    assert "no calls in the ledger" in asked(tmp_path / "data", "reprice", "+50% provider=labs", "--by", "day")

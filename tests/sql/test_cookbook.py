"""The questions of sql/cookbook: cases of each, in tests/sql/cookbook; each asked of the samples; what all keep.

A case is as those of the models, a document of its question's file; `with` sets values, rows are expected in their
order, and in the first `empty_on_the_samples` says why the samples have no row of it.
"""

import re
import subprocess
from pathlib import Path

import duckdb
import duckdb_cli
import pytest
import yaml

from pipelines import cookbook, sandbox, stages, warehouse, warehouse_models
from pipelines.errors import UserError
from pipelines.settings import Settings
from tests.sql import builders
from tests.sql.test_sql_models import comparable

QUESTIONS = cookbook.questions()
CASES = {
    path.stem: [*yaml.safe_load_all(path.read_text())]
    for path in sorted((Path(__file__).parent / "cookbook").glob("*.yaml"))
}
SAMPLES = Path(__file__).parents[2] / "sample_logs" / "support_desk"
# Beside a cost stands what has none.
UNKNOWN = {"unpriced_call_count", "unpriced_quantity", "unknown_call_count", "price_status"}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The warehouse of the samples, under one scenario more than usual."""
    data = tmp_path_factory.mktemp("cookbook") / "data"
    files = {"outcomes": (SAMPLES / "outcomes.jsonl",), "revenue": SAMPLES / "revenue.csv"}
    scenarios = ("-30%", "+50%", "caching=none")
    settings = Settings(logs=(str(SAMPLES),), prices=SAMPLES / "prices.csv", scenarios=scenarios, data=data, **files)
    stages.ingest(settings)
    stages.build(settings)
    return data / "warehouse.duckdb"


@pytest.mark.parametrize("name, number", [(name, number) for name in CASES for number in range(len(CASES[name]))])
def test_case(name, number):
    case = CASES[name][number]
    assert set(case) <= {"about", "given", "with", "expect", "empty_on_the_samples"}
    tables = warehouse_models.words(QUESTIONS[name].sql) & {*warehouse_models.PUBLISHED, *warehouse_models.TABLE_MACROS}
    with builders.catalogue(case["given"], *tables) as connection:
        rows = warehouse.frame_of(connection, cookbook.question(name).with_values(case.get("with", {})))
    found = [[comparable(value) for value in row.values()] for row in rows.select(list(case["expect"][0])).to_dicts()]
    assert found == [[comparable(value) for value in row.values()] for row in case["expect"]]


def test_there_are_25_questions_and_each_has_a_case():
    assert len(QUESTIONS) == 25
    assert list(CASES) == list(QUESTIONS)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_samples_answer_it_or_the_case_says_why_not(name, published):
    why_empty = CASES[name][0].get("empty_on_the_samples")
    rows = sandbox.query(published, QUESTIONS[name].sql)
    assert (rows.height == 0) == bool(why_empty)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_says_what_it_asks_how_it_is_read_and_what_is_unknown(name, published):
    question = QUESTIONS[name]
    lines = question.sql.splitlines()
    assert lines[0].startswith("-- ") and lines[0].endswith("?")
    assert lines[1].startswith("-- Read: ") and lines[2].startswith("-- Unknown: ")
    assert question.sql.count("::") >= len(question.parameters) == question.sql.count(", -- ")
    columns = sandbox.query(published, f"describe {question.sql}")["column_name"].to_list()
    if "cost_usd" in columns:
        assert UNKNOWN & {*columns}


@pytest.mark.parametrize("name", [name for name, question in QUESTIONS.items() if question.parameters])
def test_every_value_can_be_set_to_null_or_as_it_is(name, published):
    question = QUESTIONS[name]
    as_it_is = {parameter.name: parameter.value.strip("'") for parameter in question.parameters}
    as_it_is = {name: "" if value == "null" else value for name, value in as_it_is.items()}
    assert sandbox.query(published, question.with_values(as_it_is)).equals(sandbox.query(published, question.sql))
    sandbox.query(published, question.with_values(dict.fromkeys(as_it_is, "")))


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("under_water", {"scenario": "+70%"}, "+70% is not known here: write +50%, -30%, actual, caching=none"),
        ("under_water", {"dimension": "users"}, "users is not known here: write feature, user, customer"),
        ("margin_by_customer", {"dimension": "customers"}, "write customer, feature, user"),
        ("cost_percentiles", {"dimension": "features"}, "write feature, user, customer, model"),
        ("failures", {"dimension": "features"}, "write feature, user, customer, model"),
        ("retries", {"dimension": "features"}, "write feature, user, customer, model"),
    ],
)
def test_a_mistyped_value_is_told_of_and_does_not_read_as_good_news(name, values, told, published):
    with pytest.raises(UserError, match=re.escape(told)):
        sandbox.query(published, QUESTIONS[name].with_values(values))


def test_a_mistyped_scenario_is_told_of_where_no_revenue_is_known():
    text = cookbook.question("under_water").with_values({"scenario": "+70%"})
    with (
        builders.catalogue({"ledger": [{}]}, "scenario_by_dimension") as connection,
        pytest.raises(duckdb.InvalidInputException, match="not known here"),
    ):
        connection.execute(text).fetchall()


@pytest.mark.parametrize("name", ["latency_and_cost", "long_context_calls", "same_tokens_on_other_models"])
def test_calls_without_a_feature_are_asked_for_as_unattributed(name):
    given = {"rate_cards": [{}, {"model": "model-b"}], "ledger": [{}, {"model": "model-b", "feature": "triage"}]}
    text = cookbook.question(name).with_values({"feature": "unattributed"})
    with builders.catalogue(given, "usage_cube", "rate_cards", "log_days") as connection:
        (row,) = warehouse.frame_of(connection, text).rows(named=True)
    assert (row["model"], row["call_count"]) == ("model-a", 1)


def test_calls_of_one_action_id_stand_together_by_user():
    ledger = [
        {"action_id": "a", "user_id": user, "line_number": line} for line, user in enumerate(["ben", "ana"] * 2, 1)
    ]
    text = cookbook.question("calls_behind_an_outcome").with_values({"action_id": "a"})
    with builders.catalogue({"ledger": ledger}, "calls", "dearest_actions") as connection:
        rows = warehouse.frame_of(connection, text)
    assert rows.select("user_id", "line_number").rows() == [("ana", 2), ("ana", 4), ("ben", 1), ("ben", 3)]


def test_an_older_client_understands_every_question(published):
    asked = [argument for question in QUESTIONS.values() for argument in ("-c", question.sql)]
    done = subprocess.run(
        [Path(duckdb_cli.__file__).parent / "duckdb", "-readonly", "-csv", str(published), *asked],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_caching_saved_is_what_the_scenario_without_it_costs_more(published):
    told = """
        select coalesce(feature, 'all'), sum(case scenario when 'actual' then -cost_usd else cost_usd end)
        from scenario_comparison
        where user_id is null and scenario in ('actual', 'caching=none')
        group by all
    """
    dearer = dict(sandbox.query(published, told).iter_rows())
    saved = dict(sandbox.query(published, QUESTIONS["caching_saved"].sql).select("feature", "saved_usd").iter_rows())
    assert saved["all"] > 0
    assert {name: usd or 0 for name, usd in saved.items()} == {name: dearer[name] for name in saved}


@pytest.mark.parametrize("name", ["cost_by_week_and_model", "caching_saved", "environments", "hours_of_the_day"])
def test_all_rows_add_up_to_the_whole_cost(name, published):
    rows = sandbox.query(published, QUESTIONS[name].sql)
    if "feature" in rows.columns:
        rows = rows.filter(feature="all")
    whole = sandbox.query(published, "select sum(cost_usd) as usd from calls").item()
    assert rows["cost_usd"].sum() == whole > 0


def test_calls_behind_an_outcome_are_followed_to_their_lines(published):
    question = QUESTIONS["calls_behind_an_outcome"]
    (row,) = sandbox.query(published, question.with_values({"action_id": "rb-4"})).rows(named=True)
    assert Path(row["source_file"]).name == "tokenspread.parquet" and row["line_number"] == 3
    assert sandbox.query(published, question.with_values({"action_id": "nobody's"})).height == 0

"""Building, publishing and asking the catalogue, with real Parquet files in folders with awkward names."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import duckdb
import duckdb_cli
import polars as pl
import pytest

from pipelines import sandbox, warehouse, warehouse_models
from pipelines.errors import UserError
from tests.sql import builders
from transforms import schemas

GIVEN = {
    "ledger": [
        {"feature": "triage"},
        {"feature": "triage", "output_tokens": 20},
        {"feature": "reply", "model": "model-x"},
    ],
    "outcomes": [{}],
    "quarantine": [{"line_number": 9}],
}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "my [data]'s * {100%} ;"
    folder.mkdir()
    return folder


def inputs(data: Path, given: dict = GIVEN) -> warehouse.Inputs:
    frames = builders.sources(given)
    files = {}
    for name in warehouse.FILE_SOURCES:
        files[name] = [str(data / f"{name}-1.parquet")]
        frames[name].write_parquet(files[name][0])
    scenarios = {name: frame for name, frame in frames.items() if name in warehouse.SCENARIO_SOURCES}
    others = (*files, *scenarios, "settings", "context_bounds")
    tables = {name: frame for name, frame in frames.items() if name not in others}
    tables |= {"scenario_tables": lambda ask: scenarios, "context_bounds": [0]}
    lists = {f"{kind}_files": files[name] for kind, name in (("ledger", "ledger"), ("outcome", "outcomes"))}
    return warehouse.Inputs(**lists, quarantine_files=files["quarantine"], settings={"ledger_version": "1"}, **tables)


def published(data: Path, given: dict = GIVEN, version: int = 1) -> Path:
    path, link = data / "catalog" / f"warehouse-{version}.duckdb", data / "warehouse.duckdb"
    path.parent.mkdir(exist_ok=True)
    warehouse.build(inputs(data, given), path)
    warehouse.publish(path, link)
    return link


def test_figures_can_be_asked(data):
    link = published(data)
    rows = sandbox.query(link, "select feature, cost_usd from unit_economics join calls using (cost_usd) limit 0")
    assert rows.schema == {"feature": pl.String, "cost_usd": pl.Decimal(38, 12)}
    assert sandbox.query(link, "select count(*) as calls from calls").rows() == [(3,)]
    assert sandbox.query(link, "select sum(output_tokens) as tokens from calls").schema == {"tokens": pl.Int128}


def test_published_file_is_read_only_and_reached_by_a_relative_link(data):
    link = published(data)
    assert os.readlink(link) == "catalog/warehouse-1.duckdb"
    assert link.stat().st_mode & 0o777 == 0o444
    assert sorted(path.name for path in (data / "catalog").iterdir()) == ["warehouse-1.duckdb"]


def test_a_reader_keeps_its_catalogue_and_the_next_one_sees_the_new(data):
    link = published(data)
    with duckdb.connect(str(link.resolve()), read_only=True) as reader:
        before = reader.sql("select count(*) from tokens_per_action").fetchall()
        published(data, GIVEN | {"ledger": [{}]}, version=2)
        assert reader.sql("select count(*) from tokens_per_action").fetchall() == before
    assert sandbox.query(link, "select count(*) as n from calls").item() == 1


def test_one_publication_answers_all_that_is_asked_together(data):
    link, count = published(data), "select count(*) as n from tokens_per_action"
    with sandbox.asking(link) as ask:
        before = ask(count).item()
        published(data, GIVEN | {"ledger": [{}]}, version=2)
        assert ask(count).item() == before != sandbox.query(link, count).item()
        with pytest.raises(UserError, match="only one SELECT"):
            ask("drop view calls")


def test_an_error_behind_the_first_rows_is_told_as_any_other(data):
    """It comes through the stream of rows, as an exception of polars."""
    late = "select case when i = 3000000 then error('too late')::bigint else i end as n from range(4000000) t(i)"
    with pytest.raises(UserError, match="the query failed: .*too late"):
        sandbox.query(published(data), late)


def test_an_erasure_between_two_questions_is_said(data):
    link = published(data)
    said = r"warehouse-1.duckdb: an erasure took it away while it was asked; ask again"
    with pytest.raises(UserError, match=said), sandbox.asking(link) as ask:
        published(data, GIVEN | {"ledger": [{}]}, version=2)
        for gone in (data / "catalog" / "warehouse-1.duckdb", data / "ledger-1.parquet"):
            gone.unlink()
        ask("select count(*) as n from calls where output_tokens = 20")


def test_the_older_client_opens_it_also_during_a_build(data):
    link = published(data)
    unfinished = data / "catalog" / "warehouse-2.duckdb.building"
    with duckdb.connect(str(unfinished)) as building:
        building.execute("create table half_done as select 1 as n")
        answer = older_client(
            link,
            "select feature, action_count, cost_usd from unit_economics join "
            "(select distinct feature from calls) as features on name = feature order by 1",
        )
    assert answer == ["reply,1,NULL", "triage,2,0.000700000000"]
    # -30 % of what one call of 100 and 10 tokens, and one of 100 and 20, cost.
    answer = older_client(link, "select name, repriced_cost_usd from reprice(-30) order by name")
    assert answer == ["all,0.000490000000000000", "reply,NULL", "triage,0.000490000000000000"]
    some = "of_model := 'model-*', of_token_class := 'output'"
    answer = older_client(link, f"select change_usd from reprice(-30, {some})")
    assert sorted(answer) == ["-0.000090000000000000", "-0.000090000000000000", "NULL"]
    assert older_client(link, "select cost_usd, usual_usd from spend_anomalies() where dimension = 'all'") == [
        "0.000700000000,NULL"
    ]
    assert older_client(link, "select cost_usd from rolling_spend(30) where name = 'triage'") == ["0.000700000000"]
    assert older_client(link, "select call_count, usual_call_count from thin_days()") == ["3,NULL"]
    for name in warehouse_models.PUBLISHED:
        assert len(older_client(link, f"select count(*) from {name}")) == 1


def older_client(link: Path, sql: str) -> list[str]:
    binary = Path(duckdb_cli.__file__).parent / "duckdb"
    command = [binary, "-readonly", "-csv", "-noheader", link, "-c", sql]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def test_without_any_file_the_views_are_empty(data):
    path = data / "empty.duckdb"
    nothing = replace(inputs(data, {"rate_cards": []}), ledger_files=[], outcome_files=[], quarantine_files=[])
    warehouse.build(nothing, path)
    for name in {*warehouse_models.PUBLISHED} - {"about"}:
        assert sandbox.query(path, f"select * from {name}").height == 0
    assert sandbox.query(path, "from about").rows(named=True)[0]["unmatched_outcome_count"] == 0
    assert "action_id" in sandbox.query(path, "select * from calls").columns


def test_distinct_price_refs(data):
    frame = warehouse.distinct_price_refs(inputs(data).ledger_files)
    assert frame.schema == schemas.PRICE_REFS
    assert frame["model"].to_list() == ["model-a", "model-x"]
    assert warehouse.distinct_price_refs([]).schema == schemas.PRICE_REFS


def test_what_a_killed_build_left_is_removed_by_the_next(data):
    catalog = data / "catalog"
    catalog.mkdir()
    for name in ("warehouse-1.duckdb.building", "warehouse-1.duckdb.building.wal", "warehouse-1.duckdb"):
        (catalog / name).write_bytes(b"half")
    published(data, version=2)
    assert sorted(path.name for path in catalog.iterdir()) == ["warehouse-1.duckdb", "warehouse-2.duckdb"]


def test_a_failing_check_publishes_nothing(data):
    wrong = inputs(data)
    wrong = replace(wrong, rate_cards=pl.concat([wrong.rate_cards, wrong.rate_cards]))
    message = r"calls_are_the_ledger.sql: 1 failing rows, the first: \{'call_count': 5"
    with pytest.raises(warehouse.CheckFailed, match=message):
        warehouse.build(wrong, data / "wrong.duckdb")
    assert not list(data.glob("wrong*"))


@pytest.mark.parametrize(
    "sql, why",
    [
        ("create table mine as select 1", "only one SELECT"),
        ("delete from usage_cube", "only one SELECT"),
        ("copy calls to 'calls.csv'", "only one SELECT"),
        ("attach 'other.duckdb'", "only one SELECT"),
        ("set threads = 1", "only one SELECT"),
        ("select 1; select 2", "only one SELECT"),
        ("", "only one SELECT"),
        ("with stolen as (copy calls to '{outside}') select 1", "the query failed|cannot COPY"),
        ("with broken as (copy (select 1 as n) to '{ledger}' (use_tmp_file false)) select 1", "cannot COPY"),
        ("from query('with broken as (copy (select 1) to ''{ledger}'' (use_tmp_file false)) select 1')", "failed"),
        ("with gone as (delete from usage_cube returning 1) select 1", "the query failed"),
        ("select * from read_text('{secret}')", "the query failed"),
        ("select * from read_parquet('{outside}')", "the query failed"),
        ("select * from glob('/*')", "the query failed"),
        ("select * from given", "the query failed: .*given does not exist"),
        ("select no_such_column from calls", "the query failed: .*no_such_column"),
    ],
)
def test_a_query_neither_writes_nor_reads_another_file(data, tmp_path, sql, why):
    link = published(data)
    secret, outside = tmp_path / "secret.txt", tmp_path / "outside.parquet"
    secret.write_text("secret")
    ledger = sandbox.query(link, "select path from source.parquet_files where path like '%ledger%'").item()
    given = {"secret": secret, "outside": outside, "ledger": ledger.replace("'", "''")}
    before = Path(ledger).read_bytes()
    with pytest.raises(UserError, match=why):
        sandbox.query(link, sql.format(**given))
    assert not outside.exists()
    assert Path(ledger).read_bytes() == before


@pytest.mark.parametrize(
    "columns, fix",
    [
        ("1 as a, 2 as a", "two columns a; give each one a name of its own"),
        ("interval 1 day as a", "column a is of type INTERVAL, .* a::varchar"),
        ("[{'b': interval 1 day}] as a", "column a is of type INTERVAL, .* a::varchar"),
        ("union_value(n := 1) as a", "column a is of type UNION, .* a::varchar"),
        ("'10:00:00+02'::timetz as a", "column a is of type TIME WITH TIME ZONE, .* a::varchar"),
    ],
)
def test_a_column_that_has_no_output_is_named_with_the_fix(data, capfd, columns, fix):
    with pytest.raises(UserError, match=fix):
        sandbox.query(published(data), f"select {columns}")
    assert capfd.readouterr().err == ""


def test_a_name_like_a_type_is_none(data):
    assert sandbox.query(published(data), "select {'INTERVAL': 1} as a").item() == {"INTERVAL": 1}


def test_the_build_that_publishes_is_done(data):
    running = {"kind": "build", "status": "running", "started_at": builders.NOON}
    link = published(data, GIVEN | {"runs": [{"ended_at": builders.NOON}, running]})
    ingest, build = sandbox.query(link, "from runs order by run_id").rows(named=True)
    assert (ingest["status"], ingest["ended_at"]) == ("ok", builders.NOON)
    assert (build["status"], build["version"]) == ("done", 1)
    assert build["ended_at"] > build["started_at"]


def test_describe_and_the_word_copy_are_allowed(data):
    link = published(data)
    assert sandbox.query(link, "describe calls").height == len(warehouse.model_header("calls")[1])
    assert sandbox.query(link, "select 'copy' as copy").item() == "copy"


def test_a_question_mark_in_the_folder_is_refused(tmp_path):
    folder = tmp_path / "what?"
    folder.mkdir()
    with pytest.raises(UserError, match="question mark; rename the data folder"):
        warehouse.build(inputs(folder), folder / "warehouse.duckdb")


def test_nothing_published_is_said(data):
    with pytest.raises(UserError, match="nothing is published yet"):
        sandbox.query(data / "warehouse.duckdb", "select 1")


def test_a_warehouse_without_what_is_asked_is_of_another_version(data):
    link = published(data)
    link.resolve().chmod(0o644)
    with duckdb.connect(str(link.resolve())) as other:
        other.execute("drop macro table model_swaps")
    with pytest.raises(UserError, match="another version published it, without model_swaps; run `tokenspread build`"):
        sandbox.query(link, "from model_swaps()")

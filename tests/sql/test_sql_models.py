"""Given/expect cases beside the models: tests/sql/<model>/<case>.yaml.

`given` holds rows by source table (what a row does not name has the default of builders.py), `expect` the columns that
the case is about, of all rows, or of those that `where` selects; the order of rows does not matter. A case of a table
macro has its arguments under `with`.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from pipelines import warehouse, warehouse_models
from tests.sql import builders

FOLDER = Path(__file__).parent
CASES = sorted(path for path in FOLDER.glob("*/*.yaml") if path.parent.name != "cookbook")  # test_cookbook.py
MODELS = warehouse_models.PUBLISHED
QUESTIONS = MODELS + warehouse_models.TABLE_MACROS


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_case(path):
    case = yaml.safe_load(path.read_text())
    assert set(case) <= {"about", "given", "with", "where", "expect"}
    name = path.parent.name
    with builders.catalogue(case["given"], name) as connection:
        columns = ", ".join(case["expect"][0]) if case["expect"] else "*"
        where = case.get("where", "true")
        asked = f"{name}({case.get('with', '')})" if name in warehouse_models.TABLE_MACROS else name
        rows = warehouse.frame_of(connection, f"select {columns} from {asked} where {where}")
        warehouse.run_checks(connection, warehouse_models.models_behind([name]))
    found = [{column: comparable(value) for column, value in row.items()} for row in rows.to_dicts()]
    expected = [{column: comparable(value) for column, value in row.items()} for row in case["expect"]]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_every_model_has_a_case():
    folders = {path.parent.name for path in CASES}
    assert folders == set(QUESTIONS)


def test_every_file_is_a_model_in_the_build_order():
    models = (warehouse.SQL / "models").glob("*.sql")
    assert sorted(path.stem for path in models) == sorted({*MODELS, *warehouse_models.UNPUBLISHED})
    macros = (warehouse.SQL / "table_macros").glob("*.sql")
    assert sorted(path.stem for path in macros) == sorted(warehouse_models.TABLE_MACROS)


def test_all_models_at_once_keep_every_promise():
    with builders.catalogue(SMALL_SHOP) as connection:
        warehouse.run_checks(connection)


def test_every_macro_says_what_it_is_for():
    with builders.catalogue({}) as connection:
        told = "select function_name as name, comment from duckdb_functions() where not internal"
        macros = warehouse.frame_of(connection, told).rows_by_key("name", unique=True)
    assert {*warehouse_models.TABLE_MACROS, "usd_per", "cost_of"} <= macros.keys()
    assert [
        name for name, (comment,) in macros.items() if not re.match(rf"{name}\(.*?\): .{{10}}", comment or "")
    ] == []


@pytest.mark.parametrize("name", QUESTIONS)
def test_header_tells_grain_and_every_column(name):
    grain, columns = warehouse_models.model_header(name)
    is_macro = name in warehouse_models.TABLE_MACROS
    case = yaml.safe_load(next(path for path in CASES if path.parent.name == name).read_text())
    with builders.catalogue({}, name) as connection:
        result = warehouse.frame_of(connection, f"from {name}({case.get('with', '')})" if is_macro else f"from {name}")
        comments = warehouse.frame_of(
            connection,
            f"select column_name, comment from duckdb_columns() where table_name = '{name}' and schema_name = 'main' "
            "and database_name = current_database()",
        )
    assert grain.startswith("one row per ")
    assert list(columns) == result.columns
    assert dict(comments.iter_rows()) == ({} if is_macro else columns)


def test_of_a_large_set_of_possible_duplicates_the_first_hundred_are_named():
    with builders.catalogue({"ledger": [{"content_id": n % 2 + 1, "response_id": None} for n in range(101)]}) as built:
        (row,) = warehouse.frame_of(built, "from possible_duplicates").rows(named=True)
    assert (row["call_count"], row["file_count"]) == (101, 2)
    assert row["call_ids"] == [f"{number:032x}" for number in range(1, 101)]


def test_what_is_of_the_ledgers_size_is_gone_after_the_build():
    with builders.catalogue(SMALL_SHOP) as connection:
        kept = connection.sql("select table_name from duckdb_tables() where temporary").fetchall()
    assert {"action_figures"} < {name for (name,) in kept}.difference(warehouse_models.GONE_AFTER.values())
    assert not {name for (name,) in kept}.intersection(warehouse_models.GONE_AFTER.values())


SMALL_SHOP = {
    "ledger": [
        {"feature": "triage", "user_id": "ana", "customer_id": "books", "recorded_cost_pico": 1_000_000},
        {"feature": "triage", "user_id": "ben", "customer_id": "books", "cache_read_tokens": 40},
        {"feature": "reply", "user_id": "ana", "model": "model-x"},
    ],
    "outcomes": [{}, {"is_success": False}],
    "revenue": [{"feature": "triage", "revenue_pico": builders.USD}],
}


def comparable(value):
    """Equal values as equal text: figures as exact decimals, instants in UTC."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return str(Decimal(f"{value:.9g}").normalize())
    if isinstance(value, (int, Decimal)):
        return str(Decimal(value).normalize())
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    try:
        return str(Decimal(value).normalize())
    except (ArithmeticError, ValueError, TypeError):
        return value

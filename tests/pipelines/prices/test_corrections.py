"""The form of our own corrections of the catalogues; what they mean is read where price files are read."""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

import pipelines.prices
from pipelines.prices.price_file import PRICE_FILE_COLUMNS, PRICE_FILE_OPTIONS, read_price_file
from transforms.schemas import TOKEN_CLASSES
from transforms.shapes.providers import provider_id_of

CORRECTIONS = Path(pipelines.prices.__file__).with_name("corrections.csv")
with CORRECTIONS.open(encoding="utf-8", newline="") as lines:
    READER = csv.DictReader(lines, strict=True)
    ROWS = list(READER)


def test_a_price_file_can_say_them():
    assert set(READER.fieldnames) <= {*PRICE_FILE_COLUMNS, *PRICE_FILE_OPTIONS}
    rows = read_price_file(CORRECTIONS, "correction")
    assert rows["source"].unique().to_list() == ["correction"]
    assert rows["line_number"].n_unique() == len(ROWS)
    assert ROWS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']} {row['token_class']} {row['service_tier']}")
def test_each_row_is_sourced_and_exact(row):
    assert None not in row and None not in row.values()
    assert row["source_url"].startswith("https://") and 0 < len(row["note"]) <= 100
    assert row["provider"] == provider_id_of(row["provider"])
    assert row["model"] and row["token_class"] in (*TOKEN_CLASSES, "cache_write")
    value, other = ("usd_per_million", "multiplier") if row["kind"] == "price" else ("multiplier", "usd_per_million")
    assert row["kind"] in ("price", "multiplier") and row[other] == ""
    assert Decimal(row[value]) > 0 and -Decimal(row[value]).as_tuple().exponent <= 6
    for bound in filter(None, (row["valid_from"], row["valid_to"])):
        date.fromisoformat(bound)
    assert row["is_batch"] in ("", "true", "false") and row["context_above"] in ("", "0")


def test_no_two_rows_speak_of_the_same():
    keys = [tuple(value for name, value in row.items() if name not in ("usd_per_million", "note")) for row in ROWS]
    assert len(set(keys)) == len(keys)


def test_the_regional_price_is_that_of_every_token_class():
    regional = {row["token_class"]: row["multiplier"] for row in ROWS if row["region"] == "us"}
    assert regional == dict.fromkeys(("input", "cache_read", "cache_write", "output"), "1.1")

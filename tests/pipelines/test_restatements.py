"""What a publication tells otherwise than the one before: from the catalogue behind the link, night after night."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipelines import sandbox, stages, warehouse_sources
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl
from transforms import schemas

NOTHING = schemas.empty(warehouse_sources.PUBLISHED_DAYS)
PRICES = """provider,model,token_class,usd_per_million,valid_from
openai,model-a,input,{input},
openai,model-a,output,10,
"""


def call(number: int, day: int = 1, **told) -> dict:
    """2 USD per million input tokens and 10 of output: 0.0003 USD."""
    row = {"call_id": f"call-{number}", "action_id": f"action-{number}", "provider": "openai", "model": "model-a"}
    return row | {"called_at": f"2026-03-{day:02}T10:00:00Z", "input_tokens": 100, "output_tokens": 10} | told


class Nights:
    """Logs, outcomes and prices in a folder, and a run of them whenever one is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        self.outcomes, self.prices, self.data = folder / "outcomes.jsonl", folder / "prices.csv", folder / "data"
        self.outcomes.write_bytes(b"")
        self.prices.write_text(PRICES.format(input=2))

    def run(self, *calls: dict) -> list[dict]:
        """A night in which these calls are new; what it restates."""
        self.count += 1
        if calls:
            (self.folder / f"log-{self.count}.jsonl").write_bytes(jsonl(calls))
        logs = [str(path) for path in self.folder.glob("log-*.jsonl")]
        settings = Settings.load(data=self.data, logs=logs, outcomes=[str(self.outcomes)], prices=self.prices)
        stages.ingest(settings)
        stages.build(settings)
        return sandbox.query(self.link, "from restatements order by day nulls first").to_dicts()

    @property
    def link(self) -> Path:
        return self.data / "warehouse.duckdb"


@pytest.fixture
def nights(tmp_path):
    return Nights(tmp_path)


def told(rows: list[dict], *columns: str) -> list[tuple]:
    return [tuple(row[column] for column in ("day", "change", *columns)) for row in rows]


def test_each_night_restates_what_moved_since_the_one_before(nights):
    first, second, third = (date(2026, 3, day) for day in (1, 2, 3))
    assert nights.run(call(1), call(2, day=2)) == []
    assert told(nights.run(call(3), call(4, day=3)), "cost_before_usd", "cost_usd") == [
        (first, "calls", Decimal("0.0003"), Decimal("0.0006")),
        (third, "new day", None, Decimal("0.0003")),
    ]
    nights.outcomes.write_bytes(jsonl([{"action_id": "action-2", "outcome": "resolved", "is_success": True}]))
    assert told(nights.run(), "cost_change_usd", "success_count_before", "success_count") == [
        (second, "outcomes", 0, 0, 1)
    ]
    nights.prices.write_text(PRICES.format(input="2.000001"))  # a pico-USD more for each of 100 tokens
    assert told(nights.run(), "cost_change_usd") == [
        (first, "prices", Decimal("0.0000000002")),
        (second, "prices", Decimal("0.0000000001")),
        (third, "prices", Decimal("0.0000000001")),
    ]


def test_a_night_without_anything_new_leaves_what_the_last_one_restated(nights):
    nights.run(call(1))
    restated = nights.run(call(2))
    assert len(restated) == 1
    assert nights.run() == restated


def test_what_is_published_of_its_days_is_told_without_the_ledger(nights):
    nights.run(call(1), call(2, day=2), call(3, called_at=None))
    for path in (nights.data / "ledger").rglob("*.parquet"):
        path.unlink()
    days = sandbox.published_days(nights.link)
    assert days.schema == NOTHING.schema
    days = days.select("day", "call_count", "output_tokens", "cost_usd", "success_count").sort("day", nulls_last=True)
    assert days.rows() == [(day, 1, 10, Decimal("0.0003"), 0) for day in (date(2026, 3, 1), date(2026, 3, 2), None)]


def test_where_nothing_is_published_or_another_version_did_nothing_is_told(tmp_path):
    assert sandbox.published_days(None).equals(NOTHING)
    link = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(link)) as other:
        other.execute("create schema source; create table source.parquet_files (path varchar)")
        other.execute("create table unit_economics as select 'day' as dimension, '2026-03-01' as name, 1 as call_count")
    assert sandbox.published_days(link).equals(NOTHING)
    link.write_bytes(b"no database")
    assert sandbox.published_days(link).equals(NOTHING)

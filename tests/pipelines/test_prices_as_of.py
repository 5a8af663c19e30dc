"""What was believed about prices, and when: a build as of a day is that day's, whatever was learned since."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import types as genai
from genai_prices.data_snapshot import DataSnapshot, set_custom_snapshot

from pipelines import stages
from pipelines.build_inputs import price_history
from pipelines.errors import UserError
from pipelines.ledger import opened
from pipelines.settings import Settings
from tests.pipelines.logs import jsonl
from transforms.prices import book

CALL = {"called_at": "2026-10-01T12:00:00Z", "provider": "lab", "input_tokens": 1_000_003, "output_tokens": 7}
LOG = [CALL | {"model": model, "call_id": model} for model in ("small", "large", "new")]


def catalogue(**usd_per_million: str) -> None:
    models = [
        genai.ModelInfo(
            id=name,
            match=genai.ClauseEquals(equals=name),
            prices=genai.ModelPrice(input_mtok=Decimal(usd), output_mtok=Decimal(usd) * 5),
        )
        for name, usd in usd_per_million.items()
    ]
    provider = genai.Provider(id="lab", name="Lab", api_pattern="lab", pricing_urls=[], models=models)
    set_custom_snapshot(DataSnapshot(providers=[provider], from_auto_update=False))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    (tmp_path / "log.jsonl").write_bytes(jsonl(LOG))
    catalogue(small="0.1", large="3")
    yield Settings(logs=(str(tmp_path / "log.jsonl"),), data=tmp_path / "data")
    set_custom_snapshot(None)


def built(settings: Settings, **changes: object) -> Settings:
    """A build with changed settings; other scenarios, since what is made of the same is not made again."""
    built.count += 1
    changed = Settings(**{**vars(settings), **changes, "scenarios": (f"+{built.count}%",)})
    stages.build(changed)
    return changed


built.count = 0


def costs(settings: Settings) -> list[tuple]:
    query = "select model, cost_pico, price_status from calls order by model"
    return stages.query(settings, query).rows()


def test_last_month_again_after_a_catalogue_upgrade(settings):
    stages.ingest(settings)
    then = costs(built(settings))
    (then_hash,) = stages.query(settings, "select price_book_hash from about").row(0)
    at = datetime.now(UTC)
    catalogue(small="0.1000005", large="2.5", new="1")  # an upgrade: a finer price, a cut, and a model that is new

    now = costs(built(settings))
    assert now != then
    shown = stages.query(settings, "select model, change, revision_usd from price_book_revision order by model").rows()
    assert [(model, change) for model, change, _ in shown] == [
        ("large", "repriced"), ("new", "newly_priced"), ("small", "repriced"),
    ]  # fmt: skip
    assert costs(built(settings)) == now
    assert stages.query(settings, "from price_book_revision").is_empty(), "since the last build nothing was revised"

    again = built(settings, prices_as_of=at)
    assert costs(again) == then, "to the last digit"
    about = stages.query(settings, "select price_book_hash, prices_as_of from about").row(0)
    assert about == (then_hash, at)
    total_then, total_now = (sum(cost or 0 for _, cost, _ in told) for told in (then, now))
    (revision,) = stages.query(settings, "select sum(revision_usd) from price_book_revision").row(0)
    assert revision == Decimal(total_now - total_then).scaleb(-12), "the revision is all of the difference"


def test_every_run_keeps_the_book_that_it_used(settings):
    stages.ingest(settings)
    built(settings)
    catalogue(small="7", large="8", new="9")
    built(settings)
    runs = stages.query(settings, "select ended_at, price_book_hash from runs where kind = 'build' order by run_id")
    assert runs["price_book_hash"].n_unique() == 2
    # of the build that made the catalogue, the end is when it began to write it: before the book was kept
    with opened(settings.data) as store:
        history = price_history(store)
        ended = store.manifest.rows("select ended_at, price_book_hash from run where kind = 'build' order by run_id")
    for run in ended:
        believed = book.as_of(history, datetime.fromisoformat(run["ended_at"]))
        assert book.book_hash(believed) == run["price_book_hash"]


def test_what_is_newly_known_prices_what_was_unpriced(settings):
    stages.ingest(settings)
    assert stages.build(settings).unpriced_call_count == 1
    catalogue(small="0.1", large="3", new="2")
    assert costs(built(settings))[1] == ("new", 2_000_006_000_000 + 7 * 10_000_000, "exact")


def test_before_anything_was_believed(settings):
    stages.ingest(settings)
    built(settings)
    with pytest.raises(UserError, match=r"--prices-as-of 2020-01-01 .*: no price was believed yet, the first were rec"):
        built(settings, prices_as_of=datetime(2020, 1, 1, tzinfo=UTC))


def test_what_is_new_in_the_log_is_no_revision(settings, tmp_path):
    contract = tmp_path / "prices.csv"
    header = "provider,model,token_class,usd_per_million,valid_from"
    contract.write_text(f"{header}\nlab,small,input,1,\nlab,small,output,2,\n")
    stages.ingest(settings)
    then = costs(built(settings, prices=contract))
    at = datetime.now(UTC)
    late = CALL | {"model": "small", "call_id": "late", "service_tier": "default"}
    (tmp_path / "late.jsonl").write_bytes(jsonl([late, CALL | {"model": "large", "call_id": "x", "region": "eu"}]))
    stages.ingest(Settings(logs=(str(tmp_path / "late.jsonl"),), data=settings.data))
    built(settings)
    assert stages.query(settings, "from price_book_revision").is_empty(), "asked for the first time"
    catalogue(small="0.5", large="4", new="1")
    contract.write_text(contract.read_text().replace("input,1,", "input,9,"))
    built(settings, prices=contract)
    built(settings, prices_as_of=at)
    told = dict(stages.query(settings, "select response_id, cost_pico from calls").rows())
    assert told["small"] == told["late"] == then[2][1], "the contract of that day is for any tier"
    assert told["x"] is not None, "by the catalogue that there is"


def test_an_instant_to_come(settings):
    stages.ingest(settings)
    with pytest.raises(UserError, match=r"--prices-as-of 2999-01-01 .*: that is to come; name today or a day before"):
        built(settings, prices_as_of=datetime(2999, 1, 1, tzinfo=UTC))


def test_an_alias_that_does_nothing_is_told(settings):
    stages.ingest(settings)
    changed = Settings(**{**vars(settings), "aliases": {"lab/new": "lab/nowhere", "other": "lab/large"}})
    assert stages.build(changed).notes == [
        "[aliases] 'lab/new' = 'lab/nowhere': nobody has a price of that, and aliases lead no further",
        "[aliases] 'other': no call is of it",
    ]


def test_a_deployment_is_priced_by_its_alias(settings):
    aliased = Settings(**{**vars(settings), "aliases": {"lab/new": "lab/large"}})
    stages.ingest(aliased)
    told = dict((model, cost) for model, cost, _ in costs(built(aliased)))
    assert told["new"] == told["large"]


def test_contract_terms_are_those_of_that_day(settings, tmp_path):
    stages.ingest(settings)
    (tmp_path / "prices.csv").write_text(
        "kind,provider,model,valid_from,usd_per_month\ncommitment,lab,*,2026-10-01,9\n"
    )
    built(settings, prices=tmp_path / "prices.csv")
    at = datetime.now(UTC)
    (tmp_path / "prices.csv").write_text(
        "kind,provider,model,valid_from,usd_per_month\ncommitment,lab,*,2026-10-01,5\n"
    )
    agreed = "select agreed_usd from contract_terms where scenario_order = 0"
    (before,) = stages.query(settings, "select price_book_hash from about").row(0)
    built(settings, prices=tmp_path / "prices.csv")
    assert stages.query(settings, agreed).item() == 5
    told = stages.query(settings, "select price_book_hash, are_terms_revised from about").row(0)
    assert told[0] != before and told[1], "what is agreed is part of the hash"
    built(settings, prices_as_of=at)
    assert stages.query(settings, agreed).item() == 9

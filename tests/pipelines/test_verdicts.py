"""What the report says of margins when prices move: the verdict, what to charge, who is under water, and why."""

import io
import json

import pytest

from pipelines import stages, warehouse
from pipelines.report import terminal, verdicts
from pipelines.settings import Settings
from tests.sql import builders

TITLE = "What prices may do, by "
# Each call of model-a costs 0.0003, and 0.00021 or 0.00045.
SHOP = {
    "rate_cards": [{}, {"provider": "rival", "input_rate": 1_000_000, "output_rate": 0}],
    "ledger": [
        {"feature": "rich", "user_id": "ana", "customer_id": "books"},
        {"feature": "thin", "user_id": "ben\x1b[2J", "customer_id": "books"},
        {"feature": "part", "user_id": "cy"},
        {"feature": "part", "user_id": "cy", "model": "model-x"},
        {"feature": "untold", "provider": "rival"},
    ],
    "outcomes": [{}],
    "revenue": [
        {"feature": "rich", "revenue_pico": 10**9},
        {"feature": "thin", "revenue_pico": 4 * 10**8},
        {"feature": "part", "revenue_pico": 4 * 10**8},
        {"user_id": "ana", "revenue_pico": 4 * 10**8},
        {"user_id": "ben\x1b[2J", "revenue_pico": 10**8},
        {"user_id": "cy", "revenue_pico": 4 * 10**8},
    ],
}


def of(given, by="feature", as_json=False):
    stream = io.StringIO()
    with builders.catalogue(given) as connection:
        terminal.write(lambda sql: warehouse.frame_of(connection, sql), by, "json" if as_json else "text", stream)
    return stream.getvalue()


def below_the_title(given, by="feature"):
    lines = [line.rstrip() for line in of(given, by).splitlines()]
    return lines[next(number for number, line in enumerate(lines) if line.startswith(TITLE)) :]


def test_every_name_has_its_verdict_and_what_to_charge():
    lines = below_the_title(SHOP)
    assert lines[1].split() == ["break-", "1%", "charge/", "charge/"]
    assert lines[2].split() == ["margin", "even", "costs", "action", "outcome", "holds", "in"]
    rows = {line.split()[0]: line.split(maxsplit=6)[1:] for line in lines[3:8]}
    assert rows == {
        "rich": ["0.0007", "+233.3%", "0.000003", "0.00045", "0.00045", "all"],
        "thin": ["0.0001", "+33.3%", "0.000003", "0.00045", "-", "actual, -30%"],
        "part": ["<0.0001", "<+33.3%", "0.000003+", "0.000225+", "-", "not +50%"],
        "untold": ["-", "-", "0.000001", "0.00015", "-", "-"],
        "all": ["<0.0017", "<+170.0%", "0.00001+", "0.0003+", "0.0015+", "-"],
    }


def test_who_is_under_water_and_what_the_cost_rides_on():
    text = " ".join(below_the_title(SHOP)[9:])
    assert text.startswith("charge: what pays the cost in the worst scenario, +50% (table sensitivity) under water: ")
    assert (
        "under water: 1 of 3 users today (0.0002+ USD short, 1 not known), 3 at +50% (0.00045+ USD short); "
        "the worst is ben\\x1b[2J (-0.00035 USD) "
    ) in text
    assert "customers" not in text
    assert (
        "90.0% of the cost rides on one provider, openai; alone it may rise by at most 188.9% before the margin is gone"
    ) in text
    assert "70.0% of the cost rides on one token class, input; alone it may rise by at most 242.9% before" in text


def test_nobody_is_under_water():
    ledger = [{"user_id": "ana"}, {"user_id": "ben"}, {"user_id": "ben", "model": "model-x"}]
    amount = {"revenue_pico": 10**9}
    lines = below_the_title({"ledger": ledger, "revenue": [amount | {"user_id": "ana"}, amount | {"user_id": "ben"}]})
    told = "under water: none of 2 users that revenue is told for, in any scenario; 1 not known"
    assert told in lines


def test_without_revenue_only_what_to_charge_is_told():
    lines = below_the_title({"ledger": [{"feature": "a"}, {"feature": "b", "status": "cache_hit"}]})
    assert lines[1].split() == ["1%", "charge/"] and lines[2].split() == ["costs", "action"]
    assert lines[3].split() == ["a", "0.000003", "0.00045"]
    assert lines[7:] == [
        "charge: what pays the cost in the worst scenario, +50% (table sensitivity)",
        "100.0% of the cost rides on one provider, openai",
        "66.7% of the cost rides on one token class, input",
    ]


def test_nothing_is_said_of_what_costs_nothing():
    assert below_the_title({"ledger": [{"feature": "b", "status": "cache_hit"}]})[6:] == []


@pytest.mark.parametrize(
    "revenue_pico, told",
    [
        (3 * 10**8, "alone it may rise by 0.0% before the margin is gone"),
        (2 * 10**8, "alone it must fall by 33.3% for a margin of zero"),
        (0, "alone it must fall by 100.0% for a margin of zero"),
    ],
)
def test_how_far_the_greatest_driver_may_move(revenue_pico, told):
    given = {"ledger": [{"feature": "a"}], "revenue": [{"feature": "a", "revenue_pico": revenue_pico}]}
    assert f"100.0% of the cost rides on one provider, openai; {told}" in " ".join(below_the_title(given))


def test_a_driver_that_alone_cannot_lift_the_margin_is_told():
    ledger = [{"feature": "a"}, {"feature": "a", "provider": "rival"}, {"feature": "a", "provider": "rival"}]
    given = SHOP | {"ledger": ledger, "revenue": [{"feature": "a", "revenue_pico": 10**8}]}
    assert any(line.endswith("openai; free of charge it would not leave a margin") for line in below_the_title(given))


def test_a_target_names_what_is_to_be_left_and_each_may_have_its_worst():
    given = {"ledger": [{"feature": "a"}], "settings": {"target_margin_share": "0.3"}, "scenarios": {"actual": "1"}}
    lines = below_the_title(given)
    assert "charge: what leaves a margin of 30% in the worst scenario, actual (table sensitivity)" in lines
    assert lines[3].split() == ["a", "0.000003", "0.0004286"]
    row = {"required_revenue_usd": 1, "target_margin_share": 0.125}
    rows = [{"sensitivity": row | {"worst_scenario": name}} for name in ("a", "b")]
    told = "charge: what leaves a margin of 12.5% in the worst scenario of each (table sensitivity)"
    assert verdicts._charge_note(rows) == [told]


def test_a_long_list_of_scenarios_is_counted():
    many = {"actual": "1"} | {f"+{number}0%": f"{number + 10}/10" for number in range(1, 9)}
    given = {"ledger": [{"feature": "a"}], "scenarios": many, "revenue": [{"feature": "a", "revenue_pico": 45 * 10**7}]}
    assert below_the_title(given)[3].endswith(" 6 of 9")


def test_json_has_them_beside_each_name():
    report = json.loads(of(SHOP, as_json=True))
    thin = next(row for row in report["rows"] if row["name"] == "thin")
    assert thin["sensitivity"]["verdict"] == "holds in some"
    assert thin["sensitivity"]["required_revenue_usd"] == "0.000450000000"
    assert [driver["driver"] for driver in thin["exposure"]] == ["openai/model-a", "openai", "input", "output"]
    assert report["total"]["exposure"][0]["cost_usd"] == "0.000900000000"
    assert {row["dimension"] for row in report["underwater"]} == {"feature", "user", "customer"}


def test_a_target_margin_is_built_in_and_another_one_builds_anew(tmp_path):
    log = tmp_path / "log.jsonl"
    call = {"call_id": "c", "provider": "openai", "model": "gpt-5.2", "input_tokens": 1, "output_tokens": 0}
    log.write_text(json.dumps(call | {"called_at": "2026-03-01T00:00:00Z"}) + "\n")
    settings = Settings(logs=(str(log),), data=tmp_path / "data")
    stages.ingest(settings)

    def built(target):
        given = Settings(logs=settings.logs, data=settings.data, target_margin_share=target)
        is_new = stages.build(given).is_new
        return is_new, stages.query(given, "select max(target_margin_share) from sensitivity").item()

    assert built(None) == (True, 0)
    assert built("0.3") == (True, 0.3)
    assert built("0.3") == (False, 0.3)

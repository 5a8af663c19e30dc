"""The report on a catalogue in memory: what it prints, and that nothing in a log can steer the terminal."""

import io
import json
from decimal import Decimal

import pytest
from rich.console import Console

from pipelines import warehouse
from pipelines.report import terminal, text
from pipelines.report.figures import DIMENSIONS
from pipelines.settings import UserError
from tests.sql import builders

SHOP = {
    "ledger": [
        {"feature": "triage", "user_id": "ana", "customer_id": "books", "recorded_cost_pico": 9_990 * builders.USD},
        {"feature": "triage", "user_id": "ben", "input_tokens": 123_456, "action_id": "action-1"},
        {"feature": "[red]x\x1b[2J\u202e", "user_id": "ana", "model": "model,x", "status": "error"},
        {"feature": "reply", "input_tokens": None, "recorded_cost_pico": builders.USD},
    ],
    "outcomes": [{}, {"subject_id": "nobody"}],
    "quarantine": [{"line_number": 77, "reason": "not a record\x07"}],
    "revenue": [{"feature": "triage", "revenue_pico": 300_000_000_000}],
}


@pytest.fixture
def query():
    with builders.catalogue(SHOP) as connection:
        yield lambda sql: warehouse.frame_of(connection, sql)


def printed(query, by="feature", as_json=False):
    stream = io.StringIO()
    terminal.write(query, by, as_json, stream)
    return stream.getvalue()


def test_header_tells_the_balance_and_what_is_unknown(query):
    lines = printed(query).splitlines()
    assert "period      2026-03-01 to 2026-03-01 (UTC)" in lines
    assert "lines       7 = 6 of calls or outcomes + 0 duplicate + 1 quarantined + 0 other + 0 blank" in lines
    assert "unpriced    1 call, 1 failed, 110 tokens of openai/model,x: no price for this model" in lines
    assert "unpriced    1 call of openai/model-a: the log tells no token counts" in lines
    assert "outcomes    1 of actions that no call names (table outcomes)" in lines


def test_unpriced_model_has_lines_for_a_price_file_without_a_made_up_price(query):
    lines = printed(query).splitlines()
    header = lines.index("    provider,model,token_class,usd_per_million,valid_from")
    assert lines[header + 1 : header + 3] == [
        '    openai,"model,x",input,USD_PER_MILLION,2026-03-01',
        '    openai,"model,x",output,USD_PER_MILLION,2026-03-01',
    ]


def test_recorded_cost_is_a_disagreement_and_never_added(query):
    lines = printed(query).splitlines()
    assert "recorded    9,990.00 USD in the logs against 0.0003 here, for 1 call with both; 1 differ" in lines
    assert "recorded    1.00 USD in the logs for 1 call without a price here" in lines
    total = [line for line in lines if line.startswith("all ")][0]
    assert "0.2473+" in total and "9,990" not in total


@pytest.mark.parametrize("by", DIMENSIONS)
def test_text_of_a_log_cannot_steer_the_terminal(query, by):
    plain = printed(query, by)
    assert all(char.isprintable() or char == "\n" for char in plain)
    colourful = io.StringIO()
    terminal.print_report(Console(file=colourful, force_terminal=True, width=100, markup=False), query, by)
    assert "\x1b[2J" not in colourful.getvalue() and "\u202e" not in colourful.getvalue()
    if by == "feature":
        assert "[red]x\\x1b[2J\\u202e" in plain


@pytest.mark.parametrize("by", DIMENSIONS)
def test_plain_text_is_plain_and_fits(query, by):
    plain = printed(query, by)
    assert plain.isascii()
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 100


def test_long_names_give_way_to_figures():
    given = {"ledger": [{"feature": "f" * 300, "input_tokens": 10**15}]}
    with builders.catalogue(given) as connection:
        plain = printed(lambda sql: warehouse.frame_of(connection, sql))
    assert "1,000,000,000,000,000" in plain and "2,000,000,000.00" in plain


def test_margin_that_is_lost_is_said(query):
    lines = printed(query).splitlines()
    margins = lines[next(number for number, line in enumerate(lines) if line.startswith("Margin when")) :]
    triage = next(line for line in margins if line.startswith("triage"))
    assert triage.split() == ["triage", "0.30", "0.05269", "0.1269", "-0.07097", "LOST", "+21.3%"]


def test_json_has_the_same_figures_exact(query):
    report = json.loads(printed(query, as_json=True))
    triage = next(row for row in report["rows"] if row["name"] == "triage")
    assert triage["cost_usd"] == "0.247312000000"
    assert triage["scenarios"][1]["cost_usd"] == "0.173118400000000000"
    assert next(row for row in report["rows"] if row["name"] == "reply")["cost_usd"] is None
    assert report["total"]["unpriced_call_count"] == 2


def test_empty_ledger_is_said():
    with builders.catalogue({}) as connection:
        plain = printed(lambda sql: warehouse.frame_of(connection, sql))
        report = json.loads(printed(lambda sql: warehouse.frame_of(connection, sql), as_json=True))
    assert "no calls in the ledger" in plain
    assert report["total"] is None and report["rows"] == []


def test_unknown_grouping_is_refused(query):
    with pytest.raises(UserError, match="--by team: no such grouping; choose one of feature, user"):
        printed(query, "team")


@pytest.mark.parametrize(
    "usd, shown",
    [
        (None, "-"),
        ("0", "0.00"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("0.00012345", "0.0001234"),
        ("0.00012355", "0.0001236"),
        ("0.5", "0.50"),
        ("0.99996", "1.00"),
        ("1.005", "1.00"),
        ("1.015", "1.02"),
        ("-1234567.891", "-1,234,567.89"),
    ],
)
def test_money_is_rounded_half_even_and_never_to_zero(usd, shown):
    assert text.money(None if usd is None else Decimal(usd)) == shown

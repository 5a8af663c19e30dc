"""What `tokenspread economics` prints: the published figures, unknown as a dash, and all of them as JSON."""

import io
import json

import pytest

from pipelines import warehouse
from pipelines.errors import UserError
from pipelines.report import economics
from tests.sql import builders

SHOP = {
    "ledger": [
        {"feature": "triage", "user_id": "ana", "called_at": "2026-03-01T12:00:00+00:00"},
        {"feature": "triage", "user_id": "ana", "called_at": "2026-04-02T12:00:00+00:00"},
        {"feature": "triage", "user_id": "ben\x1b[2J", "called_at": "2026-03-03T12:00:00+00:00", "input_tokens": 250},
        {"feature": "reply", "model": "model-x", "called_at": "2026-04-02T12:00:00+00:00"},
    ],
    "outcomes": [{}, {"subject_id": "action-2"}, {"subject_id": "action-3", "is_success": False}],
}


def written(given, by, as_json=False):
    stream = io.StringIO()
    with builders.catalogue(given) as connection:
        economics.write(lambda query: warehouse.frame_of(connection, query), by, "json" if as_json else "text", stream)
    return stream.getvalue()


def cells(text, name):
    return [line.split() for line in text.splitlines() if line.startswith(name)]


def test_tables_show_what_is_published():
    text = written(SHOP, "feature")
    # actions, actions/user, calls/action, tokens/action, percentiles, shares of tokens
    assert cells(text, "triage")[0] == ["triage", "3", "1.5", "1.00", "160", "110", "260", "260", "-", "6.2%", "-"]
    # cost/action, its percentiles, those of successes
    assert cells(text, "triage")[1] == ["triage", "0.0004", "0.0003", "0.0006", "0.0006", "0.0003", "0.0003", "0.0003"]
    assert cells(text, "triage")[2][1:7] == ["100.0%", "66.7%", "20.8%", "to", "93.9%", "0.0006"]
    assert cells(text, "reply")[1] == ["reply", *"-------"]
    assert "1 of 4 actions hold a call without a price" in text
    assert "1 feature, 0.0012 USD: top 1 100.0%" in text
    assert "Retention" not in text


def test_retention_tells_what_is_partial():
    text = written(SHOP, "user")
    row = next(line for line in text.splitlines() if line.startswith("2026-03  2026-04"))
    assert row.split() == ["2026-03", "2026-04", "2", "1", "0.0003", "33.3%", "33.3%", "month"]
    assert "\x1b" not in text


def test_json_has_every_figure_exactly():
    told = json.loads(written(SHOP, "user", as_json=True))
    assert told["total"]["cost_usd"] == "0.001200000000"
    assert {row["name"] for row in told["rows"]} == {"ana", "ben\x1b[2J", "unattributed"}
    assert told["concentration"]["name_count"] == 2
    assert [row["month"] for row in told["retention"]] == ["2026-03-01", "2026-04-01"]


def test_days_stand_in_their_order_and_have_no_concentration():
    told = json.loads(written(SHOP, "day", as_json=True))
    assert [row["name"] for row in told["rows"]] == ["2026-03-01", "2026-03-03", "2026-04-02"]
    assert (told["concentration"], told["retention"]) == (None, None)


def test_nothing_to_show_and_no_such_grouping():
    assert written({}, "feature") == "no calls in the ledger: ingest some logs first\n"
    with pytest.raises(UserError, match="--by feture: no such grouping; choose one of feature"):
        written({}, "feture")

"""The report on a catalogue in memory: what it prints, and that nothing in a log can steer the terminal."""

import io
import json
from datetime import date
from decimal import Decimal

import pytest
from rich.console import Console

from pipelines import warehouse
from pipelines.errors import UserError
from pipelines.report import output, terminal, text
from pipelines.report.figures import DIMENSIONS
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
    terminal.write(query, by, "json" if as_json else "text", stream)
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
    header = lines.index(
        "recorded    0 of 1 compared call cost what the log says; 1 differs, by 9,990.00 USD:",
    )
    assert lines[header + 1] == (
        "            1 call of openai/model-a differs by 9,990.00 USD: an outlier, logs/1.jsonl:1"
    )
    assert "recorded    1.00 USD in the logs for 1 call without a price here" in lines
    total = [line for line in lines if line.startswith("all ")][0]
    assert "0.2473+" in total and "9,990" not in total


@pytest.mark.parametrize("by", DIMENSIONS)
def test_text_of_a_log_cannot_steer_the_terminal(query, by):
    plain = printed(query, by)
    assert all(char.isprintable() or char == "\n" for char in plain)
    colourful = io.StringIO()
    console = Console(file=colourful, force_terminal=True, width=100, markup=False)
    output.print_blocks(console, terminal.report(query, by))
    assert "\x1b[2J" not in colourful.getvalue() and "\u202e" not in colourful.getvalue()
    if by == "feature":
        assert "[red]x\\x1b[2J\\u202e" in plain


@pytest.mark.parametrize("by", DIMENSIONS)
def test_plain_text_is_plain_and_fits(query, by):
    assert printed(query, by).isascii()
    tables = [block for block in terminal.report(query, by).blocks if isinstance(block, output.Table)]
    stream = io.StringIO()
    output.write(output.Report({}, tables, list), "text", stream)
    assert len(tables) > 3
    assert max(len(line.rstrip()) for line in stream.getvalue().splitlines()) <= 100


def test_long_names_give_way_to_figures():
    given = {"ledger": [{"feature": "f" * 300, "input_tokens": 10**15}]}
    with builders.catalogue(given) as connection:
        plain = printed(lambda sql: warehouse.frame_of(connection, sql))
    assert "1,000,000,000,000,000" in plain and "2,000,000,000.00" in plain


def of(given, by="feature"):
    with builders.catalogue(given) as connection:
        return printed(lambda sql: warehouse.frame_of(connection, sql), by).splitlines()


def test_disagreements_are_told_by_cause_and_what_is_absurd_or_unknown_is_in_no_sum():
    call = {"input_tokens": 10_000, "output_tokens": 1_000}  # ours is 0.03
    recorded = ["0.03", "0.015", "0.015", "9990", "200", "0.077", "0.2"]
    ledger = [call | {"recorded_cost_pico": int(Decimal(usd) * builders.USD)} for usd in recorded]
    lines = of({"ledger": [*ledger, {}]})
    told = "1 of 7 compared calls cost what the log says (0.03 USD); 6 differ, the largest by 9,989.97 USD:"
    header = lines.index(f"recorded    {told}")
    assert lines[header + 1 : header + 4] == [
        "            2 calls of openai/model-a differ, the largest by 9,989.97 USD: an outlier, logs/1.jsonl:4",
        "            2 calls of openai/model-a differ, the largest by 0.17 USD: cause unknown, logs/1.jsonl:7",
        "            2 calls of openai/model-a cost 0.03 USD less in the log: 0.5 times ours",
    ]


def test_of_many_causes_the_largest_are_told():
    call = {"input_tokens": 10_000, "output_tokens": 1_000}
    factors = ("100", "10", "2", "1.5", "1.25", "1.1", "0.5", "0.1")
    ledger = [call | {"recorded_cost_pico": int(Decimal(factor) * 30 * 10**9)} for factor in factors]
    lines = of({"ledger": ledger})
    header = next(number for number, line in enumerate(lines) if line.startswith("recorded"))
    assert lines[header + 1] == (
        "            1 call of openai/model-a costs 2.97 USD more in the log: cents, read as dollars"
    )
    causes = ["cents, read as dollars", "10 times ours", "2 times ours", "0.1 times ours", "0.5 times ours"]
    assert [line.partition(": ")[2] for line in lines[header + 1 : header + 6]] == causes
    assert lines[header + 7] == "            and 2 more causes (table recorded_cost_causes)"


def test_equal_recorded_costs_are_said_to_be():
    assert "recorded    2 of 2 compared calls cost what the log says (0.0006 USD)" in of(
        {"ledger": [{"recorded_cost_pico": 300_000_000}] * 2}
    )


def test_many_unpriced_models_are_cut_to_those_with_the_most_tokens():
    lines = of({"ledger": [{"model": f"m-{number}", "input_tokens": number} for number in range(1, 14)]})
    told = [line for line in lines if line.startswith("unpriced")]
    assert told[0] == "unpriced    1 call, 23 tokens of openai/m-13: no price for this model"
    assert len(told) == 11 and told[-1] == "unpriced    and 3 more models (table unpriced)"
    prices = [line for line in lines if "USD_PER_MILLION" in line]
    assert len(prices) == 20 and not any("m-3," in line for line in prices)


def test_a_call_without_a_model_has_no_line_for_a_price_file():
    lines = of({"ledger": [{"model": None}]})
    assert "unpriced    1 call, 110 tokens of openai/-: the log names no model" in lines
    assert not any("USD_PER_MILLION" in line for line in lines)


def test_rates_that_match_no_call_are_told():
    rates = [{"model": "gpt-55", "token_class": name} for name in ("output", "input")]
    rates += [{"model": model, "provider": None} for model in ("a", "b", "z")]
    assert (
        "prices      5 rates of the price file match no call: a (input); b (input); "
        "openai/gpt-55 (input, output); and 1 more model (table unmatched_rates)"
    ) in of({"ledger": [{}], "unmatched_rates": rates})


def test_costs_without_revenue_in_the_totals_are_told(query):
    assert "all: revenue of 1 feature, cost of all 3" in printed(query).splitlines()
    by_user = printed(query, "user").splitlines()
    assert "all: no revenue is told by user, so it stands against the cost of all" in by_user
    everything = {"ledger": [{"feature": "triage"}], "revenue": SHOP["revenue"]}
    assert not any(line.startswith("all:") for line in of(everything))
    assert not any(line.startswith("all:") for line in of({"ledger": [{}, {"feature": "triage"}]}))


def test_margin_that_is_lost_is_said(query):
    lines = printed(query).splitlines()
    margins = lines[next(number for number, line in enumerate(lines) if line.startswith("Margin when")) :]
    triage = next(line for line in margins if line.startswith("triage"))
    assert triage.split() == ["triage", "0.30", "0.05269", "0.1269", "-0.07097", "LOST", "+21.3%"]


def test_margin_without_the_cost_of_some_calls_is_at_most():
    ledger = [{"feature": "part"}, {"feature": "part", "model": "model-x"}, {"feature": "whole"}]
    lines = of(
        {"ledger": ledger, "revenue": [{"feature": name, "revenue_pico": 4 * 10**8} for name in ("part", "whole")]}
    )
    margins = lines[next(number for number, line in enumerate(lines) if line.startswith("Margin when")) :]
    margins = margins[: margins.index("")]
    rows = {line.split()[0]: line.split()[1:] for line in margins if line.startswith(("part", "whole"))}
    assert rows["part"] == ["0.0004", "<0.0001", "<0.00019", "<-0.00005", "LOST", "<+33.3%"]
    assert rows["whole"] == ["0.0004", "0.0001", "0.00019", "-0.00005", "LOST", "+33.3%"]
    assert lines[-2:] == ["+ calls without a price come on top", "< at most: calls without a price would lower it"]


def test_legend_of_margins_needs_a_margin():
    assert not any(line.startswith("<") for line in of({"ledger": [{}, {"model": "model-x"}]}))


def test_revenue_that_counts_in_nothing_is_told():
    march = {"period_start": date(2026, 3, 1), "period_end": date(2026, 4, 1), "revenue_pico": 1}
    april = {"period_start": date(2026, 4, 1), "period_end": date(2026, 5, 1), "revenue_pico": 1}
    lines = of({"ledger": [{}], "revenue": [march, april, april, march | {"feature": "triag"}]})
    told = "3 rows do not count: 2 outside the log's days, 1 for a feature that no call has (table revenue)"
    assert f"revenue     {told}" in lines
    one = of({"ledger": [{}], "revenue": [{"feature": "triag", "revenue_pico": 1}]})
    assert "revenue     1 row does not count: 1 for a feature that no call has (table revenue)" in one


def test_revenue_of_other_days_than_the_calls_is_told():
    def told(start, end, *days):
        ledger = [{"called_at": f"2026-03-{day:02}T12:00:00+00:00"} for day in days]
        amount = {"period_start": start, "period_end": end, "revenue_pico": 1}
        return [line for line in of({"ledger": ledger, "revenue": [amount]}) if line.startswith("revenue")]

    march = (date(2026, 3, 1), date(2026, 4, 1))
    assert told(*march, 1, 1, 20) == ["revenue     is for 2026-03-01 to 2026-03-31, the calls are of 2 of its 31 days"]
    two = (date(2026, 3, 1), date(2026, 3, 3))
    assert told(*two, 1, 2) == told(None, None, 1) == []
    assert told(*two, 1, 2, 5) == [
        "revenue     is for 2026-03-01 to 2026-03-02, the calls are of 2 of its 2 days and 1 beside"
    ]


def test_a_title_is_as_wide_as_the_console():
    scenarios = {"actual": "1"} | {f"+{number}%": str(number) for number in range(1, 5)}
    lines = of({"ledger": [{"feature": "a"}], "revenue": [{"feature": "a", "revenue_pico": 1}], "scenarios": scenarios})
    assert lines.count("Margin when prices move, by feature (USD; LOST: below zero)") == 2


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


def test_what_is_told_of_prices():
    """Free, uncertain, rounded, revised, apart: each in a line of its own, with its money."""
    given = {
        "rate_cards": [
            {},
            {"model": "gift", "input_rate": 0, "cache_read_rate": 0, "output_rate": 0, "price_status": "free"},
            {"is_batch": True, "price_status": "context_unmatched"},
            {"model": "cousin", "price_status": "fallback_provider"},
        ],
        "book_rates": [{}],  # half of what is believed now
        "price_book": [{"note": "rounded to 1e-12"}],
        "contract_terms": [{"kind": "commitment", "amount_pico": builders.USD}],
        "ledger": [
            {"called_at": "2026-02-28T00:00:00+00:00", "model": "gift"},
            {"called_at": "2026-04-01T00:00:00+00:00", "model": "gift"},
            {},
            {"model": "gift"},
            {"is_batch": True},
            {"model": "cousin"},
        ],
    }
    with builders.catalogue(given) as connection:
        lines = printed(lambda sql: warehouse.frame_of(connection, sql)).splitlines()
    for line in (
        "uncertain   1 call, 0.0003 USD, 0.00015 at least: no price for their tier or batch, so the standard one "
        "(openai/model-a; table price_certainty)",
        "uncertain   1 call, 0.0003 USD: another provider's price for the same model "
        "(openai/cousin; table price_certainty)",
        "free        3 calls, said to cost nothing: openai/gift",
        "prices      1 rate rounded to 1e-12 USD (table price_book, note)",
        "revised     price book revision since the last build: 0.00015 USD "
        "(openai/model-a 0.00015; table price_book_revision)",
        "apart       0.9991 USD short of commitments: beside the cost of tokens, in the margins (table costs_apart)",
    ):
        assert line in lines, line


def test_what_a_contract_does_not_reckon_or_allocate_is_told():
    bill = {"kind": "time", "amount_pico": 3, "valid_from": "2026-03-01", "valid_to": "2026-03-02"}
    terms = [{"kind": "commitment", "amount_pico": builders.USD}] * 2
    terms += [bill | {"allocate_by": "busy"}, bill | {"allocate_by": "tokens", "output_weight": 1}]
    terms += [bill | {"allocate_by": "busy", "model": model} for model in ("model-b", "unused")]
    calls = [{}, {"latency_seconds": 1.0}, {"output_tokens": None}, {"model": "model-b"}]
    calls += [{"called_at": "2026-03-02T00:00:00+00:00"}]
    with builders.catalogue({"contract_terms": terms, "ledger": calls}) as connection:
        lines = printed(lambda sql: warehouse.frame_of(connection, sql)).splitlines()
    assert [line for line in lines if "line " in line or "apart " in line or "more that" in line] == [
        "apart       0.000000000006 USD of bills for time, 0.000000000006 USD of bills for time that no call bears: "
        "beside the cost of tokens, in the margins (table costs_apart)",
        "apart       3 calls tell no time and bear nothing of the bill of line 4",
        "apart       1 call does not tell all tokens: none but those told bear a part of the bill of line 5",
        "apart       1 call tells no time and bears nothing of the bill of line 6",
        "prices      the time of line 7 of the price file matches no call: unused",
        "prices      the commitment of line 2 is not reckoned for 2026-03: the log has 2 of its 31 days",
        "prices      the commitment of line 3 is not reckoned for 2026-03: the log has 2 of its 31 days",
    ]

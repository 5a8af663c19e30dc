"""Published recordings with known answers, end to end; they are not part of the project, so where they are absent these
tests say so and skip."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines import stages
from pipelines.report import terminal
from pipelines.settings import Settings
from tests.builders import SHARED

DATA = SHARED / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here: recordings with known answers")

AIDER = """
[log.aider]
match = { event = "*", properties = "*" }
calls_where = { event = "message_send" }
null_values = ["None"]
provider_from_model_prefix = true

[log.aider.fields]
model = "properties.main_model"
called_at = { path = "time", unit = "unix_s" }
input_tokens = "properties.prompt_tokens"
output_tokens = "properties.completion_tokens"
recorded_cost_usd = "properties.cost"
user_id = "user_id"
feature = "properties.edit_format"
"""

TICKETS = """
[log.agent_runs]
match = { session_id = "*", modelUsage = "*" }
open = "modelUsage"
input_includes_cache = false

[log.agent_runs.fields]
provider = { const = "anthropic" }
model = "$key"
input_tokens = ".inputTokens"
output_tokens = ".outputTokens"
cache_read_tokens = ".cacheReadInputTokens"
cache_write_tokens = ".cacheCreationInputTokens"
cache_write_1h_tokens = { path = "usage.cache_creation.ephemeral_1h_input_tokens", of_key = "model" }
recorded_cost_usd = ".costUSD"
action_id = "ticket"
feature = "area"

[outcomes.tickets]
match = { ticket = "*", state = "*" }

[outcomes.tickets.fields]
subject_id = "ticket"
outcome = { const = "done" }
is_success = { path = "state", equals = "done" }
"""

# The log names Bedrock's ids; Claude Code costs them at Anthropic's list prices, so that is what they are compared at.
TICKET_PRICES = """provider,model,token_class,usd_per_million,valid_from
anthropic,us.anthropic.claude-opus-4-6-v1,input,5,
anthropic,us.anthropic.claude-opus-4-6-v1,output,25,
anthropic,us.anthropic.claude-opus-4-6-v1,cache_read,0.5,
anthropic,us.anthropic.claude-opus-4-6-v1,cache_write_other,6.25,
anthropic,us.anthropic.claude-haiku-4-5-20251001-v1:0,input,1,
anthropic,us.anthropic.claude-haiku-4-5-20251001-v1:0,output,5,
anthropic,us.anthropic.claude-haiku-4-5-20251001-v1:0,cache_read,0.1,
anthropic,us.anthropic.claude-haiku-4-5-20251001-v1:0,cache_write_other,1.25,
"""


def run(folder: Path, toml: str, logs: Path, **arguments) -> Settings:
    config = folder / "tokenspread.toml"
    config.write_text(toml)
    settings = Settings.load(config, logs=[str(logs)], data=folder / "data", **arguments)
    stages.ingest(settings)
    stages.build(settings)
    return settings


def one(settings: Settings, query: str) -> tuple:
    return stages.query(settings, query).row(0)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("claude-code-log", (878, 60_832, 181_363, 36_970_931)), ("claude-code-viewer", (199, None, None, None))],
)
def test_claude_code_sessions(tmp_path, folder, expected):
    settings = run(tmp_path, "", DATA / "claude_code_sessions" / folder)
    query = "select count(*), sum(uncached_input_tokens), sum(output_tokens), sum(cache_read_tokens) from calls"
    found = one(settings, query)
    assert [want for want in expected if want is not None] == [
        got for got, want in zip(found, expected, strict=True) if want is not None
    ]


def dated_prices() -> Iterator[tuple]:
    """The history of one price table as a price file: each price from the commit that brought it into the table, a
    model's first price also for all that went before."""
    ids = {"gemini": "google", "fireworks_ai": "fireworks"}
    rows = map(json.loads, (DATA / "price_history" / "tokencost_price_changes.jsonl").read_text().splitlines())
    known: dict[tuple, Decimal] = {}
    for row in rows:
        prefix, _, rest = row["model"].partition("/")
        if prefix in ("azure_ai", "codestral", "text-completion-codestral"):
            continue  # another door of a provider that the table has too, at other prices
        provider, model = (ids.get(prefix, prefix), rest) if rest else ("", prefix)
        for token_class in ("input", "output"):  # the log tells of no other; what caches cost is the catalogue's
            rate = row.get(f"{token_class}_cost_per_token")
            key = provider, model, token_class
            if rate is None or known.get(key) == (price := Decimal(repr(rate)) * 10**6):
                continue
            # more decimals than a pico-USD a token are float noise of the table
            cells = f"{price.quantize(Decimal('0.000001')):f}", row["committed_at"] if key in known else ""
            known[key] = price
            yield *key, *cells


def test_aider_through_a_mapping_at_dated_prices(tmp_path):
    prices = tmp_path / "prices.csv"
    with prices.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["provider", "model", "token_class", "usd_per_million", "valid_from"])
        writer.writerows(dated_prices())
    settings = run(tmp_path, AIDER, DATA / "aider_analytics" / "aider_analytics_union.jsonl", prices=prices)
    lines = one(
        settings, "select line_count, call_count, other_count, quarantined_count from files where kind = 'calls'"
    )
    assert lines == (39_572, 5_563, 34_009, 0)
    query = (
        "select count(*), count(*) filter (abs(cost_usd - recorded_cost_usd) <= 0.000001) "
        "from calls where cost_usd is not null and recorded_cost_usd is not null"
    )
    compared, equal = one(settings, query)
    assert (compared, equal) == (5_131, 5_043)
    assert equal >= 4_911 and equal / compared >= 4_911 / 5_021
    causes = stages.query(settings, "select likely_cause, sum(call_count) from recorded_cost_causes group by all")
    assert dict(causes.rows()) == {
        "an outlier": 1,
        # DeepSeek R1 at Fireworks cost 8 USD both ways until it cost 3 and 8, all that the table ever knew
        "input at the output rate": 53,
        "0.1 times ours": 4,  # Kimi K2, a tenth of the list price
        # cache reads and writes are in the recorded cost, and not in the log: Sonnet, Haiku, DeepSeek, o3, Flash-Lite
        "perhaps cached tokens that the log does not tell": 30,
    }
    assert sum(causes["sum(call_count)"]) == compared - equal
    largest = one(settings, "select recorded_cost_usd, cost_usd from calls order by recorded_cost_usd desc nulls last")
    assert largest[0] > 9_990 and largest[1] < 1
    (total,) = one(settings, "select cost_usd from tokens_per_action where feature is null and user_id is null")
    assert total < 250  # the outlier is in no total


def test_tickets_through_a_mapping_with_cost_per_done_ticket(tmp_path):
    prices = tmp_path / "prices.csv"
    prices.write_text(TICKET_PRICES)
    tickets = DATA / "scriptorium_tickets"
    outcomes = [tickets / "tickets.jsonl"]
    settings = run(tmp_path, TICKETS, tickets / "agent_runs.jsonl", prices=prices, outcomes=outcomes)
    runs, unknown, recorded = one(
        settings,
        "select count(distinct line_number), count(distinct line_number) filter (price_status = 'usage_unknown'), "
        "sum(recorded_cost_usd) from calls",
    )
    assert (runs, unknown, round(recorded, 4)) == (131, 9, Decimal("146.8766"))
    causes = stages.query(settings, "select likely_cause, model, call_count, gap_usd from recorded_cost_causes")
    assert {row[:-1]: round(row[-1], 4) for row in causes.rows()} == {
        ("rates of claude-opus-4-6", "claude-sonnet-4-6", 11): Decimal("6.7960"),
        ("1-hour writes at the 5-minute rate", "claude-opus-4-6", 27): Decimal("-4.8319"),
        ("1-hour writes at the 5-minute rate", "claude-sonnet-4-6", 11): Decimal("-0.9010"),
    }
    by_cause = stages.query(settings, "select likely_cause, sum(gap_usd) from recorded_cost_causes group by all")
    assert {cause: round(gap, 2) for cause, gap in by_cause.rows()} == {
        "rates of claude-opus-4-6": Decimal("6.80"),
        "1-hour writes at the 5-minute rate": Decimal("-5.73"),
    }
    (equal,) = one(settings, "select count(*) from calls where abs(cost_usd - recorded_cost_usd) <= 0.000001")
    assert equal + 27 == 125  # of 136 cost what the list says, as long as all writes cost what five-minute ones do
    printed = io.StringIO()
    terminal.write(lambda query: stages.query(settings, query), "model", "text", printed)
    assert (
        "            11 calls of anthropic/claude-sonnet-4-6 cost 6.80 USD more in the log: rates of claude-opus-4-6\n"
        "            38 calls of 2 models cost 5.73 USD less in the log: 1-hour writes at the 5-minute rate\n"
    ) in printed.getvalue()
    areas = stages.query(
        settings,
        "select feature, cost_per_outcome_usd, labelled_cost_usd, success_count from cost_per_outcome "
        "where outcome = 'done' and feature is not null and user_id is null",
    )
    assert areas.height == one(settings, "select count(distinct feature) from calls")[0]
    assert sum(areas["success_count"]) == 73
    # every attempt counts: what the areas' tickets cost is all that was spent on them
    assert sum(areas["labelled_cost_usd"]) == one(settings, "select sum(cost_usd) from calls")[0]

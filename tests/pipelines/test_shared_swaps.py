"""Swaps in published recordings, as a reader of these logs would name them; skipped where the recordings are absent."""

import csv
from datetime import date

import polars as pl
import pytest

from pipelines import stages
from tests.pipelines.test_shared_data import AIDER, DATA, TICKET_PRICES, TICKETS, dated_prices, run

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here: recordings with known answers")

SONNET_35, SONNET_37 = "claude-3-5-sonnet-20241022", "claude-3-7-sonnet-20250219"
# One developer's log, whose editing went through these main models: DeepSeek V3 when it came out, its other name for a
# day, back to Sonnet, the new Sonnet the day after it came out, the same at another provider for a day, and so on.
DIFF = [
    (date(2024, 12, 28), SONNET_35, "deepseek-chat"),
    (date(2025, 1, 9), "deepseek-chat", "deepseek-coder"),
    (date(2025, 1, 11), "deepseek-coder", "deepseek-chat"),
    (date(2025, 1, 27), "deepseek-chat", SONNET_35),
    (date(2025, 2, 25), SONNET_35, SONNET_37),
    (date(2025, 4, 13), SONNET_37, "anthropic/claude-3.7-sonnet"),
    (date(2025, 4, 17), "anthropic/claude-3.7-sonnet", "o3"),
    (date(2025, 5, 25), "o3", "claude-sonnet-4-20250514"),
]


def test_aiders_swaps_are_found_and_its_price_changes_are_none(tmp_path):
    prices = tmp_path / "prices.csv"
    with prices.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["provider", "model", "token_class", "usd_per_million", "valid_from"])
        writer.writerows(dated_prices())
    settings = run(tmp_path, AIDER, DATA / "aider_analytics" / "aider_analytics_union.jsonl", prices=prices)
    swaps = stages.query(settings, "from model_swaps() order by feature, swapped_on")
    found = swaps.filter(feature="diff").select("swapped_on", "from_model", "to_model").rows()
    assert found == DIFF
    by_feature = dict(swaps["feature"].value_counts().iter_rows())
    assert by_feature == {"ask": 7, "context": 2, "diff": 8, "diff-fenced": 1, "whole": 1}
    # three models changed their price within the log, and went on: that is in their price per million, and no swap
    repriced = stages.query(
        settings,
        "select model from calls where model in ('o3', 'deepseek-chat', 'claude-3-5-haiku-20241022') "
        "group by model having count(distinct card_id) > 1 order by model",
    )
    assert repriced["model"].to_list() == ["claude-3-5-haiku-20241022", "deepseek-chat", "o3"]
    repriced = set(repriced["model"])
    assert not repriced & {*swaps.filter(pl.col("from_model") == pl.col("to_model"))["from_model"]}
    first = swaps.filter(feature="diff").row(0, named=True)
    assert (first["from_action_count"], first["to_action_count"]) == (897, 177)
    # a quarter fewer tokens, at a twentieth of the price
    assert first["tokens_ratio_low"] < 0.768 < first["tokens_ratio_high"] < 1
    assert first["to_price_per_million_usd"] * 20 < first["from_price_per_million_usd"]


def test_tickets_tell_no_time_so_models_are_compared_undated(tmp_path):
    prices = tmp_path / "prices.csv"
    prices.write_text(TICKET_PRICES)
    tickets = DATA / "scriptorium_tickets"
    settings = run(tmp_path, TICKETS, tickets / "agent_runs.jsonl", prices=prices, outcomes=[tickets / "tickets.jsonl"])
    assert stages.query(settings, "from model_swaps(least_action_count := 1)").is_empty()
    query = (
        "select feature, basis, from_action_count, to_action_count, mixed_action_count, from_labelled_count, "
        "to_labelled_count from swap_evidence('claude-opus-4-6', 'us.anthropic.claude-opus-4-6-v1') "
        "where token_class = 'total' order by feature"
    )
    assert stages.query(settings, query).rows() == [
        ("config-testing", "undated", 1, 4, 0, 1, 4),
        ("parallel-execution", "undated", 1, 7, 6, 1, 7),
    ]

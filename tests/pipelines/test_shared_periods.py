"""The bridge on a published recording in which three models changed price: that is price, and nothing else is."""

import csv
from decimal import Decimal

import pytest

from pipelines import stages
from tests.pipelines import test_shared_data as shared

pytestmark = shared.pytestmark

# model: days before and after, USD per million input and output tokens before and after (the table's commit dates)
CHANGES = {
    "o3": (("2025-04-17", "2025-05-11"), ("2025-07-10", "2025-08-07"), (10, 40), (2, 8)),
    "deepseek/deepseek-chat": (("2024-12-26", "2025-02-06"), ("2025-03-24", "2025-03-26"),
                               ("0.14", "0.28"), ("0.27", "1.1")),
    "claude-3-5-haiku-20241022": (("2024-11-07", "2025-02-09"), ("2025-03-22", "2025-03-22"), (1, 5), ("0.8", 4)),
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aider")
    with (folder / "prices.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["provider", "model", "token_class", "usd_per_million", "valid_from"])
        writer.writerows(shared.dated_prices())
    log = shared.DATA / "aider_analytics" / "aider_analytics_union.jsonl"
    return shared.run(folder, shared.AIDER, log, prices=folder / "prices.csv")


@pytest.mark.parametrize("model", CHANGES)
def test_a_price_change_inside_the_log_is_price(settings, model):
    first, second, before, after = CHANGES[model]
    days = ", ".join(f"'{day}'" for day in first + second)
    rows = stages.query(settings, f"from bridge({days}, dimension := 'model')").to_dicts()
    (row,) = (row for row in rows if row["name"] == model)
    usage = (
        "select sum(input_tokens), sum(output_tokens) from calls where cost_usd is not null "
        f"and concat_ws('/', provider, model) = '{model}' and day between '{second[0]}' and '{second[1]}'"
    )
    input_tokens, output_tokens = shared.one(settings, usage)
    rises = [Decimal(new) - Decimal(old) for old, new in zip(before, after, strict=True)]
    assert row["price_usd"] == (input_tokens * rises[0] + output_tokens * rises[1]) / 10**6
    assert row["price_usd"] != 0 and row["model_mix_usd"] == row["new_usd"] == row["gone_usd"] == 0
    # the rest is volume and the mix of input and output, at the old price
    at_old_prices = (input_tokens * Decimal(before[0]) + output_tokens * Decimal(before[1])) / 10**6
    assert row["change_usd"] - row["price_usd"] == at_old_prices - row["from_cost_usd"]
    # whatever else was used on both sides kept its price
    assert {row["name"] for row in rows if row["price_usd"]} == {model, "all"}

"""The recorded logs yield what plain loops that share no code with us counted in them (EXPECTED.json)."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines import stages
from pipelines.settings import Settings

SAMPLES = Path(__file__).parents[2] / "sample_logs" / "support_desk"
EXPECTED = json.loads((SAMPLES / "EXPECTED.json").read_text())
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    settings = Settings(
        logs=(str(SAMPLES),),
        outcomes=(SAMPLES / "outcomes.jsonl",),
        revenue=SAMPLES / "revenue.csv",
        prices=SAMPLES / "prices.csv",
        data=tmp_path_factory.mktemp("samples") / "data",
    )
    stages.ingest(settings)
    stages.build(settings)
    return settings


def ask(settings: Settings, query: str) -> list[dict]:
    return stages.query(settings, query).to_dicts()


def test_the_folder_as_a_whole(settings):
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in TOKENS)
    (found,) = ask(settings, f"select count(*)::bigint as calls, {sums} from calls")
    assert found == {name: EXPECTED["total"][name] for name in ("calls", *TOKENS)}
    (lines,) = ask(
        settings,
        "select sum(line_count)::bigint as lines, sum(duplicate_count)::bigint as duplicates, "
        "sum(other_count)::bigint as other_lines, sum(quarantined_count)::bigint as quarantined from files "
        "where shape <> 'outcomes'",
    )
    total = EXPECTED["total"]
    duplicates = total["duplicates_within"] + total["duplicates_across"]
    assert lines == {"duplicates": duplicates} | {name: total[name] for name in lines if name != "duplicates"}


@pytest.mark.parametrize("name", sorted(EXPECTED["files"]))
def test_each_file(settings, name):
    query = (
        f"select shape, line_count as lines, other_count as other_lines, quarantined_count as quarantined, "
        f"call_count + duplicate_count as told from files where path like '%/{name}'"
    )
    (found,) = ask(settings, query)
    expected = EXPECTED["files"][name]
    told = expected["calls"] + expected["duplicates_within"]
    assert found == {"told": told} | {key: expected[key] for key in found if key != "told"}


@pytest.mark.parametrize("feature", sorted(EXPECTED["support_desk"]["features"]))
def test_each_feature_of_the_support_desk(settings, feature):
    expected = EXPECTED["support_desk"]["features"][feature]
    (found,) = ask(
        settings,
        "select action_count, labelled_count, success_count, cost_usd from cost_per_outcome "
        f"where feature = '{feature}' and user_id is null and outcome is null",
    )
    assert found == {
        "action_count": expected["actions"],
        "labelled_count": expected["labelled_actions"],
        "success_count": expected["successes"],
        "cost_usd": Decimal(expected["cost_usd"]),
    }
    (actual,) = ask(
        settings,
        "select revenue_usd, margin_usd from scenario_comparison "
        f"where feature = '{feature}' and user_id is null and scenario = 'actual'",
    )
    assert actual == {name: Decimal(expected[name]) for name in ("revenue_usd", "margin_usd")}

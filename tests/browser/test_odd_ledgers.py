"""Pages of ledgers that lack something, or whose names mean harm."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import scenario_desk
from pipelines.report.text import money
from tests.browser.figures import UNKNOWN, move, rows

pytestmark = pytest.mark.xdist_group("browser")

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<b>bold</b>",
    "\u202egnp.exe",
    "{{script}} ${alert(1)} javascript:alert(1)",
    "line\u2028break\u0007",
    "=cmd|' /C calc'!A1",
]


def call(number: int, **more: Any) -> dict[str, Any]:
    return {
        "call_id": f"c-{number}",
        "called_at": f"2026-03-{number % 28 + 1:02}T10:00:00Z",
        "provider": "openai",
        "model": "gpt-5-mini",
        "feature": "search",
        "user_id": f"u-{number % 3}",
        "action_id": f"a-{number}",
        "input_tokens": 1_000_000,
        "output_tokens": 1_000,
        "outcome": "done",
        "is_success": number % 2 == 0,
        **more,
    }


def test_names_from_logs_are_text(open_page: Callable, ledger_of: Callable) -> None:
    names = {"feature": HOSTILE, "user_id": HOSTILE, "model": [*HOSTILE, "gpt-5-mini"]}
    calls = [call(number, **{field: some[number % len(some)] for field, some in names.items()}) for number in range(42)]
    opened = open_page(ledger_of(calls).page)
    tab = opened.tab
    shown = tab.locator("#features .opener").all_inner_texts()
    assert sorted(shown) == sorted([*HOSTILE[:2], "\\u202egnp.exe", HOSTILE[3], "line\\u2028break\\x07", HOSTILE[5]])
    for button in tab.locator(".opener").all():
        button.click()
    for fold in tab.locator("details").all():
        fold.evaluate("(one) => { one.open = true; }")
    assert tab.locator("img, body b b").count() == 0 and tab.locator("main script").count() == 0
    assert "\u202e" not in tab.locator("html").inner_text()
    assert opened.troubles == []


def test_a_long_name_leaves_the_figures_of_its_row_in_sight(open_page: Callable, ledger_of: Callable) -> None:
    long = "x" * 300
    opened = open_page(ledger_of([call(number, feature=long, user_id=long, model=long) for number in range(3)]).page)
    for table in ("#features", "#users"):
        name, next_cell = (opened.tab.locator(f"{table} {cell}").first for cell in (".opener", "tbody td"))
        assert name.evaluate("(one) => one.scrollWidth <= one.clientWidth")
        assert name.bounding_box()["width"] < 300 < next_cell.bounding_box()["x"] + next_cell.bounding_box()["width"]
    assert opened.tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert opened.tab.locator("#basis table").first.evaluate("(one) => one.scrollWidth") < 1300


NO_TIME = {"called_at": None}
NO_OUTCOME = {"outcome": None, "is_success": None}
LEDGERS = {
    "empty": ([], "There is no call in the ledger yet"),
    "no outcome": ([call(number, **NO_OUTCOME) for number in range(5)], "no outcome is told"),
    "no success": ([call(2 * number + 1) for number in range(5)], "No labelled action has a priced success"),
    "no revenue": ([call(number) for number in range(5)], "no revenue is told"),
    "no time": ([call(number, **NO_TIME) for number in range(5)], "5 calls in 5 actions"),
    "one day": ([call(number * 28) for number in range(5)], "5 calls in 5 actions"),
    "no price": ([call(number, model="nobody's") for number in range(5)], "5 calls in 5 actions"),
    "nobody": ([call(number, user_id=None, feature=None) for number in range(5)], "5 calls in 5 actions"),
}


@pytest.mark.parametrize("what", LEDGERS)
def test_what_a_ledger_lacks_is_said(open_page: Callable, ledger_of: Callable, what: str) -> None:
    calls, said = LEDGERS[what]
    opened = open_page(ledger_of(calls).page)
    tab = opened.tab
    assert said in tab.locator("#lead").inner_text()
    assert tab.locator("#basis h2").is_visible()
    text = tab.locator("main").inner_text()
    for nonsense in ("NaN", "undefined", "null", "Infinity", "[object"):
        assert nonsense not in text
    assert ("when prices move" in text.lower()) == (what != "empty")
    assert opened.troubles == []


def test_prices_that_changed_and_swaps_are_marked(open_page: Callable, ledger_of: Callable, tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text(
        "provider,model,token_class,usd_per_million,valid_from\n"
        "openai,gpt-5-mini,input,1,2026-01-01\nopenai,gpt-5-mini,input,2,2026-03-15\n"
    )
    calls = [
        call(day * 100 + number, called_at=f"2026-03-{day + 1:02}T10:00:00Z", model=model)
        for day in range(28)
        for number in range(10)
        for model in ["gpt-5-mini" if day < 18 else "gpt-5.2"]
    ]
    opened = open_page(ledger_of(calls, prices=prices).page)
    part = opened.tab.locator("#time")
    assert [text for text in part.locator("svg text").all_text_contents() if text in ("S", "P")].count("S") == 1
    for fold in part.locator("details:not(.sql):not(.numbers) > summary").all():
        fold.click()
    part.get_by_text("search, 19 Mar 2026: openai/gpt-5-mini gave way to openai/gpt-5.2").wait_for()
    part.get_by_text("15 Mar 2026: openai/gpt-5-mini, input from 1.00 to 2.00 USD a million").wait_for()
    assert "the two halves of the log" in opened.tab.locator("#bridge").inner_text().lower()
    assert opened.troubles == []


def test_what_a_contract_makes_of_margins_is_exact_where_it_is_computed(
    open_page: Callable, ledger_of: Callable, tmp_path: Path
) -> None:
    prices, revenue = tmp_path / "prices.csv", tmp_path / "revenue.csv"
    prices.write_text(
        "kind,provider,model,token_class,usd_per_million,above_usd_per_month,multiplier,usd_per_month,valid_from\n"
        ",openai,gpt-5-mini,input,1,,,,2026-01-01\n,openai,gpt-5-mini,output,1,,,,2026-01-01\n"
        "volume_tier,openai,*,,,5,0.5,,2026-01-01\ncommitment,openai,*,,,,,9,2026-01-01\n"
    )
    revenue.write_text("feature,revenue_usd\nsearch,9.5\n")
    calls = [call(number, called_at=f"2026-03-{3 * number + 1:02}T10:00:00Z") for number in range(11)]  # all of March
    ledger = ledger_of(calls, prices=prices, revenue=revenue)
    tab = open_page(ledger.page).tab
    changes = [-60, -30, 0, 35, 100]
    told = scenario_desk.chosen(ledger.settings, [f"{change:+}%" for change in changes if change], None)
    with scenario_desk.asked(told, ledger.settings, "scenario_by_dimension") as ask:
        scenarios = ask("from scenario_by_dimension where name = 'search'").to_dicts()
    margins = {
        row["scenario"]: money(row["margin_usd"]) + (" LOST" if row["margin_usd"] < 0 else "") for row in scenarios
    }
    assert margins["-60%"] == margins["actual"] != margins["+100%"], "the commitment does nothing: the test is stale"
    for change in changes:
        move(tab, change)
        assert rows(tab)["search"]["margin"] == margins[f"{change:+}%" if change else "actual"]
    move(tab, 37)
    assert rows(tab)["search"]["margin"].startswith("\N{ALMOST EQUAL TO}")
    move(tab, 10, "openai")
    assert rows(tab)["search"]["margin"] == UNKNOWN
    assert "volume tiers or a commitment" in tab.locator("#spend-note").inner_text()


def test_a_model_without_a_provider_moves_with_its_dated_versions(open_page: Callable, ledger_of: Callable) -> None:
    models = ["gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5.2"]
    ledger = ledger_of(
        [call(number, provider=None, model=models[number % 3], feature=f"f-{number % 3}") for number in range(9)]
    )
    tab = open_page(ledger.page).tab
    for model, moved in {"gpt-5-mini": {"f-0", "f-1"}, "gpt-5-mini-2025-08-07": {"f-1"}}.items():
        move(tab, 20, model)
        told = ledger.ask(f"from reprice(20, of_model := '{model}') where dimension = 'feature'")
        assert {row["name"] for row in told if row["change_usd"]} == moved, "reprice moves others: the test is stale"
        shown = {name: row["cost"] for name, row in rows(tab).items()}
        assert shown == {row["name"]: money(row["repriced_cost_usd"]) for row in told}

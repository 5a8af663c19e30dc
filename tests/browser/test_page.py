"""The page in a real browser: what it shows, what it does, and that it asks nobody for anything."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from pipelines.report.page.numbers import percent
from pipelines.report.terminal import at_most, cost
from pipelines.report.text import money, share
from tests.browser.figures import UNKNOWN, move, rows

pytestmark = pytest.mark.xdist_group("browser")

CONTRAST = """() => {
  const parsed = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parsed(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const poor = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const isEmpty = !walker.currentNode.textContent.trim();
    if (isEmpty || !element.getClientRects().length || element.closest("option, :disabled")) continue;
    seen += 1;
    const isDrawn = element.closest("svg") !== null;
    const ink = light(parsed(getComputedStyle(element)[isDrawn ? "fill" : "color"]));
    const paper = light(behind(isDrawn ? element.closest(".chart") : element));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) poor.add(`${ratio.toFixed(2)}: ${element.textContent.slice(0, 30)}`);
  }
  return [seen, [...poor]];
}"""


def as_shown(row: dict[str, Any]) -> dict[str, str]:
    """A row of a scenario as the terminal shows it."""
    lost = " LOST" if row["survives"] is False else ""
    told = {
        "cost": cost(row, "cost_usd"),
        "outcome": cost(row, "cost_per_outcome_usd"),
        "margin": at_most(row, "margin_usd", money(row["margin_usd"])) + lost,
    }
    return {name: UNKNOWN if text == "-" else text for name, text in told.items()}


def picked(found: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {name: {key: row[key] for key in ("cost", "outcome", "margin")} for name, row in found.items()}


def test_it_loads_without_an_error_and_without_a_request(open_page: Callable, desk: Any) -> None:
    opened = open_page(desk.page)
    assert opened.tab.locator("#lead").inner_text().startswith("304 calls in 213 actions cost 0.1966+ USD.")
    assert opened.tab.locator(".chart svg").count() == 4
    assert opened.troubles == []


@pytest.mark.parametrize(("change", "scenario"), [(-30, "-30%"), (0, "actual"), (50, "+50%")])
def test_the_slider_meets_the_scenarios(open_page: Callable, desk: Any, change: int, scenario: str) -> None:
    tab = open_page(desk.page).tab
    move(tab, change)
    told = desk.ask(f"from scenario_comparison where user_id is null and scenario = '{scenario}'")
    assert picked(rows(tab)) == {row["feature"]: as_shown(row) for row in told if row["feature"] is not None}
    readout = tab.locator("#readout tr:has([aria-current])").locator("td").all_inner_texts()
    assert readout == list(as_shown(next(row for row in told if row["feature"] is None)).values())


@pytest.mark.parametrize("change", [-60, 17, 100])
@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ("anthropic", "of_provider := 'anthropic'"),
        ("openai/support-desk", "of_provider := 'openai', of_model := 'support-desk'"),
    ],
)
def test_a_provider_and_a_model_move_as_reprice_has_it(
    open_page: Callable, desk: Any, scope: str, asked: str, change: int
) -> None:
    tab = open_page(desk.page).tab
    move(tab, change, scope)
    told = desk.ask(f"select * replace (repriced_cost_usd as cost_usd) from reprice({change}, {asked})")
    assert picked(rows(tab)) == {row["name"]: as_shown(row) for row in told if row["dimension"] == "feature"}


def test_the_break_even_is_marked(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    told = desk.ask("from sensitivity where dimension in ('all', 'feature')")
    breaks = {row["name"]: row["break_even_change_share"] for row in told}
    said = tab.locator("#break-even").inner_text()
    assert f"zero at {share(breaks.pop('all'), signed=True)}. At most there: " in said
    mark, now = (tab.locator(f".tick.{name}").bounding_box()["x"] for name in ("gone", "now"))
    low, high = tab.evaluate("""() => {
      const { left, width } = document.getElementById("change").getBoundingClientRect();
      return [left + 11, left + width - 11];
    }""")
    assert mark + 1.5 - low == pytest.approx((high - low) * (-30.3 + 60) / 160, abs=2)
    assert now - low == pytest.approx((high - low) * 60 / 160, abs=2)
    found = rows(tab)
    for name, change in breaks.items():
        assert found[name]["break_even"] == (UNKNOWN if change is None else f"<{share(change, signed=True)}")


def test_a_margin_that_few_features_earn_for_says_so(open_page: Callable, desk: Any) -> None:
    assert "Revenue is told for 3 of 8 features" in open_page(desk.page).tab.locator("#marks").inner_text()


def test_money_is_shown_as_the_terminal_shows_it(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    texts = [
        "0",
        "1",
        "-1",
        "0.99995",
        "0.999949",
        "0.00012345",
        "0.000123450000000001",
        "1234567.895",
        "0.000000000001",
    ]
    texts += ["1.005", "1.015", "-1.015", "12.345", "999.995", "-0.00099996", "0.1", "123456789012345678901.5"]
    texts += ["0.000000000000000001", "0.000000000000001234", "-7.125", "1e-7", "2.5e3"]
    shown = tab.evaluate("(texts) => texts.map((text) => tokenspread.money(tokenspread.attoOf(text)))", texts)
    assert shown == [money(Decimal(text)) for text in texts]


def test_a_share_is_told_as_the_terminal_tells_it(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    parts = [0, 1, -1, 0.00004, 0.9996, -0.9996, 0.1234, -0.3034, 0.0000004, 12.5, 1234.5]
    told = [share(part, signed=True) for part in parts]
    rounded = [percent(part) for part in parts]
    assert tab.evaluate("(parts) => parts.map((part) => tokenspread.share(part, true))", rounded) == told
    ratio = "tokenspread.percentOf(BigInt(Math.round(part * 1e9)), BigInt(1e9))"
    assert tab.evaluate(f"(parts) => parts.map((part) => tokenspread.share({ratio}, true))", parts) == told


def test_a_head_sorts_and_says_so(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    head = tab.locator("#features th[data-key=actions]")
    assert head.get_attribute("aria-sort") == "none"
    head.get_by_role("button").focus()
    tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    counts = [int(row["actions"].replace(",", "")) for row in rows(tab).values()]
    assert counts == sorted(counts, reverse=True) and len(counts) == 8
    tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [int(row["actions"].replace(",", "")) for row in rows(tab).values()] == sorted(counts)
    tab.locator("#features th[data-key=margin] button").click()
    margins = [row["margin"] for row in rows(tab).values()]
    assert margins[3:] == [UNKNOWN] * 5 and margins[0] == "<0.03025"


def test_a_search_leaves_the_rows_that_hold_it(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    search = tab.get_by_role("searchbox", name="Search users by name")
    search.fill("AGENT-K")
    names = [row["name"] for row in desk.ask("from unit_economics where dimension = 'user'")]
    assert sorted(rows(tab, "users")) == sorted(name for name in names if "agent-k" in name)
    search.fill("nobody at all")
    assert rows(tab, "users") == {} and "No user has such a name." in tab.locator("#users .status").inner_text()


def test_a_row_opens_by_the_keyboard(open_page: Callable, desk: Any) -> None:
    opened = open_page(desk.page)
    tab = opened.tab
    button = tab.get_by_role("button", name="reply", exact=True)
    button.focus()
    tab.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    detail = tab.get_by_role("region", name="Details of reply")
    text = detail.inner_text()
    for told in ("smollm2-135m-instruct", "input", "p90", "36 (67.9%", "None was found."):
        assert told in text
    detail.locator(".chart svg").wait_for()
    tab.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "false" and detail.count() == 0
    assert opened.troubles == []


def test_the_slider_is_moved_by_the_keyboard(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    tab.focus("#change")
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert tab.locator("#changed").inner_text() == "+3%"
    assert tab.locator("#change").get_attribute("aria-valuetext") == "everything: +3%"
    told = desk.ask("from reprice(3)")
    assert rows(tab)["shop"]["cost"] == money(next(row["repriced_cost_usd"] for row in told if row["name"] == "shop"))


def test_paper_shows_the_charts_and_not_what_is_to_be_clicked(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    tab.emulate_media(media="print")
    for hidden in ("#change", "#scope", "#users input", ".top", ".jumps"):
        assert not tab.locator(hidden).first.is_visible(), hidden
    assert all(chart.is_visible() for chart in tab.locator(".chart svg").all())
    assert tab.locator("#lead").is_visible() and tab.locator("#features table").is_visible()


@pytest.mark.parametrize("width", [375, 768])
def test_a_narrow_window_scrolls_in_one_direction(open_page: Callable, desk: Any, width: int) -> None:
    tab = open_page(desk.page).tab
    tab.set_viewport_size({"width": width, "height": 800})
    tab.get_by_role("button", name="triage", exact=True).click()
    tab.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    tab.locator("#basis dl.meanings, #basis pre").last.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out(open_page: Callable, desk: Any, scheme: str) -> None:
    tab = open_page(desk.page, color_scheme=scheme).tab
    tab.get_by_role("button", name="reply", exact=True).click()
    seen, poor = tab.evaluate(CONTRAST)
    assert poor == [] and seen > 300
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(251, 250, 247)", "dark": "rgb(21, 23, 27)"}[scheme]


def test_every_chart_has_a_name_and_its_numbers(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    figures = tab.locator("figure").all()
    assert len(figures) == 4
    for figure in figures:
        assert len(figure.locator(".chart").get_attribute("aria-label")) > 20
        figure.locator("details.numbers > summary").click()
        figure.locator("details.numbers table tbody tr").first.wait_for()
    unnamed = "(all) => all.filter((one) => !one.innerText.trim() && !one.labels?.length && !one.ariaLabel).length"
    assert tab.locator("button, select, input").evaluate_all(unnamed) == 0


def test_the_sql_is_what_was_asked(open_page: Callable, desk: Any) -> None:
    tab = open_page(desk.page).tab
    tab.locator("#features details.sql > summary").first.click()
    tab.locator("#features details.sql > pre").first.wait_for()
    texts = tab.locator("#features details.sql > pre").all_inner_texts()
    asked = next(text for text in texts if "economics.dimension = 'feature'" in text)
    assert len(desk.ask(asked)) == 8
    tab.locator("#features details.sql > details > summary", has_text="unit_economics").click()
    made = tab.locator("#features details.sql > details[open] pre")
    made.wait_for()
    assert "one row per dimension" in made.inner_text()

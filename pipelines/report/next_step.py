"""The command that is worth running next, chosen from what a report's figures show."""

from typing import Any

from pipelines.report.output import quoted

MISSING_PRICES = ("unknown_model", "class_unpriced")
Row = dict[str, Any]


def after_report(figures: Row) -> str | None:
    """What is most in the way of the figures first: prices, lines, outcomes, revenue; then a margin that is lost."""
    by, total = figures["by"], figures["total"]
    if total is None:
        return "tokenspread run LOGS..."
    unpriced = [row for row in figures["unpriced"] if row["price_status"] in MISSING_PRICES and row["model"]]
    if unpriced:
        return "tokenspread build --prices FILE"  # the lines to paste into it stand above
    if figures["lines"]["quarantined_count"]:
        return "tokenspread quarantine list"
    if not total["labelled_count"]:
        return "tokenspread run --outcomes FILE"
    if total["scenarios"][0]["revenue_usd"] is None and figures["selection"] is None:
        return "tokenspread build --revenue FILE"
    return after_scenarios(figures) or f"tokenspread economics --by {by}"


def after_scenarios(figures: Row) -> str | None:
    """At which prices the margin that is lost first would hold."""
    by = figures["by"]
    if by == "day":
        return None
    lost = [
        (scenario["scenario_order"], row["name"])
        for row in figures["rows"]
        for scenario in row["scenarios"]
        if scenario["survives"] is False
    ]
    if not lost:
        return None
    return f"tokenspread reprice --grid -50:100:10 --where {quoted(f'{by}={min(lost)[1]}')}"

"""What was written, and what a FOCUS dataset cannot hold, a line for each fact."""

from typing import Any

from pipelines.exports import Written
from pipelines.report.text import counted, money

LEFT_OUT = {
    "undated": "without a time, so of no charge period",
    "not_billed": "that nobody bills (refused, or answered by a cache)",
}
RULES = {
    "undated_costs_apart": "not in it    {cost} USD of costs apart (table costs_apart) without a day",
    "no_list_price": "list price   unknown for {cost} USD: ListCost is the cost there (x_IsListPriceKnown is false)",
}


def lines(file: Written) -> list[str]:
    told = [f"{file.path}: {counted(file.row_count, 'row')} of {file.name}"]
    return told + [_line(row) for row in sorted(file.left_out, key=lambda row: (row["reason"] in RULES, row["reason"]))]


def _line(row: dict[str, Any]) -> str:
    cost = money(row["cost_usd"])
    if row["reason"] in RULES:
        return RULES[row["reason"]].format(cost=cost)
    what = LEFT_OUT.get(row["reason"], f"without a price ({row['reason']}): FOCUS knows no unknown cost")
    worth = f", {cost} USD" if row["reason"] == "undated" else ""
    return f"not in it    {counted(row['call_count'], 'call')} {what}{worth}"

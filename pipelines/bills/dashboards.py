"""Readers of the CSV files that the dashboards of OpenAI and Anthropic export. No page documents their columns: these
are those of published examples, and only what is needed must be there."""

from pipelines.bills.files import Row
from pipelines.bills.pages import openai_cost, openai_usage, usage
from pipelines.bills.sheet import Sheet, instant_of, period_of
from pipelines.bills.words import token_class_of

OPENAI_COSTS = ("start_time", "amount_value", "amount_currency")
OPENAI_USAGE = ("start_time", "model", "input_tokens", "output_tokens")
ANTHROPIC_COSTS = ("usage_date_utc", "model", "token_type", "cost_usd")
ANTHROPIC_USAGE = ("usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens")


def openai_costs(sheet: Sheet, rows: list[Row]) -> None:
    """A row without an amount is a day without a charge."""
    is_grouped = any(row.get("line_item") for _, row in rows)
    for number, row in rows:
        with sheet.at(number):
            period = _seconds_period(row)
            sheet.cover("openai", period)
            if row["amount_value"]:
                billed = sheet.usd(row["amount_value"], row["amount_currency"])
                openai_cost(sheet, number, period, row, billed, is_grouped)


def openai_usages(sheet: Sheet, rows: list[Row]) -> None:
    for number, row in rows:
        with sheet.at(number):
            period = _seconds_period(row)
            sheet.cover("openai", period)
            if row["model"] or row["input_tokens"]:
                openai_usage(sheet, number, period, row)


def anthropic_costs(sheet: Sheet, rows: list[Row]) -> None:
    for number, row in rows:
        with sheet.at(number):
            period = period_of(instant_of(row["usage_date_utc"], "usage_date_utc"), None)
            billed = sheet.usd(row["cost_usd"], "USD")
            cost_type, token_type = row.get("cost_type") or "", row["token_type"] or ""
            token_class = token_class_of(token_type) or token_class_of(cost_type)
            if not (row["model"] or token_class):
                sheet.cover("anthropic", period)
                sheet.other(cost_type or "no model", billed)
                continue
            sheet.charge(
                number, "anthropic", period, model=row["model"], token_class=token_class, billed_pico=billed,
                description=f"{row['model'] or cost_type} {token_type}".strip(),
            )  # fmt: skip


def anthropic_usages(sheet: Sheet, rows: list[Row]) -> None:
    columns = {
        "usage_input_tokens_no_cache": "input",
        "usage_input_tokens_cache_read": "cache_read",
        "usage_input_tokens_cache_write_5m": "cache_write_5m",
        "usage_input_tokens_cache_write_1h": "cache_write_1h",
        "usage_output_tokens": "output",
        "web_search_count": "web_search",
    }
    for number, row in rows:
        with sheet.at(number):
            period = period_of(instant_of(row["usage_date_utc"], "usage_date_utc"), None)
            quantities = {name: sheet.count(row.get(column)) for column, name in columns.items()}
            usage(sheet, number, "anthropic", period, row["model_version"] or None, quantities)


def _seconds_period(row: dict) -> tuple:
    until = row.get("end_time")
    return period_of(instant_of(row["start_time"], "start_time"), instant_of(until, "end_time") if until else None)

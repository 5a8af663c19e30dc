"""Reader of AWS cost and usage reports, CSV or Parquet, with the names of the legacy report or of CUR 2.0; the rows of
Amazon Bedrock, the others counted with their money.

https://docs.aws.amazon.com/bedrock/latest/userguide/cost-mgmt-understanding-cur-data.html
"""

import json
import re
from typing import Any

from pipelines.bills.files import Row
from pipelines.bills.sheet import Sheet, instant_of, period_of
from pipelines.bills.words import token_class_of

# ours -> CUR 2.0, legacy, legacy as Athena and Parquet have it
COLUMNS = {
    "start": ("line_item_usage_start_date", "lineItem/UsageStartDate"),
    "end": ("line_item_usage_end_date", "lineItem/UsageEndDate"),
    "code": ("line_item_product_code", "lineItem/ProductCode"),
    "type": ("line_item_line_item_type", "lineItem/LineItemType"),
    "usage_type": ("line_item_usage_type", "lineItem/UsageType"),
    "amount": ("line_item_usage_amount", "lineItem/UsageAmount"),
    "cost": ("line_item_unblended_cost", "lineItem/UnblendedCost"),
    "currency": ("line_item_currency_code", "lineItem/CurrencyCode"),
    "description": ("line_item_line_item_description", "lineItem/LineItemDescription"),
    "unit": ("pricing_unit", "pricing/unit"),
    "product_name": ("product_product_name", "product/ProductName"),
    "product": ("product",),  # CUR 2.0: a map
}
NEEDED = ("start", "code", "usage_type", "cost", "currency")
SIGN = ("line_item_usage_start_date", "lineItem/UsageStartDate")
USAGE_TYPES = {"usage", "discountedusage"}
UNITS = {"tokens": 1, "token": 1, "1k tokens": 1_000, "1m tokens": 1_000_000, "requests": 1, "request": 1}
_REGION = re.compile(r"(?:[A-Z]{2,4}\d|EU|US|AP|CA|SA|ME|AF)-")
_METER = re.compile(r"-(?:mantle-)?(?=(?:input|output|cached?|text|image|audio|video|speech)[-_])", re.IGNORECASE)
_EDITION = re.compile(r"\s*\(Amazon Bedrock Edition\)\s*$", re.IGNORECASE)


def columns_of(names: list[str]) -> dict[str, str]:
    """{ours: theirs}. Raises ValueError for one that is missing."""
    found = {ours: name for ours, choice in COLUMNS.items() for name in choice if name in names}
    for ours in NEEDED:
        if ours not in found:
            raise ValueError(f"the report has no column {COLUMNS[ours][0]} ({COLUMNS[ours][-1]}); export it with one")
    return found


def read(sheet: Sheet, rows: list[Row], columns: dict[str, str]) -> None:
    """A row with its usage type, such as USE1-Claude4.5Sonnet-input-tokens, and its unblended cost."""
    for number, cells in rows:
        with sheet.at(number):
            _take(sheet, number, {ours: cells.get(theirs) for ours, theirs in columns.items()})


def _take(sheet: Sheet, number: int, row: dict[str, Any]) -> None:
    billed = sheet.usd(row["cost"], row["currency"])
    name = _product_name(row)
    if "bedrock" not in f"{row['code']} {name}".lower():
        sheet.other("another service", billed)
        return
    kind = str(row.get("type") or "Usage")
    if kind.lower() not in USAGE_TYPES:  # tax, credit, discount: of no model
        sheet.other(f"Bedrock: {kind}", billed)
        return
    end = row.get("end")
    period = period_of(instant_of(row["start"], "usage start"), instant_of(end, "usage end") if end else None)
    model, token_class = model_and_class_of(str(row["usage_type"] or ""), name)
    unit = UNITS.get(str(row.get("unit") or "").lower())
    quantity = sheet.count(row.get("amount"), unit) if unit else None
    sheet.charge(
        number, "aws", period, model=model, token_class=token_class, billed_pico=billed, quantity=quantity,
        description=str(row.get("description") or row["usage_type"]),
    )  # fmt: skip


def model_and_class_of(usage_type: str, product_name: str = "") -> tuple[str | None, str | None]:
    """("USE1-Claude4.5Sonnet-input-tokens") -> ("Claude4.5Sonnet", "input"). A model of the marketplace
    ("USE1-MP:USE1_InputTokenCount-Units") is named by the product only."""
    rest = _REGION.sub("", usage_type, count=1)
    if rest.startswith("MP:"):
        return _EDITION.sub("", product_name) or usage_type, token_class_of(rest)
    parts = _METER.split(rest, maxsplit=1)
    token_class = token_class_of(parts[1]) if len(parts) == 2 else None
    return (parts[0], token_class) if token_class else (rest or product_name or None, None)


def _product_name(row: dict[str, Any]) -> str:
    """CUR 2.0 has it in a map: JSON text in CSV, pairs in Parquet."""
    product = row.get("product")
    if isinstance(product, str):
        try:
            product = json.loads(product)
        except ValueError:
            product = None
    if isinstance(product, list):
        product = {pair.get("key"): pair.get("value") for pair in product if isinstance(pair, dict)}
    told = product.get("product_name") if isinstance(product, dict) else None
    return str(row.get("product_name") or told or "")

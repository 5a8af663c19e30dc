"""Reader of FOCUS cost and usage files, CSV or Parquet: BilledCost of the services that answer LLM calls, the others
counted with their money. https://focus.finops.org/focus-specification/
"""

import json
import re
from typing import Any

from pipelines.bills import aws
from pipelines.bills.files import Row
from pipelines.bills.sheet import Sheet, instant_of, period_of
from pipelines.bills.words import model_and_class, token_class_of
from transforms.schemas import TIME_CLASS, TOKEN_CLASSES
from transforms.shapes.providers import provider_id_of

NEEDED = ("BilledCost", "BillingCurrency", "ChargePeriodStart")
SIGN = ("BilledCost", "ChargePeriodStart")
PROVIDERS = ("ServiceProviderName", "ProviderName", "PublisherName")  # 1.3 renamed the second to the first
OPTIONAL = (
    *PROVIDERS, "ServiceName", "ChargePeriodEnd", "ChargeCategory", "ChargeDescription", "SkuMeter", "SkuId", "Tags",
    "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "x_UsageType", "x_Provider", "x_Model",
)  # fmt: skip
MODEL_TAGS = ("model", "gen_ai.response.model", "gen_ai.request.model")
# of a provider that sells other things too: the words in its service's name, and our provider
CLOUDS = {
    ("amazon", "aws"): (("bedrock",), "aws"),
    ("microsoft", "azure"): (("openai", "foundry", "cognitive", "ai services"), "azure"),
    ("google",): (("vertex", "gemini", "generative language"), "google"),
}
LLM_PROVIDERS = {
    "openai", "anthropic", "mistral", "cohere", "groq", "together", "fireworks", "deepseek", "x-ai", "perplexity",
    "openrouter", "moonshotai", "cerebras", "replicate", "voyageai", "zai", "google", "aws", "azure",
}  # fmt: skip
_UNIT = re.compile(r"(?P<size>\d[\d,]*)?\s*(?P<scale>k|m|thousand|million)?\s*(?:tokens?|requests?)", re.IGNORECASE)
SCALES = {"k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6}


def check(names: list[str]) -> None:
    for name in NEEDED:
        if name not in names:
            raise ValueError(f"the FOCUS file has no column {name}; export it with one")


def read(sheet: Sheet, rows: list[Row]) -> None:
    for number, row in rows:
        with sheet.at(number):
            _take(sheet, number, row)


def _take(sheet: Sheet, number: int, row: dict[str, Any]) -> None:
    billed = sheet.usd(row["BilledCost"], row["BillingCurrency"])
    provider, category = provider_of(row), str(row.get("ChargeCategory") or "Usage")
    if provider is None:
        sheet.other("another service", billed)
        return
    if category.lower() != "usage":  # tax, credit, purchase, adjustment: of no model
        sheet.other(f"{provider}: {category}", billed)
        return
    if _text(row, "SkuMeter") == TIME_CLASS:  # of our own export; the computed cost has it apart, too
        sheet.other(f"{provider}: {TIME_CLASS}", billed)
        return
    end = row.get("ChargePeriodEnd")
    start = instant_of(row["ChargePeriodStart"], "ChargePeriodStart")
    period = period_of(start, instant_of(end, "ChargePeriodEnd") if end else None)
    model, token_class = _model_and_class(provider, row)
    sheet.charge(
        number, provider, period, model=model, token_class=token_class, billed_pico=billed,
        quantity=_quantity(sheet, row) if token_class else None, description=_text(row, "ChargeDescription"),
    )  # fmt: skip


def provider_of(row: dict[str, Any]) -> str | None:
    """Ours, of a service that answers LLM calls; None for any other. What we export says it in a column of its own."""
    if own := _text(row, "x_Provider"):
        return own
    service = _text(row, "ServiceName").lower()
    for name in (_text(row, column).lower() for column in PROVIDERS):
        for words, (services, provider) in CLOUDS.items():
            if any(word in name for word in words):
                return provider if any(word in service for word in services) else None
        for known in (provider_id_of(name), provider_id_of(name.split(" ")[0])):
            if known in LLM_PROVIDERS:
                return known
    return None


def _model_and_class(provider: str, row: dict[str, Any]) -> tuple[str | None, str | None]:
    """From the texts that name a meter, the first that does; a tag names the model before them."""
    meter, sku, description = (_text(row, name) for name in ("SkuMeter", "SkuId", "ChargeDescription"))
    if row.get("x_Model") and meter in TOKEN_CLASSES:
        return _text(row, "x_Model"), meter
    if provider == "aws":
        model, token_class = aws.model_and_class_of(_text(row, "x_UsageType") or meter or sku)
    else:
        texts = [text for text in (sku.rpartition("/")[2], description, meter) if text]
        found = [model_and_class(text) for text in texts] or [(None, None)]
        model, token_class = next((pair for pair in found if pair[1]), found[0])
        token_class = token_class_of(meter) or token_class
    return _tagged(row.get("Tags")) or model, token_class


def _tagged(tags: Any) -> str | None:
    """The model that a tag names: JSON text in CSV, a map or pairs in Parquet."""
    if isinstance(tags, str):
        try:
            tags = json.loads(tags)
        except ValueError:
            return None
    if isinstance(tags, list):
        tags = {pair.get("key"): pair.get("value") for pair in tags if isinstance(pair, dict)}
    told = (tags.get(name) for name in MODEL_TAGS) if isinstance(tags, dict) else ()
    return next((str(name) for name in told if name), None)


def _quantity(sheet: Sheet, row: dict[str, Any]) -> int | None:
    """Tokens or requests; None where the unit is another."""
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        told = _UNIT.fullmatch(_text(row, unit).strip())
        if told and row.get(quantity) is not None:
            size = int((told["size"] or "1").replace(",", "")) * SCALES.get((told["scale"] or "").lower(), 1)
            return sheet.count(row[quantity], size)
    return None


def _text(row: dict[str, Any], name: str) -> str:
    return str(row.get(name) or "")

"""Readers of the pages that the admin APIs of OpenAI and Anthropic answer with: buckets of time, each with results.

OpenAI: https://platform.openai.com/docs/api-reference/usage; Anthropic:
https://platform.claude.com/docs/en/api/admin/cost_report and .../usage_report. Only the fields that are named here are
read; the API's own paging and grouping decides which of them a result has.
"""

from typing import Any

from pipelines.bills.sheet import PICO, Period, Sheet, instant_of, period_of
from pipelines.bills.words import model_and_class

CENT = PICO // 100
Result = tuple[int, dict[str, Any], dict[str, Any] | None]  # number, bucket, result (None: the bucket has none)

TOKEN_TYPES = {
    "uncached_input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
}
COST_TYPES = {"web_search": "web_search", "code_execution": "code_session"}
# quantity -> token class, of OpenAI's usage results; input_tokens holds the cached ones
OPENAI_PARTS = {
    "output_tokens": "output",
    "input_cached_tokens": "cache_read",
    "input_audio_tokens": "input_audio",
    "output_audio_tokens": "output_audio",
    "num_sessions": "code_session",
}


def openai(sheet: Sheet, results: list[Result]) -> None:
    """Costs (`organization.costs.result`, USD) and usage (`organization.usage.*.result`, quantities only)."""
    is_grouped = any(result and result.get("line_item") for _, _, result in results)
    for number, bucket, result in results:
        with sheet.at(number):
            period = _period(bucket, "start_time", "end_time")
            sheet.cover("openai", period)
            if result is None:
                continue
            kind = str(result.get("object"))
            if kind == "organization.costs.result":
                amount = result.get("amount")
                if not isinstance(amount, dict):
                    raise ValueError("the result has no amount; export the costs again")
                billed = sheet.usd(amount.get("value"), amount.get("currency"))
                openai_cost(sheet, number, period, result, billed, is_grouped)
            elif kind.startswith("organization.usage."):
                openai_usage(sheet, number, period, result)
            else:
                raise ValueError(f"a result {kind!r} is neither of costs nor of usage; export one of them")


def openai_cost(
    sheet: Sheet, number: int, period: Period, result: dict[str, Any], billed_pico: int, is_grouped: bool
) -> None:
    """A charge of a line item, such as "gpt-5.2-2025-12-11, input"; of all where the export is not grouped."""
    item = str(result.get("line_item") or "")
    if not item and is_grouped:
        sheet.other("no line item", billed_pico)
        return
    model, token_class = model_and_class(item)
    # without a known meter nobody tells what is counted
    quantity = sheet.count(result.get("quantity")) if token_class else None
    sheet.charge(
        number, "openai", period, model=model, token_class=token_class, billed_pico=billed_pico, quantity=quantity,
        description=item,
    )  # fmt: skip


def openai_usage(sheet: Sheet, number: int, period: Period, result: dict[str, Any]) -> None:
    """Quantities of a model, without money; of what has no tokens (images, characters, seconds) nothing is compared."""
    model = str(result.get("model") or "") or None
    counts = {name: sheet.count(result.get(name)) for name in ("input_tokens", *OPENAI_PARTS)}
    quantities = {token_class: counts[name] for name, token_class in OPENAI_PARTS.items()}
    if counts["input_tokens"] is not None:
        # an answer without the field tells of no cached tokens
        quantities["input"] = counts["input_tokens"] - (counts["input_cached_tokens"] or 0)
        if quantities["input"] < 0:
            raise ValueError("input_cached_tokens exceed input_tokens; export the usage again")
    usage(sheet, number, "openai", period, model, quantities)


def anthropic(sheet: Sheet, results: list[Result]) -> None:
    """cost_report (amounts are decimal cents) and usage_report/messages (quantities only)."""
    is_grouped = any(result and (result.get("model") or result.get("cost_type")) for _, _, result in results)
    for number, bucket, result in results:
        with sheet.at(number):
            period = _period(bucket, "starting_at", "ending_at")
            sheet.cover("anthropic", period)
            if result is None:
                continue
            if "amount" in result:
                _anthropic_cost(sheet, number, period, result, is_grouped)
            elif "uncached_input_tokens" in result:
                _anthropic_usage(sheet, number, period, result)
            else:
                raise ValueError("the result has neither an amount nor uncached_input_tokens; export a cost report")


def _anthropic_cost(sheet: Sheet, number: int, period: Period, result: dict[str, Any], is_grouped: bool) -> None:
    billed = sheet.usd(result["amount"], result.get("currency"), CENT)
    told, cost_type = str(result.get("token_type") or ""), str(result.get("cost_type") or "")
    token_class, model = TOKEN_TYPES.get(told) or COST_TYPES.get(cost_type), str(result.get("model") or "")
    if is_grouped and not (model or token_class):
        sheet.other(cost_type or "no description", billed)
        return
    description = str(result.get("description") or "")
    sheet.charge(
        number, "anthropic", period, model=model, token_class=token_class, billed_pico=billed, description=description
    )


def _anthropic_usage(sheet: Sheet, number: int, period: Period, result: dict[str, Any]) -> None:
    tools, written = (result.get(name) or {} for name in ("server_tool_use", "cache_creation"))
    quantities = {
        "input": sheet.count(result["uncached_input_tokens"]),
        "cache_read": sheet.count(result.get("cache_read_input_tokens")),
        "cache_write_5m": sheet.count(written.get("ephemeral_5m_input_tokens")),
        "cache_write_1h": sheet.count(written.get("ephemeral_1h_input_tokens")),
        "output": sheet.count(result.get("output_tokens")),
        "web_search": sheet.count(tools.get("web_search_requests")),
    }
    usage(sheet, number, "anthropic", period, str(result.get("model") or "") or None, quantities)


def usage(
    sheet: Sheet, number: int, provider: str, period: Period, model: str | None, quantities: dict[str, int | None]
) -> None:
    told = {token_class: quantity for token_class, quantity in quantities.items() if quantity}
    for token_class, quantity in told.items():
        sheet.charge(number, provider, period, model=model, token_class=token_class, quantity=quantity)
    if not told:
        sheet.other("usage without tokens")


def _period(bucket: dict[str, Any], start: str, end: str) -> Period:
    until = bucket.get(end)
    return period_of(instant_of(bucket.get(start), start), None if until is None else instant_of(until, end))

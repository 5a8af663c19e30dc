"""What the head of a report tells of prices: how sure they are, what a revision of them did, and what has none."""

import csv
import io
from itertools import groupby
from typing import Any

from pipelines.report.call_price import alias_line
from pipelines.report.text import count, counted, harmless, model_name, money

MOST_MODELS = 10
MOST_NAMES = 3
APART = {
    "compute": "of compute time",
    "time": "of bills for time",
    "volume_tier": "of volume discounts",
    "commitment": "short of commitments",
}
UNCERTAIN = {
    "context_unmatched": "no price for their tier or batch, so the standard one",
    "fallback_provider": "another provider's price for the same model",
    "prefix_match": "the price of a model whose name theirs begins with",
}
WHY_UNPRICED = {
    "unknown_model": "no price for this model",
    "class_unpriced": "no price for a token class",
    "usage_unknown": "the log tells no token counts",
    "time_unknown": "billed by the second, and the log tells no compute time",
    "inconsistent_usage": "cached tokens exceed the input",
}
PRICE_COLUMNS = ("provider", "model", "token_class", "usd_per_million", "valid_from")
PRICE_PLACEHOLDER = "USD_PER_MILLION"


def price_lines(figures: dict[str, Any]) -> list[str]:
    """How sure the prices are, what a revision of the price book did, and which rates of the user match no call."""
    uncertain = [line for status in UNCERTAIN for line in _uncertain(status, figures["price_certainty"])]
    uncertain += _free(figures["price_certainty"])
    if rounded := figures["rounded_rate_count"]:
        uncertain.append(f"prices      {counted(rounded, 'rate')} rounded to 1e-12 USD (table price_book, note)")
    told = [*_costs_apart(figures), *_idle_terms(figures)]
    return [*uncertain, *_revision(figures), *_unmatched(figures["unmatched_rates"]), *told]


def _free(models: list[dict[str, Any]]) -> list[str]:
    models = [row for row in models if row["price_status"] == "free"]
    names = ", ".join(model_name(row) for row in models[:MOST_NAMES])
    more = f" and {counted(len(models) - MOST_NAMES, 'more model')}" if len(models) > MOST_NAMES else ""
    calls = counted(sum(row["call_count"] for row in models), "call")
    return [f"free        {calls}, said to cost nothing: {names}{more}"] if models else []


def _costs_apart(figures: dict[str, Any]) -> list[str]:
    """Time and contract terms: in the margins, and in no cost of tokens; then which calls bear nothing of a bill."""
    kinds, unweighted = figures["costs_apart"], figures["unweighted_calls"]
    told = ", ".join(
        f"{money(row['cost_usd'])} USD {APART[row['kind']]}{'' if row['is_allocated'] else ' that no call bears'}"
        for row in kinds
    )
    lines = [f"apart       {told}: beside the cost of tokens, in the margins (table costs_apart)"] if kinds else []
    for row in unweighted[:MOST_NAMES]:
        calls, is_one = counted(row["unweighted_call_count"], "call"), row["unweighted_call_count"] == 1
        why = ("tells no time" if is_one else "tell no time") + f" and {'bears' if is_one else 'bear'} nothing"
        if row["allocate_by"] == "tokens":
            why = f"{'does' if is_one else 'do'} not tell all tokens: none but those told bear a part"
        lines.append(f"apart       {calls} {why} of the bill of line {row['line_number']}")
    if more := len(unweighted[MOST_NAMES:]):
        lines.append(f"apart       calls bear nothing of {counted(more, 'more bill')} (table contract_terms)")
    return lines


def _idle_terms(figures: dict[str, Any]) -> list[str]:
    """Terms that are about no call, and commitments of months that the log does not span."""
    idle, unreckoned = figures["idle_terms"], figures["unreckoned_terms"]
    lines = []
    for row in idle[:MOST_NAMES]:
        name = model_name(row) if row["provider"] else harmless(row["model"])
        lines.append(f"prices      {_place(row)} of the price file matches no call: {name}")
    for row in unreckoned[:MOST_NAMES]:
        days = f"the log has {count(row['logged_day_count'])} of its {row['day_count']} days"
        lines.append(f"prices      {_place(row)} is not reckoned for {row['period_start']:%Y-%m}: {days}")
    for hidden, what in ((idle, "match no call"), (unreckoned, "are not reckoned")):
        if more := len(hidden[MOST_NAMES:]):
            lines.append(f"prices      and {count(more)} more that {what} (table contract_terms)")
    return lines


def _place(term: dict[str, Any]) -> str:
    return f"the {term['kind']} of line {term['line_number']}"


def _uncertain(status: str, models: list[dict[str, Any]]) -> list[str]:
    models = [row for row in models if row["price_status"] == status]
    if not models:
        return []
    names = ", ".join(model_name(row) for row in models[:MOST_NAMES])
    more = f" and {counted(len(models) - MOST_NAMES, 'more model')}" if len(models) > MOST_NAMES else ""
    cost = money(sum(row["cost_usd"] for row in models))
    bounds = ""
    if all(row["least_usd"] is not None and row["most_usd"] is not None for row in models):
        bounds = f", {money(sum(row['least_usd'] for row in models))} at least"
    calls = counted(sum(row["call_count"] for row in models), "call")
    return [f"uncertain   {calls}, {cost} USD{bounds}: {UNCERTAIN[status]} ({names}{more}; table price_certainty)"]


def _revision(figures: dict[str, Any]) -> list[str]:
    """The difference that other beliefs about prices make to the same calls; it is in no scenario."""
    models, as_of = figures["price_book_revision"], figures["about"]["prices_as_of"]
    lines = [f"prices      as believed on {as_of:%Y-%m-%d %H:%M} (UTC)"] if as_of else []
    since = "until today" if as_of else "since the last build"
    if figures["about"]["are_terms_revised"]:
        lines.append(f"revised     tiers, commitments or bills {since}: what stands apart by them is in no revision")
    shown = models
    if not shown:
        return lines
    total = money(sum(row["revision_usd"] for row in shown))
    names = ", ".join(f"{model_name(row)} {money(row['revision_usd'])}" for row in shown[:MOST_NAMES])
    more = f" and {counted(len(shown) - MOST_NAMES, 'more')}" if len(shown) > MOST_NAMES else ""
    return [*lines, f"revised     price book revision {since}: {total} USD ({names}{more}; table price_book_revision)"]


def _unmatched(models: list[dict[str, Any]]) -> list[str]:
    if not models:
        return []
    rates = counted(sum(row["rate_count"] for row in models), "rate")
    names = [model_name(row) if row["provider"] else harmless(row["model"]) for row in models[:MOST_NAMES]]
    classes = [", ".join(row["token_classes"]) for row in models]
    named = "; ".join(f"{name} ({told})" for name, told in zip(names, classes, strict=False))
    more = len(models) - MOST_NAMES
    rest = f"; and {counted(more, 'more model')} (table unmatched_rates)" if more > 0 else ""
    return [f"prices      {rates} of the price file match no call: {named}{rest}"]


def unpriced_lines(unpriced: list[dict[str, Any]]) -> list[str]:
    """Models by the tokens that have no price, each with its reasons; then lines for a price file."""
    by_model = [list(rows) for _, rows in groupby(unpriced, key=lambda row: (row["provider"], row["model"]))]
    by_model.sort(key=_known_tokens, reverse=True)
    shown, hidden = by_model[:MOST_MODELS], by_model[MOST_MODELS:]
    lines = [_reason(row) for rows in shown for row in rows if row["token_class"] is None]
    if hidden:
        lines.append(f"unpriced    and {counted(len(hidden), 'more model')} (table unpriced)")
    prices = [_price_line(row) for rows in shown for row in rows if row["token_class"] and row["model"]]
    if prices:
        lines.append("to price them, put what you pay into these lines and give the file with --prices:")
        lines.extend(f"    {line}" for line in [",".join(PRICE_COLUMNS), *prices])
    unknown = [row for rows in shown for row in rows if row["price_status"] == "unknown_model" and row["model"]]
    if unknown:
        lines.append("or, where one is a deployment of a known model, name that in tokenspread.toml:")
        lines += [
            "    [aliases]",
            *dict.fromkeys(f"    {alias_line(row['provider'], row['model'])}" for row in unknown),
        ]
    return lines


def _known_tokens(rows: list[dict[str, Any]]) -> int:
    return sum(row["quantity"] or 0 for row in rows if row["token_class"] is None)  # for the order alone


def _reason(row: dict[str, Any]) -> str:
    why = WHY_UNPRICED.get(row["price_status"], harmless(row["price_status"]))
    if row["model"] is None and row["price_status"] == "unknown_model":
        why = "the log names no model"
    tokens = "" if row["quantity"] is None else f", {counted(row['quantity'], 'token')}"
    failed = f", {count(row['error_call_count'])} failed" if row["error_call_count"] else ""
    return f"unpriced    {counted(row['call_count'], 'call')}{failed}{tokens} of {model_name(row)}: {why}"


def _price_line(row: dict[str, Any]) -> str:
    # The user's price is put in by hand: a line with a made-up one would be believed.
    told = (row["provider"], row["model"], row["token_class"], PRICE_PLACEHOLDER, row["first_day"])
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["" if cell is None else harmless(str(cell)) for cell in told])
    return line.getvalue()

"""Why a call costs what it costs: what its log tells, and a line of arithmetic for each class."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TextIO

from pipelines.report.rates import UNITS, exact, holds, usd
from pipelines.report.text import UNKNOWN, count, harmless
from transforms.schemas import QUANTITIES, TIME_CLASS

LABEL = 13
UNIT_PRICE, TOKEN_PRICE = "USD_PER_UNIT", "USD_PER_MILLION"  # to be put in by hand: a made-up one would be believed
REASONS = {
    "unknown_model": "no price of this model holds at its time",
    "class_unpriced": "no price of a class that it used",
    "usage_unknown": "the log does not tell its tokens",
    "inconsistent_usage": "the parts that the log tells exceed the whole",
    "time_unknown": "it is billed by the second, and the log tells no compute time",
}
TERMS = {"volume_tier": "a volume discount", "commitment": "a commitment's shortfall", "time": "a bill for time"}
Row = dict[str, Any]


def write(call: Row, lines: list[Row], terms: list[Row], stream: TextIO) -> None:
    """`call`, `lines` and `terms` of price_answers.Explained."""
    for line in [*_told(call), "", *_arithmetic(call, lines), *_apart(call, terms), *_recorded(call)]:
        stream.write(harmless(line) + "\n")


def faults(call: Row, lines: list[Row]) -> list[str]:
    """What of the arithmetic does not hold; nothing, unless this program is wrong."""
    found = [
        f"{line['token_class']}: the rate of the card is not the one of the price book"
        for line in lines
        if call["card_id"] is not None and line["rate_pico"] != line["row_rate_pico"]
    ]
    tokens = [line["cost_pico"] for line in lines if line["token_class"] != TIME_CLASS]
    if call["cost_pico"] is not None and (None in tokens or sum(tokens) != call["cost_pico"]):
        found.append("the lines do not add up to cost_usd")
    for line in lines:
        if line["token_class"] == TIME_CLASS and call["time_cost_pico"] is not None:
            # microseconds x pico-USD per second; Decimal rounds half-even, as the published cost is
            whole = (Decimal(line["quantity"] * line["rate_pico"]) / 10**6).to_integral_value()
            if whole != call["time_cost_pico"]:
                found.append("the time does not cost time_cost_usd")
    return found


def _told(call: Row) -> Iterator[str]:
    model = call["model"] or call["model_requested"]
    asked = call["model_requested"] if call["model"] not in (None, call["model_requested"]) else None
    when = call["called_at"]
    yield _labelled("call", call["call_id"] + (f", response {call['response_id']}" if call["response_id"] else ""))
    yield _labelled("log", f"{call['source_file']}, line {call['line_number']} ({call['shape']})")
    yield _labelled(
        "model", f"{call['provider'] or UNKNOWN}/{model or UNKNOWN}" + (f", asked for as {asked}" if asked else "")
    )
    yield _labelled("time", f"{when:%a %Y-%m-%d %H:%M:%S} UTC" if when else "not told: the newest price holds")
    tier = [f"tier {call['service_tier'] or UNKNOWN}", f"region {call['region'] or UNKNOWN}"]
    batch = {True: "yes", False: "no", None: UNKNOWN}[call["is_batch"]]
    yield _labelled("asked for", ", ".join([*tier, f"batch {batch}", f"status {call['status']}"]))
    told = [f"{name} {count(call[name])}" for name in QUANTITIES if call.get(name) is not None]
    yield _labelled("log tells", ", ".join(told) or "no quantity")
    if call["card_id"] is not None:
        yield _labelled("rate card", f"{call['card_id']}: {_card(call)}")
    yield _labelled("price status", call["price_status"])


def _card(call: Row) -> str:
    bound = call["card_context_up_to"]
    row = {name: call[f"card_{name}"] for name in ("valid_from", "valid_to", "context_above", "window")}
    return holds(row) + (f", up to {bound:,} tokens" if bound else "")


def _arithmetic(call: Row, lines: list[Row]) -> Iterator[str]:
    tokens = [line for line in lines if line["token_class"] != TIME_CLASS]
    time = [line for line in lines if line["token_class"] == TIME_CLASS]
    status = call["price_status"]
    if status == "not_billed":
        yield "not billed: " + ("a gateway's cache answered" if call["status"] == "cache_hit" else "it was refused")
        return
    if status in REASONS:
        yield f"unpriced: {REASONS[status]}"
    if status == "billed_by_time":
        yield "billed by time: its tokens cost nothing"
    if status not in ("usage_unknown", "inconsistent_usage"):
        for line in tokens:
            yield from _line(line)
    if call["cost_pico"] is not None:
        yield f"= {exact(call['cost_pico'])} USD, its cost_usd"
    for line in time:
        yield from _time(call, line)
    yield from _what_to_do(call, tokens)
    yield from (f"THIS DOES NOT HOLD: {fault}; please report it" for fault in faults(call, lines))


def _line(line: Row) -> Iterator[str]:
    token_class, rate = line["token_class"], line["rate_pico"]
    per = f"USD per {UNITS[token_class]}" if token_class in UNITS else "USD per million"
    if rate is None:
        yield f"{token_class}: {count(line['quantity'])} x unknown"
        return
    amount = exact(line["cost_pico"])
    yield f"{token_class}: {count(line['quantity'])} x {usd(rate, token_class)} {per} = {amount} USD"
    yield from _behind(line)


def _behind(line: Row) -> Iterator[str]:
    if line["source"]:
        told = [f"{line['source']}, holds {holds(line)}", line["note"], line["source_url"]]
        yield "    " + "; ".join(part for part in told if part)


def _time(call: Row, line: Row) -> Iterator[str]:
    seconds = exact(line["quantity"] * 10**6)
    if line["rate_pico"] is None:
        yield f"time: {seconds} s, of which no rate is known"
        return
    amount = exact(call["time_cost_pico"])
    yield f"time: {seconds} s x {exact(line['rate_pico'])} USD per second = {amount} USD, its time_cost_usd"
    yield from _behind(line)


def _what_to_do(call: Row, lines: list[Row]) -> Iterator[str]:
    status, model = call["price_status"], call["model"] or call["model_requested"]
    if status == "usage_unknown":
        missing = [name for name in ("input_tokens", "output_tokens") if call[name] is None]
        failed = "; no answer came, so perhaps nothing was billed" if call["status"] == "error" else ""
        fix = "where the log has them, map them (tokenspread inspect FILE)"
        yield f"    {' and '.join(missing)} not told{failed}: {fix}"
    elif status == "time_unknown":
        yield "    compute_seconds in the log would tell it"
    elif status == "inconsistent_usage":
        yield f"    input left beside its cached parts: {count(call['uncached_input_tokens'])}"
        yield "    mend the log, or its mapping (input_includes_cache); see the table guard_findings"
    elif status in ("unknown_model", "class_unpriced") and model is None:
        yield "    the log names no model: map it (tokenspread inspect FILE)"
    elif status in ("unknown_model", "class_unpriced"):
        unpriced = [line["token_class"] for line in lines if line["rate_pico"] is None]
        yield "put what you pay into this and give the file with --prices:"
        yield from (f"    {line}" for line in price_lines(call, unpriced))
        if status == "unknown_model":
            yield "or, where it is another name of a known model, say so in tokenspread.toml:"
            yield "    [aliases]"
            yield f"    {alias_line(call['provider'], model)}"


def _apart(call: Row, terms: list[Row]) -> Iterator[str]:
    """What the contract makes of the call beside its own cost: told of its group, which is what bears it."""
    if call["price_status"] == "billed_by_time" and call["time_cost_pico"] is None:
        told = "its share of the bill is in allocated_costs"
        has_bill = any(term["kind"] == "time" and term["period_start"] for term in terms)
        yield told if has_bill else "the price file has no bill for its time, so what that costs is not known"
    for term in terms:
        name = f"{TERMS[term['kind']]} (contract_terms, term {term['term_id']})"
        if term["period_start"] is None:
            yield f"apart: {name} does not reach it, as the log tells no day of the call"
            continue
        last_day = term["period_end"] - timedelta(days=1)
        name += f" of {term['period_start']} to {last_day}" + (f", {term['note']}" if term["note"] else "")
        group = f"the {term['call_count']:,} calls" if term["call_count"] > 1 else "the one call"
        amount = term["allocated_pico"] and f"{exact(term['allocated_pico'])} USD"
        yield f"apart: {name}: {amount or 'nothing'} for {group} of its group and day (allocated_costs)"


def price_lines(call: Row, token_classes: list[str]) -> list[str]:
    """Lines of a price file for the classes, the first of them its columns."""
    columns = ("provider", "model", "token_class", "usd_per_million", "usd_per_unit", "valid_from")
    of_units = [name in UNITS for name in token_classes]
    left_out = {
        name for name, has in (("usd_per_unit", any(of_units)), ("usd_per_million", not all(of_units))) if not has
    }
    day = call["day"] and str(call["day"])
    text = io.StringIO()
    writer = csv.DictWriter(text, [name for name in columns if name not in left_out], extrasaction="ignore")
    writer.writeheader()
    for name, is_unit in zip(token_classes, of_units, strict=True):
        price = {"usd_per_unit": UNIT_PRICE} if is_unit else {"usd_per_million": TOKEN_PRICE}
        told = {"provider": call["provider"], "model": call["model"] or call["model_requested"], "valid_from": day}
        row = told | price | {"token_class": name}
        writer.writerow({column: cell and harmless(cell) for column, cell in row.items()})
    return text.getvalue().splitlines()


def alias_line(provider: str | None, model: str) -> str:
    """A line of [aliases], with the name of the known model to be put in."""
    name = f"{provider}/{model}" if provider else model
    return f'{_quoted(name)} = "PROVIDER/MODEL"'


def _quoted(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08X}" for char in escaped) + '"'


def _recorded(call: Row) -> Iterator[str]:
    recorded, cost = call["recorded_cost_usd"], call["cost_usd"]
    if recorded is None:
        return
    yield ""
    line = f"the log says {recorded.normalize():f} USD"
    if cost is not None:
        gap = cost - recorded
        line += ", the same" if not gap else f"; ours is {abs(gap).normalize():f} {'more' if gap > 0 else 'less'}"
    yield line


def _labelled(label: str, text: str) -> str:
    return f"{label.ljust(LABEL)} {text}"

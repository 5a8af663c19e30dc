"""Scenarios in plain Python, call by call: slow, and written from the words alone, for tests to compare with.

Calls are dicts with the columns of LEDGER, cards with those of RATE_CARDS, steps the tables of a scenarios file. Calls
move first, then prices change, each in order; a rate is whole atto-USD after each change, rounded half-even.
"""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

END_OF_TIME = datetime(9999, 12, 31, 12, tzinfo=UTC)
REF = ("provider", "model", "service_tier", "region", "is_batch")
WRITES = ("cache_write_5m", "cache_write_1h", "cache_write_other")
MAIN = ("input", "cache_read", *WRITES, "output")
PARTS = {
    "input_audio": ("input", "uncached_audio"),
    "cache_read_audio": ("cache_read", "cache_read_audio_tokens"),
    "output_audio": ("output", "output_audio_tokens"),
    "reasoning": ("output", "reasoning_tokens"),
}
FEES = {"web_search": "web_search_count", "request": None}
UNPRICED = "unpriced"


def units_of(call: dict) -> dict[str, int] | None:
    """Units of each main class and part as logged; None: the usage is not known."""
    if call["input_tokens"] is None or call["output_tokens"] is None:
        return None
    told = {name: call[f"{name}_tokens"] or 0 for name in ("cache_read", *WRITES)}
    uncached = call["input_tokens"] - sum(told.values())
    audio = call["input_audio_tokens"] or 0
    if call["cache_read_audio_tokens"] is not None:
        audio = max(audio - call["cache_read_audio_tokens"], 0)
    elif uncached < call["input_tokens"]:
        audio = min(audio, max(uncached, 0))
    units = {"input": uncached, **told, "output": call["output_tokens"], "uncached_audio": audio}
    return units | {name: call[name] or 0 for name in ("cache_read_audio_tokens", "output_audio_tokens")} | {
        "reasoning_tokens": call["reasoning_tokens"] or 0
    }  # fmt: skip


def card_of(ref: dict, call: dict, tokens: int, cards: list[dict]) -> dict | None:
    at = call["called_at"] or END_OF_TIME
    second = at.weekday() * 86_400 + at.hour * 3600 + at.minute * 60 + at.second
    found = [
        card
        for card in cards
        if all(card[name] == ref[name] for name in REF)
        and (card["valid_from"] is None or card["valid_from"] <= at)
        and (card["valid_to"] is None or at < card["valid_to"])
        and card["week_second_from"] <= second < card["week_second_to"]
        and (call["called_at"] or (card["week_second_from"], card["week_second_to"]) == (0, 604_800))
        and card["context_above"] < max(tokens, 1) <= (card["context_up_to"] or max(tokens, 1))
    ]
    assert len(found) <= 1
    return found[0] if found else None


def cost(units: dict[str, int], rates: dict[str, int | None], call: dict) -> int | None:
    """In the rates' unit; None: a class that was used has no rate."""
    left, total = dict(units), 0
    for part, (main, name) in PARTS.items():
        if units[name] and rates[part] is not None:
            left[main] -= units[name]
            total += units[name] * rates[part]
    for name in MAIN:
        if left[name]:
            if rates[name] is None:
                return None
            total += left[name] * rates[name]
    if call["web_search_count"]:
        if rates["web_search"] is None:
            return None
        total += call["web_search_count"] * rates["web_search"]
    return total + (rates["request"] or 0)


def exceeds(units: dict[str, int], rates: dict[str, int | None], is_moved: bool) -> bool:
    """Whether parts are more than what they are parts of: of those with a rate; of a moved call, of any if one has."""
    if is_moved and all(rates[part] is None for part in PARTS):
        return False
    of = {main: sum(units[n] for p, (m, n) in PARTS.items() if m == main and (is_moved or rates[p] is not None))
          for main in ("input", "cache_read", "output")}  # fmt: skip
    return any(rates[p] is not None for p in PARTS) and any(units[main] < of[main] for main in of)


def repriced(call: dict, steps: list[dict], cards: list[dict], listed: dict[int, dict], tops: dict) -> Any:
    """(cost in atto-USD or None, the ref that the call goes to) of one call under the steps of a scenario."""
    own = {name: call[name] for name in REF}
    units = units_of(call)
    ref, activity, ratios, is_replaced = own, Fraction(1), {}, False
    for step in steps:
        if not is_about(step, ref, call, tops):
            continue
        if "activity" in step:
            activity *= 1 + percent(step["activity"])
        elif (target := moved(step, ref, cards)) is not None:
            if target != ref or "*" not in step.get("replace", ""):
                for key in ("input", "cache_read", "cache_write", "output"):
                    ratios[key] = ratios.get(key, Fraction(1)) * Fraction(str(step.get(f"{key}_ratio", 1)))
            ref = target
    if activity == 0:
        return 0, own
    if call["status"] in ("refused", "cache_hit"):
        return 0, own
    if units is None:
        return None, own
    first = card_of(own, call, call["input_tokens"], cards)
    own_rates = rates_of(first)
    if units["input"] < 0 or (first and exceeds(units, own_rates, False)):
        return None, own
    is_replaced = ref != own or any(ratio != 1 for ratio in ratios.values())
    scale = {name: ratios.get("cache_write" if name in WRITES else name, Fraction(1)) for name in MAIN}
    tokens = sum((scale[name] * units[name] for name in MAIN if name != "output"), Fraction(0))
    card = card_of(ref, call, -(-tokens.numerator // tokens.denominator), cards)
    if card is None or card["price_status"] is None:
        return None, ref
    rates, before = rates_of(card), rates_of(card)
    for step in steps:
        if is_about(step, ref, call, tops):
            rates = after(step, rates, rates_of(listed.get(card["card_id"], card)))
    for name in MAIN:
        for part in (name, *(p for p, (main, _) in PARTS.items() if main == name)):
            rates[part] = product(rates[part], scale[name]) if scale[name] else 0
    rates = {name: product(rate, activity) for name, rate in rates.items()}
    has_new_part = any(rates[part] is not None and (is_replaced or before[part] is None) for part in PARTS)
    if has_new_part and exceeds(units, rates, True):
        return None, ref
    return cost(units, rates, call), ref


def rates_of(card: dict | None) -> dict[str, int | None]:
    names = (*MAIN, *PARTS, "web_search", "request")
    told = {name: card and card[f"{name}_rate"] for name in names}
    return {name: None if rate is None else rate * 10**6 for name, rate in told.items()}


def after(step: dict, rates: dict[str, int | None], listed: dict[str, int | None]) -> dict[str, int | None]:
    named = step.get("token_class")
    classes = tuple(rates) if named is None else WRITES if named == "cache_write" else (named,)
    if "change" in step:
        return {n: product(r, 1 + percent(step["change"])) if n in classes else r for n, r in rates.items()}
    if "usd_per_million" in step:
        return {
            n: int(Fraction(str(step["usd_per_million"])) * 10**12) if n in classes else r for n, r in rates.items()
        }
    if step.get("without") == "contract":
        return dict(listed)
    if "caching" in step:
        return (
            rates | dict.fromkeys(("cache_read", *WRITES), rates["input"]) | {"cache_read_audio": rates["input_audio"]}
        )
    if "cache_share" in step:
        share = Fraction(str(step["cache_share"]))
        plain, read = rates["input"], rates["cache_read"]
        blend = plain if share == 0 else read if share == 1 else None
        if 0 < share < 1 and plain is not None and read is not None:
            blend = round(share * read + (1 - share) * plain)
        return rates | {"input": blend, "cache_read": blend}
    return rates


def product(rate: int | None, factor: Fraction) -> int | None:
    return None if rate is None else round(rate * factor)


def percent(text: str) -> Fraction:
    return Fraction(text.rstrip("%")) / 100


def is_about(step: dict, ref: dict, call: dict, tops: dict) -> bool:
    pattern = step.get("replace", step.get("model"))
    names = {(ref["model"] or "").lower(), f"{ref['provider']}/{ref['model']}".lower()}
    if pattern not in (None, "*", *names):
        return False
    for key in ("provider", "service_tier", "region"):
        if key in step and ref[key] != step[key]:
            return False
    if "is_batch" in step and bool(ref["is_batch"]) != step["is_batch"]:
        return False
    for key, column in (("feature", "feature"), ("user", "user_id"), ("customer", "customer_id")):
        if key in step and (call[column] or "unattributed") != step[key]:
            return False
    if "from" in step and not (call["day"] and call["day"] >= step["from"]):
        return False
    if "to" in step and not (call["day"] and call["day"] <= step["to"]):
        return False
    return "top_customers" not in step or call["customer_id"] in tops[step["top_customers"]]


def moved(step: dict, ref: dict, cards: list[dict]) -> dict | None:
    if "replace" in step:
        provider, model = step["with"].split("/")
        return ref | {"provider": provider, "model": model}
    if step.get("move_to") == "standard":
        return ref | {"service_tier": None, "is_batch": None}
    if "move_to" in step:
        is_batch = step["move_to"] == "batch"
        target = ref | {"is_batch": is_batch or None, "service_tier": None if is_batch else step["move_to"]}
        sure = [card for card in cards if card["price_status"] not in (None, "context_unmatched")]
        return target if any(all(card[name] == target[name] for name in REF) for card in sure) else None
    if step.get("without") == "free":
        free = [card for card in cards if card["price_status"] == "free"]
        if any(all(card[name] == ref[name] for name in REF) for card in free):
            return ref | dict(zip(("provider", "model"), step["with"].split("/"), strict=True))
    return None

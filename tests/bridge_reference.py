"""The bridges as plain Python says them: calls one by one, fractions, nothing rounded.

Calls are dicts with the columns of schemas.LEDGER, cards those of schemas.RATE_CARDS; money is Fraction of a pico-USD.
"""

from collections import defaultdict
from datetime import date
from fractions import Fraction

from tests import reference

REF = reference.REF
EFFECTS = ("users", "actions_per_user", "calls_per_action", "tokens_per_call", "model_mix", "class_mix", "price")
OUTCOME_EFFECTS = ("success_share", "calls_per_action", "tokens_per_call", "model_mix", "class_mix", "price")
Usage = dict[tuple, dict[str, tuple[int, int]]]  # (units, pico-USD) by what a price is asked for and token class


def name_of(call: dict, dimension: str) -> str:
    if dimension == "all":
        return "all"
    if dimension == "model":
        return f"{call['provider']}/{call['model']}"
    column = {"feature": "feature", "user": "user_id", "customer": "customer_id"}[dimension]
    return call[column] or "unattributed"


def priced(call: dict, cards: list[dict]) -> Usage | None:
    """What the call used and what it cost, with the band of its own model's cards; None: unpriced."""
    if call["status"] in ("cache_hit", "refused"):
        return {}
    if call["input_tokens"] is None or call["output_tokens"] is None or reference.usage(call, {})["input"] < 0:
        return None
    at = call["called_at"] or reference.END_OF_TIME
    own = [card for card in cards if all(card[name] == call[name] for name in REF)]
    holding = [
        card
        for card in own
        if (card["valid_from"] is None or card["valid_from"] <= at)
        and (card["valid_to"] is None or at < card["valid_to"])
        and max(call["input_tokens"], 1) > card["context_above"]
        and (card["context_up_to"] is None or call["input_tokens"] <= card["context_up_to"])
    ]
    if not holding:
        return None
    (card,) = holding
    rates = {name: card[f"{name}_rate"] for name in reference.CLASSES}
    units = {name: count for name, count in reference.usage(call, rates).items() if count}
    if any(count < 0 for count in units.values()) or any(rates[name] is None for name in units):
        return None
    band = max(bound for bound in (card["context_above"] for card in own) if bound < max(call["input_tokens"], 1))
    key = (*(call[name] for name in REF), band)
    return {key: {name: (count, count * rates[name]) for name, count in units.items()}}


class Period:
    """What the calls of one name did in one period."""

    def __init__(self, calls: list[dict], success: dict[str, bool | None]):
        self.calls = calls
        self.users = {call["user_id"] for call in calls} - {None}
        self.actions = {call["action_id"] for call in calls}
        self.successes = sum(success.get(action) is True for action in self.actions)
        self.unpriced = sum(call["used"] is None for call in calls)
        self.classes: dict[tuple, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
        for call in calls:
            for key, used in (call["used"] or {}).items():
                for name, parts in used.items():
                    for place, part in enumerate(parts):
                        self.classes[key][name][place] += part
        self.by_model = {key: tuple(map(sum, zip(*used.values(), strict=True))) for key, used in self.classes.items()}
        self.units = sum(units for units, _ in self.by_model.values())
        # None is unknown: no call is priced. What is not billed costs nothing.
        self.cost = sum(cost for _, cost in self.by_model.values()) if self.unpriced < len(calls) else None

    @property
    def known_cost(self) -> int:
        return self.cost or 0


def steps(first: Period, second: Period) -> list[Fraction | None]:
    """The first period's cost, the same with one thing after another as in the second, the second's cost."""
    start, end = first.cost, second.cost
    if start is None or end is None:
        return [start, *[None] * 6, end]
    users = Fraction(len(second.users), len(first.users)) if first.users and second.users else 1
    at = [Fraction(start), start * Fraction(users)]
    at.append(start * Fraction(len(second.actions), len(first.actions)))
    at.append(start * Fraction(len(second.calls), len(first.calls)))
    if not first.units:
        return [*at, Fraction(end), Fraction(end), Fraction(end), Fraction(end)]
    at.append(start * Fraction(second.units, first.units))
    at.append(sum((mean_price(first, second, key) * units for key, (units, _) in second.by_model.items()), Fraction(0)))
    at.append(
        sum(
            (class_price(first, second, key, name) * units
             for key, used in second.classes.items() for name, (units, _) in used.items()),
            Fraction(0),
        )
    )  # fmt: skip
    return [*at, Fraction(end)]


def mean_price(first: Period, second: Period, key: tuple) -> Fraction:
    units, cost = first.by_model.get(key) or second.by_model[key]
    return Fraction(cost, units)


def class_price(first: Period, second: Period, key: tuple, name: str) -> Fraction:
    known = first.classes.get(key, {})
    units, cost = known[name] if name in known else second.classes[key][name]
    return Fraction(cost, units)


def periods_by_name(
    calls: list[dict], days: tuple[date, date, date, date], dimension: str, success: dict[str, bool | None]
) -> dict[str, tuple[Period, Period]]:
    names = {name_of(call, dimension) for call in calls}
    found = {}
    for name in names:
        of_name = [call for call in calls if name_of(call, dimension) == name and call["day"]]
        pair = tuple(
            Period([call for call in of_name if first <= call["day"] <= last], success)
            for first, last in (days[:2], days[2:])
        )
        if any(period.calls for period in pair):
            found[name] = pair
    return found


def bridge(first: Period, second: Period) -> dict[str, Fraction | None]:
    """Each effect by its name, None where neither cost is known; rows of `bridge` but for rounding."""
    names = (*EFFECTS, "new", "gone")
    if all(period.cost is None for period in (first, second)):
        return dict.fromkeys(names)
    effects = dict.fromkeys(names, Fraction(0))
    if first.units and second.units:
        at = steps(first, second)
        return effects | {name: after - before for name, before, after in zip(EFFECTS, at, at[1:], strict=False)}
    if not first.units:
        effects["new"] = Fraction(second.known_cost)
    if not second.units:
        effects["gone"] = Fraction(-first.known_cost)
    return effects


def outcome_bridge(first: Period, second: Period) -> dict[str, Fraction | None]:
    """The same of the cost per outcome, of calls of labelled actions; None where it is unknown on either side."""
    if not (first.successes and second.successes) or first.cost is None or second.cost is None:
        return dict.fromkeys(OUTCOME_EFFECTS)
    before, _, *later = steps(first, second)
    at = [before / first.successes, *(step / second.successes for step in later)]
    return {name: after - before for name, before, after in zip(OUTCOME_EFFECTS, at, at[1:], strict=False)}

"""What a scenario makes of calls that are alike in all that its steps look at."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from transforms.scenarios.definitions import RATIOS, TERM_KINDS, Scenario, Step
from transforms.scenarios.names import Name, is_named
from transforms.scenarios.rates import CACHE_WRITES, Change, Tokens
from transforms.schemas import PRICE_REFS, TOKEN_CLASSES

UNATTRIBUTED = "unattributed"
STANDARD = "standard"
Ref = tuple  # the values of PRICE_REFS
ONE = Fraction(1)
# Column of the usage cube by the selector that looks at it.
COLUMNS = {"feature": "feature", "user": "user_id", "customer": "customer_id", "environment": "environment"}
COLUMNS |= {"from": "day", "to": "day"}


class Evidence(NamedTuple):
    """Measured tokens of one model over those of another in a feature: (low, ratio, high) of input and of output."""

    input: tuple[Fraction, Fraction, Fraction]
    output: tuple[Fraction, Fraction, Fraction]
    from_action_count: int
    to_action_count: int
    first_day: date | None
    last_day: date | None


class Known(NamedTuple):
    """What the steps of scenarios need to know of the ledger and of prices."""

    targets: Mapping[str, tuple[str | None, str]] = {}  # model as a step names it -> provider, model
    batched: Collection[Ref] | None = ()  # refs of a tier or batch that somebody has a price of; None: any may be
    names: Mapping[Ref, Collection[Name]] = {}  # what a ref's model is called, by itself and by aliases
    has_contract: bool = True
    tops: Mapping[tuple[str, int], Collection[str]] = {}  # (customer, 3) -> the three that cost most
    evidence: Mapping[tuple[Name, Name, str], Evidence] = {}  # from, to, feature
    free: Collection[Ref] | None = ()  # refs whose price is free; None: any may be


class Walked(NamedTuple):
    """What becomes of a scope: the ref that its calls go to, with which changes of the rates, and how much of them.

    `changes` are those of the estimate; `low` and `high` those of its bounds where tokens were measured, else the same.
    """

    ref: Ref
    is_moved: bool  # to another ref, or to other tokens on its own
    activity: Fraction
    tokens: Mapping[str, tuple]  # (low, estimate, high) by RATIOS; none where they stay the same
    evidence: Evidence | None  # what they were measured by
    context: tuple[Fraction, Fraction, Fraction]  # bounds and estimate of all input tokens over those before
    changes: tuple
    low: tuple
    high: tuple


def columns_of(scenario: Scenario) -> frozenset[str]:
    """The columns of the usage cube, beside the price ref, that the scenario's steps look at."""
    columns = {COLUMNS[key] for step in scenario.steps for key, _ in step.select if key in COLUMNS}
    for step in scenario.steps:
        columns |= {"customer_id"} if step.get("top_customers") else set()
        columns |= {"user_id"} if step.get("top_users") else set()
        columns |= {"feature"} if step.get("tokens") == "measured" else set()
    return frozenset(columns)


def is_scoped(scenario: Scenario) -> bool:
    """Whether it does more than change the rates of whole price refs."""
    moves = any(step.verb in ("replace", "move_to", "activity") or step.value == "free" for step in scenario.steps)
    return moves or bool(columns_of(scenario))


def walk(scenario: Scenario, ref: Ref, scope: Mapping[str, Any], known: Known, matched: set[int]) -> Walked:
    """Calls move first, then the prices of what is called change, each in the order of the steps; `scope` holds the
    values of `columns_of`. The numbers of steps that found something are added to `matched`."""
    own, activity, ratios, evidence = ref, ONE, {}, None
    for number, step in enumerate(scenario.steps):
        if not _selects(step, ref, scope, known):
            continue
        if step.verb == "activity":
            activity *= step.value
            matched.add(number)
        elif (target := _target(step, ref, known)) is not None:
            # a model named in place of itself takes other tokens; one that `*` happens to find does not
            if target != ref or "*" not in str(step.value):
                evidence = _evidence(step, ref, target, scope, known) or evidence
                ratios = _compounded(ratios, _ratios(step, ref, target, scope, known))
            ref = target
            matched.add(number)
    prices = []
    for number, step in enumerate(scenario.steps):
        change = _price_change(step)
        if change and (change.kind != "list" or known.has_contract) and _selects(step, ref, scope, known):
            prices.append(change)
            matched.add(number)
    by_bound = [_changes(ratios, bound, activity, prices) for bound in range(3)]
    return Walked(
        ref,
        ref != own or bool(ratios),
        activity,
        ratios,
        evidence,
        _context(ratios),
        by_bound[1],
        by_bound[0],
        by_bound[2],
    )


def _context(ratios: Mapping[str, tuple]) -> tuple[Fraction, Fraction, Fraction]:
    """All input tokens over those before: for a call, between the least and the greatest ratio of its classes."""
    told = [ratios.get(key, (ONE, ONE, ONE)) for key in RATIOS if key != "output_ratio"]
    return min(low for low, _, _ in told), told[0][1], max(high for _, _, high in told)


def reachable(scenarios: Sequence[Scenario], refs: Iterable[Ref], known: Known) -> list[Ref]:
    """The refs that calls of `refs` may go to: those that prices must be asked for beside the ledger's own."""
    found: dict[Ref, None] = {}
    for scenario in scenarios:
        there = dict.fromkeys(refs)
        for step in scenario.steps:
            if step.verb in ("replace", "move_to", "without"):
                targets = [_target(step, ref, known) for ref in there if _selects_ref(step, ref, known)]
                there |= dict.fromkeys(target for target in targets if target is not None)
        found |= there
    return [ref for ref in found if ref not in set(refs)]


def term_steps(scenario: Scenario) -> list[Step]:
    """The steps that leave terms of a contract."""
    return [step for step in scenario.steps if step.verb == "without" and step.value in TERM_KINDS]


def _selects(step: Step, ref: Ref, scope: Mapping[str, Any], known: Known) -> bool:
    if not _selects_ref(step, ref, known):
        return False
    for key, value in step.select:
        if key in ("from", "to"):
            if not _is_within(scope["day"], key, value):
                return False
        elif key in COLUMNS and (scope[COLUMNS[key]] or UNATTRIBUTED) != value:
            return False
    return all(scope[f"{kind}_id"] in known.tops[kind, count] for kind, count in tops_of(step))


def _selects_ref(step: Step, ref: Ref, known: Known) -> bool:
    told = dict(zip(PRICE_REFS, ref, strict=True))
    pattern = step.value if step.verb == "replace" else step.get("model")
    if pattern is not None:
        own = [(told["provider"], told["model"])] if told["model"] else []
        if not is_named(pattern, known.names.get(ref, own)):
            return False
    for key, value in step.select:
        if key in ("provider", "service_tier", "region") and (told[key] or "").lower() != value.lower():
            return False
        if key == "is_batch" and bool(told[key]) != value:  # not told: no batch
            return False
    return True


def tops_of(step: Step) -> list[tuple[str, int]]:
    """("customer", 3) for top_customers=3."""
    return [(kind, count) for kind in ("customer", "user") if (count := step.get(f"top_{kind}s"))]


def _is_within(day: date | None, key: str, bound: date) -> bool:
    return day is not None and (day >= bound if key == "from" else day <= bound)


def _target(step: Step, ref: Ref, known: Known) -> Ref | None:
    """The ref that calls of `ref` go to; None: the step moves none of them."""
    told = dict(zip(PRICE_REFS, ref, strict=True))
    if step.verb == "replace":
        provider, model = known.targets[step.get("with")]
        return tuple((told | {"provider": provider, "model": model}).values())
    if step.verb == "move_to":
        tier = step.value.lower()
        is_batch = tier == "batch"
        told |= {"is_batch": True if is_batch else None, "service_tier": None if tier in ("batch", STANDARD) else tier}
        target = tuple(told.values())
        has_price = tier == STANDARD or known.batched is None or target in known.batched
        return target if target != ref and has_price else None
    is_free = step.verb == "without" and step.value == "free" and (known.free is None or ref in known.free)
    if is_free and (told["model"] or step.get("with")):
        return tuple((told | paid(step, told, known)).values())
    return None


def paid(step: Step, told: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The model that is paid for in place of a free one: as the step says, else without the ":free" of its name."""
    if step.get("with"):
        return dict(zip(("provider", "model"), known.targets[step.get("with")], strict=True))
    return {"model": told["model"].removesuffix(":free")}


def _evidence(step: Step, ref: Ref, target: Ref, scope: Mapping[str, Any], known: Known) -> Evidence | None:
    if step.get("tokens") != "measured":
        return None
    return known.evidence.get((ref[:2], target[:2], scope["feature"] or UNATTRIBUTED))


def _ratios(step: Step, ref: Ref, target: Ref, scope: Mapping[str, Any], known: Known) -> dict[str, tuple]:
    """(low, estimate, high) by ratio key; nothing where the tokens stay the same. What was measured of input holds for
    every class of it: the share that is read from a cache stays as it was."""
    if found := _evidence(step, ref, target, scope, known):
        return dict.fromkeys(RATIOS[:3], found.input) | {"output_ratio": found.output}
    return {key: (step.get(key),) * 3 for key in RATIOS if step.get(key) is not None}


def _compounded(one: Mapping[str, tuple], other: Mapping[str, tuple]) -> dict[str, tuple]:
    whole = (ONE, ONE, ONE)
    return {
        key: tuple(a * b for a, b in zip(one.get(key, whole), other.get(key, whole), strict=True))
        for key in RATIOS
        if key in one or key in other
    }


def _changes(ratios: Mapping[str, tuple], bound: int, activity: Fraction, prices: Sequence[Change]) -> tuple:
    told = tuple((key, values[bound]) for key, values in ratios.items() if values[bound] != 1)
    more = (Change("times", TOKEN_CLASSES, activity),) if activity != 1 else ()
    return (*prices, *((Tokens(told),) if told else ()), *more)


def _price_change(step: Step) -> Change | None:
    named = step.get("token_class")
    classes = TOKEN_CLASSES if named is None else CACHE_WRITES if named == "cache_write" else (named,)
    if step.verb == "change":
        return Change("times", classes, step.value)
    if step.verb in ("usd_per_million", "usd_per_unit"):
        return Change("to", classes, step.value)
    if step.verb == "caching":
        return Change("caching_none")
    if step.verb == "cache_share":
        return Change("cache_share", value=step.value)
    if step.verb == "without" and step.value == "contract":
        return Change("list")
    return None

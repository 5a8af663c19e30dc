"""What a scenario is, and how it is written: in TOML as a table, on the command line as words key=value."""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transforms.scenarios.values import (
    class_of,
    count_of,
    day_of,
    percent_of,
    percent_text,
    rate_of,
    ratio_of,
    share_of,
    text_of,
    truth_of,
)

ACTUAL = "actual"
RATIOS = ("input_ratio", "cache_read_ratio", "cache_write_ratio", "output_ratio")
# What a step does, and the keys that may stand beside; each step has exactly one of these.
VERBS: dict[str, tuple[str, ...]] = {
    "change": ("token_class",),  # every price that it finds, by so many percent
    "usd_per_million": ("token_class",),  # sets the price of a class
    "usd_per_unit": ("token_class",),
    "replace": ("with", "tokens", *RATIOS),  # one model by another
    "move_to": (),  # calls to `batch`, to `standard`, or to a service tier
    "caching": (),  # none: what was read from or written to a cache is plain input
    "cache_share": (),  # of the input that is not written to a cache, this share is read from it
    "without": ("with",),  # a contract's prices, its volume_tier or commitment terms, a free tier
    "activity": ("top_customers", "top_users"),  # of users and customers, by so many percent
}
REF_SELECTORS = ("provider", "model", "service_tier", "region", "is_batch")
GROUP_SELECTORS = ("feature", "user", "customer")
SCOPE_SELECTORS = (*GROUP_SELECTORS, "environment", "from", "to")  # days inclusive
SELECTORS = (*REF_SELECTORS, *SCOPE_SELECTORS)
READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("change", "activity"), percent_of),
    **dict.fromkeys(RATIOS, ratio_of),
    **dict.fromkeys(("from", "to"), day_of),
    **dict.fromkeys(("top_customers", "top_users"), count_of),
    "token_class": class_of,
    "cache_share": share_of,
    "is_batch": truth_of,
}
CHOICES = {
    "caching": ("none",),
    "without": ("contract", "volume_tier", "commitment", "free"),
    "tokens": ("same", "measured"),
}
MOVING = ("replace", "move_to")
TERM_KINDS = ("volume_tier", "commitment")


@dataclass(frozen=True)
class Step:
    """One change: `verb` is one of VERBS, `value` what it says (a factor, atto-USD per unit, a share, a name),
    `select` what it is about (by SELECTORS; none: everything), `beside` the verb's other keys."""

    verb: str
    value: Any
    select: tuple[tuple[str, Any], ...] = ()
    beside: tuple[tuple[str, Any], ...] = ()

    def get(self, key: str) -> Any:
        return dict(self.select + self.beside).get(key)


@dataclass(frozen=True)
class Scenario:
    """A named change of what calls cost, and why it may come. One without steps is the identity, as "actual" is."""

    name: str
    steps: tuple[Step, ...] = ()
    reason: str | None = None


def parse(text: str) -> Scenario:
    """The scenario of a text: "-30%", "+50% provider=anthropic", "replace=gpt-5 with=gpt-6; -10% token_class=output".

    Its name is the text, that of a plain percentage its shortest form. Raises ValueError.
    """
    name = " ".join(text.split())
    if re.search(r"[^\W\d]", name) and "=" not in name:
        raise ValueError(f"scenario {text!r} is not defined, nor is it a change such as -30% or +50% provider=openai")
    if "=" not in name:
        factor = _read("change", name, f"scenario {text!r}")
        return Scenario(percent_text(factor), (Step("change", factor),) if factor != 1 else ())
    return Scenario(name, tuple(step_of(told, name) for told in _words(text, name)))


def _words(text: str, name: str) -> list[dict[str, str]]:
    """Key and value of each word of each step; quotation marks keep spaces and semicolons in a value."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";")
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise ValueError(f"scenario {name!r}: {error}; close the quotation") from None
    steps: list[dict[str, str]] = [{}]
    for word in words:
        if not word.strip(";"):
            steps.append({})
            continue
        key, equals, value = word.partition("=")
        key, value = (key, value) if equals else ("change", word)
        if key in steps[-1]:
            fix = "put a ; between two steps, and quotation marks around a value with spaces"
            raise ValueError(f"scenario {name!r}: {key} stands twice in one step; {fix}")
        steps[-1][key] = value
    return [told for told in steps if told]


def scenario_of(name: str, table: Any) -> Scenario:
    """The scenario of a table: `changes`, a list of steps, or the keys of its one step; and a `reason`. ValueError."""
    if not name.strip() or not name.isprintable() or "%" in name or "=" in name or name.endswith(".toml"):
        raise ValueError(f"scenario {name!r} is no name; use printable text without %, = and .toml at its end")
    if not isinstance(table, dict):
        raise ValueError(f"scenario {name!r} cannot be {table!r}; it is a table with changes and a reason")
    reason, changes = table.get("reason"), table.get("changes")
    own = {key: value for key, value in table.items() if key not in ("reason", "changes")}
    if changes is not None and own:
        raise ValueError(f"scenario {name!r}: {', '.join(own)} stands beside changes; put it into one of them")
    steps = [own] if changes is None else changes
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ValueError(f"scenario {name!r}: changes is a list of steps, such as [{{ change = '+50%' }}]")
    if reason is not None and not isinstance(reason, str):
        raise ValueError(f"scenario {name!r}: reason cannot be {reason!r}; give a text in quotes")
    return Scenario(name, tuple(step_of(step, name) for step in steps), reason)


def step_of(told: Mapping[str, Any], name: str) -> Step:
    """One step from its keys. Raises ValueError."""
    verbs = [key for key in told if key in VERBS]
    if len(verbs) != 1:
        fact = f"{' and '.join(verbs)} in one step" if verbs else f"no step has {', '.join(told) or 'no key at all'}"
        raise ValueError(f"scenario {name!r}: {fact}; each step has one of {', '.join(VERBS)}")
    verb = verbs[0]
    known = (*VERBS[verb], *SELECTORS)
    if unknown := [key for key in told if key != verb and key not in known]:
        raise ValueError(f"scenario {name!r}: {verb} knows no {unknown[0]}; beside it may stand {', '.join(known)}")
    read = {key: _read(key, value, f"scenario {name!r}: {key}") for key, value in told.items() if key != verb}
    value = _verb_value(verb, told, name)
    select = tuple((key, read[key]) for key in SELECTORS if key in read)
    step = Step(verb, value, select, tuple((key, read[key]) for key in VERBS[verb] if key in read))
    if fact := _contradiction(step):
        raise ValueError(f"scenario {name!r}: {fact}")
    return step


def _verb_value(verb: str, told: Mapping[str, Any], name: str) -> Any:
    if verb not in ("usd_per_million", "usd_per_unit"):
        return _read(verb, told[verb], f"scenario {name!r}: {verb}")
    try:
        return rate_of(told[verb], 10**6 if verb == "usd_per_million" else 1, told.get("token_class"))
    except ValueError as error:
        raise ValueError(f"scenario {name!r}: {verb}: {error}") from None


def _read(key: str, value: Any, place: str) -> Any:
    try:
        read = READERS.get(key, text_of)(value)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    if read not in CHOICES.get(key, (read,)):
        raise ValueError(f"{place} cannot be {value!r}; write {' or '.join(CHOICES[key])}")
    return read


def _contradiction(step: Step) -> str | None:
    days, selected = (step.get("from"), step.get("to")), {key for key, _ in step.select}
    if all(days) and days[0] > days[1]:
        return f"from {days[0]} is after to {days[1]}; swap them"
    if step.verb == "activity" and selected - {*GROUP_SELECTORS}:
        return f"activity is of whom, not of what; select by {', '.join(GROUP_SELECTORS)} alone"
    if step.verb == "activity" and step.get("top_customers") and step.get("top_users"):
        return "top_customers and top_users in one step; make it two steps"
    if step.verb == "without" and step.value in TERM_KINDS and selected - {"provider", "model"}:
        return "terms of a contract are selected by provider and model alone"
    if step.verb == "without" and step.value != "free" and step.get("with"):
        return "`with` names the model that is paid for instead of a free one; leave it out"
    if step.verb == "replace" and ("model" in selected or not step.get("with")):
        return "replace names the one model, `with` the other; write replace=gpt-5 with=gpt-5-mini"
    if "*" in (step.get("with") or ""):
        return "`with` names one model; write it without *"
    if step.get("tokens") and any(step.get(key) is not None for key in RATIOS):
        return "tokens are the same, measured, or given by ratios; say one of these"
    return None


def parts(scenario: Scenario) -> dict[str, Scenario]:
    """The scenario taken up one thing after another, by what is added last: who acts, which model with the same tokens,
    how many tokens that takes, and prices, with which it is whole."""
    acting = [step for step in scenario.steps if step.verb == "activity"]
    moving = [step for step in scenario.steps if step.verb in MOVING or step.value == "free"]
    same_tokens = [replace(step, beside=tuple(pair for pair in step.beside if pair[0] == "with")) for step in moving]
    steps = {
        "activity": acting,
        "model": [*acting, *same_tokens],
        "tokens": [*acting, *moving],
        "price": scenario.steps,
    }
    return {name: Scenario(f"{scenario.name}: {name}", tuple(taken)) for name, taken in steps.items()}


def parse_all(texts: Sequence[str], defined: Mapping[str, Scenario] | None = None) -> list[Scenario]:
    """The scenarios of texts, each a name of `defined` or a scenario itself; each once. Raises ValueError."""
    found = [(defined or {}).get(text.strip()) or parse(text) for text in texts]
    if any(scenario.name == ACTUAL for scenario in found):
        raise ValueError(f"scenario {ACTUAL!r} is always there; give another name")
    return list({scenario.name: scenario for scenario in found}.values())

"""Which names of models, of the bill and of the log, mean the same model.

A bill may leave the date off ("gpt-4o"), write a display name ("Claude Sonnet 4.5") or AWS' own ("Claude4.5Sonnet"); a
log may name the alias that was asked for. Names are the same where they are equal, or where they have the same letters
and numbers, in any order, once the route ("us.anthropic."), the date and the version ("-v1:0") are off, and at least
one of them has no date: two dates are two models.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

_ROUTE = re.compile(r"^(?:.*/)?(?:(?:us|eu|apac|jp|au|ca|in|global|us-gov)\.)?(?:[a-z0-9]+\.(?=[a-z]))?", re.IGNORECASE)
_VERSION = re.compile(r"(?:-v\d+)?:\d+[a-z]?$|-v\d+$", re.IGNORECASE)
_DATE = re.compile(r"[-@](?:20\d{2}-\d{2}-\d{2}|20\d{6})$")
_NUMBER = re.compile(r"\d+")


def same_models(log: Iterable[str], bill: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """({log's name: label}, {bill's name: label}) of one provider: equal labels are compared with each other. A label
    is the log's name, or the bill's where it stands for several of them."""
    names = {"log": set(log), "bill": set(bill)}
    labels = {side: {name: name for name in found} for side, found in names.items()}
    alike: dict[tuple[str, ...], set[str]] = defaultdict(set)
    is_dated = {}
    for name in names["log"] | names["bill"]:
        key, is_dated[name] = _key(name)
        alike[key].add(name)
    for group in alike.values():
        ours, theirs = (sorted(group & names[side]) for side in ("log", "bill"))
        has_alias = any(not is_dated[name] for name in set(ours) ^ set(theirs))
        if ours and theirs and has_alias:
            undated = [name for name in (*theirs, *ours) if not is_dated[name]]
            label = ours[0] if len(ours) == 1 else undated[0]
            labels["log"].update(dict.fromkeys(ours, label))
            labels["bill"].update(dict.fromkeys(theirs, label))
    return labels["log"], labels["bill"]


def alike(names: Iterable[str]) -> dict[str, str]:
    """{name: label}, of any number of bills: equal labels may be the same model. Dated names are one where a name
    without a date is among them."""
    groups, undated = defaultdict(list), {}
    for name in sorted(set(names)):
        key, is_dated = _key(name)
        groups[key].append(name)
        if not is_dated:
            undated.setdefault(key, name)
    return {name: undated.get(key, name) for key, group in groups.items() for name in group}


def _key(name: str) -> tuple[tuple[str, ...], bool]:
    """The numbers and letters of a name, and whether it had a date. A version's ".0" is none."""
    bare = _VERSION.sub("", _ROUTE.sub("", name.strip()))
    undated = _DATE.sub("", bare)
    text = re.sub(r"(?<=\d)\.0(?!\d)", "", undated.lower())
    letters = sorted(filter(str.isalpha, text))
    return (*sorted(_NUMBER.findall(text)), "".join(letters)), undated != bare

"""The gate of a night: what speaks against publishing a catalogue, beside the checks that every build must pass.

All that is judged is new since the last publication, so that a bad night shows in a long history, and so that a night
that was stopped, or died, is judged again with whichever comes next.
"""

from collections.abc import Callable, Collection
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from pipelines import questions
from pipelines.errors import UserError
from pipelines.night_rules import Gate

LEAST_WEEKDAYS = 3  # before that nobody knows what is usual
MOST_DAYS = 14  # of a backlog, the last ones are judged for how many calls they have

Model = tuple[str | None, str | None]
Counts = tuple[int, int]  # calls, and those without a cost


def judge(
    limits: Gate, day: date, judged_to: date | None = None, stopped: Collection[date] = ()
) -> Callable[[Path, Path | None], list[str]]:
    """What speaks against a catalogue (a path), given the one that was published before (None: none was).

    `judged_to` is the day of the last night that came to its end: days after it, up to `day`, are judged as well, and
    so are those of nights that were `stopped` since.
    """
    since = max(judged_to or day, day - timedelta(days=MOST_DAYS))
    days = {day, *stopped, *(since + timedelta(days=number) for number in range(1, (day - since).days + 1))}
    return partial(_reasons, limits, day, days)


def _reasons(limits: Gate, day: date, days: set[date], candidate: Path, published: Path | None) -> list[str]:
    lines = questions.answer(candidate, "gate_lines").row(0, named=True)
    # calls of days that were pruned since are not to be set off
    now, before = _counts(candidate, lines["first_day"]), _counts(published, lines["first_day"])
    reasons = [*_quarantined(limits, lines, published), *_unpriced(limits, now, before)]
    days = days | {*questions.answer(candidate, "new_days", until=day)["day"].head(MOST_DAYS)}
    # a log that ends before has not come yet, which is no reason against what has; it is an alert
    told = [some for some in sorted(days) if lines["last_day"] and some <= lines["last_day"]]
    return reasons + [reason for some in told for reason in thin(limits.least_calls_share, some, candidate)]


def _quarantined(limits: Gate, lines: dict[str, Any], published: Path | None) -> list[str]:
    before = _answer(published, "gate_lines")
    known = before[0] if before else {"line_count": 0, "quarantined_count": 0}
    count, whole = (lines[name] - known[name] for name in ("quarantined_count", "line_count"))
    return _above("quarantined", count, whole, "new lines", limits.most_quarantined_share)


def _unpriced(limits: Gate, now: dict[Model, Counts], before: dict[Model, Counts]) -> list[str]:
    """By model, so that a price that came for one does not hide that another has none. More unpriced calls than there
    are new ones are calls that had a price before."""
    new = lost = new_unpriced = 0
    for model, (call_count, unpriced_count) in now.items():
        known_count, known_unpriced = before.get(model, (0, 0))
        come, without = max(call_count - known_count, 0), max(unpriced_count - known_unpriced, 0)
        new, new_unpriced = new + come, new_unpriced + min(come, without)
        lost += without - min(come, without)
    known = sum(call_count for call_count, _ in before.values())
    return [
        *_above("unpriced", new_unpriced, new, "new calls", limits.most_unpriced_share),
        *_above("unpriced", lost, known, "calls that had been published with a price", limits.most_unpriced_share),
    ]


def _above(name: str, count: int, whole: int, of: str, most: Decimal) -> list[str]:
    if whole <= 0 or count <= most * whole:
        return []
    return [f"{name}: {count:,} of {whole:,} {of}, {count / whole:.1%} where [gate] {name} allows {_percent(most)}"]


def thin(least: Decimal, day: date, catalogue: Path) -> list[str]:
    """Whether a catalogue has far fewer calls of the day than its weekday usually has: the reason, or none."""
    told = questions.answer(catalogue, "thin_day", day=day).rows(named=True)
    if not told or told[0]["weekday_count"] < LEAST_WEEKDAYS:
        return []
    count, usual = told[0]["call_count"], told[0]["usual_call_count"]
    if count >= float(least) * usual:
        return []
    fact = f"{count:,} calls, {count / usual:.1%} of the {usual:,g} that its weekday usually has"
    return [f"calls: {day} has {fact}; [gate] calls_of_usual wants {_percent(least)}"]


def _counts(catalogue: Path | None, since: date | None) -> dict[Model, Counts]:
    rows = _answer(catalogue, "gate_counts", since=since)
    return {(row["provider"], row["model"]): (row["call_count"], row["unpriced_call_count"]) for row in rows}


def _answer(catalogue: Path | None, question: str, **parameters: Any) -> list[dict[str, Any]]:
    """No row where there is no catalogue, or one that another version published: all is judged as if it were new."""
    try:
        return questions.answer(catalogue, question, **parameters).rows(named=True) if catalogue else []
    except UserError:
        return []


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"

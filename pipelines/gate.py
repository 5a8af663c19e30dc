"""The gate of a night: what speaks against publishing a catalogue, beside the checks that every build must pass.

Shares are of what is new since the last publication, so that a bad night shows in a long history, and so that a night
that was stopped, or died, is judged again with the next one.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from pipelines import questions
from pipelines.night_rules import Gate
from pipelines.settings import UserError

COUNTS = ("line_count", "quarantined_count", "call_count", "unpriced_call_count")
LEAST_WEEKDAYS = 3  # before that nobody knows what is usual


def judge(limits: Gate, day: date) -> Callable[[Path, Path | None], list[str]]:
    """What speaks against a catalogue (a path), given the one that was published before (None: none was)."""
    return partial(_reasons, limits, day)


def _reasons(limits: Gate, day: date, candidate: Path, published: Path | None) -> list[str]:
    now = _counts(candidate)
    before = _counts(published, now["first_day"] or "")  # calls of days that were pruned since are not to be set off
    new = {name: now[name] - before[name] for name in COUNTS}
    shares = (
        ("quarantined", new["quarantined_count"], new["line_count"], "new lines", limits.most_quarantined_share),
        ("unpriced", new["unpriced_call_count"], new["call_count"], "new calls", limits.most_unpriced_share),
    )
    reasons = [
        f"{name}: {count:,} of {whole:,} {of}, {count / whole:.1%} where [gate] {name} allows {_percent(most)}"
        for name, count, whole, of, most in shares
        if whole > 0 and count > most * whole
    ]
    return reasons + thin(limits.least_calls_share, day, candidate)


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


def _counts(catalogue: Path | None, since: str = "") -> dict[str, Any]:
    """COUNTS, and first_day."""
    if catalogue is None:
        return dict.fromkeys(COUNTS, 0)
    try:
        rows = questions.answer(catalogue, "gate_counts", since=since).rows(named=True)
    except UserError:  # another version published it: all is judged as if it were new
        return dict.fromkeys(COUNTS, 0)
    return rows[0]


def _percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f}%"

"""Paths of logs that name a day: `exports/{day}/*.jsonl`, `logs/{day:%Y/%m}/calls-{day:%d}.jsonl.gz`.

A night looks for the files of its day and of some days before; every other command for those of any day.
"""

import glob
import os
import re
from collections.abc import Callable, Iterable
from datetime import date

from pipelines.errors import UserError

DAY = re.compile(r"\{day(?::([^{}]*))?\}")
ISO = "%Y-%m-%d"
DIGITS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%j": 3}
DIRECTIVE = re.compile("%.?")


def of_any_day(patterns: Iterable[str]) -> list[str]:
    """The patterns as globs that match the files of every day. Raises UserError."""
    return [_with(pattern, lambda told: DIRECTIVE.sub(_digits, told)) for pattern in patterns]


def of_days(patterns: Iterable[str], days: list[date]) -> tuple[list[str], list[str]]:
    """The patterns for each of the days that has a file, and those of days that have none; what names no day is among
    the former as it is. Raises UserError."""
    dated = [(pattern, [day.strftime for day in days]) for pattern in patterns if DAY.search(pattern)]
    paths = [os.path.expanduser(_with(pattern, told)) for pattern, days_told in dated for told in days_told]
    there = [path for path in paths if os.path.lexists(path) or any(glob.iglob(path, recursive=True))]
    return [pattern for pattern in patterns if not DAY.search(pattern)] + there, sorted({*paths} - {*there})


def without_files(patterns: Iterable[str]) -> list[str]:
    """Those of the patterns that name a day and match no file of any. Raises UserError."""
    dated = [pattern for pattern in patterns if DAY.search(pattern)]
    paths = [os.path.expanduser(path) for path in of_any_day(dated)]
    return [pattern for pattern, path in zip(dated, paths, strict=True) if not any(glob.iglob(path, recursive=True))]


def _with(pattern: str, told: Callable[[str], str]) -> str:
    """The pattern with what `told` makes of the format in each of its days."""
    return DAY.sub(lambda found: told(_format(found, pattern)), pattern)


def _format(found: re.Match[str], pattern: str) -> str:
    told = found[1] if found[1] is not None else ISO
    unknown = [directive for directive in DIRECTIVE.findall(told) if directive not in DIGITS]
    if unknown or "%" not in told:
        known = " ".join(DIGITS)
        raise UserError(f"{pattern}: {found[0]} is no day of a path; write {{day}}, or {{day:FORMAT}} with {known}")
    return told


def _digits(directive: re.Match[str]) -> str:
    return "[0-9]" * DIGITS[directive[0]]

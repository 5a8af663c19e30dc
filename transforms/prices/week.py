"""Windows of the UTC week as a reader knows them: weekdays, and from when to when."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

import polars as pl

from transforms.schemas import WEEK_SECONDS

DAY_SECONDS = 86_400
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WINDOW = ("week_second_from", "week_second_to")
ALWAYS = "always"


def joined(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with one row for those that differ in week_second_from and week_second_to alone: `windows` lists these
    pairs, in order. The order of the rows is kept."""
    others = [name for name in rows.columns if name not in WINDOW]
    window = pl.struct(WINDOW).sort_by("week_second_from").alias("windows")
    return rows.group_by(others, maintain_order=True).agg(window)


def day_parts(windows: Iterable[tuple[int, int]]) -> list[tuple[tuple[int, ...], int, int]]:
    """The windows cut at midnight: (weekdays from Monday 0, second from, second to) of each part, in order."""
    days_by_part: dict[tuple[int, int], list[int]] = defaultdict(list)
    for start, end in _merged(windows):
        for day in range(start // DAY_SECONDS, -(-end // DAY_SECONDS)):
            midnight = day * DAY_SECONDS
            days_by_part[max(start - midnight, 0), min(end - midnight, DAY_SECONDS)].append(day)
    parts = [(tuple(days), *part) for part, days in days_by_part.items()]
    return sorted(parts, key=lambda part: (part[0], part[1]))


def described(windows: Iterable[tuple[int, int]]) -> str:
    """ "Mon-Fri 01:00-04:00 UTC"; "always" for the whole week."""
    windows = _merged(windows)
    if windows == [(0, WEEK_SECONDS)]:
        return ALWAYS
    told = []
    for days, same in groupby(day_parts(windows), key=lambda part: part[0]):
        hours = ", ".join(f"{clock(start)}-{clock(end)}" for _, start, end in same if end - start < DAY_SECONDS)
        told.append(f"{weekdays(days)} {hours}".rstrip())
    return "; ".join(told) + " UTC"


def weekdays(days: tuple[int, ...]) -> str:
    """ "Mon-Fri", "Sat,Sun"; days in a row from three on are written as from and to."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    texts = [[NAMES[run[0]] + "-" + NAMES[run[-1]]] if len(run) > 2 else [NAMES[day] for day in run] for run in runs]
    return ",".join(sum(texts, []))


def clock(second: int) -> str:
    """The time of a second of the day, which ends at 24:00."""
    hours, rest = divmod(second, 3600)
    text = f"{hours:02}:{rest // 60:02}"
    return text if rest % 60 == 0 else f"{text}:{rest % 60:02}"


def _merged(windows: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    whole: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if whole and whole[-1][1] == start:
            start = whole.pop()[0]
        whole.append((start, end))
    return whole

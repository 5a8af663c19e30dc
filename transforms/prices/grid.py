"""Step 7, time x second of the week x context: rows of rates cut wherever one begins or ends."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from transforms.schemas import WEEK_SECONDS

BOUNDS = ("valid_from", "valid_to", "week_second_from", "week_second_to", "context_above", "context_up_to")


def cells(rows: list[dict], value_of: Callable[[list[dict]], tuple | None]) -> Iterator[tuple[tuple, tuple]]:
    """(bounds, value) of each cell that `rows` cut; neighbours of equal value merge. Bounds are (name, value) pairs.

    value_of tells what holds where exactly these rows cover, of all contexts up to the cell's; None: nothing, and there
    is no cell.
    """
    if len(rows) == 1 and (value := value_of(rows)) is not None:
        yield tuple((name, rows[0].get(name)) for name in BOUNDS), value
        return
    instants = sorted({row[bound] for row in rows for bound in ("valid_from", "valid_to")} - {None})
    seconds = sorted({0, WEEK_SECONDS}.union(*((row["week_second_from"], row["week_second_to"]) for row in rows)))
    contexts = sorted({0}.union(row["context_above"] for row in rows))
    eras = []
    for start, end in spans([None, *instants, None]):
        alive = [row for row in rows if is_valid(row, start)]
        bands = []
        for above, up_to in spans([*contexts, None]):
            reached = [row for row in alive if row["context_above"] <= above]
            # windows within a band: what cuts another band's week must not cut this one's
            windows = [
                (second_from, second_to, value_of([row for row in reached if _is_awake(row, second_from)]))
                for second_from, second_to in spans(seconds)
            ]
            bands.append((above, up_to, tuple(merged(windows))))
        eras.append((start, end, tuple(merged(bands))))
    for start, end, bands in merged(eras):
        for above, up_to, windows in bands:
            for second_from, second_to, value in windows:
                if value is not None:
                    bounds = (start, end, second_from, second_to, above, up_to)
                    yield tuple(zip(BOUNDS, bounds, strict=True)), value


def is_valid(row: dict, start: datetime | None) -> bool:
    """Whether the row holds in a span that starts at `start` (None: since ever) and is cut by no bound of the row."""
    has_begun = row["valid_from"] is None or (start is not None and row["valid_from"] <= start)
    return has_begun and (row["valid_to"] is None or start is None or start < row["valid_to"])


def _is_awake(row: dict, second: int) -> bool:
    return row["week_second_from"] <= second < row["week_second_to"]


def spans(edges: Iterable) -> list[tuple]:
    """Half-open spans between neighbouring edges."""
    return list(pairwise(edges))


def merged(parts: Iterable[tuple]) -> list[tuple]:
    """(start, end, value) parts in order, neighbours with equal values made one."""
    whole: list[tuple] = []
    for start, end, value in parts:
        if whole and whole[-1][2] == value:
            start = whole.pop()[0]
        whole.append((start, end, value))
    return whole

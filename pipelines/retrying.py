"""Quarantined lines of one log, read again under today's settings: what comes in, and what is left.

They are read as the log's first lines and they themselves choose, as when the log is taken; and what is refused then,
as these lines by themselves choose: a mapping for them may be new.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipelines import picked, readings, sniff
from pipelines.damage import DAMAGED
from pipelines.draft import Draft
from pipelines.durable import refuses_writing
from pipelines.picked import Picked
from pipelines.reading import Choose, Reading
from pipelines.reread import Made, Rereader, Sink, among
from pipelines.settings import Settings
from pipelines.whereabouts import CHANGED, Lines, Whereabouts
from transforms import schemas

NEEDS_LOG = "its log is gone, and its lines mean something only together"
HALF_IN = "some of its lines came in by half, and now are of another shape; read it into a new --data folder"
HANGS_TOGETHER = "other lines of it would tell otherwise too; read it into a new --data folder"
SAMPLE_LINES, SAMPLE_BYTES = 50, 16 << 20
NONE = pl.Series([], dtype=pl.Int64)
LiveRows = Callable[[str, int], pl.DataFrame]  # of a kind and a content


@dataclass(frozen=True)
class Quarantined:
    """The quarantined lines of a content: its row of `content`, and its QUARANTINE rows.

    Where a line holds several records, some of which came in, its others are in `rows`, and it is no quarantined line.
    """

    content: dict[str, Any]
    rows: pl.DataFrame

    @property
    def numbers(self) -> pl.Series:
        return self.rows["line_number"].unique().sort()

    @property
    def content_id(self) -> int:
        return self.content["content_id"]

    @property
    def half_in_count(self) -> int:
        """Lines of which some records came in when they were read; which ones these are is not always known."""
        return self.numbers.len() - self.content["quarantined_line_count"]

    @property
    def of_records(self) -> pl.Series:
        """Lines that may be such; none where there are none."""
        rows = self.rows.filter(pl.col("part").is_not_null()) if self.half_in_count else self.rows.clear()
        return rows["line_number"].unique()


@dataclass(frozen=True)
class Result:
    """What is to change: `read` are the numbers of the lines that were read again, `quarantine` what is left of them,
    the counts of lines are to be added to the content's."""

    quarantined: Quarantined
    read: pl.Series
    quarantine: pl.DataFrame
    call_line_count: int
    other_line_count: int
    trouble: str | None  # why not all were read

    @property
    def came_in_count(self) -> int:
        return self.call_line_count + self.other_line_count

    @property
    def has_changed(self) -> bool:
        before = self.quarantined.rows.filter(among(self.read)).sort("line_number", "part")
        return not before.equals(self.quarantine)


class Retrying:
    def __init__(
        self, where: Whereabouts, settings: Settings, draft: Draft, terms: readings.Terms, live_rows: LiveRows
    ) -> None:
        self.where, self.draft, self.live_rows = where, draft, live_rows
        sink = Sink(draft.staging)
        self.reread = Rereader(where.reader, sink)
        self.choose: dict[str, Choose] = {
            "calls": readings.of_calls(settings, sink, terms),
            "outcomes": readings.of_outcomes(settings, sink, terms),
        }

    def read(self, quarantined: Quarantined) -> Result:
        """Reads its lines again, and puts what they tell of into the draft."""
        found = self.where.lines(quarantined.content, set(quarantined.numbers))
        reading = self._reading(quarantined, found)
        if reading and reading.frame != "lines" and found.log is None:
            return _nothing(quarantined, NEEDS_LOG)
        asked = _asked(quarantined, found, reading)
        whole = None
        if reading and reading.frame != "lines":
            try:
                takings = self.where.takings(quarantined.content, found.log)
                whole = self.reread.whole(reading, found.log, takings)
            except DAMAGED as error:  # the log changed since its lines were found
                if refuses_writing(error):
                    raise
                self.reread.sink.made()
                return _nothing(quarantined, CHANGED)
            if self._hangs_together(quarantined, whole, asked):
                return _nothing(quarantined, HANGS_TOGETHER)
        trouble = found.trouble or (HALF_IN if asked.len() < sum(len(file.numbers) for file in found.files) else None)
        return self._judged(quarantined, asked, self._made(quarantined, asked, reading, whole, found), trouble)

    def _reading(self, quarantined: Quarantined, found: Lines) -> Reading | None:
        head = sniff.head_of_lines(found.log, self.where.reader.bounds) if found.log else b""
        lines = _sample(quarantined.rows, found.files)
        readings = [self._chosen(quarantined, lines + head)]
        if quarantined.of_records.len():  # only the shape that some records came in by can tell which the others are
            by_head = self._chosen(quarantined, head)
            readings = [some for some in (by_head, *readings) if _is_of(quarantined, some)] or readings
        return readings[0]

    def _chosen(self, quarantined: Quarantined, lines: bytes) -> Reading | None:
        look = sniff.Look("lines", lines, "lines of JSON objects")
        return self.choose[quarantined.content["kind"]](look) if look.records else None

    def _made(
        self, quarantined: Quarantined, asked: pl.Series, reading: Reading | None, whole: Made | None, found: Lines
    ) -> Iterator[tuple[pl.Series, Made]]:
        """Numbers of some lines, and what becomes of them."""
        for file in found.files:
            numbers = pl.Series(file.numbers, dtype=pl.Int64)
            numbers = numbers.filter(numbers.is_in(asked.implode()))
            if whole:
                made = whole.of(numbers)
            elif reading:
                made = self.reread.picked(reading, file, quarantined.content_id).of(numbers)
            else:
                none = schemas.empty(schemas.LEDGER), schemas.empty(schemas.OUTCOMES)
                made = Made(*none, quarantined.rows.filter(among(numbers)))
            yield numbers, self._by_themselves(quarantined, made, file, reading)

    def _by_themselves(self, quarantined: Quarantined, made: Made, file: Picked, reading: Reading | None) -> Made:
        kind = quarantined.content["kind"]
        refused = set(made.refused(kind)) - set(quarantined.of_records)
        if not refused:
            return made
        files = picked.copied((line for line in file if line[0] in refused), self.draft.staging)
        for some in files:
            other = self._chosen(quarantined, _sample(made.quarantine, [some]))
            if other and other is not reading and other.frame == "lines":
                again = self.reread.picked(other, some, quarantined.content_id)
                came_in = again.kept(kind)
                came_in = came_in.filter(~came_in.is_in(again.quarantine["line_number"].implode()))
                made = made.without(came_in).and_(again.of(came_in))
            some.path.unlink()
        return made

    def _judged(
        self, quarantined: Quarantined, asked: pl.Series, made: Iterator[tuple[pl.Series, Made]], trouble: str | None
    ) -> Result:
        kind = quarantined.content["kind"]
        call_lines, other_lines, left = 0, 0, [schemas.empty(schemas.QUARANTINE)]
        for numbers, some in made:
            kept = some.kept(kind).len()
            call_lines += kept
            other_lines += numbers.len() - kept - some.refused(kind).len()
            some = self._wanted(quarantined, some)
            self.draft.add("ledger", some.ledger)
            self.draft.add("outcomes", some.outcomes)
            left.append(some.quarantine)
        half_in = quarantined.half_in_count if set(quarantined.of_records) <= set(asked) else 0
        rest = pl.concat(left).sort("line_number", "part")
        return Result(quarantined, asked, rest, call_lines - half_in, other_lines, trouble)

    def _wanted(self, quarantined: Quarantined, made: Made) -> Made:
        """Without what came in when these lines were read first."""
        of_records = among(quarantined.of_records)
        if not quarantined.of_records.len():
            return made
        records = quarantined.rows.select("line_number", "part")
        ledger, quarantine = (
            pl.concat(
                [
                    rows.filter(~of_records | pl.col("part").is_null()),
                    rows.filter(of_records).join(records, on=["line_number", "part"], how="semi"),
                ]
            )
            for rows in (made.ledger, made.quarantine)
        )
        known = self.live_rows("outcomes", quarantined.content_id)
        outcomes = made.outcomes.join(known, on=list(schemas.OUTCOMES), how="anti", nulls_equal=True)
        return Made(ledger, outcomes, quarantine)

    def _hangs_together(self, quarantined: Quarantined, whole: Made, asked: pl.Series) -> bool:
        """Whether a call that came in has less of some quantity once the quarantined lines are understood: the step of
        a running total, for one, which would be counted twice. More of it does no harm: a telling is not the last."""
        address, counts = ["line_number", "part"], list(schemas.QUANTITIES)
        known = self.live_rows("ledger", quarantined.content_id).filter(~among(asked)).select(*address, *counts)
        both = whole.ledger.join(known, on=address, suffix=" known")
        return both.filter(pl.any_horizontal(pl.col(name) < pl.col(f"{name} known") for name in counts)).height > 0


def _is_of(quarantined: Quarantined, reading: Reading | None) -> bool:
    return reading is not None and reading.shape == quarantined.content["shape"]


def _asked(quarantined: Quarantined, found: Lines, reading: Reading | None) -> pl.Series:
    """The lines to read again: those at hand, but of lines of several records, of which some came in, all or none, or
    what is counted of them would not be known; and none where another shape than theirs reads them."""
    asked = pl.Series([number for file in found.files for number in file.numbers], dtype=pl.Int64)
    of_records = quarantined.of_records
    if set(of_records) <= set(asked) and (_is_of(quarantined, reading) or not of_records.len()):
        return asked
    return asked.filter(~asked.is_in(of_records.implode()))


def _nothing(quarantined: Quarantined, trouble: str) -> Result:
    return Result(quarantined, NONE, schemas.empty(schemas.QUARANTINE), 0, 0, trouble)


def _sample(rows: pl.DataFrame, files: list[Picked]) -> bytes:
    """A few of the lines, the first ones of each reason before others, to choose a reading by."""
    by_reason = rows.with_columns(rank=pl.col("line_number").rank("ordinal").over("reason")).sort("rank", "line_number")
    asked = set(by_reason["line_number"].unique(maintain_order=True).head(SAMPLE_LINES))
    lines, byte_count = [], 0
    for number, line in (line for file in files for line in file):
        if number in asked and byte_count + len(line) <= SAMPLE_BYTES:
            lines.append(line)
            byte_count += len(line)
    return b"".join(lines)

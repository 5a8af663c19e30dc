"""Lines of a log that were taken before, read again: what becomes of them, held apart until it is known what of it is
wanted."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.draft import Draft
from pipelines.log_files import LogFile
from pipelines.new_lines import Taking
from pipelines.picked import Picked
from pipelines.pieces import Piece, taken_pieces
from pipelines.reader import Reader
from pipelines.reading import Read, Reading, together
from transforms import schemas

KINDS = {"ledger": schemas.LEDGER, "outcomes": schemas.OUTCOMES, "quarantine": schemas.QUARANTINE}


@dataclass(frozen=True)
class Made:
    """What became of some lines: rows of LEDGER, OUTCOMES, QUARANTINE. A line of none of them is another line."""

    ledger: pl.DataFrame
    outcomes: pl.DataFrame
    quarantine: pl.DataFrame

    def kept(self, kind: str) -> pl.Series:
        """Numbers of the lines that tell of a call; of a file of outcomes, of an outcome."""
        return (self.ledger if kind == "calls" else self.outcomes)["line_number"].unique()

    def refused(self, kind: str) -> pl.Series:
        """Numbers of the lines of which nothing is kept, and not all is of no account."""
        return self.quarantine.filter(~among(self.kept(kind)))["line_number"].unique()

    def of(self, numbers: pl.Series) -> "Made":
        return Made(*(rows.filter(among(numbers)) for rows in self))

    def without(self, numbers: pl.Series) -> "Made":
        return Made(*(rows.filter(~among(numbers)) for rows in self))

    def and_(self, other: "Made") -> "Made":
        return Made(*map(pl.concat, zip(self, other, strict=True)))

    def __iter__(self):
        return iter((self.ledger, self.outcomes, self.quarantine))


def among(numbers: pl.Series) -> pl.Expr:
    return pl.col("line_number").is_in(numbers.implode())


class Sink(Draft):
    """What a reading has for a draft until `made` is asked for."""

    def __init__(self, staging: Path) -> None:
        super().__init__(staging, lambda rows: rows)

    def add(self, kind: str, frame: pl.DataFrame) -> None:
        self.frames.append((kind, frame))

    def made(self) -> Made:
        frames, self.frames = self.frames, []
        return Made(
            *(
                pl.concat([schemas.empty(schema), *(frame for name, frame in frames if name == kind)])
                for kind, schema in KINDS.items()
            )
        )


@dataclass(frozen=True)
class Rereader:
    """Reads with readings whose draft is `sink`."""

    reader: Reader
    sink: Sink

    def picked(self, reading: Reading, file: Picked, content_id: int) -> Made:
        """Of lines that mean something each by itself."""
        taking = _taking(content_id)
        numbers = pl.Series(file.numbers, dtype=pl.Int64)
        for batch in self.reader.read(Piece(file.path, taking, 0, len(file.numbers)), reading.columns):
            lines, rejects = (
                rows.with_columns(line_number=numbers.gather(rows["line_number"] - 1))
                for rows in (batch.lines, batch.quarantine)
            )
            reading.take(Read(reading.opened(lines), rejects), {content_id: taking}, True)
        return self.sink.made()

    def whole(self, reading: Reading, log: LogFile, takings: list[Taking]) -> Made:
        """Of all lines of a log, which mean something only together."""
        content_id = takings[0].content_id
        frame: list[Read] = []
        made = self.sink.made()
        for piece in taken_pieces(log, takings, self.reader.staging, self.reader.bounds):
            for batch in self.reader.read(piece, reading.columns):
                frame.append(Read(reading.opened(batch.lines), batch.quarantine))
                if reading.is_full(frame):
                    reading.take(together(frame), {content_id: _taking(content_id)}, True)
                    made, frame = made.and_(self.sink.made()), []
            piece.path.unlink()
        if frame:
            reading.take(together(frame), {content_id: _taking(content_id)}, True)
        return made.and_(self.sink.made())


def _taking(content_id: int) -> Taking:
    """For a reading to count the lines in, which are counted anew here."""
    return Taking(None, content_id, False, 0, 0)  # type: ignore[arg-type]

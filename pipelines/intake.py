"""Reads what is new in log files, batch by batch, and hands each batch on with its shape; one damaged file never stops
the rest: what it gave is taken back, and it is named."""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import zstandard

from pipelines import new_lines, sniff
from pipelines.draft import Draft
from pipelines.exact import Read, csv_batches
from pipelines.log_files import LogFile, compression, open_bytes
from pipelines.new_lines import CHUNK_BYTES, Known, Taking
from pipelines.pieces import Piece, count_lines, direct_piece, staged_pieces, whole_file
from pipelines.reader import PARSER_ERRORS, Reader, Unclean
from pipelines.settings import UserError

GROUP_BYTES = 64 << 20
DAMAGED_BYTES = (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError)
DAMAGED = (OSError, *DAMAGED_BYTES, csv.Error, UnicodeDecodeError, *PARSER_ERRORS)


@dataclass(frozen=True)
class Reading:
    """How records become calls (or outcomes): the columns to read, by name and path, and the shape's name."""

    shape: str
    columns: dict[str, str]
    take: Callable[[Read, dict[int, Taking]], None]  # keeps a batch; the takings by content_id count its lines


Choose = Callable[[list[dict]], Reading | None]


@dataclass
class Report:
    """What became of each file that was named or found."""

    unchanged: list[Path] = field(default_factory=list)
    taken: list[Taking] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)  # not a log: what it looks like
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    waiting: list[tuple[Path, int]] = field(default_factory=list)  # bytes of a half last line

    def settled(self, files: list[LogFile]) -> list[LogFile]:
        """Files that need no second look while they do not change."""
        again = {path for path, _ in self.unreadable + self.skipped}
        return [file for file in files if file.path not in again]


@dataclass
class _Group:
    """Small logs of one shape that are read in one go: a query for each would cost more than its lines."""

    reading: Reading | None = None
    pieces: list[Piece] = field(default_factory=list)
    byte_count: int = 0


class Intake:
    def __init__(
        self, reader: Reader, draft: Draft, first_content_id: int, advance: Callable[[int, int], None]
    ) -> None:
        self.reader, self.draft, self.advance = reader, draft, advance
        self.next_content_id = first_content_id
        self.lines_shown = 0
        self.report = Report()
        self.group = _Group()

    def read(self, files: list[LogFile], kind: str, known: Known, choose: Choose) -> None:
        """Reads what is new of `files`. `kind` is calls or outcomes, `known` what the ledger has of that kind."""
        self.known, self.choose = known, choose
        for file in files:
            with self._naming_damage(file):
                self._read_file(file, kind)
        self._read_group()

    def look(self, file: LogFile) -> tuple[sniff.Look, Path | None]:
        """What the file is; for JSON that is not in lines, also a staged copy of one object a line."""
        seen, lines = sniff.look(file), None
        if seen.layout in ("array", "unstructured"):
            lines = self._objects_as_lines(file, seen.layout)
            with lines.open("rb") as stream:
                seen = replace(seen, records=sniff.records_of(stream.readlines(sniff.LOOK_BYTES)))
        elif seen.layout == "parquet":
            seen = replace(seen, records=self.reader.parquet_records(file.path))
        return seen, lines

    def _read_file(self, file: LogFile, kind: str) -> None:
        seen, lines = self.look(file)
        if seen.layout == "empty":
            self.report.unchanged.append(file.path)
            return
        reading = self.choose(seen.records) if seen.records else None
        if reading is None:
            self._pass_over(file, seen)
            return
        taking = new_lines.identify(file, self.known, self.next_content_id)
        taking.kind, taking.shape = kind, reading.shape
        if taking.is_new:
            self.next_content_id += 1
        if seen.layout == "lines":
            self._read_lines(taking, reading)
        else:
            self._read_document(taking, reading, seen.layout, lines)

    def _pass_over(self, file: LogFile, seen: sniff.Look) -> None:
        fields = sorted({name for record in seen.records for name in record})[:12]
        what = seen.seen + (f" with the fields {', '.join(fields)}" if fields else "")
        if file.is_named:
            raise UserError(
                f"{file.path}: no log shape fits; it is {what}. Name its shape with --shape, or map its fields in "
                "tokenspread.toml (see README, 'Any other log')"
            )
        self.report.skipped.append((file.path, what))
        self._advance(file.size, 0)

    def _read_lines(self, taking: Taking, reading: Reading) -> None:
        piece = direct_piece(taking)
        if piece is None:
            self._read_staged(taking, reading)
            return
        if self.group.reading is not reading or self.group.byte_count + taking.to_byte > GROUP_BYTES:
            self._read_group()
            self.group = _Group(reading)
        self.group.pieces.append(piece)
        self.group.byte_count += taking.to_byte

    def _read_group(self) -> None:
        """The logs of the group in place, in one go; where that cannot be trusted, each by itself, from a copy."""
        group, self.group = self.group, _Group()
        if group.reading is None or not group.pieces:
            return
        takings = {piece.taking.content_id: piece.taking for piece in group.pieces}
        try:
            with self._attempt(*takings.values()):
                for batch in self.reader.read_fast(group.pieces, group.reading.columns):
                    self._take(group.reading, batch, takings)
                if any(taking.file.has_changed() for taking in takings.values()):
                    raise Unclean
        except (Unclean, *DAMAGED):
            for taking in takings.values():
                with self._naming_damage(taking.file):
                    self._read_staged(taking, group.reading)
            return
        for taking in takings.values():
            self._done(taking)

    def _read_staged(self, taking: Taking, reading: Reading) -> None:
        taking.line_count = 0
        with self._attempt(taking):
            for piece in staged_pieces(taking, self.reader.staging):
                try:
                    batches = list(self.reader.read_fast([piece], reading.columns))
                except Unclean:
                    batches = list(self.reader.read_exactly([piece], reading.columns))
                for batch in batches:
                    self._take(reading, batch, {taking.content_id: taking})
                piece.path.unlink()
        self._done(taking)

    def _read_document(self, taking: Taking, reading: Reading, layout: str, lines: Path | None) -> None:
        """Files that are read whole; rows taken before are passed over, so a CSV that grew brings the rest."""
        whole_file(taking)
        if taking.to_byte == taking.from_byte:
            self._done(taking)
            return
        with self._attempt(taking):
            for batch in self._document_batches(taking, reading, layout, lines):
                self._take(reading, batch, {taking.content_id: taking})
        self._done(taking)

    def _document_batches(self, taking: Taking, reading: Reading, layout: str, lines: Path | None) -> Iterator[Read]:
        if lines is None:
            read = csv_batches if layout == "csv" else self.reader.parquet_batches
            yield from read(taking, reading.columns)
            return
        taking.line_count = count_lines(lines)
        piece = Piece(lines, taking, 0, taking.line_count)
        yield from self.reader.read_exactly([piece], reading.columns)
        lines.unlink()

    def _take(self, reading: Reading, batch: Read, takings: dict[int, Taking]) -> None:
        reading.take(batch, takings)
        self._advance(0, batch.lines.height)

    @contextmanager
    def _attempt(self, *takings: Taking) -> Iterator[None]:
        """What is taken within is taken back where the block raises, counts and progress too."""
        for taking in takings:
            taking.counts = {}
        lines_before = self.lines_shown
        try:
            with self.draft.attempt():
                yield
        except BaseException:
            self._advance(0, lines_before - self.lines_shown)
            raise

    @contextmanager
    def _naming_damage(self, file: LogFile) -> Iterator[None]:
        try:
            yield
        except DAMAGED as error:
            self.report.unreadable.append((file.path, _why(error)))
            self._advance(file.size, 0)

    def _advance(self, byte_count: int, line_count: int) -> None:
        self.lines_shown += line_count
        self.advance(byte_count, line_count)

    def _objects_as_lines(self, file: LogFile, layout: str) -> Path:
        path = file.path
        if compression(path) != "none":
            path = self.reader.staging / f"decompressed-{self.next_content_id}.json"
            with open_bytes(file.path) as source, path.open("wb") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
        return self.reader.objects_as_lines(path, layout)

    def _done(self, taking: Taking) -> None:
        if taking.line_count:
            self.report.taken.append(taking)
        else:
            self.report.unchanged.append(taking.file.path)
        if taking.tail_bytes:
            self.report.waiting.append((taking.file.path, taking.tail_bytes))
        self._advance(taking.file.size, 0)


def _why(error: Exception) -> str:
    """Why a file could not be read, without citing what it holds (a parser's message may)."""
    if isinstance(error, DAMAGED_BYTES):
        return "cut short or damaged; it is read when it is whole"
    if isinstance(error, OSError):
        return (error.strerror or "cannot be read").lower()
    return "does not parse as what it looks like"

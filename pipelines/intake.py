"""Reads what is new in log files, batch by batch, and hands each batch on with its shape; one damaged file never stops
the rest: what it gave is taken back, and it is named."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from pipelines import new_lines, sniff
from pipelines.damage import DAMAGED, why
from pipelines.draft import Draft
from pipelines.durable import refuses_writing
from pipelines.errors import UserError
from pipelines.exact import fault_of_first
from pipelines.layouts import as_lines
from pipelines.log_files import LogFile
from pipelines.new_lines import Known, Taking
from pipelines.pieces import Piece, direct_piece, history_pieces, staged_pieces
from pipelines.reader import Reader, Unclean
from pipelines.reading import Choose, Read, Reading, Refused, Report, together

GROUP_BYTES, GROUP_FILES = 64 << 20, 256


@dataclass
class _Group:
    """Logs of one shape that are read in one go: a query for each of many small ones would cost more than its lines."""

    reading: Reading | None = None
    pieces: list[Piece] = field(default_factory=list)
    byte_count: int = 0

    def has_room(self, reading: Reading, byte_count: int) -> bool:
        return (
            self.reading is reading and self.byte_count + byte_count <= GROUP_BYTES and len(self.pieces) < GROUP_FILES
        )


class Intake:
    def __init__(
        self, reader: Reader, draft: Draft, first_content_id: int, advance: Callable[[int, int], None]
    ) -> None:
        self.reader, self.bounds, self.draft, self.advance = reader, reader.bounds, draft, advance
        self.next_content_id = first_content_id
        self.lines_shown = self.staged_count = 0
        self.report = Report()
        self.choose: Choose = lambda _: None
        self.group = _Group()

    def read(self, files: list[LogFile], kind: str, known: Known, choose: Choose) -> None:
        """Reads what is new of `files`. `kind` is calls or outcomes, `known` what the ledger has of that kind."""
        self.choose, self.known = choose, known
        for file in files:
            with self._naming_damage(file):
                self._read_file(file, kind)
        self._read_group()

    def look(self, file: LogFile) -> tuple[sniff.Look, LogFile]:
        """What the file is, with its first records; and the file as lines."""
        seen = sniff.look(file, self.bounds)
        if seen.layout in ("empty", "none", "lines"):
            return seen, file
        self.staged_count += 1
        lines = as_lines(file, seen.layout, self.reader, self.staged_count)
        return replace(seen, head=sniff.head_of_lines(lines, self.bounds)), lines

    def _read_file(self, file: LogFile, kind: str) -> None:
        seen, lines = self.look(file)
        reading = self.choose(seen) if seen.head else None
        if reading is None and (seen.records or seen.layout == "none" or seen.has_line):
            self._pass_over(file, seen)
        elif reading is None and seen.layout != "lines" and seen.head.strip():
            fact = fault_of_first(seen.head, self.bounds)
            self.report.unreadable.append((file.path, f"none of its first records can be read; the first: {fact}"))
            self._advance(file.size, 0)
        elif reading is None:  # nothing in it yet: only a header, half a line
            if waiting_bytes := file.size if seen.layout == "lines" else lines.waiting_bytes:
                self.report.waiting.append((file.path, waiting_bytes))
            self.report.unchanged.append(file.path)
            self._advance(file.size, 0)
        else:
            taking = new_lines.identify(lines, self.known, self.next_content_id, self.bounds)
            if any(piece.taking.prefix_hash == taking.from_hash for piece in self.group.pieces):
                self._read_group()  # it goes on from a log that is still to be read, and may fail to be
                taking = new_lines.identify(lines, self.known, self.next_content_id, self.bounds)
            taking.kind, taking.shape = kind, reading.shape
            self._read_lines(taking, reading)
            self.next_content_id += taking.is_new and taking.line_count > 0

    def _pass_over(self, file: LogFile, seen: sniff.Look) -> None:
        fields = sorted({name for record in seen.records for name in record})
        what = seen.seen + (f" with the fields {sniff.named(fields)}" if fields else "")
        if sniff.is_export(seen.records):
            what = "calls that tokenspread exported: with their logs they would count twice"
        if file.is_named:
            raise UserError(
                f"{file.path}: no log shape fits; it is {what}. Name its shape with --shape, or map its fields in "
                "tokenspread.toml (see docs/logs.md, 'Any other log')"
            )
        self.report.skipped.append((file.path, what))
        self._advance(file.size, 0)

    def _read_lines(self, taking: Taking, reading: Reading) -> None:
        """Puts the new lines into the group where they are few, else reads them now."""
        piece = direct_piece(taking, self.bounds)
        if piece is None:
            pieces = staged_pieces(taking, self.reader.staging, self.bounds)
            first = list(islice(pieces, 2))
            if len(first) == 2 or (first and reading.looks_back(taking)):
                self._read_whole(chain(self._history(taking, reading), first, pieces), taking, reading)
                self.known.add(taking)
                return
            piece = first[0] if first else None
        if piece is None or not piece.line_count:
            self._done(taking)
            return
        self.known.add(taking)
        if not self.group.has_room(reading, taking.to_byte - taking.from_byte):
            self._read_group()
            self.group = _Group(reading)
        self.group.pieces.append(piece)
        self.group.byte_count += taking.to_byte - taking.from_byte

    def _read_group(self) -> None:
        group, self.group = self.group, _Group()
        if group.reading and group.pieces:
            self._read_pieces(group.reading, group.pieces)

    def _read_pieces(self, reading: Reading, pieces: list[Piece]) -> None:
        """The pieces in one go; where that cannot be trusted each half by itself, and at last each log by itself."""
        takings = {piece.taking.content_id: piece.taking for piece in pieces}
        try:
            with self._attempt(*takings.values()):
                _refuse_changed(pieces)  # DuckDB would wait for ever for a pipe that has taken a log's name
                self._take(reading, self.reader.read_fast(pieces, reading.columns), takings)
                _refuse_changed(pieces)
        except (Unclean, Refused, *DAMAGED):
            if len(pieces) > 1:
                middle = len(pieces) // 2
                self._read_pieces(reading, pieces[:middle])
                self._read_pieces(reading, pieces[middle:])
            else:
                self._read_alone(reading, pieces[0])
            return
        for piece in pieces:
            self._done(piece.taking)
            if piece.path != piece.taking.file.source:
                piece.path.unlink()

    def _read_alone(self, reading: Reading, piece: Piece) -> None:
        """One log that the fast path gave up on, from copies of a bounded size that cannot change meanwhile."""
        taking = piece.taking
        self.known.drop(taking)  # it may be another by now, and then a copy of what it was is none of it
        with self._naming_damage(taking.file):
            pieces = self._restaged(taking, reading) if piece.path == taking.file.source else iter([piece])
            self._read_whole(pieces, taking, reading)
            if taking.line_count:
                self.known.add(taking)

    def _read_whole(self, pieces: Iterable[Piece], taking: Taking, reading: Reading) -> None:
        """One log, piece by piece; once more where lines that its shape refuses are of another one."""
        try:
            self._read_staged(pieces, taking, reading)
        except Refused as refused:
            reading = self.choose(sniff.second_look(taking.file, refused.line_numbers, self.bounds)) or reading
            taking.shape = reading.shape
            self._read_staged(self._restaged(taking, reading), taking, reading, is_sure=True)

    def _restaged(self, taking: Taking, reading: Reading) -> Iterator[Piece]:
        taking.line_count = 0
        return chain(self._history(taking, reading), staged_pieces(taking, self.reader.staging, self.bounds))

    def _history(self, taking: Taking, reading: Reading) -> Iterable[Piece]:
        return history_pieces(taking, self.reader.staging, self.bounds) if reading.looks_back(taking) else ()

    def _read_staged(self, pieces: Iterable[Piece], taking: Taking, reading: Reading, is_sure: bool = False) -> None:
        with self._attempt(taking):
            self._take(reading, self._batches(pieces, taking, reading), {taking.content_id: taking}, is_sure)
        self._done(taking)

    def _batches(self, pieces: Iterable[Piece], taking: Taking, reading: Reading) -> Iterator[Read]:
        for piece in pieces:
            for batch in self.reader.read(piece, reading.columns):
                # blank lines that were taken before were counted then
                yield batch if piece.first_line >= taking.from_line else replace(batch, blank={})
            piece.path.unlink()

    def _take(
        self, reading: Reading, batches: Iterator[Read], takings: dict[int, Taking], is_sure: bool = False
    ) -> None:
        frame: list[Read] = []
        with closing(batches):  # DuckDB takes no other query while a result is open
            for batch in batches:
                frame.append(replace(batch, lines=reading.opened(batch.lines)))
                self._advance(0, batch.lines.height)
                if reading.is_full(frame):
                    reading.take(together(frame), takings, is_sure)
                    frame = []
        if frame:
            reading.take(together(frame), takings, is_sure)

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
            if refuses_writing(error) or (isinstance(error, OSError) and str(self.reader.staging) in str(error)):
                raise  # not of the log, but of the disk that it is staged on
            self.report.unreadable.append((file.path, why(error)))
            self._advance(file.size, 0)

    def _advance(self, byte_count: int, line_count: int) -> None:
        self.lines_shown += line_count
        self.advance(byte_count, line_count)

    def _done(self, taking: Taking) -> None:
        if taking.line_count:
            self.report.taken.append(taking)
        else:
            self.report.unchanged.append(taking.file.path)
        if tail_bytes := taking.tail_bytes + taking.file.waiting_bytes:
            self.report.waiting.append((taking.file.path, tail_bytes))
        if taking.file.staged:
            taking.file.staged.unlink()
        self._advance(taking.file.size, 0)


def _refuse_changed(pieces: list[Piece]) -> None:
    if any(piece.path == piece.taking.file.path and piece.taking.file.has_changed() for piece in pieces):
        raise Unclean

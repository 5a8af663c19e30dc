"""New lines as pieces: files that hold exactly them, either the log itself (new, plain, complete) or a staged copy."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from pipelines.bounds import Bounds, sized
from pipelines.log_files import BOM, LogFile, compression, open_bytes, open_plain
from pipelines.new_lines import CHUNK_BYTES, HEAD_BYTES, Taking, set_head

# A piece's rows are held in memory together: 65,536 lines of eight bytes took 90 MB more, and no less time.
PIECE_BYTES, PIECE_LINES = 64 << 20, 3 << 14


@dataclass(frozen=True)
class Piece:
    path: Path
    taking: Taking
    first_line: int  # lines of the content before this piece
    line_count: int


def too_long(bounds: Bounds) -> bytes:
    """Stands in a piece for a line that is too long to be a call."""
    return b"!longer than %s\n" % sized(bounds.line_bytes).encode()


def direct_piece(taking: Taking, bounds: Bounds) -> Piece | None:
    """The log file itself as one piece, or None where its lines must be staged.

    Only a new, plain file whose last line is complete can be read in place.
    """
    path = taking.file.source
    if taking.from_byte or compression(path) != "none":
        return None
    hasher, position, lines, line_bytes, last = xxhash.xxh3_128(), 0, 0, 0, b""
    buffer = bytearray(CHUNK_BYTES)
    view, array = memoryview(buffer), np.frombuffer(buffer, dtype=np.uint8)
    with open_plain(path) as stream:
        while size := stream.readinto(buffer):
            if position == 0:
                if buffer.startswith(BOM):
                    return None
                set_head(taking, bytes(view[: min(size, HEAD_BYTES)]))
            hasher.update(view[:size])
            lines += int(np.count_nonzero(array[:size] == 10))
            position, last = position + size, bytes(view[size - 1 : size])
            line_end = buffer.find(b"\n", 0, size)
            if (line_bytes + line_end if line_end >= 0 else line_bytes + size) > bounds.line_bytes:
                return None  # DuckDB would read lines up to twice that long, a gzip of the same log would not
            line_bytes = size - 1 - buffer.rfind(b"\n", 0, size) if line_end >= 0 else line_bytes + size
    if last != b"\n" or position != path.stat().st_size:
        return None
    taking.to_byte, taking.line_count, taking.prefix_hash = position, lines, hasher.hexdigest()
    return Piece(path, taking, 0, lines)


def staged_pieces(taking: Taking, staging: Path, bounds: Bounds) -> Iterator[Piece]:
    """The new lines of the file, copied into `staging` in pieces of whole lines; the caller removes each when read."""
    with open_bytes(taking.file.source, bounds) as stream:
        cutter = _Cutter(taking, staging, bounds)
        cutter.skip_to_start(stream)
        while chunk := stream.read(CHUNK_BYTES):
            yield from cutter.add(chunk)
        yield from cutter.finish()


def history_pieces(taking: Taking, staging: Path, bounds: Bounds) -> Iterator[Piece]:
    """The lines of the file that were taken before, for shapes to whose new lines they matter."""
    before = replace(taking, from_byte=0, from_line=0, line_count=0, starts_open=False)
    cutter, rest = _Cutter(before, staging, bounds, "history"), taking.from_byte
    with open_bytes(taking.file.source, bounds) as stream:
        while rest and (chunk := stream.read(min(CHUNK_BYTES, rest))):
            yield from cutter.add(chunk)
            rest -= len(chunk)
    yield from cutter.finish()


def taken_pieces(file: LogFile, takings: list[Taking], staging: Path, bounds: Bounds) -> Iterator[Piece]:
    """The lines of a content again, as they were taken; each taking tells where it began and ended, and how what it
    took began. Raises Rewritten, perhaps after some pieces, where the file does not begin with that content any more.
    """
    hasher, position = xxhash.xxh3_128(), 0
    with open_bytes(file.source, bounds) as stream:
        for number, taking in enumerate(takings):
            cutter = _Cutter(replace(taking, file=file, line_count=0), staging, bounds, f"again-{number}")
            cutter.hasher, cutter.position = hasher, position
            cutter.skip_to_start(stream)
            position = taking.to_byte
            while (rest := position - cutter.position) and (chunk := stream.read(min(CHUNK_BYTES, rest))):
                yield from cutter.add(chunk)
            yield from cutter.finish()
            if rest or cutter.hash_at_line_end != taking.prefix_hash:
                raise Rewritten(file.path)


class Rewritten(EOFError):
    """A file that is not any more what was read of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was rewritten while it was read")


class _Cutter:
    """Cuts a stream of bytes at line feeds into pieces, and keeps the hash of all that was taken."""

    def __init__(self, taking: Taking, staging: Path, bounds: Bounds, name: str = "lines") -> None:
        self.taking, self.staging, self.bounds, self.name = taking, staging, bounds, name
        self.hasher = xxhash.xxh3_128()
        self.hash_at_line_end = ""
        self.position = self.line_end = 0
        self.rest = b""
        self.is_skipping_long_line = False
        self.block: list[bytes] = []
        self.block_bytes = self.block_lines = self.piece_number = 0
        self.head = b""
        self.starts_open = taking.starts_open  # until its first line; the taking may be read once more

    def skip_to_start(self, stream: BinaryIO) -> None:
        while self.position < self.taking.from_byte:
            chunk = stream.read(min(CHUNK_BYTES, self.taking.from_byte - self.position))
            if not chunk:
                raise EOFError(f"{self.taking.file.path} became shorter while it was read")
            self.hasher.update(chunk)
            self.head += chunk[: HEAD_BYTES - len(self.head)]
            self.position += len(chunk)
        self.line_end, self.hash_at_line_end = self.position, self.hasher.hexdigest()
        if self.taking.from_hash and self.hash_at_line_end != self.taking.from_hash:
            raise Rewritten(self.taking.file.path)

    def add(self, chunk: bytes) -> Iterator[Piece]:
        self.head += chunk[: HEAD_BYTES - len(self.head)]
        cut = chunk.rfind(b"\n") + 1
        if cut:
            self.hasher.update(chunk[:cut])
            self.hash_at_line_end = self.hasher.hexdigest()
            self._add_lines(chunk[:cut])
            self.line_end = self.position + cut
        self.hasher.update(chunk[cut:])
        self.position += len(chunk)
        if not self.is_skipping_long_line:
            self.rest += chunk[cut:]
            if len(self.rest) > self.bounds.line_bytes:
                self.rest, self.is_skipping_long_line = b"", True
        if self.block_bytes >= PIECE_BYTES or self.block_lines >= PIECE_LINES:
            yield self._piece()

    def _add_lines(self, lines: bytes) -> None:
        lines, self.rest = self.rest + lines, b""
        if self.line_end == 0:
            lines = lines.removeprefix(BOM)
        first, rest = lines[: lines.index(b"\n") + 1], lines[lines.index(b"\n") + 1 :]
        if self.is_skipping_long_line or len(first) > self.bounds.line_bytes + 1:  # its line feed is not of it
            self.is_skipping_long_line, lines = False, too_long(self.bounds) + rest
        elif self.starts_open and first.strip() in (b"", b","):
            lines = rest  # the end of a line that was read before it had one
        self.starts_open = False
        if lines:
            self.block.append(lines)
            self.block_bytes += len(lines)
            self.block_lines += lines.count(b"\n")

    def finish(self) -> Iterator[Piece]:
        """The last piece. A last line without its line feed is taken when it is a whole JSON object; else it waits for
        its other half, in a packed file too: the log that it was packed from may have it."""
        tail = self.rest.removeprefix(BOM) if self.line_end == 0 else self.rest
        self.taking.is_open = bool(tail.strip()) and _is_whole_object(tail)
        if self.taking.is_open:
            self.block.append(tail + b"\n")
            self.block_lines += 1
            self.line_end, self.hash_at_line_end = self.position, self.hasher.hexdigest()
        if self.block:
            yield self._piece()
        self.taking.to_byte, self.taking.prefix_hash = self.line_end, self.hash_at_line_end
        self.taking.tail_bytes = self.position - self.line_end
        set_head(self.taking, self.head[: min(HEAD_BYTES, self.line_end)])

    def _piece(self) -> Piece:
        path = self.staging / f"{self.name}-{self.taking.content_id}-{self.piece_number}.jsonl"
        with path.open("wb") as file:
            file.writelines(self.block)
        piece = Piece(path, self.taking, self.taking.from_line + self.taking.line_count, self.block_lines)
        self.taking.line_count += self.block_lines
        self.block, self.block_bytes, self.block_lines = [], 0, 0
        self.piece_number += 1
        return piece


def _is_whole_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False

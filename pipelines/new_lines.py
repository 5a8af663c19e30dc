"""Which lines of a log file are new: its content is known by the hash of a decompressed prefix, whatever its name.

A copy, a rotation and a gzip of a known file bring nothing; a file that grew brings what it grew by. Lines leave as
pieces: files that hold exactly the new lines, either the log itself (new, plain, complete) or a staged copy of a part.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import xxhash

from pipelines.log_files import BOM, LogFile, compression, open_bytes

HEAD_BYTES = 4096
CHUNK_BYTES = 1 << 18  # small enough to stay in the processor's cache between reading, hashing and counting
PIECE_BYTES = 64 << 20
LINE_BYTES = 8 << 20
TOO_LONG = b"!longer than 8 MiB\n"  # stands in a piece for a line that is too long to be a call


@dataclass(frozen=True)
class Prefix:
    """The end of what was taken of a content at some time: bytes [0, to_byte) hash to `prefix_hash`."""

    content_id: int
    to_byte: int
    prefix_hash: str
    line_count: int
    is_open: bool  # ended without a line feed
    is_latest: bool
    path: str


@dataclass
class Taking:
    """What is being taken of one log file; `to_byte`, `prefix_hash`, `line_count` and `tail_bytes` are set as it is read."""

    file: LogFile
    content_id: int
    is_new: bool
    from_byte: int
    from_line: int
    kind: str = "calls"  # or "outcomes"
    shape: str = ""
    to_byte: int = 0
    line_count: int = 0  # lines taken now
    head_length: int = 0
    head_hash: str = ""
    prefix_hash: str = ""
    is_open: bool = False
    tail_bytes: int = 0  # a half last line, left for the next run
    starts_open: bool = False
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    path: Path
    taking: Taking
    first_line: int  # lines of the content before this piece
    line_count: int
    is_staged: bool


class Known:
    """What the ledger has of every content, to recognise files by."""

    def __init__(self, prefixes: list[tuple[int, str, Prefix]]) -> None:
        self._by_head: dict[tuple[int, str], list[Prefix]] = {}
        for head_length, head_hash, prefix in prefixes:
            self._by_head.setdefault((head_length, head_hash), []).append(prefix)
        self._head_lengths = sorted({length for length, _ in self._by_head})

    def candidates(self, head: bytes) -> list[Prefix]:
        """Prefixes that a file which starts with `head` may have, shortest first."""
        lengths = [length for length in self._head_lengths if length <= len(head)]
        found = [p for n in lengths for p in self._by_head.get((n, _digest(head[:n])), [])]
        return sorted(found, key=lambda prefix: prefix.to_byte)


def identify(file: LogFile, known: Known, next_content_id: int) -> Taking:
    """Where the new lines of `file` start. The longest known prefix wins.

    A file that goes on where another, still present file ends is a copy: it gets a content of its own that starts there,
    or the original would no longer be known by its own prefix.
    """
    with open_bytes(file.path) as stream:
        match = _longest_known_prefix(stream, known)
    if match is None:
        return Taking(file, next_content_id, True, 0, 0)
    is_same = match.is_latest and (match.path == str(file.path) or not Path(match.path).exists())
    content_id = match.content_id if is_same else next_content_id
    return Taking(file, content_id, not is_same, match.to_byte, match.line_count, starts_open=match.is_open)


def _longest_known_prefix(stream: BinaryIO, known: Known) -> Prefix | None:
    head = _read_up_to(stream, HEAD_BYTES)
    hasher, position, match = xxhash.xxh3_128(), 0, None
    ahead = head
    for prefix in known.candidates(head):
        while position < prefix.to_byte:
            if not ahead:
                ahead = stream.read(min(CHUNK_BYTES, prefix.to_byte - position))
            if not ahead:
                return match
            part, ahead = ahead[: prefix.to_byte - position], ahead[prefix.to_byte - position :]
            hasher.update(part)
            position += len(part)
        # of several contents with this prefix, prefer the one that this very state of affairs belongs to
        if hasher.hexdigest() == prefix.prefix_hash and (
            match is None or match.to_byte < prefix.to_byte or prefix.is_latest
        ):
            match = prefix
    return match


def direct_piece(taking: Taking) -> Piece | None:
    """The log file itself as one piece, or None where its lines must be staged.

    Only a new, plain file whose last line is complete can be read in place.
    """
    path = taking.file.path
    if taking.from_byte or compression(path) != "none":
        return None
    hasher, position, lines, last = xxhash.xxh3_128(), 0, 0, b""
    buffer = bytearray(CHUNK_BYTES)
    view, array = memoryview(buffer), np.frombuffer(buffer, dtype=np.uint8)
    with path.open("rb", buffering=0) as stream:
        while size := stream.readinto(buffer):
            if position == 0:
                if buffer.startswith(BOM):
                    return None
                _set_head(taking, bytes(view[: min(size, HEAD_BYTES)]))
            hasher.update(view[:size])
            lines += int(np.count_nonzero(array[:size] == 10))
            position, last = position + size, bytes(view[size - 1 : size])
    if last != b"\n" or position != taking.file.size:
        return None
    taking.to_byte, taking.line_count, taking.prefix_hash = position, lines, hasher.hexdigest()
    return Piece(path, taking, 0, lines, is_staged=False)


def whole_file(taking: Taking) -> None:
    """Marks the whole file as taken; for layouts that are read as one document."""
    hasher, position, head = xxhash.xxh3_128(), 0, b""
    with open_bytes(taking.file.path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            hasher.update(chunk)
            head += chunk[: HEAD_BYTES - len(head)]
            position += len(chunk)
    taking.to_byte, taking.prefix_hash = position, hasher.hexdigest()
    _set_head(taking, head)


def count_lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(CHUNK_BYTES), b""))


def staged_pieces(taking: Taking, staging: Path) -> Iterator[Piece]:
    """The new lines of the file, copied into `staging` in pieces of whole lines; the caller removes each when read."""
    with open_bytes(taking.file.path) as stream:
        cutter = _Cutter(taking, staging)
        cutter.skip_to_start(stream)
        while chunk := stream.read(CHUNK_BYTES):
            yield from cutter.add(chunk)
        yield from cutter.finish(is_sealed=compression(taking.file.path) != "none")


class _Cutter:
    """Cuts a stream of bytes at line feeds into pieces, and keeps the hash of all that was taken."""

    def __init__(self, taking: Taking, staging: Path) -> None:
        self.taking, self.staging = taking, staging
        self.hasher = xxhash.xxh3_128()
        self.hash_at_line_end = ""
        self.position = self.line_end = 0
        self.rest = b""
        self.is_skipping_long_line = False
        self.block: list[bytes] = []
        self.block_bytes = self.block_lines = self.piece_number = 0
        self.head = b""

    def skip_to_start(self, stream: BinaryIO) -> None:
        while self.position < self.taking.from_byte:
            chunk = stream.read(min(CHUNK_BYTES, self.taking.from_byte - self.position))
            if not chunk:
                raise EOFError(f"{self.taking.file.path} became shorter while it was read")
            self.hasher.update(chunk)
            self.head += chunk[: HEAD_BYTES - len(self.head)]
            self.position += len(chunk)
        self.line_end, self.hash_at_line_end = self.position, self.hasher.hexdigest()

    def add(self, chunk: bytes) -> Iterator[Piece]:
        self.head += chunk[: HEAD_BYTES - len(self.head)]
        cut = chunk.rfind(b"\n") + 1
        if cut:
            self.hasher.update(chunk[:cut])
            self.hash_at_line_end = self.hasher.hexdigest()
            self._add_lines(chunk[:cut].removeprefix(BOM) if self.line_end == 0 else chunk[:cut])
            self.line_end = self.position + cut
        self.hasher.update(chunk[cut:])
        self.position += len(chunk)
        if not self.is_skipping_long_line:
            self.rest += chunk[cut:]
            if len(self.rest) > LINE_BYTES:
                self.rest, self.is_skipping_long_line = b"", True
        if self.block_bytes >= PIECE_BYTES:
            yield self._piece()

    def _add_lines(self, lines: bytes) -> None:
        lines, self.rest = self.rest + lines, b""
        if self.is_skipping_long_line:
            lines = TOO_LONG + lines[lines.index(b"\n") + 1 :]
            self.is_skipping_long_line = False
        if self.taking.starts_open:
            first, lines = lines[: lines.index(b"\n") + 1], lines[lines.index(b"\n") + 1 :]
            # the line that ended without a line feed has been read already; only its end arrives here
            lines = lines if not first.strip() else first + lines
            self.taking.starts_open = False
        if lines:
            self.block.append(lines)
            self.block_bytes += len(lines)
            self.block_lines += lines.count(b"\n")

    def finish(self, is_sealed: bool) -> Iterator[Piece]:
        """The last piece. A last line without its line feed is taken when it is a whole JSON object, or when the file
        cannot grow any more; else it waits for its other half."""
        tail = self.rest.removeprefix(BOM) if self.line_end == 0 else self.rest
        if tail.strip() and (is_sealed or _is_whole_object(tail)):
            self.block.append(tail + b"\n")
            self.block_lines += 1
            self.line_end, self.hash_at_line_end = self.position, self.hasher.hexdigest()
            self.taking.is_open = True
        if self.block:
            yield self._piece()
        self.taking.to_byte, self.taking.prefix_hash = self.line_end, self.hash_at_line_end
        self.taking.tail_bytes = self.position - self.line_end
        _set_head(self.taking, self.head[: min(HEAD_BYTES, self.line_end)])

    def _piece(self) -> Piece:
        path = self.staging / f"lines-{self.taking.content_id}-{self.piece_number}.jsonl"
        with path.open("wb") as file:
            file.writelines(self.block)
        piece = Piece(path, self.taking, self.taking.from_line + self.taking.line_count, self.block_lines, True)
        self.taking.line_count += self.block_lines
        self.block, self.block_bytes, self.block_lines = [], 0, 0
        self.piece_number += 1
        return piece


def _is_whole_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _set_head(taking: Taking, head: bytes) -> None:
    taking.head_length, taking.head_hash = len(head), _digest(head)


def _read_up_to(stream: Any, size: int) -> bytes:
    parts, missing = [], size
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _digest(data: bytes) -> str:
    return xxhash.xxh3_128(data).hexdigest()

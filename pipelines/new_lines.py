"""Which lines of a log file are new: its content is known by the hash of a decompressed prefix, whatever its name.

A copy, a rotation and a gzip of a known file bring nothing; a file that grew brings what it grew by.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import xxhash

from pipelines.bounds import Bounds
from pipelines.log_files import LogFile, open_bytes, read_up_to

HEAD_BYTES = 4096
CHUNK_BYTES = 1 << 17  # small enough to stay in the processor's cache between reading, hashing and counting


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
    """What is being taken of one log file; what has a default is set as it is read."""

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
    from_hash: str = ""  # of the bytes before `from_byte`
    counts: dict[str, int] = field(default_factory=dict)


class Known:
    """What is taken of every content, to recognise files by: the ledger's, and what this run has taken so far."""

    def __init__(self, prefixes: list[tuple[int, str, Prefix]]) -> None:
        self._by_head: dict[tuple[int, str], list[Prefix]] = {}
        self._heads: dict[int, tuple[int, str]] = {}  # by content
        self._head_lengths: list[int] = []
        for head_length, head_hash, prefix in prefixes:
            self._add((head_length, head_hash), prefix)

    def _add(self, head: tuple[int, str], prefix: Prefix) -> None:
        self._by_head.setdefault(head, []).append(prefix)
        self._heads[prefix.content_id] = head
        if head[0] not in self._head_lengths:
            self._head_lengths.append(head[0])

    def add(self, taking: Taking) -> None:
        """What was just taken: a copy of it later in the same run brings nothing, and its content goes on from here."""
        head = self._heads.get(taking.content_id, (taking.head_length, taking.head_hash))
        self._by_head[head] = [
            replace(prefix, is_latest=prefix.is_latest and prefix.content_id != taking.content_id)
            for prefix in self._by_head.get(head, [])
        ]
        lines, path = taking.from_line + taking.line_count, str(taking.file.path)
        self._add(
            head, Prefix(taking.content_id, taking.to_byte, taking.prefix_hash, lines, taking.is_open, True, path)
        )

    def drop(self, taking: Taking) -> None:
        """A taking that was added and could not be read after all: its content ends where it did before."""
        prefixes = self._by_head.get(self._heads.get(taking.content_id, (0, "")), [])
        own = [prefix for prefix in prefixes if prefix.content_id == taking.content_id]
        kept = [prefix for prefix in own if prefix.prefix_hash != taking.prefix_hash]
        if len(kept) < len(own):
            latest = max((prefix.to_byte for prefix in kept), default=0)
            kept = [replace(prefix, is_latest=prefix.to_byte == latest) for prefix in kept]
            prefixes[:] = [prefix for prefix in prefixes if prefix.content_id != taking.content_id] + kept

    def candidates(self, head: bytes) -> list[Prefix]:
        """Prefixes that a file which starts with `head` may have, shortest first."""
        lengths = [length for length in self._head_lengths if length <= len(head)]
        found = [p for n in lengths for p in self._by_head.get((n, digest(head[:n])), [])]
        return sorted(found, key=lambda prefix: prefix.to_byte)


def identify(file: LogFile, known: Known, next_content_id: int, bounds: Bounds) -> Taking:
    """Where the new lines of `file` start. The longest known prefix wins.

    A file that goes on where another, still present file ends is a copy: it gets a content of its own that starts
    there, or the original would no longer be known by its own prefix.
    """
    with open_bytes(file.source, bounds) as stream:
        match = _longest_known_prefix(stream, known)
    if match is None:
        return Taking(file, next_content_id, True, 0, 0)
    is_same = match.is_latest and (match.path == str(file.path) or not Path(match.path).exists())
    content_id = match.content_id if is_same else next_content_id
    return Taking(
        file,
        content_id,
        not is_same,
        match.to_byte,
        match.line_count,
        starts_open=match.is_open,
        from_hash=match.prefix_hash,
    )


def _longest_known_prefix(stream: BinaryIO, known: Known) -> Prefix | None:
    head = read_up_to(stream, HEAD_BYTES)
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


def set_head(taking: Taking, head: bytes) -> None:
    taking.head_length, taking.head_hash = len(head), digest(head)


def digest(data: bytes) -> str:
    return xxhash.xxh3_128(data).hexdigest()

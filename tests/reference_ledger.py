"""The ledger in plain Python, line by line: slow, and sharing no code with what it checks.

What is known of a log is kept as the very bytes that were taken of it; a call with an id is its provider and id, a call
without one is its line. Reads two shapes, our own flat one and Claude Code's sessions, and files of outcomes.
"""

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

BOM = b"\xef\xbb\xbf"
STATUSES = ("success", "cache_hit", "refused", "error")  # the best answer first
Address = tuple[int, int]  # the content's number, the line's


@dataclass
class Segment:
    """What one run took of a content; `prefix` is all of the file up to there."""

    from_byte: int
    prefix: bytes
    line_count: int  # since the start of the file
    is_open: bool  # ended without a line feed


@dataclass
class Content:
    kind: str
    path: str
    shape: str
    segments: list[Segment] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    pruned_count: int = 0


@dataclass(frozen=True)
class Call:
    address: Address
    shape: str
    provider: str
    response_id: str | None
    called_at: str | None
    user_id: str | None
    action_id: str
    input_tokens: int
    output_tokens: int
    status: str

    @property
    def identity(self) -> tuple:
        return (self.provider, self.response_id) if self.response_id else self.address

    @property
    def day(self) -> str | None:
        return self.called_at and self.called_at[:10]

    def rank(self) -> tuple:
        """The lowest counts: most usage, an answer, most that is known; the rest only so that order never decides."""
        is_named = self.action_id != self.response_id
        known = is_named + (self.user_id is not None)
        rest = [self.day, self.shape, self.called_at, self.action_id, self.user_id]
        return (
            -self.output_tokens, -self.input_tokens, STATUSES.index(self.status), -known, -is_named,
            *((value is None, value or "") for value in rest), self.address,
        )  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    address: Address
    subject_id: str
    outcome: str
    is_success: bool | None


@dataclass(frozen=True)
class Taken:
    """What one ingest took, as its summary tells it."""

    line_count: int
    call_count: int
    quarantined_count: int


class ReferenceLedger:
    def __init__(self) -> None:
        self.contents: list[Content] = []
        self.calls: dict[tuple, Call] = {}
        self.outcomes: list[Outcome] = []
        self.quarantine: list[tuple[Address, str]] = []
        self.forgotten_count = 0
        self.forgotten: set[str] = set()

    def ingest(self, logs: Iterable[Path], outcomes: Iterable[Path] = ()) -> Taken:
        lines, calls, bad = self._line_count(), len(self.calls), len(self.quarantine)
        for kind, paths in (("calls", logs), ("outcomes", outcomes)):
            for path in sorted(paths):
                self._read(kind, path)
        return Taken(self._line_count() - lines, len(self.calls) - calls, len(self.quarantine) - bad)

    def _line_count(self) -> int:
        return sum(content.counts.total() for content in self.contents)

    def _read(self, kind: str, path: Path) -> None:
        try:
            data, is_packed = unpacked(path.read_bytes())
        except (EOFError, zstandard.ZstdError):
            return  # not all of it has arrived
        data = as_lines(data, is_packed)
        shape = next(filter(None, (shape_of(record) for record in objects(data))), None)
        if (shape == "outcomes") != (kind == "outcomes") or not shape:
            return  # nothing in it tells yet what it is
        number, before = self._place(kind, str(path), data)
        end = len(data) if is_object(last_line(data)) else data.rfind(b"\n") + 1
        lines = data[len(before.prefix) : end].split(b"\n")
        is_open = lines[-1] != b""
        lines = lines if is_open else lines[:-1]
        if before.is_open and lines and lines[0].strip() in (b"", b","):
            lines = lines[1:]  # the end of a line that was whole without it
        if not lines:
            return
        if not before.prefix:
            lines[0] = lines[0].removeprefix(BOM)
        if number == len(self.contents):
            self.contents.append(Content(kind, str(path), shape))
        content = self.contents[number]
        content.path = str(path)
        for line_number, line in enumerate(lines, start=before.line_count + 1):
            content.counts[self._take(content.shape, (number, line_number), line)] += 1
        line_count = before.line_count + len(lines)
        content.segments.append(Segment(len(before.prefix), data[:end], line_count, is_open))

    def _place(self, kind: str, path: str, data: bytes) -> tuple[int, Segment]:
        """Which content goes on in `data`, and from where: the one of which most stands at its beginning. What stands
        in another file that is still there is a copy, and goes on as a content of its own."""
        known = [
            (len(segment.prefix), number, segment)
            for number, content in enumerate(self.contents)
            for segment in content.segments
            if content.kind == kind and data.startswith(segment.prefix)
        ]
        if not known:
            return len(self.contents), Segment(0, b"", 0, False)
        length, number, segment = max(known, key=lambda found: found[0])
        assert sum(found[0] == length for found in known) == 1, "two contents are the same"
        content = self.contents[number]
        goes_on = segment is content.segments[-1] and (content.path == path or not Path(content.path).exists())
        return number if goes_on else len(self.contents), segment

    def _take(self, shape: str, address: Address, line: bytes) -> str:
        """Keeps what a line tells. Returns what it is."""
        if not line.strip():
            return "blank"
        record = record_of(line)
        if isinstance(record, dict):
            record = SHAPES[shape](address, record)
        if record is None:
            return "other"
        if isinstance(record, str):
            self.quarantine.append((address, record))
            return "quarantined"
        if isinstance(record, Outcome):
            self.outcomes.append(record)
        else:
            if record.user_id in self.forgotten:
                record = Call(**{**vars(record), "user_id": None})
            told = self.calls.get(record.identity, record)
            self.calls[record.identity] = min(told, record, key=Call.rank)
        return "call"

    def forget(self, user: str) -> bool:
        """The person's name is nowhere, nor comes back, and no count moves. Returns whether it was anywhere."""
        word = re.compile(rf"(?<!\w){re.escape(user)}(?!\w)")
        texts = {call.action_id for call in self.calls.values()} | {told.subject_id for told in self.outcomes}
        named = sorted(text for text in texts if word.search(text))
        if not named and all(call.user_id != user for call in self.calls.values()):
            return False
        self.forgotten_count += 1
        self.forgotten.add(user)
        instead = {text: f"forgotten-{self.forgotten_count}-{number}" for number, text in enumerate(named)}
        for identity, call in self.calls.items():
            kept = None if call.user_id == user else call.user_id
            changes = {"user_id": kept, "action_id": instead.get(call.action_id, call.action_id)}
            self.calls[identity] = Call(**{**vars(call), **changes})
        self.outcomes = [
            Outcome(told.address, instead.get(told.subject_id, told.subject_id), told.outcome, told.is_success)
            for told in self.outcomes
        ]
        return True

    def prune(self, before: str) -> int:
        """Calls of days before that one go, with the outcomes that only they have. Returns how many calls."""
        gone = {identity: call for identity, call in self.calls.items() if call.day and call.day < before}
        self.calls = {identity: call for identity, call in self.calls.items() if identity not in gone}
        names, kept = _names(gone.values()), _names(self.calls.values())
        over = [told for told in self.outcomes if told.subject_id in names - kept]
        self.outcomes = [told for told in self.outcomes if told not in over]
        for bare in [*gone.values(), *over]:
            self.contents[bare.address[0]].pruned_count += 1
        return len(gone)


def _names(calls: Iterable[Call]) -> set[str | None]:
    return {name for call in calls for name in (call.action_id, call.response_id)}


def unpacked(data: bytes) -> tuple[bytes, bool]:
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data), True
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=1 << 20), True
    return data, False


def as_lines(data: bytes, is_packed: bool) -> bytes:
    """Records of another layout as lines, each ended."""
    text = data.removeprefix(BOM)
    if text.startswith(b"["):
        return b"".join(element + b"\n" for element in _elements(text.decode()))
    if text.startswith(b"call_id,"):
        return b"".join(line + b"\n" for line in _rows(text.decode(), is_packed))
    return data


def _elements(text: str) -> Iterator[bytes]:
    decoder, place = json.JSONDecoder(), 1
    while (start := text.find("{", place)) >= 0:
        _, place = decoder.raw_decode(text, start)
        yield text[start:place].encode()


def _rows(text: str, is_packed: bool) -> Iterator[bytes]:
    """A last row without its line end may be half of one, where the file may still grow."""
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    for row in rows if is_packed or text.endswith("\n") else rows[:-1]:
        if len(row) == len(header):
            yield json.dumps({name: cell or None for name, cell in zip(header, row, strict=True)}).encode()
        else:
            yield f"!{len(row)} cells, the header has {len(header)}".encode() if row else b""


def last_line(data: bytes) -> bytes:
    return data[data.rfind(b"\n") + 1 :]


def is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.removeprefix(BOM)), dict)
    except ValueError:
        return False


def objects(data: bytes) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in data.removeprefix(BOM).split(b"\n") if is_object(line))


def shape_of(record: dict[str, Any]) -> str | None:
    return next((shape for shape, names in SIGNS.items() if names <= record.keys()), None)


SIGNS = {
    "outcomes": {"outcome", "action_id"},
    "claude_code": {"sessionId", "uuid", "type", "timestamp"},
    "tokenspread": {"called_at", "model", "input_tokens", "output_tokens"},
}


def record_of(line: bytes) -> dict[str, Any] | str:
    """The object of a line, or why it has none."""
    if line.startswith(b"!"):
        return line[1:].decode()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise KeyError
        return dict(pairs)

    try:
        record = json.loads(line.decode(), object_pairs_hook=unique)
    except UnicodeDecodeError:
        return "not UTF-8"
    except KeyError:
        return "an object has a key twice"
    except ValueError:
        return "not JSON"
    return record if isinstance(record, dict) else "not a JSON object"


def _flat_call(address: Address, record: dict[str, Any]) -> Call | str:
    counts = [record.get(name) for name in ("input_tokens", "output_tokens")]
    if counts == [None, None] and not record.get("model"):
        return "no usage and no model"
    if not all(str(count).isdecimal() for count in counts):
        return "input_tokens is not a count"
    status = record.get("status") or "success"
    if status not in STATUSES:
        return "status is not success, error, refused or cache_hit"
    own = record.get("action_id") or record.get("call_id") or f"call-{address}"
    provider, call_id, at, user = (record.get(name) for name in ("provider", "call_id", "called_at", "user_id"))
    return Call(address, "tokenspread", provider, call_id, at and at[:19], user, own, *map(int, counts), status)


def _session_call(address: Address, record: dict[str, Any]) -> Call | str | None:
    """None: a line that tells of no call."""
    if "sessionId" not in record:
        return "a record of another format"
    if record["type"] != "assistant":
        return None
    usage, message = record["message"]["usage"], record["message"]
    if not all(isinstance(count, int) for count in usage.values()):
        return "message.usage.output_tokens is not a count"
    told = (message["id"], record["timestamp"][:19], record["who"], record["sessionId"])
    return Call(address, "claude_code", "anthropic", *told, usage["input_tokens"], usage["output_tokens"], "success")


def _outcome(address: Address, record: dict[str, Any]) -> Outcome | str:
    if not record.get("outcome"):
        return "no outcome"
    return Outcome(address, record["action_id"], record["outcome"], record.get("is_success"))


SHAPES = {"outcomes": _outcome, "claude_code": _session_call, "tokenspread": _flat_call}

"""Logs of few different lines, so that calls meet again, and what may stand in one at some moment of its life."""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from typing import Any

import zstandard
from hypothesis import strategies as st

from tests.reference_ledger import is_object

USERS = ("ann_s", "bob_j")
DAYS = (1, 2, 3, None)  # of November; None: the log tells no time
# few, so that calls meet again: within a log, in another, in a log of the other shape
IDS = (("openai", "r1"), ("openai", "msg_1"), ("anthropic", "msg_1"))
ACTIONS = (None, "act-1", f"{USERS[0]}/1")
SUBJECTS = ("act-1", f"{USERS[0]}/1", f"{USERS[1]}/1", "r1", "s-1", "nobody")
SLOTS = {"flat": ("a", "a.1", "b"), "session": ("s", "s.1")}
COLUMNS = (
    "call_id",
    "called_at",
    "provider",
    "model",
    "input_tokens",
    "output_tokens",
    "user_id",
    "action_id",
    "status",
)


def flat(
    number: int | None, usage: int, user: str | None, day: int | None, action: str | None, status: str | None
) -> dict[str, Any]:
    provider, call_id = IDS[number] if number is not None else ("openai", None)
    at = day and f"2026-11-0{day}T10:00:00Z"
    values = (call_id, at, provider, "gpt-5-mini", 5, usage, user, action, status)
    return dict(zip(COLUMNS, values, strict=True))


def session(number: int | None, usage: int, user: str | None, day: int | None, *_: object) -> dict[str, Any]:
    """A line of a session tells of a call, or (without a number) of none."""
    line = {"uuid": "u", "sessionId": "s-1", "timestamp": f"2026-11-0{day or 1}T10:00:00.000Z", "who": user}
    if number is None:
        return {"type": "user", **line, "message": {"role": "user"}}
    usages = {"input_tokens": 5, "output_tokens": usage}
    return {"type": "assistant", **line, "message": {"id": f"msg_{number}", "model": "claude-x", "usage": usages}}


RECORD = {"flat": flat, "session": session}
TELLINGS = st.tuples(
    st.sampled_from([None, 0, 1, 2]),
    st.integers(1, 3),
    st.sampled_from([None, *USERS]),
    st.sampled_from(DAYS),
    st.sampled_from(ACTIONS),
    st.sampled_from([None, None, "refused"]),
)
TWINS = st.sampled_from([(None, 1, None, day, None, None) for day in (1, 2)])
ODD = {
    "blank": b"",
    "spaces": b" \t",
    "half": b'{"call_id": "r1", "mo',
    "text": b"not json",
    "number": b"42",
    "null": b"null",
    "latin": b'{"call_id": "\xff"}',
    "stranger": b'{"hello": 1}',
}
ODD_OF = {
    "flat": {
        "twice": b'{"call_id": "r1", "call_id": "r2"}',
        "ten": json.dumps(flat(0, 1, None, 1, None, None) | {"input_tokens": "ten"}).encode(),
        "status": json.dumps(flat(0, 1, None, 1, None, "odd")).encode(),
    },
    "session": {
        "twice": b'{"sessionId": "s-1", "sessionId": "s-2"}',
        "ten": json.dumps(session(0, "ten", None, 1)).encode(),
        "status": json.dumps(session(None, 1, None, 1) | {"type": "summary"}).encode(),
    },
}
LINES = st.lists(TELLINGS | TWINS | st.sampled_from([*ODD, *ODD_OF["flat"]]), min_size=1, max_size=4)
ENDS = st.sampled_from(["whole", "whole", "half", "open"])
WHICH = st.integers(0, 5)
DEATHS = st.integers(1, 90)  # an ingest asks up to 85 things of the disk


@dataclass
class Log:
    """What stands in a log file: lines, and half a line (or a whole one without its end) with what it lacks."""

    kind: str
    lines: list[bytes]
    tail: bytes = b""
    rest: bytes = b""
    layout: str = "lines"
    packing: str = "none"
    start: bytes = b""  # a byte order mark, or the end of a line that a rotation cut
    arrived: float = 1.0  # the share of a packed file that is there
    ends: bytes = b"\n"

    def data(self) -> bytes:
        if self.layout == "array":
            return b"[" + b",\n ".join(self.lines) + b"]"
        if self.layout == "csv":
            head = self.start + ",".join(COLUMNS).encode() + b"\r\n"
            return head + b"".join(map(csv_row, self.lines)) + (csv_row(self.tail)[:-7] if self.tail else b"")
        return self.start + b"".join(line + self.ends for line in self.lines) + self.tail

    def packed(self) -> bytes:
        pack = {"none": bytes, "gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[self.packing]
        data = pack(self.data())
        return data[: int(len(data) * self.arrived)]

    def records(self) -> list[bytes]:
        return [line for line in self.lines if is_object(line)]


def csv_row(line: bytes) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow("" if value is None else value for value in json.loads(line).values())
    return text.getvalue().encode()


def rendered(kind: str, told: tuple | str) -> bytes:
    if isinstance(told, str):
        return (ODD | ODD_OF[kind])[told]
    return json.dumps(RECORD[kind](*told)).encode()

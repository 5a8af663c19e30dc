"""A damaged file of any layout beside a good one: it is read, passed over or named, its lines are accounted for, and
the good one yields what it yields alone."""

import gzip
import json
import zlib
from functools import cache, partial
from pathlib import Path
from random import Random

import zstandard

from fuzz import logs, mutations
from pipelines.settings import Settings

SAMPLES = Path(__file__).parents[1] / "sample_logs"
GOOD = b"".join(
    f'{{"call_id":"good-{number}","called_at":1790000000,"model":"gpt-5","input_tokens":{number},"output_tokens":1}}\n'.encode()
    for number in range(5)
)
PACKED = {b"\x1f\x8b": (gzip.decompress, partial(gzip.compress, mtime=0)), b"\x28\xb5": (None, zstandard.compress)}


def seeds() -> list[bytes]:
    text = b"".join((SAMPLES / "shapes" / "openai_chat.jsonl").read_bytes().splitlines(keepends=True)[:4])
    records = [json.loads(line) for line in text.splitlines()]
    events = b"".join(b"event: message\ndata: " + line + b"\n\n" for line in text.splitlines())
    plain = [text, GOOD, (SAMPLES / "support_desk" / "tokenspread.csv").read_bytes(), events]
    plain += [json.dumps(records).encode(), json.dumps(records, indent=1).encode(), text.decode().encode("utf-16")]
    plain += ["\n".join(json.dumps(record, indent=2) for record in records).encode()]
    packed = [pack(one) for one in (text, plain[2], plain[4]) for _, pack in PACKED.values()]
    return [*plain, *packed, (SAMPLES / "support_desk" / "tokenspread.parquet").read_bytes()]


def mutate(data: bytes, random: Random) -> bytes:
    unpack, pack = PACKED.get(data[:2], (None, None))
    kind = random.random()
    if kind < 0.2 and unpack:
        try:
            return pack(mutations.mutate(unpack(data)[:100_000], random))
        except (OSError, EOFError, zlib.error):
            pass
    if kind < 0.3:
        other = random.choice(seeds())
        return random.choice((data + other, other + data, data[: len(data) // 2] + other[len(other) // 2 :]))
    if kind < 0.4:
        return random.choice(list(PACKED.values()))[1](data)
    if kind < 0.7 and not unpack and data[:4] != b"PAR1":
        return mutations.mutate(data, random)
    return _damaged(data, random)


def _damaged(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        start = random.randrange(len(changed) + 1)
        if random.random() < 0.3:  # the end is where Parquet and gzip have what they go by
            start = max(len(changed) - random.randrange(1, 400), 0)
        end = start + random.choice((1, 1, 4, 64))
        kind = random.randrange(5)
        if kind == 0:
            del changed[start:]
        elif kind == 1:
            del changed[start:end]
        elif kind == 2:
            changed[start:end] = bytes(len(changed[start:end]))
        elif kind == 3:
            changed[start:start] = changed[start:end]
        else:
            changed[start : start + 1] = bytes([random.randrange(256)])
    return bytes(changed)


@cache
def alone() -> list[tuple]:
    return _of_good(_told(b""))


def _told(data: bytes) -> logs.Told:
    folder = logs.room()[0] / "folder"
    folder.mkdir(exist_ok=True)
    (folder / "a-good.jsonl").write_bytes(GOOD)
    (folder / "b-other").write_bytes(data)
    return logs.told(folder, Settings(), by_line=False, is_kept=False)


def _of_good(one: logs.Told) -> list[tuple]:
    (taking,) = (taking for taking in one.report.taken if taking.file.path.name == "a-good.jsonl")
    return one.rows["ledger"].filter(content_id=taking.content_id).drop("content_id").rows()


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever the product raises that it should not."""
    expected = alone()
    one = _told(data)
    assert one.refusal is None, one.refusal
    logs.check_told(one)
    assert _of_good(one) == expected, "the good file's calls are others"
    report = one.report
    became = [taking.file.path for taking in report.taken] + report.unchanged
    became += [path for path, _ in report.skipped + report.unreadable]
    assert sorted(path.name for path in became) == ["a-good.jsonl", "b-other"], became

"""The worst logs that we know of, of any size, and what is to become of each of their lines.

Every writer takes a path and a size in bytes, as they are when they are unpacked, and returns `Expected`.
"""

import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import zstandard

CHUNK = 1 << 20


@dataclass(frozen=True)
class Expected:
    """Lines of a file by what becomes of them; or that it is refused whole."""

    calls: int = 0
    quarantined: int = 0
    blank: int = 0
    other: int = 0
    is_refused: bool = False


REFUSED = Expected(is_refused=True)


def call(number: int | str, **fields: object) -> bytes:
    """An OpenAI chat response with an id of its own; `fields` are added."""
    told = {
        "id": f"chatcmpl-{number:0>20}",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-5-mini",
        "choices": [],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
    return json.dumps(told | fields, separators=(",", ":")).encode() + b"\n"


def filled(byte_count: int, piece: bytes) -> Iterable[bytes]:
    """`piece` again and again, `byte_count` in all."""
    block = piece * (CHUNK // len(piece) + 1)
    for _ in range(byte_count // len(block)):
        yield block
    yield block[: byte_count % len(block)]


def write(path: Path, parts: Iterable[bytes]) -> None:
    opened = {".gz": gzip.open, ".zst": zstandard.open}.get(path.suffix, Path.open)
    with opened(path, "wb") as file:
        for part in parts:
            file.write(part)


def between(before: bytes, middle: Iterable[bytes], after: bytes) -> Iterable[bytes]:
    yield before
    yield from middle
    yield after


def long_line(path: Path, size: int) -> Expected:
    write(path, between(call(path.name) + b'{"id":"', filled(size, b"x"), b'"}\n' + call(2)))
    return REFUSED if size > max(64 << 20, path.stat().st_size * 1000) else Expected(calls=2, quarantined=1)


def spaces(path: Path, size: int) -> Expected:
    """One line of nothing, which gzip and zstd pack to next to nothing."""
    write(path, between(call(path.name), filled(size, b" "), b"\n" + call(2)))
    return REFUSED if size > max(64 << 20, path.stat().st_size * 1000) else Expected(calls=2, quarantined=1)


def one_call_again(path: Path, size: int) -> Expected:
    line = call(path.name)
    count = size // len(line)
    write(path, filled(count * len(line), line))
    return REFUSED if size > max(64 << 20, path.stat().st_size * 1000) else Expected(calls=count)


def blank_lines(path: Path, size: int) -> Expected:
    write(path, between(b"", filled(size, b"\n"), call(1)))
    return Expected(calls=1, blank=size)


def bad_lines(path: Path, size: int) -> Expected:
    write(path, between(call(1), filled(size // 5 * 5, b"{bad\n"), b""))
    return Expected(calls=1, quarantined=size // 5)


def small_objects(path: Path, size: int) -> Expected:
    write(path, between(call(1), filled(size // 8 * 8, b'{"a":1}\n'), b""))
    return Expected(calls=1, quarantined=size // 8)


def deep_lines(path: Path, size: int) -> Expected:
    """Lines of open brackets, which are no JSON, and closed ones, which are none of ours."""
    line, long = b'{"id":"x","z":' + b"[" * 1_000_000, b'{"id":"x","z":' + b"[" * 8_000_000
    count = size // len(line)
    write(path, between(call(1) + long + b"\n", (line + b"\n" for _ in range(count)), call(2)))
    return Expected(calls=2, quarantined=count + 1)


def heavy_lines(path: Path, size: int) -> Expected:
    """Lines as long as they may be, of which each two bytes are a value: parsed, they take eight times the memory."""
    line = b'{"id":"x","z":[' + b"1," * 4_190_000 + b"1]}\n"
    count = size // len(line)
    write(path, between(call(1), (line for _ in range(count)), call(2)))
    return Expected(calls=2, quarantined=count)


def array(path: Path, size: int) -> Expected:
    count = size // len(call(0))
    numbered = (call(n)[:-1] + b"," for n in range(count))
    write(path, between(b"[" + call(path.name)[:-1] + b",", numbered, call(count)[:-1] + b"]"))
    return Expected(calls=count + 2)


def document(path: Path, size: int) -> Expected:
    """One object over many lines, with all records in a list."""
    count = size // len(call(0))
    records = (call(n)[:-1].replace(b",", b",\n") + b",\n" for n in range(count))
    write(path, between(b'{"meta":{"n":[1]},\n"records":[\n', records, call(count)[:-1] + b"]}\n"))
    return Expected(calls=count + 1 if path.stat().st_size > 8 << 20 else 1)  # it may stay one line


def document_of_one_text(path: Path, size: int) -> Expected:
    text = filled(size // 3 * 3, b"x\\n")
    write(path, between(b'{"meta":\n"', text, b'"}\n' + b"{\n" + call(1)[1:]))
    return Expected(calls=1, quarantined=1)


def document_of_one_record(path: Path, size: int) -> Expected:
    inner = filled(size // 8 * 8, b'{"a":1},')
    write(path, between(b'{"n":1,\n"records":[{"list":[', inner, b"1]}," + call(1)[:-1] + b"]}\n"))
    return Expected(calls=1, quarantined=1)


CSV_HEAD = b"called_at,model,input_tokens,output_tokens,response_id,text\n"


def csv_row(number: int) -> bytes:
    return b"2026-11-01T10:00:00Z,gpt-5-mini,5,1,csv-%d,\n" % number


def csv_cell(path: Path, size: int) -> Expected:
    write(path, between(CSV_HEAD + csv_row(1)[:-1] + b'"', filled(size, b"x"), b'"\n' + csv_row(2)))
    return Expected(calls=1, quarantined=1)


def csv_quote(path: Path, size: int) -> Expected:
    """A quote that is never closed, at the top."""
    count = size // len(csv_row(100))
    write(path, between(CSV_HEAD + b'"', map(csv_row, range(count)), b""))
    return Expected(calls=count - 1, quarantined=1)


def csv_commas(path: Path, size: int) -> Expected:
    write(path, between(CSV_HEAD, filled(size, b"a,"), b"\n" + csv_row(3)))
    return Expected(calls=1, quarantined=1)


def _parquet(path: Path, texts: list[str | None]) -> None:
    frame = pl.DataFrame({"response_id": [f"pq-{n}" for n in range(len(texts))], "text": pl.Series(texts)})
    frame = frame.with_columns(
        called_at=pl.lit("2026-11-01T10:00:00Z"), model=pl.lit("gpt-5-mini"), input_tokens=5, output_tokens=1
    )
    frame.write_parquet(path, compression="zstd")


def parquet_text(path: Path, size: int) -> Expected:
    """A page is unpacked whole: one that does not fit the memory costs the rows beside it too, and so the file. (One of
    200 MB fitted, one of 300 MB did not.)"""
    _parquet(path, ["a", "x" * size, "b"])
    return Expected(calls=2, quarantined=1) if size < 256 << 20 else REFUSED


def parquet_again(path: Path, size: int) -> Expected:
    """One text in each row, which the file has once."""
    count = size // 100_000
    _parquet(path, ["x" * 100_000] * count)
    return REFUSED if size > max(64 << 20, path.stat().st_size * 1000) else Expected(calls=count)


def users(path: Path, size: int) -> Expected:
    """As many users as a catalogue is made for."""
    return _of_names(path, size, "user_id", 90_000)


def features(path: Path, size: int) -> Expected:
    """A feature for each call, as a field of request ids looks that was taken for one."""
    return _of_names(path, size, "feature", size)


def _of_names(path: Path, size: int, column: str, name_count: int) -> Expected:
    template = {"called_at": "2026-11-01T10:00:00Z", "model": "gpt-5-mini", "input_tokens": 9, "output_tokens": 1}
    text = json.dumps(template | {"response_id": "name-%d", column: "name-%d"}).encode() + b"\n"
    count = size // (len(text) + 8)
    write(path, (text % (n, n % name_count) for n in range(count)))
    return Expected(calls=count)


LOGS: dict[str, Callable[[Path, int], Expected]] = {
    "long_line.jsonl": long_line,
    "long_line.jsonl.gz": long_line,
    "spaces.jsonl.gz": spaces,
    "spaces.jsonl.zst": spaces,
    "again.jsonl.gz": one_call_again,
    "again.jsonl.zst": one_call_again,
    "blank.jsonl": blank_lines,
    "bad.jsonl": bad_lines,
    "small.jsonl": small_objects,
    "deep.jsonl": deep_lines,
    "heavy.jsonl": heavy_lines,
    "array.json": array,
    "array.json.gz": array,
    "document.json": document,
    "document_text.json": document_of_one_text,
    "document_record.json": document_of_one_record,
    "cell.csv": csv_cell,
    "quote.csv": csv_quote,
    "commas.csv": csv_commas,
    "text.parquet": parquet_text,
    "again.parquet": parquet_again,
    "users.jsonl": users,
    "features.jsonl": features,
}

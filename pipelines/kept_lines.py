"""What quarantined lines say, for as long as they are quarantined: kept only where the user asks for it, in files that
only the owner can read, beside the ledger and never published. Once a line has come in, or its user is forgotten, or
it is older than what is retained, it goes."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import polars as pl

from pipelines import picked
from pipelines.bounds import Bounds
from pipelines.damage import DAMAGED
from pipelines.draft import FLUSH_BYTES, KEPT_LINES, Draft, DraftFile
from pipelines.durable import refuses_writing
from pipelines.exact import note_of
from pipelines.ledger import Ledger
from pipelines.new_lines import Taking
from transforms import schemas

LINE = list(schemas.LINE_KEYS)
TEXTS_IN_TEXTS = 8  # JSON in a text of JSON, each with escapes of its own
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|[^u])")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def keep(draft: Draft, takings: list[Taking], bounds: Bounds) -> None:
    """Adds to a settled draft what its quarantined lines say. A log that is rewritten meanwhile, or a line of which a
    note of ours stands for what could not be read, is not kept."""
    frames = [pl.read_parquet(file.path, glob=False) for file in draft.files if file.kind == "quarantine"]
    if not frames:
        return
    places = pl.concat(frames).select(LINE).unique().partition_by("content_id", as_dict=True)
    told = (row for taking in takings for row in _told(taking, places.get((taking.content_id,)), draft.staging, bounds))
    for frame in _frames(told):
        _add(draft, frame)


def _told(
    taking: Taking, quarantined: pl.DataFrame | None, staging: Path, bounds: Bounds
) -> Iterator[tuple[int, int, bytes]]:
    if quarantined is None:
        return
    try:
        files = picked.of_log(taking.file, [taking], set(quarantined["line_number"]), staging, bounds)
    except DAMAGED as error:
        if refuses_writing(error):
            raise
        return
    for file in files:
        for number, line in file:
            if not note_of(line):
                yield taking.content_id, number, line.rstrip(b"\n")
        file.path.unlink()


def _frames(told: Iterable[tuple[int, int, bytes]]) -> Iterator[pl.DataFrame]:
    rows, byte_count, kept_at = [], 0, datetime.now(UTC)
    for row in told:
        rows.append((*row, kept_at))
        byte_count += len(row[2])
        if byte_count > FLUSH_BYTES:
            yield pl.DataFrame(rows, schema=schemas.KEPT_LINES, orient="row")
            rows, byte_count = [], 0
    if rows:
        yield pl.DataFrame(rows, schema=schemas.KEPT_LINES, orient="row")


def _add(draft: Draft, frame: pl.DataFrame) -> None:
    path = draft.next_path(KEPT_LINES)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        frame.write_parquet(file, compression="zstd", compression_level=1, statistics=False)
    draft.files.append(DraftFile(path, KEPT_LINES, "all", frame.height))


def of_content(store: Ledger, content_id: int) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of its lines, in their order."""
    for path in store.paths(KEPT_LINES):
        rows = pl.read_parquet(path, glob=False).filter(pl.col("content_id") == content_id)
        yield from rows.sort("line_number").select("line_number", "line").rows()


def lines(store: Ledger) -> pl.DataFrame:
    """LINE_KEYS of all that are kept."""
    frames = [pl.read_parquet(path, columns=LINE, glob=False) for path in store.paths(KEPT_LINES)]
    return pl.concat([schemas.empty(schemas.LINE_KEYS), *frames])


def without(store: Ledger, draft: Draft, are_gone: Callable[[pl.DataFrame], pl.Series]) -> list[str]:
    """Puts into a settled draft what files are to be without those lines. Returns their paths below the data folder."""
    replaced = []
    for row in store.manifest.live_files(KEPT_LINES):
        frame = pl.read_parquet(store.data / row["path"], glob=False)
        rest = frame.filter(~are_gone(frame))
        if rest.height < frame.height:
            replaced.append(row["path"])
            if rest.height:
                _add(draft, rest)
    return replaced


def are_before(day: date) -> Callable[[pl.DataFrame], pl.Series]:
    """Lines that were kept before that UTC day."""
    return lambda frame: frame["kept_at"] < datetime.combine(day, time.min, UTC)


def are_naming(name: str) -> Callable[[pl.DataFrame], pl.Series]:
    """Lines that hold the name, as it is or as JSON may escape it, be it only as a part of a longer one."""
    return lambda frame: pl.Series([_holds(line, name) for line in frame["line"]], dtype=pl.Boolean)


def _holds(line: bytes, name: str) -> bool:
    text = line.decode(errors="replace")
    for _ in range(TEXTS_IN_TEXTS):
        if name in text:
            return True
        if "\\" not in text:
            return False
        # the line may be no JSON, so only its escapes are resolved; surrogates come in pairs
        resolved = _ESCAPE.sub(lambda found: _character(found[0]), text)
        text = resolved.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return name in text


def _character(escape: str) -> str:
    return chr(int(escape[2:], 16)) if escape[1] == "u" else _SHORT.get(escape[1], escape[1])


def count(store: Ledger, are_meant: Callable[[pl.DataFrame], pl.Series]) -> int:
    frames = (pl.read_parquet(path, glob=False) for path in store.paths(KEPT_LINES))
    return sum(int(are_meant(frame).sum()) for frame in frames)

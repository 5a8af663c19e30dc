"""The exact path: a block of lines of which DuckDB's reader refuses some. Which ones, it alone says, so that no line's
verdict hangs on its neighbours; plain Python only finds out whom to ask about, and names the reason.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import polars as pl

from pipelines import records
from pipelines.bounds import Bounds
from pipelines.reading import Read
from transforms import schemas

# What stands in a piece for a line, or a row, that cannot be read: "!" and why. A log may have such a line too.
PLACEHOLDER = re.compile(
    rb"!((longer) than \d+ (?:bytes|[KMG]iB)|not UTF-8|not a JSON object|quotes do not match|holds NUL bytes"
    rb"|\d+ cells, the header has \d+)"
)
NO_OBJECT = "not a JSON object"

Line = tuple[int, bytes]  # line number, its bytes


def noted(found: re.Match[bytes]) -> str:
    """The reason that a PLACEHOLDER gives."""
    return found[1].decode() + (" ([bounds] line_bytes)" if found[2] else "")


def note_of(line: bytes) -> str | None:
    """The reason that the line gives, if it stands for one that cannot be read."""
    found = PLACEHOLDER.fullmatch(line.strip())
    return noted(found) if found else None


class Parser(Protocol):
    def rows(self, lines: list[bytes]) -> pl.DataFrame | None:
        """A row of texts for each of the lines, none of which is blank; None where one of them is refused."""

    def malformed(self, lines: list[bytes]) -> set[int]:
        """Indices of those that are no JSON. All are UTF-8, none is blank."""

    def misshapen(self, lines: list[bytes]) -> set[int]:
        """Indices of those that do not have their objects where these are read. All are JSON."""


def lines_of(found: list[dict[str, Any]], fields: Mapping[str, str]) -> pl.DataFrame:
    """LINES of a few parsed records."""
    rows = [(number, records.extract(record, fields)) for number, record in enumerate(found, start=1)]
    kept = [(number, *texts) for number, texts in rows if not isinstance(texts, str)]
    frame = pl.DataFrame(kept, schema={"line_number": pl.Int64, **dict.fromkeys(fields, pl.String)}, orient="row")
    return frame.select(*fields, pl.lit(0, pl.Int64).alias("content_id"), "line_number")


def exact_lines(block: bytes, content_id: int, first_line: int, fields: Mapping[str, str], parser: Parser) -> Read:
    """What each line of the block is: a row, quarantined with its reason, or blank."""
    lines, rejects, blank = _split(block, first_line)
    frames = [schemas.empty({**dict.fromkeys(fields, pl.String), "line_number": pl.Int64})]
    for some, rows in _accepted(lines, fields, parser, rejects):
        numbers = pl.Series("line_number", [number for number, _ in some], dtype=pl.Int64)
        is_empty = rows.select(pl.all_horizontal(pl.all().is_null())).to_series()
        rows = rows.with_columns(numbers)
        # DuckDB makes a row of the line `null`
        nulls = [some[i] for i in is_empty.arg_true() if not some[i][1].startswith(b"{")]
        if nulls:
            rejects += ((number, NO_OBJECT) for number, _ in nulls)
            rows = rows.filter(~pl.col("line_number").is_in([number for number, _ in nulls]))
        frames.append(rows)
    found = pl.concat(frames).sort("line_number").with_columns(pl.lit(content_id, pl.Int64).alias("content_id"))
    quarantine = [(content_id, number, None, reason) for number, reason in sorted(rejects)]
    return Read(
        found.select(*fields, "content_id", "line_number"),
        pl.DataFrame(quarantine, schema=schemas.QUARANTINE, orient="row"),
        {content_id: blank} if blank else {},
    )


def _split(block: bytes, first_line: int) -> tuple[list[Line], list[tuple[int, str]], int]:
    """(lines for DuckDB, lines that are none for sure, number of blank lines) of a block of whole lines."""
    lines, rejects, blank = [], [], 0
    for number, raw in enumerate(block.split(b"\n")[:-1], start=first_line + 1):
        line = raw.strip()
        if not line:
            blank += 1
        elif line[0] == 33 and (reason := note_of(line)):
            rejects.append((number, reason))
        else:
            # an array that was printed line by line leaves commas; DuckDB refuses every line that has one
            lines.append((number, line.removesuffix(b",")))
    return lines, rejects, blank


def _accepted(
    lines: list[Line], fields: Mapping[str, str], parser: Parser, rejects: list[tuple[int, str]]
) -> Iterator[tuple[list[Line], pl.DataFrame]]:
    """The lines that DuckDB accepts, with their rows; the others are added to `rejects`."""
    if not lines:
        return
    rejects += ((number, "not UTF-8") for number, line in lines if not _is_utf8(line))
    lines = [(number, line) for number, line in lines if _is_utf8(line)]
    for refused in (parser.malformed, parser.misshapen):
        indices = refused([line for _, line in lines])
        rejects += ((lines[index][0], _reason(lines[index][1], fields)) for index in indices)
        lines = [line for index, line in enumerate(lines) if index not in indices]
        rows = parser.rows([line for _, line in lines])
        if rows is not None:
            yield lines, rows
            return
    suspects = {number for number, line in lines if records.fault(line, fields)}
    for some in (
        [line for line in lines if line[0] not in suspects],
        *([line] for line in lines if line[0] in suspects),
    ):
        yield from _halved(some, fields, parser, rejects)


def _halved(
    lines: list[Line], fields: Mapping[str, str], parser: Parser, rejects: list[tuple[int, str]]
) -> Iterator[tuple[list[Line], pl.DataFrame]]:
    if not lines:
        return
    rows = parser.rows([line for _, line in lines])
    if rows is not None:
        yield lines, rows
    elif len(lines) == 1:
        rejects.append((lines[0][0], _reason(lines[0][1], fields)))
    else:
        middle = len(lines) // 2
        yield from _halved(lines[:middle], fields, parser, rejects)
        yield from _halved(lines[middle:], fields, parser, rejects)


def _reason(line: bytes, fields: Mapping[str, str]) -> str:
    return records.fault(line, fields) or "the JSON reader refuses it"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def fault_of_first(head: bytes, bounds: Bounds) -> str:
    """What is wrong with the first record, of which no shape came."""
    line = head.partition(b"\n")[0]
    if note := PLACEHOLDER.search(head):
        return noted(note)
    if len(line) > bounds.line_bytes:
        return f"longer than {bounds.told('line_bytes')}"
    found = records.parse(line)
    return found if isinstance(found, str) else "of no known shape"

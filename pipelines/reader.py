"""Records of a log, typed as text, only the fields that the shape declares, by DuckDB's reader and no other.

The fast path is checked, not trusted: every field is read as text (DuckDB would turn 10.7 into 11 and true into 1),
rows out must equal lines in, `ignore_errors` is never used (it invents rows). What fails takes the exact path, which
asks the same reader about fewer lines at a time.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import duckdb
import nanoarrow
import numpy as np
import polars as pl
from nanoarrow._utils import NanoarrowException  # raised by streams, exported nowhere public

from pipelines import records
from pipelines.bounds import DEFAULT, Bounds
from pipelines.exact import Read, exact_lines
from pipelines.log_files import as_glob
from pipelines.parquet_files import AS_WRITTEN
from pipelines.pieces import Piece
from transforms import schemas

PARSER_ERRORS = (duckdb.Error, NanoarrowException)  # what reading a Parquet file or a JSON document may raise
# What DuckDB says of text, not of disk: text may also be such that it takes many times its size to parse. Its message
# cites the text, cut off within a letter at times.
REFUSALS = (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.OutOfMemoryException, UnicodeDecodeError)
# What the exact path looks at together; smaller blocks keep one bad line from slowing the rest.
BLOCK_BYTES, BLOCK_LINES = 4 << 20, 1 << 16
MOST_THREADS = 4  # the rest of the walk has one
MEMORY_BYTES = 384 << 20
BATCH_ROWS = 50_000  # DuckDB gives fewer at a time, and each step of polars would cost more than its rows
BATCH_BYTES = 64 << 20  # of lines that hold many records, fewer


class Unclean(Exception):
    """DuckDB's reader cannot be trusted with these lines; what it gave of them must be thrown away."""


class Reader:
    """Reads pieces; holds one in-memory DuckDB connection and a folder for blocks in flight."""

    def __init__(self, staging: Path, bounds: Bounds = DEFAULT) -> None:
        self.staging, self.bounds = staging, bounds
        self.connection = duckdb.connect(config={"python_enable_replacements": False})
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute("set enable_progress_bar = false")  # it would print into the user's output
        # each thread parses what it has in its buffers, up to two lines and sixteen bytes for each bracket in them
        threads, limit = min(MOST_THREADS, os.cpu_count() or 1), max(MEMORY_BYTES, 48 * bounds.line_bytes)
        self.connection.execute(f"set threads = {threads}; set memory_limit = '{limit}B'")

    def close(self) -> None:
        self.connection.close()

    def read(self, piece: Piece, fields: Mapping[str, str]) -> list[Read]:
        """LINES of one piece: fast, and where that cannot be trusted exactly."""
        try:
            with closing(self.read_fast([piece], fields)) as batches:
                return list(batches)
        except Unclean:
            return list(self.read_exactly([piece], fields))

    def read_fast(self, pieces: list[Piece], fields: Mapping[str, str]) -> Iterator[Read]:
        """LINES of `pieces` in order, in bounded batches; `fields` maps column names to paths.

        Raises Unclean, perhaps after some batches, when the pieces must go through `read_exactly`.
        """
        keys, position, are_objects = _LineKeys(pieces), 0, False
        for frame in self._typed_rows([piece.path for piece in pieces], fields):
            if position + frame.height > keys.row_count or not keys.are_pieces_right(frame, position):
                raise Unclean
            if not are_objects and _has_empty_row(frame, list(fields)):
                are_objects = all(map(_are_objects, pieces))
                if not are_objects:
                    raise Unclean
            yield Read(frame.select(list(fields)).with_columns(keys.of_rows(position, frame.height)))
            position += frame.height
        if position != keys.row_count:
            raise Unclean

    def _typed_rows(self, paths: list[Path], fields: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        try:
            # read as a stream: a whole result of a large log would not fit the memory that we promise
            query = _query(fields, self.bounds, with_file_index=len(paths) > 1)
            stream = nanoarrow.c_array_stream(self.connection.sql(query, params=[[as_glob(path) for path in paths]]))
            batches, row_count, byte_count = [], 0, 0
            for batch in stream:  # of many small logs, one or more for each
                batches.append(pl.from_arrow(batch))
                row_count += len(batches[-1])
                byte_count += batches[-1].estimated_size()
                if row_count >= BATCH_ROWS or byte_count >= BATCH_BYTES:
                    yield pl.concat(batches).struct.unnest()
                    batches, row_count, byte_count = [], 0, 0
            if batches:
                yield pl.concat(batches).struct.unnest()
        except (duckdb.Error, NanoarrowException, UnicodeDecodeError) as error:
            raise Unclean from error

    def read_exactly(self, pieces: list[Piece], fields: Mapping[str, str]) -> Iterator[Read]:
        """LINES of `pieces`, what is not a record quarantined with its line and reason; fast where a block is clean."""
        parser, is_clean = _BlockParser(self, fields), True
        for piece in pieces:
            content_id, line = piece.taking.content_id, piece.first_line
            for block in _blocks(piece.path):
                count = block.count(b"\n")
                rows = parser.rows_of(block) if is_clean else None  # after a bad block the next is likely to be bad too
                if rows is None or (_has_empty_row(rows, list(fields)) and not _starts_with_objects(block)):
                    exact = exact_lines(block, content_id, line, fields, parser)
                    is_clean = exact.lines.height == count
                    yield exact
                else:
                    numbers = pl.int_range(line + 1, line + count + 1, dtype=pl.Int64).alias("line_number")
                    yield Read(rows.with_columns(pl.lit(content_id, pl.Int64).alias("content_id"), numbers))
                line += count


class _BlockParser:
    """DuckDB's reader on blocks of whole lines; what exact.Parser asks for."""

    def __init__(self, reader: Reader, fields: Mapping[str, str]) -> None:
        self.connection, self.path = reader.connection, reader.staging / "block.jsonl"
        self.query = _query(fields, reader.bounds)
        self.schema, self.misshapen_if = dict.fromkeys(fields, pl.String), records.duckdb_misshapen(fields)

    def rows_of(self, block: bytes) -> pl.DataFrame | None:
        if not block:
            return schemas.empty(self.schema)
        self.path.write_bytes(block)
        try:
            rows = pl.DataFrame(self.connection.sql(self.query, params=[[as_glob(self.path)]]).materialize())
        except REFUSALS:
            return None
        rows.columns = list(self.schema)  # DuckDB has renamed one of two that differ in the case of letters alone
        return rows if rows.height == block.count(b"\n") else None

    def rows(self, lines: list[bytes]) -> pl.DataFrame | None:
        return self.rows_of(_block(lines))

    def malformed(self, lines: list[bytes]) -> set[int]:
        return self._lines_where("not json_valid(line)", lines)

    def misshapen(self, lines: list[bytes]) -> set[int]:
        return self._lines_where(self.misshapen_if, lines)

    def _lines_where(self, condition: str, lines: list[bytes]) -> set[int]:
        query = (
            "select number - 1 from (select unnest(lines) as line, generate_subscripts(lines, 1) as number from "
            f"(select string_split(?, chr(10)) as lines)) where line <> '' and {condition}"
        )
        try:
            return {index for (index,) in self.connection.execute(query, [b"\n".join(lines).decode()]).fetchall()}
        except duckdb.OutOfMemoryException:  # then fewer are asked for, one at last
            return set()


def _query(fields: Mapping[str, str], bounds: Bounds, with_file_index: bool = False) -> str:
    columns, inner, selected = records.duckdb_columns(fields)
    file_index = ", file_index" if with_file_index else ""
    options = f"format = 'newline_delimited', records = true, maximum_object_size = {bounds.line_bytes}"
    return (
        f"select {selected}{file_index} from (select {inner}{file_index} "
        f"from read_json(?, {options}, columns = {columns}, {AS_WRITTEN}) as line) as line where {records.REFUSING}"
    )


def _block(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def _has_empty_row(frame: pl.DataFrame, fields: list[str]) -> bool:
    """DuckDB makes a row of nulls from the line `null`; so does a line that has none of the fields."""
    if any(frame[name].null_count() == 0 for name in fields):
        return False
    return bool(frame.select(pl.all_horizontal(pl.col(fields).is_null()).any()).item())


class _LineKeys:
    """content_id and line_number of the rows that DuckDB reads from pieces one after another."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.ends = np.cumsum([piece.line_count for piece in pieces])
        self.starts = np.concatenate(([0], self.ends[:-1]))
        self.first_lines = np.array([piece.first_line for piece in pieces])
        self.content_ids = np.array([piece.taking.content_id for piece in pieces])
        self.row_count = int(self.ends[-1])

    def of_rows(self, start: int, count: int) -> list[pl.Series]:
        numbers = self._piece_numbers(start, count)
        line_numbers = np.arange(start + 1, start + count + 1) + (self.first_lines - self.starts)[numbers]
        return [
            pl.Series("content_id", self.content_ids[numbers], dtype=pl.Int64),
            pl.Series("line_number", line_numbers, dtype=pl.Int64),
        ]

    def _piece_numbers(self, start: int, count: int) -> np.ndarray:
        """Of each of these rows alone: for all rows of a log of short lines it would take more memory than the log."""
        counts = np.minimum(self.ends, start + count) - np.maximum(self.starts, start)
        return np.repeat(np.arange(len(counts)), np.maximum(counts, 0))

    def are_pieces_right(self, frame: pl.DataFrame, start: int) -> bool:
        """That each row comes from the file which its keys name (DuckDB tells the file when it reads several)."""
        if "file_index" not in frame.columns:
            return True
        return bool((frame["file_index"].to_numpy() == self._piece_numbers(start, frame.height)).all())


def _are_objects(piece: Piece) -> bool:
    """Whether every line of the piece starts as an object does: then none is `null`, of which DuckDB makes a row."""
    with piece.path.open("rb") as file:
        count, last = 0, b"\n"
        while chunk := file.read(BLOCK_BYTES):
            count += (last + chunk).count(b"\n{")
            last = chunk[-1:]
    return count == piece.line_count


def _starts_with_objects(block: bytes) -> bool:
    return block.startswith(b"{") and block.count(b"\n{") + 1 == block.count(b"\n")


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole lines; each ends with a line feed (pieces do)."""
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(BLOCK_BYTES):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield from _halved(rest + chunk[:cut])
                rest = chunk[cut:]
            else:
                rest += chunk


def _halved(block: bytes) -> Iterator[bytes]:
    """The block in parts of no more than BLOCK_LINES: each line takes memory of its own, however short."""
    if block.count(b"\n") <= BLOCK_LINES:
        yield block
        return
    middle = block.index(b"\n", len(block) // 2) + 1
    yield from _halved(block[:middle])
    yield from _halved(block[middle:])

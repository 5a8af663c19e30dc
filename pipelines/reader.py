"""Records of a log, typed as text, only the fields that the shape declares: DuckDB's reader where it is provably right,
else line by line.

The fast path is checked, not trusted: every field is read as text (DuckDB would turn 10.7 into 11 and true into 1),
rows out must equal lines in, `ignore_errors` is never used (it invents rows). What fails takes the exact path.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb
import nanoarrow
import polars as pl
from nanoarrow._utils import NanoarrowException  # raised by streams, exported nowhere public

from pipelines import records
from pipelines.exact import Read, exact_lines
from pipelines.log_files import as_glob
from pipelines.new_lines import Taking
from pipelines.pieces import LINE_BYTES, Piece
from pipelines.sniff import RECORDS, records_of
from transforms import schemas

PARSER_ERRORS = (duckdb.Error,)  # what reading a Parquet file or a JSON document may raise
BLOCK_BYTES = 4 << 20  # what the exact path looks at together; smaller blocks keep one bad line from slowing the rest
BATCH_ROWS = 50_000  # DuckDB gives fewer at a time, and each step of polars would cost more than its rows
PARQUET_ROWS = 250_000


class Unclean(Exception):
    """DuckDB's reader cannot be trusted with these lines; what it gave of them must be thrown away."""


class Reader:
    """Reads pieces; holds one in-memory DuckDB connection and a folder for blocks in flight."""

    def __init__(self, staging: Path) -> None:
        self.staging = staging
        self.connection = duckdb.connect(config={"python_enable_replacements": False})
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute("set enable_progress_bar = false")  # it would print into the user's output

    def close(self) -> None:
        self.connection.close()

    def read_fast(self, pieces: list[Piece], fields: Mapping[str, str]) -> Iterator[Read]:
        """LINES of `pieces` in order, in bounded batches; `fields` maps column names to paths.

        Raises Unclean, perhaps after some batches, when the pieces must go through `read_exactly`.
        """
        keys, position = _LineKeys(pieces), 0
        for frame in self._typed_rows([piece.path for piece in pieces], fields):
            if position + frame.height > keys.row_count or not keys.are_paths_right(frame, position):
                raise Unclean
            yield Read(frame.select(list(fields)).with_columns(keys.of_rows(position, frame.height)))
            position += frame.height
        if position != keys.row_count:
            raise Unclean

    def _typed_rows(self, paths: list[Path], fields: Mapping[str, str]) -> Iterator[pl.DataFrame]:
        columns, selected = records.duckdb_columns(fields)
        many = len(paths) > 1
        query = (
            f"select {selected}{', filename' if many else ''} from read_json(?, format = 'newline_delimited', "
            f"maximum_object_size = {LINE_BYTES}, filename = {str(many).lower()}, columns = {columns}) as line"
        )
        try:
            # read as a stream: a whole result of a large log would not fit the memory that we promise
            stream = nanoarrow.c_array_stream(self.connection.sql(query, params=[[as_glob(path) for path in paths]]))
            frames: list[pl.DataFrame] = []
            for batch in stream:
                frames.append(pl.from_arrow(batch).struct.unnest())
                if _has_empty_row(frames[-1], list(fields)):
                    raise Unclean
                if sum(frame.height for frame in frames) >= BATCH_ROWS:
                    yield pl.concat(frames)
                    frames = []
            if frames:
                yield pl.concat(frames)
        except (duckdb.Error, NanoarrowException) as error:
            raise Unclean from error

    def read_exactly(self, pieces: list[Piece], fields: Mapping[str, str]) -> Iterator[Read]:
        """LINES of `pieces`, what is not a record quarantined with its line and reason; fast where a block is clean."""
        for piece in pieces:
            content_id, line = piece.taking.content_id, piece.first_line
            for block in _blocks(piece.path):
                count = block.count(b"\n")
                clean = self._clean_block(block, fields)
                if clean is None:
                    yield exact_lines(block, content_id, line, fields)
                else:
                    numbers = pl.int_range(line + 1, line + count + 1, dtype=pl.Int64).alias("line_number")
                    yield Read(clean.with_columns(pl.lit(content_id, pl.Int64).alias("content_id"), numbers))
                line += count

    def _clean_block(self, block: bytes, fields: Mapping[str, str]) -> pl.DataFrame | None:
        path = self.staging / "block.jsonl"
        path.write_bytes(block)
        try:
            frame = pl.concat([schemas.empty(dict.fromkeys(fields, pl.String)), *self._typed_rows([path], fields)])
        except Unclean:
            return None
        return frame if frame.height == block.count(b"\n") else None

    def objects_as_lines(self, path: Path, layout: str) -> Path:
        """A JSON array (`array`) or objects one after another (`unstructured`) as a staged file of one object a line.
        JSON text holds raw line feeds only between tokens, so they may become spaces. Raises duckdb.Error."""
        staged = self.staging / f"objects-{path.name}.jsonl"
        self.connection.execute(
            "copy (select replace(replace(json, chr(10), ' '), chr(13), ' ') "
            f"from read_json_objects({_source(path)}, format = '{layout}', maximum_object_size = {LINE_BYTES})) "
            f"to '{_quoted(staged)}' (format csv, header false, quote '', escape '', delimiter '\x1f')"
        )
        return staged

    def parquet_records(self, path: Path) -> list[dict[str, Any]]:
        """The first few rows, to recognise the shape by."""
        query = f"select to_json(line)::varchar from read_parquet({_source(path)}) as line limit {RECORDS}"
        return records_of([text.encode() for (text,) in self.connection.execute(query).fetchall()])

    def parquet_batches(self, taking: Taking, fields: Mapping[str, str]) -> Iterator[Read]:
        """LINES of a Parquet file's rows, from `taking.from_line` on, in batches; raises duckdb.Error."""
        source = f"read_parquet({_source(taking.file.path)}, file_row_number = true)"
        selected = ", ".join(
            f"{self._parquet_text(source, path)} as {records.quoted(name)}" for name, path in fields.items()
        )
        (total,) = self.connection.execute(f"select count(*) from {source}").fetchall()[0]
        taking.line_count = total - taking.from_line
        for start in range(taking.from_line, total, PARQUET_ROWS):
            query = (
                f"select {selected}, {taking.content_id}::bigint as content_id, "
                f"(file_row_number + 1)::bigint as line_number from {source} as line "
                f"where file_row_number >= {start} and file_row_number < {start + PARQUET_ROWS} "
                "order by file_row_number"
            )
            yield Read(pl.DataFrame(self.connection.sql(query)))

    def _parquet_text(self, source: str, path: str) -> str:
        expression = records.duckdb_expression(path)
        try:
            kind = str(self.connection.sql(f"select {expression} as x from {source} as line limit 0").types[0])
        except duckdb.BinderException:
            return "null::varchar"
        nested = kind.startswith(("STRUCT", "MAP")) or kind.endswith("]")
        return f"to_json({expression})::varchar" if nested else f"({expression})::varchar"


def _has_empty_row(frame: pl.DataFrame, fields: list[str]) -> bool:
    """DuckDB makes a row of nulls from the line `null`; so does a line that has none of the fields."""
    if any(frame[name].null_count() == 0 for name in fields):
        return False
    return bool(frame.select(pl.all_horizontal(pl.col(fields).is_null()).any()).item())


class _LineKeys:
    """content_id and line_number of the rows that DuckDB reads from pieces one after another."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.starts = [0, *accumulate(piece.line_count for piece in pieces)]
        self.row_count = self.starts[-1]

    def _parts(self, start: int, count: int) -> Iterator[tuple[Piece, int, int]]:
        """(piece, first row within it, rows) of the rows [start, start + count)."""
        number = bisect_right(self.starts, start) - 1
        while count > 0:
            taken = min(count, self.starts[number + 1] - start)
            if taken > 0:
                yield self.pieces[number], start - self.starts[number], taken
            start, count, number = start + taken, count - taken, number + 1

    def of_rows(self, start: int, count: int) -> list[pl.Series]:
        contents, numbers = [], []
        for piece, offset, rows in self._parts(start, count):
            contents.append(pl.repeat(piece.taking.content_id, rows, dtype=pl.Int64, eager=True))
            first = piece.first_line + offset + 1
            numbers.append(pl.int_range(first, first + rows, eager=True))
        return [pl.concat(contents).alias("content_id"), pl.concat(numbers).alias("line_number")]

    def are_paths_right(self, frame: pl.DataFrame, start: int) -> bool:
        """That each row comes from the file which its keys name (DuckDB tells the file when it reads several)."""
        if len(self.pieces) == 1:
            return True
        expected = [pl.repeat(str(piece.path), rows, eager=True) for piece, _, rows in self._parts(start, frame.height)]
        return frame["filename"].equals(pl.concat(expected))


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole lines; each ends with a line feed (pieces do)."""
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(BLOCK_BYTES):
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield rest + chunk[:cut]
                rest = chunk[cut:]
            else:
                rest += chunk


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _source(path: Path) -> str:
    return "'" + as_glob(_quoted(path)) + "'"

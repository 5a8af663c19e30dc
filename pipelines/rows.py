"""The rows of a Parquet file, and the objects of a JSON array, as lines of JSON."""

from collections.abc import Iterator
from pathlib import Path

import nanoarrow
import polars as pl

from pipelines.array_damage import place_of_damage
from pipelines.bounds import Unreadable
from pipelines.log_files import as_glob
from pipelines.parquet_files import AS_WRITTEN, ROWS, rows_query
from pipelines.pieces import too_long
from pipelines.reader import PARSER_ERRORS, Reader

ROWS_AT_ONCE = 1024  # where a vector of rows does not fit the memory; then an eighth, and so on


def objects(reader: Reader, path: Path) -> Iterator[bytes]:
    """Of an array; JSON text holds raw line feeds only between tokens, so they may become spaces. Raises duckdb.Error,
    Unreadable."""
    query = (
        "select replace(replace(json, chr(10), ' '), chr(13), ' ') from read_json_objects("
        f"?, format = 'array', maximum_object_size = {reader.bounds.line_bytes}, {AS_WRITTEN})"
    )
    try:
        yield from map(_joined, _batches(reader, query, path))
    except (*PARSER_ERRORS, UnicodeDecodeError) as error:
        if "maximum_object_size" in str(error):
            raise reader.bounds.refusal("has a record longer than", "line_bytes") from None
        if "Out of Memory" not in str(error) and (place := place_of_damage(path, reader.bounds)):
            fix = "mend it there, or write one object a line: then such damage costs one line"
            raise Unreadable(f"is no JSON array in UTF-8 at {place}; {fix}") from None
        raise


def rows(reader: Reader, path: Path) -> Iterator[bytes]:
    """Of a Parquet file, all in one go; from where they do not fit the memory, fewer at a time. Raises duckdb.Error."""
    ((row_count,),) = reader.connection.execute(f"select count(*) from {ROWS}", [as_glob(path)]).fetchall()
    position, step = 0, row_count
    while position < row_count:
        part = f"file_row_number between {position} and {position + step - 1}" if step < row_count else "true"
        try:
            for texts in _batches(reader, rows_query(reader.connection, path, part), path):
                yield _joined(texts)
                position += len(texts)
        except PARSER_ERRORS as error:
            if "Out of Memory" not in str(error):
                raise
            if step == 1:
                yield too_long(reader.bounds)
                position += 1
            step = max(1, min(ROWS_AT_ONCE, step // 8))
        if position > row_count:
            raise EOFError(f"{path} has a column that is called file_row_number")


def _batches(reader: Reader, query: str, path: Path) -> Iterator[pl.Series]:
    for batch in nanoarrow.c_array_stream(reader.connection.sql(query, params=[as_glob(path)])):
        yield pl.from_arrow(batch).struct.unnest().to_series()


def _joined(texts: pl.Series) -> bytes:
    return "\n".join([*texts.to_list(), ""]).encode()

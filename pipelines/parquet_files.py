"""A Parquet file's rows as JSON text; and what is wrong with one of which DuckDB would give other rows than it has."""

from pathlib import Path

import duckdb

from pipelines.bounds import Bounds, Unreadable
from pipelines.log_files import PARQUET, as_glob
from pipelines.records import quoted
from pipelines.sniff import named

ENCRYPTED = b"PARE"
FOOTER_START = b"\x15"  # its first field is a number
CHUNK_BYTES = 1 << 20
LENGTH_BYTES = 4
AS_WRITTEN = "hive_partitioning = false"  # else a folder called model=x would overrule each line's own model
ROWS = f"read_parquet(?, {AS_WRITTEN})"


def check(path: Path, connection: duckdb.DuckDBPyConnection, bounds: Bounds) -> None:
    """Raises EOFError where the file is not whole; Unreadable where it is encrypted, is several files in one, of which
    DuckDB reads the last, or has columns that DuckDB renames; duckdb.Error."""
    with path.open("rb") as file:
        file.seek(max(file.seek(0, 2) - len(PARQUET), 0))
        end = file.read()
        if end == ENCRYPTED:
            raise Unreadable("an encrypted Parquet file; decrypt it first")
        if end != PARQUET:
            raise EOFError(f"{path} does not end as a Parquet file")
        if _has_another_inside(file):
            raise Unreadable("several Parquet files in one; write them as files of their own")
    count = "select count(*) from parquet_schema(?) where coalesce(num_children, 0) = 0"
    if connection.execute(count, [as_glob(path)]).fetchall()[0][0] > bounds.columns:
        raise bounds.refusal("has more columns than", "columns")
    schema = connection.execute("select name, num_children from parquet_schema(?)", [as_glob(path)]).fetchall()
    if twice := _alike(schema):
        raise Unreadable(f"it has columns whose names differ in case at most ({named(twice)}); rename them")


def _alike(schema: list[tuple[str, int | None]]) -> list[str]:
    """Names that are the same to DuckDB in one group of columns. `schema`: each column, before those inside it."""
    found: list[str] = []
    seen: list[set[str]] = []  # of each group that a column may be in, the names that it has
    left: list[int] = []  # and how many columns of it are to come
    for name, count in schema:
        while left and not left[-1]:
            seen.pop(), left.pop()
        if left:
            found += [name] if name.lower() in seen[-1] else []
            seen[-1].add(name.lower())
            left[-1] -= 1
        seen.append(set())
        left.append(count or 0)
    return found


def _has_another_inside(file) -> bool:
    """Whether a file's end and the next one's start stand within, the length of a footer before them."""
    file.seek(0)
    seam, before, start = PARQUET + PARQUET, b"", 0
    while chunk := file.read(CHUNK_BYTES):
        text, position = before + chunk, 0
        while (position := text.find(seam, position)) >= 0:
            here = file.tell()
            length_at = start + position - LENGTH_BYTES
            if _is_footer(file, length_at):
                return True
            file.seek(here)
            position += 1
        before = text[1 - len(seam) :]
        start += len(text) - len(before)
    return False


def _is_footer(file, length_at: int) -> bool:
    if length_at < len(PARQUET):
        return False
    file.seek(length_at)
    footer_at = length_at - int.from_bytes(file.read(LENGTH_BYTES), "little")
    file.seek(max(footer_at, 0))
    return footer_at >= len(PARQUET) and file.read(len(FOOTER_START)) == FOOTER_START


def rows_query(connection: duckdb.DuckDBPyConnection, path: Path, condition: str = "true") -> str:
    """SELECT of each row of a file, its parameter, as JSON text; bytes that are UTF-8 are text. Raises duckdb.Error."""
    columns = connection.execute(f"describe from {ROWS}", [as_glob(path)]).fetchall()
    binary = [quoted(name) for name, kind, *_ in columns if kind == "BLOB"]
    texts = ", ".join(f"coalesce(try(decode({name})), {name}::varchar) as {name}" for name in binary)
    replaced = f"replace ({texts})" if binary else ""
    return f"select to_json(line)::varchar from (select * {replaced} from {ROWS} where {condition}) as line"

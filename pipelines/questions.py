"""Our own questions to the published catalogue: `sql/questions`, with parameters and small tables beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import sandbox, warehouse
from pipelines.errors import UserError
from pipelines.warehouse_sources import arrow_of, table_columns

Tables = Mapping[str, tuple[pl.DataFrame, dict[str, Any]]]  # a frame and its schema by name


def answer(link: Path, name: str, tables: Tables | None = None, **parameters: Any) -> pl.DataFrame:
    """Rows of `sql/questions/<name>.sql`: `$name` in it is a parameter, `tables` are temporary ones, and a line
    `{other}` stands for another question. Raises UserError where nothing is published that can be asked."""
    sandbox.check_published(link)
    try:
        with sandbox.connect_sandboxed(link) as connection:
            for table, (frame, schema) in (tables or {}).items():
                connection.register("loading", arrow_of(frame, schema))
                connection.execute(f"create temporary table {table} ({table_columns(schema)})")
                connection.execute(f"insert into {table} by name from loading")
                connection.unregister("loading")
            return warehouse.frame_of(connection, _text(name), **parameters)
    except warehouse.ERRORS as error:  # a warehouse that another version published, or whose Parquet is gone
        fact = str(error).splitlines()[0]
        raise UserError(f"{link}: cannot be asked ({fact}); run `tokenspread build` anew") from None


def _text(name: str) -> str:
    lines = (warehouse.SQL / "questions" / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(_text(line[1:-1]) if line[:1] == "{" else line for line in lines)

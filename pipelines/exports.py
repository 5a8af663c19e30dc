"""The corridor of `tokenspread export`: published tables, questions of the cookbook and FOCUS, each as a file.

Rows go from DuckDB to the file as they come, so that memory is bounded whatever their number.
"""

import json
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

from pipelines import cookbook, sandbox, warehouse
from pipelines.data_folder import refuse_place
from pipelines.durable import owners_alone, replacing
from pipelines.errors import StorageTrouble, UserError
from pipelines.settings import Settings
from pipelines.warehouse_models import PUBLISHED, SQL, model_header
from pipelines.warehouse_sources import Ask, identifier, literal

FOCUS = "focus"
COOKBOOK = "cookbook/"  # before the name of a question, where a table is called the same
MADE_FOR_FOCUS = ("focus_rates", "focus_meters")  # temporary tables, each over those before
ENDINGS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json"}
ENDING_OF = {"parquet": ".parquet", "csv": ".csv", "json": ".jsonl"}
MOST_NEAREST = 5
OPTIONS = {
    "parquet": "format parquet, compression zstd, row_group_size 122880",
    "csv": "format csv, header",
    "json": "format json",
}


@dataclass(frozen=True)
class Written:
    """A file that was written; `left_out`: rows of sql/exports/focus_left_out.sql, of FOCUS alone."""

    name: str
    path: Path
    row_count: int
    left_out: list[dict]


def export(
    settings: Settings, names: list[str], file_format: str | None, to: Path | None, overwrite: bool, account: str | None
) -> list[Written]:
    """Writes each of `names` to its file. Raises UserError, before anything is written where the user can mend it."""
    link = settings.data / "warehouse.duckdb"
    sandbox.check_published(link)
    for name in names:
        _refuse_unknown(name)
    targets = _targets(names, file_format, to)
    for path in targets.values():
        refuse_place(path, overwrite)
    return [_written(link, name, path, file_format or ENDINGS[path.suffix], account) for name, path in targets.items()]


def write_text(path: Path, text: str, overwrite: bool) -> None:
    """A file that others may read as the umask has it. Raises UserError."""
    refuse_place(path, overwrite)
    try:
        with replacing(path.absolute()) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageTrouble(f"{path}: cannot be written ({error.strerror}); choose another path") from None


def _refuse_unknown(name: str) -> None:
    questions = cookbook.questions()
    known = [*PUBLISHED, *questions, FOCUS]
    if name not in known and (not name.startswith(COOKBOOK) or name.removeprefix(COOKBOOK) not in questions):
        nearest = get_close_matches(name, [*known, "prometheus"], MOST_NEAREST, cutoff=0.5)
        meant = f"the nearest are {', '.join(nearest)}" if nearest else "see `tokenspread sql 'show tables'`"
        raise UserError(f"{name}: no published table or question of the cookbook is called so; {meant}")


def _targets(names: list[str], file_format: str | None, to: Path | None) -> dict[str, Path]:
    """The path of each name. A path with the ending of a format is a file, any other a folder."""
    if file_format not in (None, *ENDING_OF):
        raise UserError(f"--format {file_format}: no such format; write {', '.join(ENDING_OF)}")
    folder = Path(".") if to is None else to
    ending = "" if to is None or to.is_dir() else to.suffix.lower()
    if ending and ending not in ENDINGS:
        known = ", ".join(ENDINGS)
        raise UserError(f"--to {to}: {to.suffix} is the ending of no format; write {known}, or make that folder first")
    if not ending:
        own = ENDING_OF[file_format or "parquet"]
        targets = {name: folder / f"{name.removeprefix(COOKBOOK)}{own}" for name in names}
        if len({*targets.values()}) < len(targets):
            raise UserError(f"{', '.join(names)}: two of them are a file of one name; export them one by one")
        return targets
    if len(set(names)) > 1:
        raise UserError(f"--to {to}: is one file, for {len(set(names))} names; name a folder")
    if file_format not in (None, ENDINGS[ending]):
        raise UserError(f"--to {to}: is of another format than --format {file_format}; leave one of them out")
    return {names[0]: to}


def _written(link: Path, name: str, path: Path, file_format: str, account: str | None) -> Written:
    try:
        # who acted is in most tables: the files are their owner's alone, until chmod says otherwise
        with owners_alone():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path.absolute()) as unfinished:
                row_count, left_out = _copied(link, name, unfinished, file_format, account)
    except OSError as error:
        raise StorageTrouble(f"{path}: cannot be written ({error.strerror}); choose another path") from None
    except warehouse.ERRORS as error:
        fact = str(error).splitlines()[0]
        if "is not known here" in fact:  # what a question is asked with by itself; see macro one_of
            raise UserError(f"{name}: {fact}; ask it with `tokenspread ask {name} NAME=VALUE`") from None
        fix = "make room for the file, or run `tokenspread build` anew where the warehouse is of another version"
        raise UserError(f"{path}: could not be written ({fact}); {fix}") from None
    return Written(name, path, row_count, left_out)


def _copied(link: Path, name: str, path: Path, file_format: str, account: str | None) -> tuple[int, list[dict]]:
    with sandbox.connect_sandboxed(link, path) as connection:
        ask: Ask = partial(warehouse.frame_of, connection)
        connection.execute(_sql("exports", "text_macros"))
        if name == FOCUS:
            connection.execute(_sql("exports", "focus_macros"))
            connection.execute("set variable billing_account = $account", {"account": account})
            for table in MADE_FOR_FOCUS:
                connection.execute(f"create temporary table {table} as {_sql('exports', table)}")
        query = _query(name)
        rows = connection.sql(query)
        columns = zip(map(identifier, rows.columns), map(str, rows.types), strict=True)
        told = ", ".join(f"{_value(column, kind, file_format)} as {column}" for column, kind in columns)
        options = OPTIONS[file_format] + (_meanings(name, ask) if file_format == "parquet" else "")
        done = connection.execute(f"copy (select {told} from (\n{query}\n)) to {literal(str(path))} ({options})")
        return done.fetchall()[0][0], ask(_sql("exports", "focus_left_out")).to_dicts() if name == FOCUS else []


def _query(name: str) -> str:
    if name in PUBLISHED:
        return f"from {name}"
    return _sql("exports", FOCUS) if name == FOCUS else _question(name).rstrip().rstrip(";")


def _question(name: str) -> str:
    return cookbook.question(name.removeprefix(COOKBOOK)).sql


def _sql(folder: str, name: str) -> str:
    return (SQL / folder / f"{name}.sql").read_text(encoding="utf-8")


def _value(column: str, kind: str, file_format: str) -> str:
    """SQL of what the file has of a column: no digit less than the warehouse."""
    if file_format == "parquet":
        return f"{column}::decimal(38, 0)" if kind == "HUGEINT" else column  # DuckDB writes 128 bits as a double
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"utc_text({column})"
    if file_format == "json":
        if kind.startswith("DECIMAL"):
            return f"{column}::varchar"  # readers of JSON take a number with a point for a double
        return f"json_number({column})" if kind in ("DOUBLE", "FLOAT") else column
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP"))
    text = f"to_json({column})::varchar" if nested else column
    return f"csv_text({text})" if nested or kind == "VARCHAR" else text


def _meanings(name: str, ask: Ask) -> str:
    """What the file says of itself: of DuckDB's Parquet only the file has a place for it, not the column."""
    if name in PUBLISHED:
        grain, columns = model_header(name)
    else:
        text = _sql("exports", FOCUS) if name == FOCUS else _question(name)
        lines = [line[3:] for line in text.splitlines() if line.startswith("-- ")]
        grain, columns = lines[0] if lines else name, {}
    about = ask("select ledger_version, price_book_hash from about").row(0, named=True)
    told = {"table": name, "meaning": grain, "columns": json.dumps(columns, ensure_ascii=False), **about}
    pairs = ", ".join(f"tokenspread_{key}: {literal(str(value))}" for key, value in told.items() if value is not None)
    return f", kv_metadata {{{pairs}}}"

"""A shell over the published tables, for where no DuckDB client is: each query goes through the sandbox as any other,
in a connection of its own, so that the next one sees what a night has published meanwhile.

What was typed is kept in memory alone: queries name users, and a file of them would be one more place to forget.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import polars as pl
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from pipelines import cookbook, sandbox
from pipelines.errors import UserError
from pipelines.report import query as query_output
from pipelines.report import questions as question_output
from pipelines.report.text import harmless

MOST_ROWS = 1000
NAMES = """
select table_name as name from duckdb_tables() where database_name = current_database() and schema_name = 'main'
union
select view_name from duckdb_views() where database_name = current_database() and not internal and schema_name = 'main'
union
select column_name from duckdb_columns() where database_name = current_database() and schema_name = 'main'
union
select function_name from duckdb_functions()
union
select keyword_name from duckdb_keywords()
"""
TABLES = """
select table_name as name, comment as "one row per"
from (
    select table_name, comment, schema_name, database_name from duckdb_tables()
    union all
    select view_name, comment, schema_name, database_name from duckdb_views() where not internal
)
where schema_name = 'main' and database_name = current_database()
order by name
"""
MACROS = """
select function_name as name, comment as "what it gives"
from duckdb_functions()
where database_name = current_database() and not internal and function_type = $type
order by name
"""
COLUMNS = """
select column_name as name, data_type as type, comment as meaning
from duckdb_columns()
where database_name = current_database() and schema_name = 'main' and table_name = $name
order by column_index
"""
HELP = """one SELECT (or FROM, DESCRIBE, SUMMARIZE), ended by a semicolon; Tab completes, Ctrl-C starts anew
  .tables                       tables, and what a row of each is
  .schema NAME                  columns of a table, or what a macro takes
  .macros                       questions with parameters: from reprice(-30);
  .functions                    functions: usd_per(cost_usd, action_count)
  .cookbook [NAME [SET=VALUE]]  questions that people often have, or the answer to one
  .help   .quit                 this; the end (or Ctrl-D)
"""


def run(link: Path) -> None:
    """Read and answer until the end of input. Raises UserError where nothing is published."""
    sandbox.check_published(link)
    print(f"{link}, read-only. Queries end with a semicolon; .help tells more.")
    session = _session(_Names(link))
    while True:
        try:
            text = session.prompt("tokenspread> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text in (".quit", ".exit"):
            return
        try:
            answer(link, text)
        except (UserError, KeyboardInterrupt) as error:
            # what interrupts a query ends the query, not the shell
            print("\n".join(map(harmless, (str(error) or "interrupted").splitlines())), file=sys.stderr)


def answer(link: Path, text: str) -> None:
    """Print what one input asks for. Raises UserError."""
    if not text.strip(" ;\n"):
        return
    if not text.startswith("."):
        _show(sandbox.query(link, text))
        return
    command, *words = text.rstrip(";").split()
    if command not in COMMANDS:
        raise UserError(f"{command}: no such command; .help lists them")
    COMMANDS[command](link, words)


def is_whole(text: str) -> bool:
    """Whether an input can be asked: a command, nothing, or ended by a semicolon that is in no text and no comment."""
    if not text.strip() or text.lstrip().startswith("."):
        return True
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    return not re.search(r"['\"]|/\*", bare) and bare.rstrip().endswith(";")


def _show(rows: pl.DataFrame) -> None:
    query_output.write(rows.head(MOST_ROWS), "table", sys.stdout)
    if rows.height > MOST_ROWS:
        print(f"the first {MOST_ROWS:,} of {rows.height:,} rows; `tokenspread sql QUERY --format csv` gives all")


def _write_help(link: Path, words: list[str]) -> None:
    print(HELP, end="")


def _write_tables(link: Path, words: list[str]) -> None:
    _write_blocks(sandbox.query(link, TABLES).rows())


def _write_macros(kind: str) -> Callable[[Path, list[str]], None]:
    def write(link: Path, words: list[str]) -> None:
        # a comment begins with the name and what it takes
        rows = sandbox.query(link, MACROS.replace("$type", sandbox.literal(kind))).rows()
        _write_blocks(tuple((meaning or name).partition(": ")[::2]) for name, meaning in rows)

    return write


def _write_schema(link: Path, words: list[str]) -> None:
    if len(words) != 1:
        raise UserError(".schema: name one table or macro; .tables and .macros list them")
    name = sandbox.literal(words[0])
    columns = sandbox.query(link, COLUMNS.replace("$name", name)).rows()
    if columns:
        _write_blocks((f"{column} {dtype.lower()}", meaning) for column, dtype, meaning in columns)
        return
    told = f"select comment from duckdb_functions() where function_name = {name} and not internal"
    meanings = sandbox.query(link, told)["comment"].to_list()
    if not meanings:
        raise UserError(f"{words[0]}: no such table or macro; .tables and .macros list them")
    print(meanings[0])


def _write_cookbook(link: Path, words: list[str]) -> None:
    if not words:
        question_output.write_list(cookbook.questions().values(), sys.stdout)
        return
    question = cookbook.question(words[0])
    rows = sandbox.query(link, question.with_values(cookbook.given(words[1:])))
    question_output.write(question, rows, sys.stdout)


def _write_blocks(rows: Iterable[tuple[str, str | None]]) -> None:
    for name, meaning in rows:
        print(f"{name}\n    {meaning or ''}")


COMMANDS: dict[str, Callable[[Path, list[str]], None]] = {
    ".help": _write_help,
    ".tables": _write_tables,
    ".schema": _write_schema,
    ".macros": _write_macros("table_macro"),
    ".functions": _write_macros("macro"),
    ".cookbook": _write_cookbook,
}


class _Names(Completer):
    """Tables, columns, macros, functions and words of SQL, as the warehouse tells them; commands after a dot."""

    def __init__(self, link: Path) -> None:
        self.names = sorted(sandbox.query(link, NAMES)["name"].drop_nulls().to_list())

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        text = document.text_before_cursor
        if text.startswith("."):
            known = list(cookbook.questions()) if text.startswith(".cookbook ") else [*COMMANDS, ".quit"]
            word = text.split(" ")[-1] if text.startswith(".cookbook ") else text
        else:
            known, word = self.names, re.search(r"\w*$", text)[0]
        if word:
            for name in known:
                if name.lower().startswith(word.lower()):
                    yield Completion(name, start_position=-len(word))


def _session(completer: Completer) -> PromptSession[str]:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    return PromptSession(
        history=InMemoryHistory(),
        completer=completer,
        complete_while_typing=False,
        key_bindings=keys,
        multiline=True,
        prompt_continuation="          -> ",
    )

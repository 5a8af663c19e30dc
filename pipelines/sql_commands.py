"""The door to SQL: `tokenspread sql` and `ask`. What is heavy is imported inside a command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import Config, Data, examples
from pipelines.settings import Settings

Format = Annotated[str, typer.Option("--format", help="table, csv or json.")]


SQL_EXAMPLES = examples(
    "tokenspread sql 'select * from unit_economics' --format csv > unit_economics.csv",
    """tokenspread sql "from reprice(-30) where dimension = 'feature'\"""",
)
ASK_EXAMPLES = examples(
    "tokenspread ask", "tokenspread ask dearest_users feature=reply", "tokenspread ask retries --sql"
)


def register(app: typer.Typer) -> None:
    app.command(epilog=SQL_EXAMPLES)(sql)
    app.command(epilog=ASK_EXAMPLES)(ask)


def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT over the published tables; - reads it from standard input.")
    ] = None,
    output: Format = "table",
    own: Annotated[
        bool, typer.Option("--own", help="tokenspread's own shell, also where DuckDB's client is installed.")
    ] = False,
    data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Ask the published tables, read-only; without a query, in a shell."""
    from pipelines import sandbox
    from pipelines.report import query as query_output

    link = Settings.load(config, data=data).data / "warehouse.duckdb"
    if query is None and sys.stdin and sys.stdin.isatty():
        _open_shell(link, own)
        return
    text = query if query not in (None, "-") else sys.stdin.read() if sys.stdin else ""  # None: it was closed
    if not text.strip():
        raise UserError("no query: write one after `tokenspread sql`, or pipe one in; in a terminal a shell opens")
    query_output.write(sandbox.query(link, text), output, sys.stdout)


def ask(
    name: Annotated[str | None, typer.Argument(help="A question; without one, all are listed.")] = None,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="What is set in it, such as feature=chat.")
    ] = None,
    output: Format = "table",
    show_sql: Annotated[bool, typer.Option("--sql", help="Print its SQL, to be changed, and ask nothing.")] = False,
    data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Ask one of the questions that people often have (sql/cookbook)."""
    from pipelines import cookbook, sandbox
    from pipelines.report import query as query_output
    from pipelines.report import questions as question_output

    if name is None:
        question_output.write_list(cookbook.questions().values(), sys.stdout)
        return
    question = cookbook.question(name)
    text = question.with_values(cookbook.given(values or []))
    if show_sql:
        sys.stdout.write(text)
        return
    rows = sandbox.query(Settings.load(config, data=data).data / "warehouse.duckdb", text)
    if output == "table":
        question_output.write(question, rows, sys.stdout)
    else:
        query_output.write(rows, output, sys.stdout)


def _open_shell(link: Path, own: bool) -> None:
    from pipelines import duckdb_client, sandbox, sql_shell

    sandbox.check_published(link)
    if not sys.stdout.isatty():
        raise UserError("a shell needs a terminal on both sides; write a query after `tokenspread sql`, or pipe one in")
    client, note = (None, None) if own else duckdb_client.found(link)
    if client:
        duckdb_client.start(client, link)
    if note:
        print(f"tokenspread: {note}", file=sys.stderr)
    sql_shell.run(link)

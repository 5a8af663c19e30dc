"""The door: commands to Settings to stages. What is heavy is imported inside a command: --help is instant."""

import os
import sys
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from pipelines import (
    exit_codes,
    export_commands,
    figure_commands,
    night_commands,
    period_commands,
    price_commands,
    quarantine_commands,
    report_commands,
    retention_commands,
    scenario_commands,
    shape_commands,
    sql_commands,
)
from pipelines.errors import LedgerBusy, NotPublished, UserError
from pipelines.options import (
    GROUPINGS,
    AsCsv,
    AsJson,
    AsMarkdown,
    By,
    Config,
    Data,
    HashUsers,
    KeepLines,
    ShapeName,
    Top,
    examples,
    form_of,
)
from pipelines.settings import Settings, instant_of

INTERRUPTED = "interrupted; what was not committed yet is taken by the next run"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tokens per action and cost per outcome, measured from LLM call logs, and what happens when prices move.\n\n"
    "Exit codes: 0 done; 1 a mistake to mend; 2 wrong usage; 3 done, but a file could not be read; 4 a check failed "
    "and nothing was published, or a name to be forgotten is left; 5 the gap to a bill is above --tolerance; 6 done, "
    "but calls of some model have no price; 75 another run is writing; 130 interrupted.",
)

app.add_typer(price_commands.app, name="prices")
app.add_typer(quarantine_commands.app, name="quarantine")
for commands in (
    report_commands,
    scenario_commands,
    period_commands,
    figure_commands,
    night_commands,
    retention_commands,
    shape_commands,
    export_commands,
    sql_commands,
):
    commands.register(app)

Logs = Annotated[list[str] | None, typer.Argument(help="Log files, folders or globs.", show_default=False)]
Outcomes = Annotated[list[Path] | None, typer.Option(help="What actions led to: JSONL, CSV or Parquet.")]
Revenue = Annotated[Path | None, typer.Option(help="What was earned: CSV per feature, user, customer, or outcome.")]
Prices = Annotated[Path | None, typer.Option(help="Your contract, above the catalogue's prices: CSV or TOML.")]
PricesAsOf = Annotated[
    str | None, typer.Option(help="Price by what was believed on this date (UTC), not by today's price book.")
]
Scenario = Annotated[list[str] | None, typer.Option(help="A change of all prices, such as -30% or +50%; repeatable.")]


@app.command(
    epilog=examples(
        "tokenspread run logs/ --outcomes outcomes.jsonl --revenue revenue.csv --prices prices.csv",
        "tokenspread run 'logs/*.jsonl' --by user --top 10 --markdown",
    )
)
def run(
    logs: Logs = None, outcomes: Outcomes = None, revenue: Revenue = None, prices: Prices = None,
    scenario: Scenario = None, prices_as_of: PricesAsOf = None, data: Data = None, config: Config = None,
    shape: ShapeName = None, keep_lines: KeepLines = None, hash_users: HashUsers = None, by: By = "feature",
    top: Top = None, as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False,
) -> None:  # fmt: skip
    """Read logs, price them, and report: ingest, build and report in one."""
    if by not in GROUPINGS:
        raise UserError(f"--by {by}: no such grouping; known are {', '.join(GROUPINGS)}")
    form = form_of(as_json, as_csv, as_markdown)
    settings = Settings.load(
        config, logs=logs, outcomes=outcomes, revenue=revenue, prices=prices, scenarios=scenario, data=data,
        shape=shape, prices_as_of=_as_of(prices_as_of), keep_lines=keep_lines, hash_users=hash_users,
    )  # fmt: skip
    with _no_night(settings):
        code = _ingest(settings)
        unpriced = _build(settings)
    _report(settings, by, form, top)
    raise typer.Exit(code or unpriced)


@app.command(epilog=examples("tokenspread ingest logs/ --outcomes outcomes.jsonl"))
def ingest(
    logs: Logs = None, outcomes: Outcomes = None, data: Data = None, config: Config = None, shape: ShapeName = None,
    keep_lines: KeepLines = None, hash_users: HashUsers = None,
) -> None:  # fmt: skip
    """Take what is new in logs and outcome files into the ledger."""
    settings = Settings.load(
        config, logs=logs, outcomes=outcomes, data=data, shape=shape, keep_lines=keep_lines,
        hash_users=hash_users,
    )  # fmt: skip
    with _no_night(settings):
        code = _ingest(settings)
    raise typer.Exit(code)


@app.command(epilog=examples("tokenspread build --prices prices.csv --scenario -30% --scenario +50%"))
def build(
    revenue: Revenue = None, prices: Prices = None, scenario: Scenario = None, prices_as_of: PricesAsOf = None,
    data: Data = None, config: Config = None, hash_users: HashUsers = None,
) -> None:  # fmt: skip
    """Price the ledger under every scenario and publish warehouse.duckdb."""
    as_of = _as_of(prices_as_of)
    settings = Settings.load(
        config, revenue=revenue, prices=prices, scenarios=scenario, data=data, prices_as_of=as_of, hash_users=hash_users
    )
    if not settings.data.is_dir():
        raise UserError(
            f"{settings.data}: no such data folder; check --data, or read logs first with tokenspread ingest"
        )
    with _no_night(settings):
        code = _build(settings)
    _report(settings)
    raise typer.Exit(code)


def _as_of(text: str | None) -> datetime | None:
    return None if text is None else instant_of(text, "--prices-as-of")


def _no_night(settings: Settings) -> AbstractContextManager[None]:
    """With no night going on: it would publish what this takes in, or find it published, ungated."""
    from pipelines import night_book

    return night_book.alone(settings.data)


def _ingest(settings: Settings) -> int:
    from pipelines import stages
    from pipelines.report import progress

    if not settings.logs and not settings.outcomes:
        raise UserError("no logs: name files, folders or globs, or set logs in [input] of tokenspread.toml")
    with progress.shown(sys.stderr) as shown:
        summary = stages.ingest(settings, shown.advance, shown.announce)
    progress.write_summary(summary, sys.stderr)
    return exit_codes.PARTLY if summary.report.unreadable else 0


def _build(settings: Settings) -> int:
    from pipelines import stages

    summary = stages.build(settings)
    for note in summary.notes:
        _say(note, 0)
    return exit_codes.UNPRICED if summary.unpriced_call_count else 0


def _report(settings: Settings, by: str | None = None, form: str = "text", top: int | None = None) -> None:
    from pipelines import sandbox
    from pipelines.report import terminal

    with sandbox.asking(settings.data / "warehouse.duckdb") as ask:
        terminal.write(ask, by, form, sys.stdout, None, top, settings.data)


def main(arguments: list[str] | None = None) -> None:
    code: Any = 0
    try:
        code = app(arguments, standalone_mode=False) or 0
        sys.stdout.flush()
    except typer.Exit as stop:
        code = stop.exit_code
    except typer.Abort as stop:
        cause = stop.__cause__
        code = _unexpected(cause) if isinstance(cause, EOFError) else _say(INTERRUPTED, exit_codes.INTERRUPTED)
    except SystemExit:  # rich, where the reader of our output, `head` for one, has had enough
        code = 0
    except Exception as error:
        code = _unexpected(error)
    # straight out: DuckDB's binding prints about its own leaks at a normal exit, where numpy is installed
    os._exit(code if isinstance(code, int) else 0)


def _unexpected(error: Exception) -> int:
    from pipelines import tracebacks

    if isinstance(error, TyperException):
        error.show()
        return int(error.exit_code)
    if isinstance(error, LedgerBusy):
        return _say(error, exit_codes.BUSY)
    if isinstance(error, UserError):
        return _say(error, exit_codes.MISTAKE)
    if isinstance(error, NotPublished):
        return _say(error, exit_codes.CHECK)
    if "Query interrupted" in str(error):  # what DuckDB makes of Ctrl-C
        return _say(INTERRUPTED, exit_codes.INTERRUPTED)
    if isinstance(error, BrokenPipeError):  # the reader of our output, `head` for one, has had enough
        return 0
    if isinstance(error, OSError):
        return _say(f"the output could not be written ({error.strerror})", exit_codes.MISTAKE)
    sys.stderr.write(tracebacks.told(error))
    return 70


def _say(error: object, code: int) -> int:
    from pipelines.report.text import harmless

    # a file's name may hold what a terminal obeys
    print("tokenspread: " + "\n".join(map(harmless, str(error).splitlines())), file=sys.stderr)
    return code

"""The door to nights: `tokenspread nightly`, `backfill`, `serve` and `status`. What is heavy is imported inside."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import exit_codes
from pipelines.errors import UserError
from pipelines.options import AsCsv, AsJson, AsMarkdown, Config, Data, HashUsers, KeepLines, examples, form_of
from pipelines.settings import Settings, date_of

if TYPE_CHECKING:
    from pipelines.summaries import Night

Accept = Annotated[bool, typer.Option(help="Publish also what the gate would stop.")]
LogJson = Annotated[bool, typer.Option(help="Log as JSON, one object for each line.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("tokenspread nightly", "tokenspread nightly --accept --log-json"))(nightly)
    app.command(epilog=examples("tokenspread backfill --since 2026-11-20 --until 2026-11-21"))(backfill)
    app.command(epilog=examples("tokenspread serve --cron '15 2 * * *' --timezone Europe/Berlin"))(serve)
    app.command(epilog=examples("tokenspread status", "tokenspread status --json"))(status)


def nightly(
    day: Annotated[
        str | None, typer.Option(help="The UTC day that the night is for. [default: the last one that is over]")
    ] = None,
    accept: Accept = False, keep_lines: KeepLines = None, log_json: LogJson = False, hash_users: HashUsers = None,
    data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Do one night's work now: take in what is new, gate, publish, alert. Needs no Prefect."""
    from pipelines import nights
    from pipelines.report import stage_log

    settings = _settings(config, data, hash_users, keep_lines)
    for_day = date_of(day, "--day") if day else nights.day_of(datetime.now(UTC))
    night = nights.run(settings, for_day, accept, tell=stage_log.writer(sys.stderr, log_json))
    raise typer.Exit(_code(night))


def backfill(
    since: Annotated[str, typer.Option(help="The first UTC day.")],
    until: Annotated[str, typer.Option(help="The last UTC day.")],
    accept: Accept = False, log_json: LogJson = False, hash_users: HashUsers = None, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Do the nights of a range of days, one after the other, up to one that the gate stops; safe to repeat."""
    from pipelines import nights
    from pipelines.report import stage_log

    settings, tell = _settings(config, data, hash_users), stage_log.writer(sys.stderr, log_json)
    codes = []
    for for_day in nights.days_between(date_of(since, "--since"), date_of(until, "--until")):
        night = nights.run(settings, for_day, accept, tell=tell, is_quiet=True)
        codes.append(_code(night))
    raise typer.Exit(exit_codes.PARTLY if exit_codes.PARTLY in codes else max(codes))


def serve(
    cron: Annotated[str, typer.Option(help="When, as cron says it.")] = "15 2 * * *",
    timezone: Annotated[str, typer.Option(help="The cron's time zone.")] = "UTC",
    data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Run nightly by a schedule, on a local Prefect server (needs the extra `schedule`, see docs/nights.md)."""
    try:
        from pipelines import scheduler
    except ModuleNotFoundError as error:
        raise UserError(
            f"serve needs {error.name}; install it with: pip install -c constraints.txt '.[schedule]'"
        ) from None
    scheduler.serve(Settings.load(config, data=data), cron, timezone)


def status(
    as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Tell what the last nights did, which days are covered, what is running, who holds a lock, and disk use."""
    from pipelines import status as desk
    from pipelines.report import status as report

    form, settings = form_of(as_json, as_csv, as_markdown), Settings.load(config, data=data)
    report.write(desk.look(settings), form, sys.stdout, settings.data)


def _code(night: "Night") -> int:
    return exit_codes.PARTLY if night.unreadable else exit_codes.UNPRICED if night.unpriced_call_count else 0


def _settings(
    config: Path | None, data: Path | None, hash_users: bool | None, keep_lines: bool | None = None
) -> Settings:
    from pipelines import nights

    settings = Settings.load(config, data=data, hash_users=hash_users, keep_lines=keep_lines)
    nights.refuse_no_logs(settings)
    return settings

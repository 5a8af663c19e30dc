"""The door to what is not kept: `tokenspread prune` and `forget-user`. What is heavy is imported inside a command."""

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from pipelines import exit_codes
from pipelines.errors import UserError
from pipelines.options import Config, Data, HashUsers, examples
from pipelines.settings import Settings, date_of

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("tokenspread prune --before 2026-01-01 --dry-run"))(prune)
    app.command(epilog=examples("tokenspread forget-user agent-kim --dry-run"))(forget_user)


def prune(
    keep_days: Annotated[
        int | None, typer.Option(help="Keep today and as many UTC days before it.", show_default=False)
    ] = None,
    before: Annotated[str | None, typer.Option(help="Keep this UTC day and those after it.")] = None,
    dry_run: DryRun = False, data: Data = None, config: Config = None, hash_users: HashUsers = None,
) -> None:  # fmt: skip
    """Remove the calls of old days; without an option, of those that retention in tokenspread.toml does not keep."""
    from pipelines import retention
    from pipelines.report import retained

    settings = Settings.load(config, data=data, hash_users=hash_users)
    horizon = _horizon(settings, keep_days, before)
    retained.write_pruned(retention.prune(settings, horizon, dry_run), dry_run, sys.stdout)


def forget_user(
    user: Annotated[str, typer.Argument(help="The user, as the logs name them.")],
    dry_run: DryRun = False, data: Data = None, config: Config = None, hash_users: HashUsers = None,
) -> None:  # fmt: skip
    """Take a person's name out of all that is kept; the calls and their cost stay."""
    from pipelines import retention
    from pipelines.report import retained

    done = retention.forget_user(Settings.load(config, data=data, hash_users=hash_users), user, dry_run)
    retained.write_forgotten(done, sys.stdout)
    raise typer.Exit(exit_codes.CHECK if done.proof and done.proof.places else 0)


def _horizon(settings: Settings, keep_days: int | None, before: str | None) -> date:
    """The first day that is kept."""
    from pipelines import night_rules

    if keep_days is not None and before is not None:
        raise UserError("--keep-days and --before: give one of them")
    if before is not None:
        day = date_of(before, "--before")
        if day > datetime.now(UTC).date():
            raise UserError(f"--before {before}: is to come, and all calls are before it; give a day that is past")
        return day
    days = night_rules.rules(settings).keep_days if keep_days is None else keep_days
    if days is None:
        raise UserError("prune: how much to keep? Give --keep-days N or --before DATE, or set days in [retention]")
    if not 1 <= days <= 100_000:
        raise UserError(f"--keep-days {days}: give a whole number from 1 to 100000")
    return datetime.now(UTC).date() - timedelta(days=days)

"""The door to quarantine: `tokenspread quarantine list|show|retry`. What is heavy is imported inside a command."""

import sys
from typing import Annotated

import typer

from pipelines import exit_codes
from pipelines.options import AsCsv, AsMarkdown, Config, Data, HashUsers, examples, form_of
from pipelines.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Lines that could not be taken in: which, why, and taking them in.")

ListJson = Annotated[bool, typer.Option("--json", help="The same as JSON.")]


@app.command(
    "list",
    epilog=examples("tokenspread quarantine list --reason JSON", "tokenspread quarantine list --csv > left.csv"),
)
def list_(
    reason: Annotated[str | None, typer.Option(help="Only reasons that hold this text.")] = None,
    file: Annotated[list[str] | None, typer.Option(help="Only logs of this path, or glob; repeatable.")] = None,
    as_json: ListJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """List quarantined lines by file and reason."""
    from pipelines import quarantine
    from pipelines.report import quarantined

    form, settings = form_of(as_json, as_csv, as_markdown), Settings.load(config, data=data)
    quarantined.write_list(quarantine.listed(settings, reason, file), form, sys.stdout, settings.data)


@app.command(epilog=examples("tokenspread quarantine show logs/broken.jsonl --limit 5"))
def show(
    file: Annotated[str, typer.Argument(help="A log, or FILE:LINE.", metavar="FILE[:LINE]")],
    content: Annotated[bool, typer.Option("--content", help="Also what the lines say.")] = False,
    limit: Annotated[int, typer.Option(help="So many lines at most.", min=1)] = 20,
    as_json: ListJson = False, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Show the quarantined lines of a log: number, reason and which fields each has."""
    from pipelines import quarantine
    from pipelines.report import quarantined

    shown, count = quarantine.show(Settings.load(config, data=data), file, limit, content)
    quarantined.write_lines(shown, count, as_json, sys.stdout)


@app.command(epilog=examples("tokenspread quarantine retry", "tokenspread quarantine retry logs/broken.jsonl"))
def retry(
    files: Annotated[list[str] | None, typer.Argument(help="Logs. [default: all]")] = None,
    hash_users: HashUsers = None, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Read quarantined lines again, under today's settings, and take in what they tell of."""
    from pipelines import quarantine
    from pipelines.report import quarantined

    retried = quarantine.retry(Settings.load(config, data=data, hash_users=hash_users), files or [])
    quarantined.write_retried(retried, sys.stdout)
    raise typer.Exit(exit_codes.PARTLY if any(result.trouble for result in retried.results) else 0)

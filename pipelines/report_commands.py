"""The door to the report and to bills: `tokenspread report` and `reconcile`. What is heavy is imported inside."""

import sys
from typing import Annotated

import typer

from pipelines import exit_codes
from pipelines.errors import UserError
from pipelines.options import (
    AsCsv,
    AsJson,
    AsMarkdown,
    By,
    Config,
    Data,
    Html,
    Overwrite,
    Since,
    Top,
    Until,
    Where,
    examples,
    form_of,
)
from pipelines.settings import Settings

REPORT_EXAMPLES = examples(
    "tokenspread report --by user --top 10",
    "tokenspread report --since 2026-11-20 --until 2026-11-21 --where feature=reply",
    "tokenspread report --by model --csv > models.csv",
    "tokenspread report --html report.html",
)
RECONCILE_EXAMPLES = examples("tokenspread reconcile bill.csv --by day --tolerance 1%")


def register(app: typer.Typer) -> None:
    app.command(epilog=REPORT_EXAMPLES)(report)
    app.command(epilog=RECONCILE_EXAMPLES)(reconcile)


def report(
    by: By = "feature", top: Top = None, since: Since = None, until: Until = None, where: Where = None,
    as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, html: Html = None,
    overwrite: Overwrite = False, data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Show the published figures, of all calls or of some; or write all as one HTML page."""
    from pipelines import pages, selection
    from pipelines.report import terminal
    from pipelines.report.text import harmless

    form, selected = form_of(as_json, as_csv, as_markdown), selection.of(since, until, where)
    settings = Settings.load(config, data=data)
    if html:
        if top or not selected.is_all or form != "text" or by != "feature":
            raise UserError("--html: the page is of all calls, and a format of its own; leave the other options out")
        pages.write(settings, html, overwrite)
        print(f"{harmless(str(html))}: written; open it in a browser", file=sys.stderr)
        return
    with selection.asked(settings, selected, *terminal.MODELS) as (ask, part):
        terminal.write(ask, by, form, sys.stdout, part, top, settings.data)


def reconcile(
    bills: Annotated[list[str], typer.Argument(help="Exports of what providers billed: files, folders or globs.")],
    tolerance: Annotated[
        str | None, typer.Option(help="Exit with 5 where the gaps, by cause, are more of what was billed, such as 1%.")
    ] = None,
    by: Annotated[str, typer.Option(help="day, model or token_class.")] = "model",
    top: Annotated[int | None, typer.Option(help="So many rows, the first.", min=1, show_default=False)] = None,
    as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Compare the computed cost with what was billed, and tell what the gap is made of."""
    from pipelines import bill_desk
    from pipelines.report import reconciliation

    form = form_of(as_json, as_csv, as_markdown)
    reconciliation.check(by)
    settings = Settings.load(config, data=data)
    found = bill_desk.reconcile(bills, settings, tolerance)
    reconciliation.write(found, by, form, sys.stdout, top, settings.data)
    raise typer.Exit(exit_codes.GAP if found.is_within is False else 0)

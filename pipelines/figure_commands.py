"""The door to figures over time and names: `tokenspread economics` and `forecast`. What is heavy is imported inside."""

import sys
from datetime import date
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import (
    AsCsv,
    AsJson,
    AsMarkdown,
    By,
    Config,
    Data,
    Since,
    Top,
    Until,
    Where,
    examples,
    form_of,
)
from pipelines.settings import Settings

AsOf = Annotated[
    str | None, typer.Option(help="Last day that the forecast knows (UTC); else the log's last day that is over.")
]

ECONOMICS_EXAMPLES = examples(
    "tokenspread economics --by customer --top 20",
    "tokenspread economics --where environment=production --markdown",
)
FORECAST_EXAMPLES = examples("tokenspread forecast", "tokenspread forecast --as-of 2026-11-20 --json")


def register(app: typer.Typer) -> None:
    app.command(epilog=ECONOMICS_EXAMPLES)(economics)
    app.command(epilog=FORECAST_EXAMPLES)(forecast)


def economics(
    by: By = "feature", top: Top = None, since: Since = None, until: Until = None, where: Where = None,
    as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Show what actions take, cost and lead to: percentiles, intervals, waste, concentration, retention."""
    from pipelines import selection
    from pipelines.report import economics as report

    form, selected = form_of(as_json, as_csv, as_markdown), selection.of(since, until, where)
    settings = Settings.load(config, data=data)
    with selection.asked(settings, selected, *report.MODELS) as (ask, part):
        report.write(ask, by, form, sys.stdout, part, top, settings.data)


def forecast(
    as_of: AsOf = None, as_json: AsJson = False, as_csv: AsCsv = False, as_markdown: AsMarkdown = False,
    data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Tell what the month comes to under each scenario, by weekdays, and how far off such forecasts were."""
    from pipelines import sandbox
    from pipelines.report import forecast as report

    form, settings = form_of(as_json, as_csv, as_markdown), Settings.load(config, data=data)
    with sandbox.asking(settings.data / "warehouse.duckdb") as ask:
        report.write(ask, _day(as_of), form, sys.stdout, settings.data)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--as-of {text}: no day; write it as 2026-01-31") from None

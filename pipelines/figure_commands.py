"""The door to figures over time and names: `tokenspread economics` and `forecast`. What is heavy is imported inside."""

import sys
from datetime import date
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import AsJson, By, Config, Data
from pipelines.settings import Settings

AsOf = Annotated[
    str | None, typer.Option(help="Last day that the forecast knows (UTC); else the log's last day that is over.")
]


def register(app: typer.Typer) -> None:
    app.command()(economics)
    app.command()(forecast)


def economics(by: By = "feature", as_json: AsJson = False, data: Data = None, config: Config = None) -> None:
    """Show what actions take, cost and lead to: percentiles, intervals, waste, concentration, retention."""
    from pipelines import stages
    from pipelines.report import economics as report

    settings = Settings.load(config, data=data)
    report.write(lambda query: stages.query(settings, query), by, as_json, sys.stdout)


def forecast(as_of: AsOf = None, as_json: AsJson = False, data: Data = None, config: Config = None) -> None:
    """Tell what the month comes to under each scenario, by weekdays, and how far off such forecasts were."""
    from pipelines import stages
    from pipelines.report import forecast as report

    settings = Settings.load(config, data=data)
    report.write(lambda query: stages.query(settings, query), _day(as_of), as_json, sys.stdout)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UserError(f"--as-of {text}: no day; write it as 2026-01-31") from None

"""The door to unit economics: `tokenspread economics`. What is heavy is imported inside the command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.settings import Settings

Data = Annotated[Path | None, typer.Option(help="The data folder. [default: tokenspread_data]", show_default=False)]
Config = Annotated[Path | None, typer.Option(help="Settings and mappings. [default: ./tokenspread.toml, if there]")]
By = Annotated[str, typer.Option(help="feature, user, customer, model or day.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same figures as JSON.")]


def economics(by: By = "feature", as_json: AsJson = False, data: Data = None, config: Config = None) -> None:
    """Show what actions take, cost and lead to: percentiles, intervals, waste, concentration, retention."""
    from pipelines import stages
    from pipelines.report import economics as report

    settings = Settings.load(config, data=data)
    report.write(lambda query: stages.query(settings, query), by, as_json, sys.stdout)

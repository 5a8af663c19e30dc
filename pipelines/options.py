"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path | None, typer.Option(help="The data folder. [default: tokenspread_data]", show_default=False)]
Config = Annotated[Path | None, typer.Option(help="Settings and mappings. [default: ./tokenspread.toml, if there]")]
By = Annotated[str, typer.Option(help="feature, user, customer, model or day.")]
AsJson = Annotated[bool, typer.Option("--json", help="The same figures as JSON.")]
ShapeName = Annotated[
    str | None, typer.Option("--shape", help="Read the logs as this shape instead of recognising it.")
]

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
KeepLines = Annotated[
    bool | None, typer.Option("--keep-lines", help="Keep what quarantined lines say, where only the owner can read it.")
]
HashUsers = Annotated[
    bool | None,
    typer.Option("--hash-users", help="Keep users under keyed hashes; the key stands in TOKENSPREAD_USER_KEY."),
]

"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import UserError

GROUPINGS = ("feature", "user", "customer", "model", "day")
KEYS = ("feature", "user", "customer", "provider", "model", "environment", "service_tier", "region", "is_batch")


def _one_of(*values: str):
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


Data = Annotated[Path | None, typer.Option(help="The data folder. [default: tokenspread_data]", show_default=False)]
Config = Annotated[Path | None, typer.Option(help="Settings and mappings. [default: ./tokenspread.toml, if there]")]
By = Annotated[str, typer.Option(help="feature, user, customer, model or day.", autocompletion=_one_of(*GROUPINGS))]
Top = Annotated[
    int | None, typer.Option(help="So many rows, the dearest; totals stay those of all.", min=1, show_default=False)
]
Since = Annotated[str | None, typer.Option(help="Only calls of this UTC day (2026-01-31) and later.")]
Until = Annotated[str | None, typer.Option(help="Only calls of this UTC day and before.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        help="Only calls of feature=NAME, user=, customer=, provider=, model= (* is any text), environment=, ...; "
        "unattributed: of none. Repeatable: any of one key's values, and all keys.",
        autocompletion=_one_of(*(f"{key}=" for key in KEYS)),
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="The same figures as JSON, exact.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="A row for each name as CSV, exact.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="The same tables as GitHub Markdown.")]
Html = Annotated[Path | None, typer.Option(help="Write the report as one HTML page, to be opened in a browser.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Take the place of files that are there.")]
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


def form_of(as_json: bool, as_csv: bool, as_markdown: bool) -> str:
    """How a report is to be written. Raises UserError for more than one of these."""
    told = {"json": as_json, "csv": as_csv, "markdown": as_markdown}
    named = [name for name, is_named in told.items() if is_named]
    if len(named) > 1:
        raise UserError(f"{' and '.join(f'--{name}' for name in named)}: a report has one format; name one of them")
    return named[0] if named else "text"


def examples(*lines: str) -> str:
    """What stands below a command's help: commands that run, one a line."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)

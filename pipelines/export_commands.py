"""The door to files for others: `tokenspread export`. What is heavy is imported inside a command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.errors import UserError
from pipelines.options import Config, Data, Overwrite, examples
from pipelines.settings import Settings

PROMETHEUS = "prometheus"
Names = Annotated[
    list[str],
    typer.Argument(help="Published tables, questions of the cookbook, focus; or prometheus.", show_default=False),
]
Format = Annotated[
    str | None,
    typer.Option("--format", help="parquet, csv or json (lines). [default: the ending of --to, else parquet]"),
]
To = Annotated[
    Path | None,
    typer.Option(help="A folder, or for one name a file. [default: here; prometheus: the output]", show_default=False),
]
Account = Annotated[str | None, typer.Option(help="BillingAccountId of focus, which no log tells. [default: unknown]")]
EXAMPLES = examples(
    "tokenspread export calls unit_economics --to exported",
    "tokenspread export focus --to focus.parquet",
    "tokenspread export prometheus --to tokenspread.prom",
)


def register(app: typer.Typer) -> None:
    app.command(epilog=EXAMPLES)(export)


def export(
    names: Names, file_format: Format = None, to: To = None, overwrite: Overwrite = False, account: Account = None,
    data: Data = None, config: Config = None,
) -> None:  # fmt: skip
    """Write tables and answers as Parquet, CSV or JSON, the cost as FOCUS, the last night for Prometheus."""
    settings = Settings.load(config, data=data)
    if PROMETHEUS in names:
        _export_metrics(settings, names, file_format, to, overwrite)
        return
    from pipelines import exports
    from pipelines.report import exported
    from pipelines.report.text import harmless

    written = exports.export(settings, list(dict.fromkeys(names)), file_format, to, overwrite, account)
    print("\n".join(harmless(line) for file in written for line in exported.lines(file)), file=sys.stderr)


def _export_metrics(
    settings: Settings, names: list[str], file_format: str | None, to: Path | None, overwrite: bool
) -> None:
    from pipelines import exports, metrics
    from pipelines.report.text import harmless

    if len(names) > 1 or file_format:
        raise UserError("prometheus: is a text of its own; export it by itself, without --format")
    text = metrics.text(settings)
    if to is None:
        sys.stdout.write("\n".join(map(harmless, text.split("\n"))) if sys.stdout.isatty() else text)
    else:
        exports.write_text(to, text, overwrite)
        print(f"{harmless(str(to))}: the last night", file=sys.stderr)

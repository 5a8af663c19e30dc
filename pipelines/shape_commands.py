"""The door to log formats: `tokenspread inspect` and `shapes`. What is heavy is imported inside a command."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import Config, ShapeName, examples
from pipelines.settings import Settings


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("tokenspread inspect logs/broken.jsonl"))(inspect)
    app.command(epilog=examples("tokenspread shapes"))(shapes)


def inspect(
    file: Annotated[Path, typer.Argument(help="A log file.")], config: Config = None, shape: ShapeName = None
) -> None:
    """Tell which shape a file has, and what its first lines yield."""
    from pipelines import inspecting
    from pipelines.report import inspection

    inspection.write(inspecting.inspect(Settings.load(config, logs=[str(file)], shape=shape)), sys.stdout)


def shapes() -> None:
    """List the log formats that are read without a mapping, and how each is recognised."""
    from pipelines import inspecting
    from pipelines.report import shape_list

    shape_list.write(inspecting.known_shapes(), sys.stdout)

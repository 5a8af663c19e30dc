"""The log formats that are known, on the terminal."""

import textwrap
from typing import TextIO

from pipelines.report.text import counted

WIDTH = 100


def write(shapes: list[tuple[str, str, list[str]]], stream: TextIO) -> None:
    """Each shape's name, what it is and, indented below, what a record of it has: one of several sets of signs."""
    for name, about, signs in shapes:
        print(f"{name}\n{textwrap.indent(textwrap.fill(about, WIDTH - 2), '  ')}", file=stream)
        for number, sign in enumerate(signs):
            lead = "  or:    " if number else "  signs: "
            print(textwrap.fill(sign, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead)), file=stream)
    print(f"{counted(len(shapes), 'shape')}; any other log: tokenspread inspect FILE", file=stream)

"""The questions of the cookbook: their list, and one with its answer."""

from collections.abc import Iterable
from typing import TextIO

import polars as pl

from pipelines.cookbook import Question
from pipelines.report import query
from pipelines.report.text import counted


def write_list(questions: Iterable[Question], stream: TextIO) -> None:
    questions = list(questions)
    width = max(len(question.name) for question in questions)
    for question in questions:
        stream.write(f"{question.name:{width}}  {question.asks}\n")
    stream.write("\ntokenspread ask NAME answers one; `tokenspread ask NAME --sql` prints its SQL\n")


def write(question: Question, rows: pl.DataFrame, stream: TextIO) -> None:
    """The answer, with how it is read, what is unknown in it, and what can be set."""
    stream.write(f"{question.asks}\n\n")
    query.write(rows, "table", stream)
    stream.write(f"\n{counted(rows.height, 'row')}\n")
    stream.write(f"How to read it: {question.read}\nWhat is unknown: {question.unknown}\n")
    for parameter in question.parameters:
        stream.write(f"To set: {parameter.name}={parameter.value.strip(chr(39))}  {parameter.meaning}\n")

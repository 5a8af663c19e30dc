"""The corridor of `tokenspread inspect` and `shapes`: what a log is, without touching the ledger."""

import sys
import tempfile
from pathlib import Path

from pipelines import log_files, readings
from pipelines.damage import DAMAGED, why
from pipelines.draft import Draft
from pipelines.errors import UserError
from pipelines.exact import lines_of
from pipelines.intake import Intake
from pipelines.reader import Reader
from pipelines.settings import Settings
from pipelines.summaries import Inspection
from transforms import attribution, schemas, settlement, shapes
from transforms.shapes import signs as signs_of


def inspect(settings: Settings) -> Inspection:
    """What the first of the settings' logs is, without touching the ledger. Raises UserError."""
    file = next(iter(log_files.find(settings.logs, bounds=settings.bounds).files), None)
    if file is None:
        raise UserError(f"{', '.join(settings.logs)}: there is no file to look at; name a log file")
    with tempfile.TemporaryDirectory(prefix="tokenspread-") as folder:
        reader = Reader(Path(folder), settings.bounds)
        try:
            look, _ = Intake(reader, Draft(reader.staging, settlement.settle), 1, lambda *_: None).look(file)
        except DAMAGED as error:
            raise UserError(f"{file.path}: {why(error)}") from None
        finally:
            reader.close()
    known, rules = readings.known_shapes(settings)
    shape, mapping = readings.chosen(settings, known, look), None
    if shape is None:
        shape, mapping = readings.guessed(look.records)
    if shape is None:
        return Inspection(file.path, look, None, [], schemas.empty(schemas.CALLS))
    lines = lines_of(look.records, shape.columns)
    lines = shape.opened(lines, shape.attributes) if shape.opened else lines
    told = attribution.attribute(shape.calls(lines), rules)
    signs = [text for name in shape.name.split("+") for text in signs_of.described(name)]
    return Inspection(file.path, look, None if mapping else shape.name, signs, told, mapping)


def known_shapes() -> list[tuple[str, str, list[str]]]:
    """(name, what it is, the signatures of its records) of each built-in shape."""
    modules = {shape.name: sys.modules[shape.calls.__module__] for shape in shapes.ORDER}
    return [
        (name, (module.__doc__ or "").split("\n\n")[0].replace("\n", " "), signs_of.described(name))
        for name, module in modules.items()
    ]

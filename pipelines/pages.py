"""The report as one HTML page: for who asks for it, and of each publication of a night."""

from functools import partial
from pathlib import Path

from pipelines import night_book, sandbox, scenario_desk
from pipelines.data_folder import refuse_place
from pipelines.durable import leave_text, owners_alone, replacing
from pipelines.errors import UserError
from pipelines.log_files import PAGE
from pipelines.night_book import Tell
from pipelines.report.page import html
from pipelines.settings import Settings


def write(settings: Settings, path: Path, overwrite: bool) -> None:
    """What is published, for its owner alone: it names who acted. Raises UserError."""
    refuse_place(path, overwrite)
    text = _text(settings, settings.data / "warehouse.duckdb")
    try:
        with owners_alone(), replacing(path.absolute()) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); name a file in a folder of yours") from error


def leave(settings: Settings, catalogue: Path, tell: Tell) -> list[str]:
    """DATA/report.html of a night's `catalogue`, unless it is of that already. The night's work is done: whatever this
    fails of is a note."""
    path = settings.data / PAGE
    try:
        if path.is_file() and html.catalogue_of(path) == catalogue.name:
            return []
        leave_text(path, _text(settings, catalogue))
    except Exception as error:
        return [f"{path.name} could not be written: {night_book.reason(error)}"]
    tell("page", path=path)
    return []


def _text(settings: Settings, catalogue: Path) -> str:
    """All of it is asked of one publication, whatever is published meanwhile."""
    sandbox.check_published(catalogue)
    one = catalogue.resolve()
    with sandbox.asking(one) as ask:
        return html.page(ask, partial(scenario_desk.costs_apart, settings, one), one.name)

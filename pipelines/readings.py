"""How each log becomes calls: steps 3 to 5 of the walk, chosen by what its first records are."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from pipelines.bounds import Bounds
from pipelines.draft import Draft
from pipelines.errors import UserError
from pipelines.new_lines import Taking
from pipelines.reading import Choose, Read, Reading, Refused
from pipelines.settings import Settings
from pipelines.sniff import Look, is_export
from pipelines.users import Users
from transforms import attribution, outcomes, schemas, settlement, shapes
from transforms.shapes import fields, guess, limits, mapping, outcome_mapping
from transforms.shapes.shape import Shape
from transforms.shapes.unread import with_unread

OPENED_BYTES = 8 << 20
AHEAD = timedelta(days=2)  # of this machine's clock may a log's be, or its time zone not be told
NO_CLOCK_BEFORE = datetime(2027, 1, 1, tzinfo=UTC)  # one that tells less was not set when this was written, or since


@dataclass(frozen=True)
class Terms:
    """What records are held to beside their shape. `now`: what lies more than AHEAD after it is no time of a call."""

    users: Users
    bounds: Bounds
    now: datetime

    @property
    def latest(self) -> datetime:
        return max(self.now, NO_CLOCK_BEFORE) + AHEAD


def of_calls(settings: Settings, draft: Draft, terms: Terms) -> Choose:
    """Chooses how a log is read: as the shape that is named, else by the user's mappings, else by the known shapes."""
    known, rules = known_shapes(settings)
    readings: dict[tuple, Reading] = {}

    def choose(look: Look) -> Reading | None:
        shape = chosen(settings, known, look)
        if shape is None:
            return None
        key = (shape.name, *shape.columns.items())  # logs that are read alike share one reading
        if key not in readings:
            readings[key] = _call_reading(shape, rules, draft, terms)
        return readings[key]

    return choose


def known_shapes(settings: Settings) -> tuple[list[Shape], attribution.Rules]:
    with _mistakes_in_settings():
        mapped = [mapping.shape_from(name, table) for name, table in settings.log_mappings.items()]
        rules = attribution.rules_from(settings.attribution, [shape.name for shape in (*mapped, *shapes.ORDER)])
    known = [replace(shape, attributes=attribution.paths(rules, shape.name)) for shape in (*mapped, *shapes.ORDER)]
    return known, rules


def chosen(settings: Settings, known: list[Shape], look: Look) -> Shape | None:
    if settings.shape is None:
        sample = look.sample()
        if is_export(sample):
            return None
        likely = shapes.recognise(sample, known, levels=0)
        # what is of several shapes, or has something around it, takes a closer look
        return likely if likely in known else shapes.recognise(look.records, known)
    for shape in known:
        if shape.name == settings.shape:
            return shapes.recognise(look.records, [shape]) or shape
    names = ", ".join(shape.name for shape in known)
    raise UserError(f"--shape {settings.shape}: no such shape; known are {names}")


def guessed(records: list[dict]) -> tuple[Shape | None, str | None]:
    """A mapping that may fit a log that no shape knows: as a shape, and as TOML to be pasted."""
    found = guess.guess(records)
    if found is None:
        return None, None
    text = found.toml()
    ((name, table),) = tomllib.loads(text)["log"].items()
    return mapping.shape_from(name, table), text


@contextmanager
def _mistakes_in_settings() -> Iterator[None]:
    """What a pure room says of the user's tables is the user's to mend."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"tokenspread.toml: {error}") from None


def _call_reading(shape: Shape, rules: attribution.Rules, draft: Draft, terms: Terms) -> Reading:
    def take(read: Read, takings: dict[int, Taking], is_sure: bool) -> None:
        lines = _not_too_deep(read.lines, terms)
        if shape.frame == "history":
            lines = with_unread(lines, read.quarantine)
        told = limits.with_verdicts(shape.calls(lines))
        told = _judged(attribution.attribute(told, rules), terms)
        for column, called in terms.users.renaming().items():
            told = attribution.renamed(told, column, called)
        if shape.opened:
            told = settlement.numbered(told)
        if shape.frame != "lines":
            told = _new_lines_of(told, takings)
            read = replace(read, quarantine=_new_lines_of(read.quarantine, takings))  # the others were told then
        calls, rejects = settlement.by_verdict(told, by_part=shape.opened is not None)
        if rejects.height and not is_sure:
            # "<field> is not a count": a line of this shape all the same
            strange = rejects.filter(~pl.col("reason").str.contains(fields.FAULT, literal=True))
            if strange.height:
                raise Refused(strange["line_number"].to_list())
        calls = settlement.with_action(calls)
        draft.add("ledger", settlement.keyed(calls))
        draft.add("outcomes", outcomes.told_inline(calls))
        draft.add("quarantine", pl.concat([read.quarantine, rejects]))
        _count_lines(takings, read, settlement.line_tallies(told, calls, rejects, read.quarantine))

    def opened(lines: pl.DataFrame) -> pl.DataFrame:
        if shape.opened is None:
            return lines
        # what a line holds takes many times its size while it is opened
        rows = lines.height * OPENED_BYTES // max(lines.estimated_size(), OPENED_BYTES)
        slices = list(lines.iter_slices(max(rows, 1))) or [lines]
        return pl.concat([shape.opened(some, shape.attributes) for some in slices])

    return Reading(shape.name, shape.columns, take, opened, shape.frame)


def _not_too_deep(lines: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    return limits.with_too_deep(lines, terms.bounds.nesting, terms.bounds.told("nesting"))


def _judged(told: pl.DataFrame, terms: Terms) -> pl.DataFrame:
    told = limits.without_long_names(told, terms.bounds.name_bytes, terms.bounds.told("name_bytes"))
    return settlement.judged(told, terms.latest)


def _new_lines_of(told: pl.DataFrame, takings: dict[int, Taking]) -> pl.DataFrame:
    taken = pl.col("content_id").replace_strict({key: taking.from_line for key, taking in takings.items()})
    return told.filter(pl.col("line_number") > taken)


def of_outcomes(settings: Settings, draft: Draft, terms: Terms) -> Choose:
    with _mistakes_in_settings():
        mapped = [outcome_mapping.outcomes_from(name, table) for name, table in settings.outcome_mappings.items()]
    known = [*mapped, outcomes.SHAPE]
    readings = {shape.name: _outcome_reading(shape, draft, terms) for shape in known}

    def choose(look: Look) -> Reading | None:
        shape = shapes.recognise(look.records, known)
        return readings[shape.name] if shape else None

    return choose


def _outcome_reading(shape: Shape, draft: Draft, terms: Terms) -> Reading:
    def take(read: Read, takings: dict[int, Taking], _: bool) -> None:
        told = _judged(limits.with_verdicts(shape.calls(_not_too_deep(read.lines, terms))), terms)
        rows, rejects = settlement.by_verdict(told)
        draft.add("outcomes", schemas.conform(rows, schemas.OUTCOMES))
        draft.add("quarantine", pl.concat([read.quarantine, rejects]))
        _count_lines(takings, read, settlement.line_tallies(told, rows, rejects, read.quarantine))

    return Reading(shape.name, shape.columns, take)


def _count_lines(takings: dict[int, Taking], read: Read, tallies: pl.DataFrame) -> None:
    """Adds to each taking's balance: lines = call lines + other + quarantined + blank."""
    for content_id, *numbers in tallies.iter_rows():
        _add(takings[content_id], dict(zip(tallies.columns[1:], numbers, strict=True)))
    for content_id, blank in read.blank.items():
        _add(takings[content_id], {"blank_line_count": blank})


def _add(taking: Taking, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        taking.counts[name] = taking.counts.get(name, 0) + count

"""Shapes made of shapes: a log of several formats, and records that another record is wrapped around.

What an application, a log service or an API writes around a record is not ours to know by name: a record that no shape
knows is looked into, one level or two, for one that a shape knows: under a key, as an object, as a text that holds JSON
(CloudWatch's `message`), or as a list of either (Event Hub's `records`, an API's `data`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from transforms.schemas import CALLS, LINE_KEYS
from transforms.shapes import signatures
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.paths import as_text, first_step, loads, quoted, reach
from transforms.shapes.shape import Shape
from transforms.shapes.unread import UNREAD, and_unread

Record = dict[str, Any]
UNKNOWN_RECORD = "no log shape knows this record"
_TIMES = ("time", "timestamp", "@timestamp", "created_at", "ts")  # of what is around a record that tells no time


def mixed(shapes: Sequence[Shape]) -> Shape:
    """One shape of several, each line read by the first that knows it; a line that none knows is quarantined.

    A line that several know (an `error` in a log of Anthropic's bodies and streams) is first offered to those to which
    it may tell of the lines before it; to the others it means the same wherever it stands.
    """
    by_name = {shape.name: shape for shape in sorted(shapes, key=lambda shape: shape.frame != "history")}
    attributes = tuple(dict.fromkeys(path for shape in shapes for path in shape.attributes))
    fields = [path for name in by_name for path in signatures.fields_of(name)]
    fields += [path for shape in shapes for path in shape.fields]
    is_opened = any(shape.opened for shape in shapes)
    if is_opened:  # these lines find what the rules ask for by themselves, the others do not
        fields += [f"@{path}" for path in attributes]
    return Shape(
        name="+".join(shape.name for shape in shapes),
        fields=tuple(dict.fromkeys(fields)),
        matches=lambda record: any(shape.matches(record) for shape in shapes),
        calls=lambda lines: _calls_of_mixed(lines, by_name),
        opened=(lambda lines, asked: _opened_of_mixed(lines, by_name, asked)) if is_opened else None,
        frame=max((shape.frame for shape in shapes), key=("lines", "log", "history").index),
        places={path: lenient(path.removeprefix("@")) for path in fields},
        attributes=attributes,
    )


def lenient(path: str) -> str:
    """`path` read inside the text of its first step: one format's object may be another's text, or list."""
    step = first_step(path)
    return f"{step}~{path[len(step) + 1 :]}" if len(step) < len(path) else path


def can_be_mixed(shapes: Sequence[Shape]) -> bool:
    """Whether it can be told line by line which of the shapes has a line. DuckDB cannot read two fields whose names
    differ in their case only."""
    if any(shape.name not in signatures.SIGNATURES for shape in shapes):
        return False
    names = {first_step(path) for shape in shapes for path in (*shape.fields, *signatures.fields_of(shape.name))}
    return len({name.lower() for name in names}) == len(names)


def _by_shape(lines: pl.DataFrame, by_name: dict[str, Shape]) -> dict[tuple[Any, ...], pl.DataFrame]:
    names = pl.coalesce(pl.when(signatures.of_lines(name)).then(pl.lit(name)) for name in by_name)
    lines = lines if "$shape" in lines.columns else lines.with_columns(names.alias("$shape"))
    lines = and_unread(lines, pl.col("$shape").is_null())
    return lines.partition_by("$shape", as_dict=True, maintain_order=True)


def _opened_of_mixed(lines: pl.DataFrame, by_name: dict[str, Shape], attributes: tuple[str, ...]) -> pl.DataFrame:
    """The lines of shapes whose lines hold several records are opened, into columns "<shape>:<column>"."""
    opened = [lines.clear().with_columns(pl.lit(None, pl.String).alias("$shape"))]
    for (name,), some in _by_shape(lines, by_name).items():
        if name and (open_lines := by_name[name].opened):
            rows = open_lines(some.select(*LINE_KEYS, *by_name[name].fields), attributes)
            own = [column for column in rows.columns if column not in LINE_KEYS]
            some = rows.rename({column: f"{name}:{column}" for column in own}).with_columns(
                pl.lit(name).alias("$shape")
            )
        opened.append(some)
    return pl.concat(opened, how="diagonal").sort(*LINE_KEYS, maintain_order=True)


def _calls_of_mixed(lines: pl.DataFrame, by_name: dict[str, Shape]) -> pl.DataFrame:
    told = [_quarantined(lines.clear(), pl.lit(UNKNOWN_RECORD))]
    for (name,), some in _by_shape(lines, by_name).items():
        if not name:
            told.append(_quarantined(some, pl.lit(UNKNOWN_RECORD)))
        elif by_name[name].opened:
            own = {column: column.removeprefix(f"{name}:") for column in some.columns if column.startswith(f"{name}:")}
            told.append(by_name[name].calls(some.select(*LINE_KEYS, *own).rename(own)))
        else:
            asked = [column for column in some.columns if column.startswith("@") or column == UNREAD]
            told.append(by_name[name].calls(some.select(*LINE_KEYS, *by_name[name].fields, *asked)))
    return pl.concat(told, how="diagonal").sort(*LINE_KEYS, "part", maintain_order=True)


def _quarantined(lines: pl.DataFrame, reason: pl.Expr) -> pl.DataFrame:
    passed = [name for name in lines.columns if name.startswith("@")]
    given = {**{name: pl.col(name) for name in LINE_KEYS}, "part": pl.lit(0), "verdict": reason}
    return lines.select(
        *(given.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in CALLS.items()), *passed
    )


def inside(records: Sequence[Record], key: str) -> list[Record]:
    """The records that `records` hold under `key`."""
    return [inner for record in records for inner in _inside(record.get(key))]


def _inside(value: Any) -> list[Record]:
    """The records that a value is: one object, a text that holds one, or a list of either."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = loads(value)
        except ValueError:
            return []
    if isinstance(value, list):
        return [inner for element in value for inner in _inside(element) if not isinstance(element, list)]
    return [value] if isinstance(value, dict) else []


def holds_lists(records: Sequence[Record], key: str) -> bool:
    """Whether a record of `records` holds a list under `key`."""
    values = (record.get(key) for record in records)
    return any(isinstance(value, list) or (isinstance(value, str) and value[:1] == "[") for value in values)


@dataclass(frozen=True)
class _Names:
    """Columns of one level of wrapping: what is read around the records, their list, what is wrong with one."""

    around: str
    records: str
    fault: str


def wrapped(shape: Shape, key: str, *, in_lists: bool, level: int) -> Shape:
    """`shape` for records that lie under `key`, each alone or `in_lists`.

    The user's rules look into the record, then around it; a call without a time of its own has the time that is told
    around it. `level` tells apart what is wrapped around one another.
    """
    names = _Names(f"around{level}.", f"$records{level}", f"$fault{level}")
    around = {f"{names.around}{name}": name for name in _TIMES if name != key.lower()}  # DuckDB minds no case
    around |= {f"{names.around}@{path}": path for path in shape.attributes}
    if key == "response":  # a stream's chunks beside their request
        around |= {f"{names.around}{path}": lenient(path) for path in shape.fields if path.startswith("request.")}
    within = {} if in_lists else {name: f"{quoted(key)}>{path}" for name, path in shape.columns.items()}
    return replace(
        shape,
        fields=(*((names.records,) if in_lists else shape.fields), *around),
        matches=lambda record: any(map(shape.matches, _inside(record.get(key)))),
        calls=lambda lines: _calls_of_wrapped(lines, shape, names),
        opened=(lambda lines, attributes: _opened(lines, shape, attributes, names)) if in_lists else shape.opened,
        places={names.records: quoted(key)} | within | around,
    )


def _opened(lines: pl.DataFrame, shape: Shape, attributes: tuple[str, ...], names: _Names) -> pl.DataFrame:
    """One row for each record in the line's list, or for a line that has none; `names.fault`: what cannot be read."""
    columns = shape.columns
    rows: list[list[Any]] = []
    for number, text in enumerate(lines[names.records]):
        for record in _inside(text) or [None]:
            reached = [reach(record or {}, path) for path in columns.values()]
            fault = UNKNOWN_RECORD if record is None else next((why for _, why in reached if why), None)
            rows.append([number, fault, *(as_text(value) for value, _ in reached)])
    schema = {"$line": pl.UInt32, names.fault: pl.String, **dict.fromkeys(columns, pl.String)}
    records = pl.DataFrame(rows, schema=schema, orient="row")
    opened = pl.concat([lines[records["$line"]].drop(names.records), records.drop("$line")], how="horizontal")
    return shape.opened(opened, attributes) if shape.opened else opened


def _calls_of_wrapped(lines: pl.DataFrame, shape: Shape, names: _Names) -> pl.DataFrame:
    around = [name for name in lines.columns if name.startswith(names.around)]
    times = [pl.col(name) for name in around if name.removeprefix(names.around) in _TIMES]
    told = [name.removeprefix(names.around) for name in around if name.removeprefix(names.around) not in _TIMES]
    asked = [pl.coalesce(name, f"{names.around}{name}").alias(name) for name in told]
    lines = lines.with_columns(*asked, pl.coalesce(*times).alias("$time"))
    is_faulty = pl.col(names.fault).is_not_null() if names.fault in lines.columns else pl.lit(False)
    lines = and_unread(lines, is_faulty)
    sound, faulty = lines.filter(~is_faulty), lines.filter(is_faulty)
    calls = _timed(shape.calls(sound.drop(*around, "$time", names.fault, strict=False)), sound)
    if faulty.height:
        calls = pl.concat([calls, _quarantined(faulty, pl.col(names.fault))])
    return calls.sort(*LINE_KEYS, maintain_order=True)


def _timed(calls: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """`calls` of `lines`, those without a time with their line's "$time"."""
    if calls.height == lines.height:
        times = lines["$time"]
    else:  # some lines tell of several calls
        of_lines = lines.select(*LINE_KEYS, "$time").unique(list(LINE_KEYS), keep="first", maintain_order=True)
        times = calls.join(of_lines, on=list(LINE_KEYS), how="left", maintain_order="left")["$time"]
    return calls.with_columns(called_at=pl.coalesce("called_at", INSTANT_KINDS["any"].read(times)))

"""How text from a log becomes a count, an amount or a flag, by one rule for every shape.

Each rule has a fast reading for whole columns, and a slow one (`as_count`, `_pico`: exact, plain Python) for the few
values that the fast reading refuses. A value that both refuse is a fault: its line is quarantined, never guessed at.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import cache

import polars as pl

from transforms.schemas import CALLS, QUANTITIES, conform
from transforms.shapes.guards import guarded

MOST_TOKENS = 10**9  # a larger count is a mistake: no provider takes such a request
_NO_ANSWER = (408, 499, 504, 524)
MOST_USD = 9_200_000  # 9.2e18 pico-USD is the end of Int64

STATUSES = ("success", "error", "refused", "cache_hit")
STATUS_FAULT = "status is not success, error, refused or cache_hit"

STRANGE = "a record of another format"
FAULT = " is not "  # between a field and what it should be; in no other reason for quarantine
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
EXACT = Context(prec=10_000, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Kind:
    """How the text of a field is read. `what` completes "<path> is not ..."; a lenient kind reads nonsense as null."""

    what: str
    read: Callable[[pl.Series], pl.Series]
    lenient: bool = False


def typed(lines: pl.DataFrame, kinds: dict[str, Kind]) -> pl.DataFrame:
    """`lines` with each path of `kinds` read as its kind, and the column `fault`.

    `fault` is null where every field could be read, else names the first that could not, never what it held. An empty
    text is none.
    """
    read = {path: _read(lines[path], kind) for path, kind in kinds.items()}
    faults = [
        pl.when(read[path].is_null() & (lines[path] != "")).then(pl.lit(f"{path}{FAULT}{kind.what}"))
        for path, kind in kinds.items()
        if not kind.lenient and read[path].null_count() > lines[path].null_count()
    ]
    return lines.with_columns(*read.values(), fault=pl.coalesce(faults) if faults else pl.lit(None, pl.String))


def _read(column: pl.Series, kind: Kind) -> pl.Series:
    """`column` as its kind. Most columns of most logs hold nothing, which is quick to see."""
    if column.null_count() == len(column):
        return pl.Series(column.name, [None], dtype=_dtype(kind)).new_from_index(0, len(column))
    return kind.read(column).alias(column.name)


@cache
def _dtype(kind: Kind) -> pl.DataType:
    return kind.read(pl.Series([], dtype=pl.String)).dtype


def completed(read: pl.Series, text: pl.Series, slowly: Callable[[str], object]) -> pl.Series:
    """`read`, with the slow rule's answer wherever `text` has a value that the fast reading refused."""
    if read.null_count() == text.null_count():
        return read
    refused = text.filter(read.is_null()).drop_nulls().unique()
    answers = [(value, answer) for value in refused if (answer := slowly(value)) is not None]
    if not answers:
        return read
    known = pl.DataFrame(answers, schema={"text": pl.String, "answer": read.dtype}, orient="row")
    found = text.to_frame("text").join(known, on="text", how="left", maintain_order="left")["answer"]
    return pl.select(pl.coalesce(read, found)).to_series()


def bounded(values: pl.Series, low: object, high: object) -> pl.Series:
    """`values`, null where outside low..high (both included)."""
    if values.null_count() == len(values):
        return values
    inside = (values >= low) & (values <= high)  # not min and max: Python has no value for an instant of the year 0
    return values if inside.all() else pl.select(pl.when(inside).then(values)).to_series()


def as_number(text: str) -> Decimal | None:
    if not _NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what a Decimal holds
        return None


def as_count(text: str) -> int | None:
    number = as_number(text)
    if number is None or not 0 <= number <= MOST_TOKENS or number != number.to_integral_value():
        return None
    return int(number)


def read_count(text: pl.Series) -> pl.Series:
    """Text -> Int64. "10", "10.0" and "1e3" are counts; "10.7", "true", "-1" and more than 1e9 are not."""
    return bounded(completed(text.cast(pl.Int64, strict=False), text, as_count), 0, MOST_TOKENS)


def _pico(value: str, digits: int) -> int | None:
    amount = as_number(value)
    most = MOST_USD * 10**12
    if amount is None or not -most <= amount <= most:  # in whatever unit; keeps the next line exact
        return None
    pico = int(amount.scaleb(digits, EXACT).quantize(Decimal(1), context=EXACT))
    return pico if abs(pico) <= most else None


def read_pico(values: pl.Series, digits: int = 12) -> pl.Series:
    """Decimal text -> Int64 pico-USD, half-even; a credit is negative. NaN, inf and more than 9.2e6 USD are no amounts.

    `digits`: pico-USD are 10 to the power of -`digits` of the text's unit (USD: 12, cents: 10).
    """
    fast = values.cast(pl.Decimal(38, digits), strict=False).to_physical()
    pico = bounded(fast, -MOST_USD * 10**12, MOST_USD * 10**12).cast(pl.Int64)
    return completed(pico, values, lambda value: _pico(value, digits))


def read_seconds(values: pl.Series, per_second: int = 1) -> pl.Series:
    """Text -> Float64 seconds, to the microsecond; null where negative or not finite."""
    seconds = values.cast(pl.Float64, strict=False)
    return pl.select(pl.when(seconds.is_finite() & (seconds >= 0)).then((seconds / per_second).round(6))).to_series()


def read_boolean(values: pl.Series) -> pl.Series:
    words = {"true": True, "True": True, "TRUE": True, "1": True}
    words |= {"false": False, "False": False, "FALSE": False, "0": False}
    return values.replace_strict(words, default=None, return_dtype=pl.Boolean)


COUNT = Kind("a count", read_count)
USD = Kind("an amount in USD", read_pico)
SECONDS = Kind("seconds", read_seconds, lenient=True)
MILLISECONDS = Kind("milliseconds", lambda values: read_seconds(values, 1000), lenient=True)
CODE = Kind("a status code", read_count, lenient=True)
CENTS = Kind("an amount in cents", lambda values: read_pico(values, 10))
TICKS = Kind("an amount in ticks of 1e-10 USD", lambda values: read_pico(values, 2))
MICROSECONDS_OF_SECONDS = Kind(  # text in seconds -> microseconds
    "seconds", lambda values: bounded(read_pico(values, 6), 0, MOST_USD * 10**12)
)
NANOSECONDS = Kind("nanoseconds", lambda values: read_seconds(values, 10**9), lenient=True)
BOOLEAN = Kind("true or false", read_boolean)
BOOLEAN_OR_NONSENSE = Kind("true or false", read_boolean, lenient=True)


def text(*paths: str) -> pl.Expr:
    """The first of `paths` that has a value; an empty text is none."""
    return pl.coalesce(pl.when(pl.col(path) != "").then(pl.col(path)) for path in paths)


def last_step(path: pl.Expr) -> pl.Expr:
    """The name of a folder, by its path on any system."""
    return path.str.extract(r"([^/\\]+)[/\\]*$")


def known_sum(*parts: pl.Expr) -> pl.Expr:
    """The sum of the parts that are known; null where none is."""
    return pl.when(pl.any_horizontal(part.is_not_null() for part in parts)).then(pl.sum_horizontal(*parts))


def is_refusal(code: pl.Expr) -> pl.Expr:
    """Whether an HTTP status code says that the provider refused the request, for which none bills.

    Not of the codes of a time-out or a client that hung up: what was computed by then may be billed.
    """
    return ((code >= 400) & ~code.is_in(_NO_ANSWER)).fill_null(False)


def to_calls(
    read: pl.DataFrame,
    shape: str,
    columns: dict[str, pl.Expr],
    *,
    other: pl.Expr | None = None,
    strange: pl.Expr | None = None,
    reasons: dict[str, pl.Expr] | None = None,
    guards: dict[str, pl.Expr] | None = None,
    total: pl.Expr | None = None,
) -> pl.DataFrame:
    """CALLS from what `typed` has read: `columns` says how; a column that is not named is null.

    `other` is true for lines that tell of no call, `strange` for those among them that lack what every line of the
    format has; `reasons` are the shape's own grounds for quarantine, each with the
    rows that it holds for. Columns that start with "@" pass through. A cache hit has no tokens, whatever its line says.

    `guards` are what the shape finds wrong with counts that it keeps, each with the calls that it holds for; `total` is
    the total that the log tells, to be checked against ours.
    """
    given = {
        "content_id": pl.col("content_id"),
        "line_number": pl.col("line_number"),
        "part": pl.lit(0),
        "shape": pl.lit(shape),
        **columns,
        "verdict": _verdict(other, strange, reasons or {}),
    }
    passed = [name for name in read.columns if name.startswith("@")]
    calls = read.select(
        *(given.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in CALLS.items()), *passed
    )
    calls = guarded(calls, read, guards or {}, total)
    if (hit := calls["status"].eq_missing("cache_hit")).any():
        # a log may repeat the counts of the call that filled the cache; to this one no model was asked
        none = pl.lit(0, pl.Int64)
        calls = calls.with_columns(pl.when(hit).then(none).otherwise(name).alias(name) for name in QUANTITIES)
    return conform(calls, {**CALLS, **{name: calls.schema[name] for name in passed}})


def _verdict(other: pl.Expr | None, strange: pl.Expr | None, reasons: dict[str, pl.Expr]) -> pl.Expr:
    grounds = [pl.when(holds).then(pl.lit(reason)) for reason, holds in reasons.items()]
    verdict = pl.coalesce("fault", *grounds)
    if other is None:
        return verdict
    no_call = pl.lit("other") if strange is None else pl.when(strange).then(pl.lit(STRANGE)).otherwise(pl.lit("other"))
    return pl.when(other).then(no_call).otherwise(verdict)

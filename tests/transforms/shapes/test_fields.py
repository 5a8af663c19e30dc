"""The fast readings agree with slow, obvious rules, on anything."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.shapes.fields import BOOLEAN, COUNT, SECONDS, USD, read_count, read_pico, read_seconds, typed
from transforms.shapes.instants import (
    EARLIEST,
    LATEST,
    _iso,
    read_dotnet_ticks,
    read_instant,
    read_iso,
    read_unix,
    strptime_kind,
)

DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=14).map(str),
    st.tuples(DIGITS, DIGITS, st.integers(-30, 30)).map(lambda n: f"{n[0]}.{n[1]}e{n[2]}"),
    st.tuples(DIGITS, DIGITS).map(".".join),
    st.text("0123456789.eE+-_ ", max_size=12),
    st.sampled_from(
        ["", "true", "null", "1e999999999", "-0", "+5", " 5", "5 ", "1_000", "٣", "0x10", "1.", ".5", "NaN"]
    ),
)
TEXTS = st.lists(st.one_of(st.none(), NUMBERS, st.text(max_size=8)), max_size=12)


def exactly(text: str) -> Fraction | None:
    """The number that `text` writes in decimal, with nothing around it; None if it writes none."""
    mantissa, mark, exponent = text.replace("E", "e").partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    digits = exponent[1:] if exponent[:1] in ("+", "-") else exponent
    signs = len(mantissa) - len(mantissa.lstrip("+-"))
    numeric = all(part.isascii() and (not part or part.isdecimal()) for part in (whole, fraction, digits))
    if not numeric or not whole + fraction or signs > 1 or bool(mark) != bool(digits):
        return None
    if abs(int(exponent or 0)) > 400:
        return Fraction(0) if not int(whole + fraction) else Fraction(10) ** (400 if int(exponent) > 0 else -400)
    sign = -1 if mantissa.startswith("-") else 1
    return sign * Fraction(int(whole + fraction), 10 ** len(fraction)) * Fraction(10) ** int(exponent or 0)


def texts(values: list[str | None]) -> pl.Series:
    return pl.Series(values, dtype=pl.String)


@given(TEXTS)
def test_a_count_is_a_whole_number_up_to_a_billion(values: list[str | None]) -> None:
    def slowly(text: str | None) -> int | None:
        number = exactly(text) if text is not None else None
        return int(number) if number is not None and number.denominator == 1 and 0 <= number <= 10**9 else None

    assert read_count(texts(values)).to_list() == [slowly(value) for value in values]


@given(TEXTS, st.sampled_from([12, 10, 6, 3]))
def test_an_amount_is_exact_and_rounds_half_to_even(values: list[str | None], digits: int) -> None:
    def slowly(text: str | None) -> int | None:
        number = exactly(text) if text is not None else None
        pico = round(number * 10**digits) if number is not None else None  # Fraction rounds half to even
        return pico if pico is not None and abs(pico) <= 9_200_000 * 10**12 else None

    assert read_pico(texts(values), digits).to_list() == [slowly(value) for value in values]


@given(TEXTS)
def test_seconds_are_finite_and_not_negative(values: list[str | None]) -> None:
    assert all(value is None or 0 <= value < float("inf") for value in read_seconds(texts(values)))


@pytest.mark.parametrize(
    ("text", "pico"),
    [
        ("0.0006200000000000001", 620_000_000),
        ("1.35e-05", 13_500_000),
        ("0.0000000000005", 0),
        ("0.0000000000015", 2),
        ("-0.25", -250_000_000_000),
        ("9200000", 9_200_000 * 10**12),
        ("9200000.000000000001", None),
        ("inf", None),
        ("NaN", None),
        ("1,5", None),
    ],
)
def test_amounts(text: str, pico: int | None) -> None:
    assert read_pico(texts([text])).to_list() == [pico]


IN_RANGE = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)).map(
    lambda at: at.replace(tzinfo=UTC)
)
FORMS = [
    lambda at: at.isoformat(),
    lambda at: at.isoformat().replace("+00:00", "Z"),
    lambda at: at.isoformat(" "),
    lambda at: at.isoformat().replace("+00:00", ""),
    lambda at: at.isoformat(" ").replace("+00:00", ""),
    lambda at: at.isoformat(" ").replace("+00:00", "+00"),
    lambda at: at.isoformat(" ").replace("+00:00", " UTC"),
    lambda at: at.isoformat().lower().replace("+00:00", "z"),
    lambda at: at.isoformat(timespec="microseconds").replace("+00:00", "789Z"),
    lambda at: (at + timedelta(hours=5, minutes=30)).isoformat().replace("+00:00", "+05:30"),
    lambda at: (at - timedelta(hours=8)).isoformat(" ").replace("+00:00", "-0800"),
    lambda at: (at - timedelta(hours=8)).isoformat(" ").replace("+00:00", "-08"),
]


@given(st.lists(st.tuples(IN_RANGE, st.sampled_from(FORMS)), max_size=12))
def test_iso_in_every_form(written: list) -> None:
    values = texts([form(at) for at, form in written])
    assert read_iso(values).to_list() == [at for at, _ in written]
    assert read_instant(values).to_list() == [at for at, _ in written]


ISO_LIKE = st.from_regex(
    r"20[1-9]\d-[01]?\d-[0-3]?\d[Tt ] ?[0-2]?\d:[0-6]?\d(:[0-6]?\d)?([.,]\d{0,10})? ?(Z|z|UTC|[+-]\d\d(:?\d\d)?)?",
    fullmatch=True,
    alphabet=st.characters(codec="ascii"),
)


@given(st.lists(ISO_LIKE, max_size=20))
def test_the_fast_reading_of_iso_is_the_slow_one(values: list[str]) -> None:
    slow = [_iso(value) for value in values]
    assert read_iso(texts(values)).to_list() == [at if at and EARLIEST <= at <= LATEST else None for at in slow]


@given(
    st.lists(IN_RANGE, max_size=12), st.sampled_from([("unix_s", 6), ("unix_ms", 3), ("unix_us", 0), ("unix_ns", -3)])
)
def test_numbers_since_1970(instants: list[datetime], unit: tuple[str, int]) -> None:
    name, digits = unit
    micros = [(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for at in instants]
    with localcontext(prec=40):
        written = texts([f"{Decimal(micro).scaleb(-digits):f}" for micro in micros])
    assert read_unix(written, name).to_list() == instants
    assert read_instant(written).to_list() == instants


@given(st.lists(IN_RANGE, max_size=12))
def test_ticks_since_the_year_1(instants: list[datetime]) -> None:
    micros = [(at - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for at in instants]
    assert read_dotnet_ticks(texts([f"{micro}7" for micro in micros])).to_list() == instants
    assert read_dotnet_ticks(texts([f"{micro}7.0" for micro in micros])).to_list() == instants


@given(TEXTS)
def test_instants_of_anything_are_in_range_or_none(values: list[str | None]) -> None:
    for read in (read_instant, read_iso, lambda column: read_unix(column, "unix_s"), read_dotnet_ticks):
        assert all(at is None or EARLIEST <= at <= LATEST for at in read(texts(values)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1788220800", "2026-09-01T00:00:00+00:00"),
        ("1788220800123", "2026-09-01T00:00:00.123000+00:00"),
        ("1788220800123456", "2026-09-01T00:00:00.123456+00:00"),
        ("1788220800123456789", "2026-09-01T00:00:00.123456+00:00"),  # cut, not rounded
        ("1788220800.123", "2026-09-01T00:00:00.123000+00:00"),
        ("1.7882208e9", "2026-09-01T00:00:00+00:00"),
        ("2026-09-01T00:00:00", "2026-09-01T00:00:00+00:00"),  # no zone is UTC
        ("2026-09-01T02:00:00+02:00", "2026-09-01T00:00:00+00:00"),
        ("2026-09-01T00:00:00.123456789Z", "2026-09-01T00:00:00.123456+00:00"),
        ("2026-09-01t00:00:00z", "2026-09-01T00:00:00+00:00"),
        ("2026-09-01 00:00", "2026-09-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999+00:00"),  # a leap second stays on its day
        ("2026-03-29T02:30:00 Europe/Berlin", None),
        ("1970-01-01T00:00:00Z", None),
        ("2106-02-07T06:28:16Z", None),
        ("10000-01-01T00:00:00Z", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-09-01T24:00:00Z", None),
        ("2026-09-01T00:00:00+24:00", None),
        ("0", None),
        ("-1", None),
        ("1e400", None),
        ("01/09/2026", None),
        ("2026-09-01", None),
        ("Tue, 01 Sep 2026 00:00:00 GMT", None),
        ("", None),
    ],
)
def test_instants(text: str, expected: str | None) -> None:
    at = read_instant(texts([text]))[0]
    assert (at and at.isoformat()) == expected


def test_a_format_of_the_users() -> None:
    read = strptime_kind("%d.%m.%Y %H:%M").read
    assert read(texts(["01.09.2026 12:30", "2026-09-01", None])).to_list() == [
        datetime(2026, 9, 1, 12, 30, tzinfo=UTC),
        None,
        None,
    ]
    with_offset = strptime_kind("%d.%m.%Y %H:%M %z").read
    assert with_offset(texts(["01.09.2026 12:30 +0200"])).to_list() == [datetime(2026, 9, 1, 10, 30, tzinfo=UTC)]


def test_a_fault_names_the_first_field_that_could_not_be_read_and_never_its_value() -> None:
    lines = pl.DataFrame({"a": ["1", "x", "x", None, ""], "b": ["1", "1", "secret", None, ""], "c": ["soon"] * 5})
    read = typed(lines, {"a": COUNT, "b": USD, "c": SECONDS})
    assert read["fault"].to_list() == [None, "a is not a count", "a is not a count", None, None]
    assert read["a"].to_list() == [1, None, None, None, None]
    assert read["c"].to_list() == [None] * 5  # a latency is not worth a line
    assert typed(lines, {"a": BOOLEAN})["fault"].to_list()[1] == "a is not true or false"

"""What turns a text into a count, an amount, a span of time or an instant: each value by itself gives what it gives
among others, and what plain Python makes of its digits."""

from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from random import Random

import polars as pl

from fuzz import mutations
from transforms.shapes import fields, instants

EXACT = Context(prec=20_000, rounding=ROUND_HALF_EVEN)
READERS = {
    "count": fields.read_count,
    "pico": fields.read_pico,
    "cents": lambda text: fields.read_pico(text, 10),
    "seconds": fields.read_seconds,
    "boolean": fields.read_boolean,
    **{f"instant {name}": kind.read for name, kind in instants.INSTANT_KINDS.items()},
}
FORMS = ("%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%.f%z", "%s", "%Y-%m-%d", "%+", "%b %d %Y %I:%M:%S %p")
TIMES = (
    *("0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "+99999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
    *("2026-11-01T10:00:00Z", "2026-11-01 10:00:00.123456789+05:30", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z"),
    *("2026-11-01T24:00:00Z", "2099-12-31T23:59:59.9999999-23:59", "2100-01-01T00:00:00Z", "2015-01-01T00:00:00+00:01"),
    *(
        "1790000000",
        "1790000000.5",
        "1790000000123",
        "1.79e9",
        "1790000000123456",
        "1790000000123456789",
        "1e11",
        "1e14",
    ),
    *("638973792000000000", "01.11.2026 10:00", "0", "-1", "9" * 20, "99999999999.999999999999999", "2026-11-01"),
)
DIGITS = "0123456789+-.eE:TZ _,\u0661\u00b2\uff11"


def seeds() -> list[bytes]:
    return ["\n".join(words).encode() for words in (mutations.NUMBERS, TIMES, mutations.TEXTS[:40])]


def mutate(data: bytes, random: Random) -> bytes:
    texts = data.decode(errors="replace").split("\n")
    for _ in range(random.choice((1, 2, 5, 20))):
        index = random.randrange(len(texts))
        text = random.choice((texts[index], random.choice(mutations.NUMBERS), random.choice(TIMES)))
        place, letter = random.randrange(len(text) + 1), random.choice(DIGITS)
        texts[index] = random.choice((text, text[:place] + letter + text[place + random.randrange(2) :], text + text))
        texts.insert(index, random.choice(texts))
    return "\n".join(texts[-40:]).encode(errors="replace")


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever the product raises that it should not."""
    texts = [*dict.fromkeys(data.decode(errors="replace").split("\n"))][:60]
    column = pl.Series("text", [*texts, None], dtype=pl.String)
    form = FORMS[len(data) % len(FORMS)]
    for name, read in (READERS | {f"instant {form}": instants.strptime_kind(form).read}).items():
        values = read(column)
        assert len(values) == len(column) and values[-1] is None, name
        for text, value in zip(texts, values, strict=False):
            alone = read(pl.Series("text", [text], dtype=pl.String))[0]
            assert alone == value, f"{name}: {text!r} is {alone!r} alone and {value!r} among others"
            check_value(name, text, value)


def check_value(name: str, text: str, value: object) -> None:
    if name.startswith("instant"):
        assert value is None or instants.EARLIEST <= value <= instants.LATEST, f"{name}: {text!r} is {value}"
    elif name == "seconds":
        assert value is None or 0 <= value < float("inf"), f"{name}: {text!r} is {value}"
    elif name != "boolean":
        expected = _whole(text, {"count": 0, "pico": 12, "cents": 10}[name])
        if name == "count":
            number = _number(text)
            expected = (
                expected if number is not None and number == expected and 0 <= expected <= fields.MOST_TOKENS else None
            )
        assert value == expected, f"{name}: {text!r} is {value!r}, not {expected!r}"


def _number(text: str) -> Decimal | None:
    """The number of a text in ASCII digits; None where it is none, or none that is finite."""
    if not text.isascii() or set(text) - set("0123456789+-.eE"):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _whole(text: str, digits: int) -> int | None:
    number = _number(text)
    if number is None or not number.copy_abs() <= fields.MOST_USD * 10**12:
        return None
    whole = int(number.scaleb(digits, EXACT).quantize(Decimal(1), context=EXACT))
    return whole if digits == 0 or abs(whole) <= fields.MOST_USD * 10**12 else None

"""Lines of JSON changed at a value, at a line or at a byte. Numbers are kept as their digits and objects as pairs, so
that what no parser would give back (a key twice, 1e999, half a letter) can be written."""

import json
from random import Random
from typing import Any

SECRET = "Zq secret 4711"  # a text of a prompt, which no message may cite
NUMBERS = (
    *("0", "-0", "-1", "1", "10.0", "10.7", "1e3", "1E+2", "-0.0", "1e-400", "1e999", "0.1", "4e-1", "2.5e0"),
    *("999999999", "1000000000", "1000000001", "2147483648", "4294967296", "9007199254740993", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "9" * 39),
    *("1" * 400, "170141183460469231731687303715884105728", "1790000000", "1790000000123", "1790000000123456789"),
    *("NaN", "-Infinity", "inf", "01", "+1", "0x10", "1.", ".5", "1_000", "9200000", "9200000.000000000001"),
)
TEXTS = (
    *("", " ", "\0", "\x1f", "\x7f", "\u2028", "\ufeff", "\u202ex", "\U0001f9fe", "e\u0301", "\\", '"', "'", "null"),
    *("true", "{}", "[]", '{"a":1}', '[{"a":1}]', "[" * 300 + "]" * 300, "not JSON {", "NaN", "1e3", "10.7", "-5"),
    *("2026-11-01T10:00:00Z", "2026-11-01 10:00:00", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z", "0001-01-01"),
    *("0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "+99999-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
    *("2026-11-01T10:00:00+24:00", "9999-12-31T23:59:59.999999999Z", "24:00", "1790000000", "success", "error", "200"),
    *(
        "data: {}",
        "a/b",
        "/",
        "x" * 300,
        SECRET,
        SECRET + "\n" + SECRET,
        "a\x00b",
        "/workspace/x",
        "feature:",
        "%",
        "*",
    ),
)
LITERALS = ("null", "true", "false", "{}", "[]", "[null]", '{"":null}', '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"')
GARBAGE = (
    b"",
    b" \t",
    b"null",
    b"42",
    b"[]",
    b"!",
    b"!not UTF-8",
    b"\xff\xfe",
    b"\0",
    b"{",
    b"}",
    b",",
    b"\xef\xbb\xbf{}",
)


class Digits(str):
    """A number, or any other text that is to stand in the JSON as it is."""


class Pairs(list):
    """An object: [key, value] for each of its keys."""


def parsed(line: bytes) -> Any:
    """Raises ValueError, RecursionError."""
    return json.loads(
        line, object_pairs_hook=lambda pairs: Pairs(map(list, pairs)), parse_int=Digits, parse_float=Digits
    )


def written(value: Any) -> str:
    """As JSON. It does not call itself: changes nest values deeper than Python goes."""
    told, rest = [], [value]
    while rest:
        node = rest.pop()
        if isinstance(node, Pairs):
            inner = [part for key, each in node for part in (Digits(","), Digits(f"{json.dumps(key)}:"), each)]
            rest += [Digits("}"), *reversed(inner[1:]), Digits("{")]
        elif isinstance(node, list):
            inner = [part for each in node for part in (Digits(","), each)]
            rest += [Digits("]"), *reversed(inner[1:]), Digits("[")]
        else:
            told.append(node if isinstance(node, Digits) else json.dumps(node))
    return "".join(told)


def places(value: Any) -> list[tuple[list, int]]:
    """(what holds it, at which index) of each value below `value`."""
    found: list[tuple[list, int]] = []
    rest = [value]
    while rest:
        node = rest.pop()
        if isinstance(node, Pairs):
            found += ((pair, 1) for pair in node)
            rest += (pair[1] for pair in node)
        elif isinstance(node, list):
            found += ((node, index) for index in range(len(node)))
            rest += node
    return found


def mutate(data: bytes, random: Random) -> bytes:
    """A few changes to some of the lines."""
    lines = data.split(b"\n")
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        index = random.randrange(len(lines))
        roll = random.random()
        if roll < 0.7:
            lines[index] = _changed_line(lines[index], random)
        elif roll < 0.9:
            _change_lines(lines, index, random)
        else:
            lines[index] = _changed_bytes(lines[index], random)
    return b"\n".join(lines)


def _change_lines(lines: list[bytes], index: int, random: Random) -> None:
    kind = random.randrange(7)
    if kind == 0:
        lines.insert(index, random.choice(lines))
    elif kind == 1 and len(lines) > 1:
        del lines[index]
    elif kind == 2:
        lines.insert(index, random.choice(GARBAGE))
    elif kind == 3 and index + 1 < len(lines):
        lines[index : index + 2] = [lines[index] + lines[index + 1]]
    elif kind == 4:
        lines[index] += random.choice((b"\r", b",", b" ", b"\0", b"x", b"}"))
    elif kind == 5:
        random.shuffle(lines)
    else:
        lines[index] = lines[index][: random.randrange(len(lines[index]) + 1)]


def _changed_bytes(line: bytes, random: Random) -> bytes:
    place = random.randrange(len(line) + 1)
    some = random.choice(
        (bytes([random.randrange(256)]), b",}", b",]", b"\xed\xa0\x80", b"\xc3", b'\\ud83d"', b"\0", b"/**/")
    )
    return line[:place] + some + line[place + random.choice((0, 1, len(some))) :]


def _changed_line(line: bytes, random: Random) -> bytes:
    try:
        record = [parsed(line)]
    except (ValueError, RecursionError):
        return _changed_bytes(line, random)
    for _ in range(random.choice((1, 1, 2, 4))):
        holder, index = random.choice(places(record))
        _change(record, holder, index, random)
    return written(record[0]).encode(errors="replace")


def _change(record: list, holder: list, index: int, random: Random) -> None:
    value, kind = holder[index], random.randrange(10)
    if kind == 0 and isinstance(value, list) and value:
        del value[random.randrange(len(value))]
    elif kind == 1 and isinstance(value, list) and value:
        some = random.choice(value)
        if isinstance(value, Pairs):  # the key twice, or in other letters
            some = [random.choice((some[0], some[0], some[0].upper(), some[0] + " ")), _any(record, random)]
        value.insert(random.randrange(len(value) + 1), some)
    elif kind == 2:
        for _ in range(random.choice((1, 2, 70, 201))):
            value = Pairs([["a", value]]) if random.random() < 0.5 else [value]
        holder[index] = value
    elif kind == 3 and isinstance(value, str) and not isinstance(value, Digits):
        holder[index] = _changed_text(value, random)
    elif kind == 4:
        holder[index] = written(value)  # JSON in a text
    elif kind == 5 and isinstance(value, Digits):
        holder[index] = Digits(
            random.choice((f"{value}0", f"-{value}", f"{value}.0", f"{value}.5", f"{value}e1", f'"{value}"'))
        )
    else:
        holder[index] = _any(record, random)


def _any(record: list, random: Random) -> Any:
    kind = random.randrange(5)
    if kind == 0:
        return Digits(random.choice(LITERALS))
    if kind == 1:
        return random.choice(TEXTS)
    if kind == 2:
        holder, index = random.choice(places(record))
        return (
            parsed(written(holder[index]).encode())
            if len(written(holder[index])) < 2000 and _is_json(holder[index])
            else None
        )
    return Digits(random.choice(NUMBERS))


def _is_json(value: Any) -> bool:
    try:
        parsed(written(value).encode())
    except (ValueError, RecursionError):
        return False
    return True


def _changed_text(text: str, random: Random) -> str:
    try:
        inner = [parsed(text.encode())]
    except (ValueError, RecursionError):
        place = random.randrange(len(text) + 1)
        return text[:place] + random.choice(TEXTS) + text[place + random.randrange(3) :]
    holder, index = random.choice(places(inner))
    holder[index] = _any(inner, random)
    return written(inner[0])

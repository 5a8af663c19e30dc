"""What a line of a log says, read by Python's own parser alone: what the product's reading of it is held against."""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

_LENIENT = re.compile(r'"(?:[^"\\]|\\.)*"|(,)(?=\s*[\]}])|(-?(?:nan|inf(?:inity)?))', re.DOTALL | re.IGNORECASE)


def record_of(line: bytes) -> dict[str, Any] | None:
    """The object that the line holds, of a key that it has twice the last; None where it holds none.

    As the reader does, it reads over a comma behind the last entry and takes NaN and infinity in any spelling.
    """
    try:
        text = line.strip().removesuffix(b",").decode()
        try:
            value = json.loads(text, parse_float=Decimal, parse_int=Decimal)
        except ValueError:
            value = json.loads(strict(text), parse_float=Decimal, parse_int=Decimal)
    except RecursionError:
        return {}  # deeper than Python reads: nothing is known of it
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def strict(text: str) -> str:
    """The text without commas behind a last entry, and with null for the words that stand for no number."""
    return _LENIENT.sub(lambda match: "" if match[1] else "null" if match[2] else match[0], text)


def number(value: Any) -> Decimal | None:
    """The number that a value is, or spells."""
    if isinstance(value, bool) or not isinstance(value, Decimal | str):
        return None
    try:
        found = Decimal(value)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def numbers(value: Any) -> list[Decimal]:
    """Every number in the record, also in texts that hold JSON."""
    if isinstance(value, dict):
        return [found for inner in value.values() for found in numbers(inner)]
    if isinstance(value, list):
        return [found for inner in value for found in numbers(inner)]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return numbers(json.loads(value, parse_float=Decimal, parse_int=Decimal))
        except (ValueError, RecursionError):
            return []
    found = number(value)
    return [] if found is None else [found]


def at(record: Any, path: str) -> Any:
    """The value at the keys of `path`, joined by dots; None where there is none."""
    for key in path.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record

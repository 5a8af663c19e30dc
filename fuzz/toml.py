"""A parsed JSON value (see mutations) as TOML, every table written inline."""

import json
from typing import Any

from fuzz.mutations import Digits, Pairs


def document(value: Any) -> str:
    """Keys at the top, one a line; what TOML cannot say is left for its parser to refuse."""
    if not isinstance(value, Pairs):
        return _value(value)
    return "".join(f"{_text(key)} = {_value(inner)}\n" for key, inner in value)


def _value(value: Any) -> str:
    if isinstance(value, Pairs):
        return "{ " + ", ".join(f"{_text(key)} = {_value(inner)}" for key, inner in value) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, Digits) else _text(value or "")


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

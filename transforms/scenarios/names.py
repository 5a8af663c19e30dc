"""What a model is called, and how a scenario names it."""

import re
from collections.abc import Iterable

DATED = r"(?:[-@]\d{4}-?\d\d-?\d\d)?"
Name = tuple[str | None, str]  # provider, model


def is_named(pattern: str, names: Iterable[Name]) -> bool:
    """Whether a model's name, alone or after its provider's and with or without a date behind it, is `pattern`, in any
    case; `*` is any text."""
    told = re.compile(".*".join(map(re.escape, pattern.lower().split("*"))) + DATED, re.DOTALL)
    texts = (text for provider, model in names for text in (model, f"{provider}/{model}"))
    return any(told.fullmatch(text.lower()) for text in texts)

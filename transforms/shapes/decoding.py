"""JSON texts as typed values, whole columns at a time: polars decodes them, and what it refuses `paths.loads` reads."""

from typing import Any

import polars as pl

from transforms.shapes.paths import as_text, loads

_FEW = 16  # texts that are not worth another try together


def decoded(texts: pl.Series, dtype: pl.DataType) -> tuple[pl.Series, pl.Series]:
    """(`texts` as `dtype`, which of them are something else)."""
    try:
        # the texts are decoded one after the other as one: an empty one, or two in one, would shift all that follow
        start = "[" if isinstance(dtype, pl.List) else "{"
        if (texts.str.starts_with(start) | texts.is_null()).all():
            values = texts.str.json_decode(dtype)
            if len(values) == len(texts):
                return values, pl.repeat(False, len(texts), eager=True)
    except pl.exceptions.ComputeError:
        pass
    if len(texts) > _FEW:
        halves = [decoded(half, dtype) for half in (texts[: len(texts) // 2], texts[len(texts) // 2 :])]
        return tuple(pl.concat(parts) for parts in zip(*halves, strict=True))
    values = [_slowly(text, dtype) for text in texts]
    return pl.Series([value for value, _ in values], dtype=dtype), pl.Series(
        [bad for _, bad in values], dtype=pl.Boolean
    )


def _slowly(text: str | None, dtype: pl.DataType) -> tuple[Any, bool]:
    try:
        return (None if text is None else _conformed(loads(text, object_pairs_hook=_first_of_each), dtype)), False
    except ValueError:
        return None, True


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice the first value, as polars has it: a text must not hang on those beside it."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _conformed(value: Any, dtype: pl.DataType) -> Any:
    """A parsed value as `dtype`; ValueError where an object or a list is not where one must be."""
    if value is None:
        return None
    if isinstance(dtype, pl.List) and isinstance(value, list):
        return [_conformed(item, dtype.inner) for item in value]
    if isinstance(dtype, pl.Struct) and isinstance(value, dict):
        return {field.name: _conformed(value.get(field.name), field.dtype) for field in dtype.fields}
    if dtype != pl.String:
        raise ValueError
    return as_text(value).encode(errors="replace").decode()  # half of a surrogate pair is no text

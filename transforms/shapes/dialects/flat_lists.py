"""Counts out of the JSON text of a list of flat objects, such as [{"modality": "AUDIO", "tokenCount": 12}].

Read by pattern, which is exact: a quote inside a JSON text is escaped, so that only keys and values match.
"""

import polars as pl


def counted(column: str, value: str, count: str) -> pl.Expr:
    """Text: the value at the key `count` (a pattern) of the first object that holds the text `value`."""
    entry = pl.col(column).str.extract(rf'(\{{[^{{}}]*"{value}"[^{{}}]*\}})')
    return number(entry, count)


def number(json: pl.Expr, key: str) -> pl.Expr:
    """Text: the first value at `key` (a pattern) anywhere in `json`; null where it is null."""
    return json.str.extract(rf'"{key}"\s*:\s*(?:null|"?([^\s",\[\]{{}}]+))')

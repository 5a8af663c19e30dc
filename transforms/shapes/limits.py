"""Values that are nested too deep to be read, and names too long to be shown: such a line is quarantined.

What stands elsewhere in a line is not looked at: DuckDB's reader, which gives the texts, does not call itself.
"""

import polars as pl

from transforms.shapes.paths import is_deeper

TOO_DEEP = "@too deep"  # a column that every shape passes through, as it does with all that start with "@"
NAMES = (
    *("provider", "model", "model_requested", "response_id", "service_tier", "region"),
    *("action_id", "feature", "user_id", "customer_id", "environment", "subject_id", "outcome"),
)


def with_too_deep(lines: pl.DataFrame, most: int, told: str) -> pl.DataFrame:
    """LINES, with a column of reasons where a line has a value of more than `most` levels; `told` tells the bound."""
    longest = _longest(lines)
    reasons = pl.Series(TOO_DEEP, [None], dtype=pl.String).new_from_index(0, lines.height)
    for name, length in longest.items():
        if length > 2 * most:  # each level has two brackets
            deep = _is_deep(lines[name], most)
            reason = f"{name.removeprefix('@')} is not read: nested deeper than {told}"
            reasons = reasons.zip_with(~deep | reasons.is_not_null(), pl.Series([reason])) if deep.any() else reasons
    return lines.with_columns(reasons) if reasons.null_count() < len(reasons) else lines


def with_verdicts(told: pl.DataFrame) -> pl.DataFrame:
    """What a shape made of `with_too_deep`: the reasons as verdicts."""
    if TOO_DEEP not in told.columns:
        return told
    return told.with_columns(verdict=pl.coalesce(TOO_DEEP, "verdict")).drop(TOO_DEEP)


def without_long_names(told: pl.DataFrame, most: int, bound: str) -> pl.DataFrame:
    """CALLS or OUTCOMES with a verdict where a name or id has more than `most` bytes; `bound` tells the bound."""
    longest = _longest(told.select(name for name in NAMES if name in told.columns))
    faults = [
        pl.when(pl.col(name).str.len_bytes() > most).then(pl.lit(f"{name} is not a name: longer than {bound}"))
        for name, length in longest.items()
        if length > most
    ]
    return told.with_columns(verdict=pl.coalesce("verdict", *faults)) if faults else told


def _longest(frame: pl.DataFrame) -> dict[str, int]:
    """Bytes of the longest text of each column that has any."""
    if not frame.height:
        return {}
    found = frame.select(pl.col(pl.String).str.len_bytes().max()).row(0, named=True)
    return {name: length for name, length in found.items() if length}


def _is_deep(texts: pl.Series, most: int) -> pl.Series:
    brackets = texts.str.count_matches("{", literal=True) + texts.str.count_matches("[", literal=True)
    suspects = texts.str.contains(r"^\s*[\[{]") & (brackets > most)
    deep = [index for index in suspects.fill_null(False).arg_true() if is_deeper(texts[index], most)]
    return pl.Series(range(len(texts))).is_in(deep)

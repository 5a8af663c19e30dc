"""What Codex CLI's two logs have in common: its usage object, and counters that only ever grow.

`input_tokens` includes cached and cache-written tokens, `output_tokens` includes reasoning. OpenAI's cache writes live
30 minutes: cache_write_other. A counter is the sum of all usage of a thread so far; a call is the step from one counter
to the next. Source: openai/codex, codex-rs/protocol (TokenUsage, TokenUsageInfo).
"""

import polars as pl

from transforms.shapes.fields import COUNT, Kind

_NAMES = {  # theirs: ours
    "input_tokens": "input_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_input_tokens": "cache_write_other_tokens",
    "output_tokens": "output_tokens",
    "reasoning_output_tokens": "reasoning_tokens",
}
_ALWAYS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens")  # in every version
TOTAL = "total_tokens"
_BEFORE = "$before"

Usage = dict[str, pl.Expr]


def fields(usage: str) -> tuple[str, ...]:
    return tuple(f"{usage}.{name}" for name in (*_NAMES, TOTAL))


def kinds(usage: str) -> dict[str, Kind]:
    return dict.fromkeys(fields(usage), COUNT)


def is_told(usage: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(path).is_not_null() for path in fields(usage))


def at(usage: str) -> Usage:
    return {name: pl.col(f"{usage}.{name}") for name in (*_NAMES, TOTAL)}


def tally(usage: str) -> pl.Expr:
    """A counter as text, by which a state of its thread is known wherever it is written again."""
    counts = (pl.col(f"{usage}.{name}").cast(pl.String).fill_null("") for name in _ALWAYS)
    known = pl.col(f"{usage}.input_tokens").is_not_null() | pl.col(f"{usage}.output_tokens").is_not_null()
    return pl.when(known).then(pl.concat_str(*counts, separator=":"))


def with_before(lines: pl.DataFrame, counter: str, is_counted: pl.Expr, thread: tuple[str, ...]) -> pl.DataFrame:
    """`lines`, each with what the counter of its thread stood at before it; null: it was not yet told."""

    def before(value: pl.Expr) -> pl.Expr:
        return pl.when(is_counted).then(value).forward_fill().shift(1).over(thread)

    counts = {f"{_BEFORE}.{name}": before(value) for name, value in at(counter).items()}
    return lines.with_columns(**counts, **{f"{_BEFORE}.tally": before(tally(counter))})


def is_first() -> pl.Expr:
    return pl.col(f"{_BEFORE}.tally").is_null()


def is_unmoved(counter: str) -> pl.Expr:
    """The counter is written again, without a call in between."""
    return (tally(counter) == pl.col(f"{_BEFORE}.tally")).fill_null(False)


def is_restarted(counter: str) -> pl.Expr:
    """The counter fell: it began anew."""
    fell = (pl.col(f"{counter}.{name}") < pl.col(f"{_BEFORE}.{name}") for name in _ALWAYS)
    return pl.any_horizontal(fell).fill_null(False)


def step(counter: str) -> Usage:
    """From the counter's last state to this one; all of it, where it is the first or began anew."""
    anew = is_first() | is_restarted(counter)
    return {
        # a class that the counter did not have before had come to nothing
        name: pl.when(anew).then(value).otherwise(value - pl.col(f"{_BEFORE}.{name}").fill_null(0))
        for name, value in at(counter).items()
    }


def columns(usage: Usage) -> dict[str, pl.Expr]:
    return {ours: usage[theirs] for theirs, ours in _NAMES.items()}

"""One row for each call: keys, and which of several tellings of a call counts.

A log may tell of a call more than once: streaming snapshots with growing usage, the same lines in a resumed session's
file, a gateway's log and the client's. The telling with the most usage is the whole one, so it wins.
"""

import polars as pl
import polars_hash  # noqa: F401 - registers the `nchash` expressions

from transforms import schemas

TWO_64 = pl.lit(2**64, dtype=pl.UInt128)
PARTS = 65_536  # parts that one line may tell of

# Most usage first. Where usage is equal the rest decides, so that the order in which files are read never does;
# the address of the line comes last.
_USAGE = list(dict.fromkeys(("output_tokens", "input_tokens", *schemas.QUANTITIES)))
_TEXTS = ("status", "action_id", "feature", "user_id", "customer_id", "environment", "model", "shape")
_ADDRESS = ("content_id", "line_number", "part")


def by_verdict(told: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows to keep, QUARANTINE) of a frame with `verdict`. A line with one part that cannot be kept is quarantined
    whole: half of it would pass for all of it."""
    if told["verdict"].null_count() == told.height:
        return told, schemas.empty(schemas.QUARANTINE)
    bad = told.filter(pl.col("verdict").is_not_null() & (pl.col("verdict") != "other"))
    kept = told.filter(pl.col("verdict").is_null())
    if bad.is_empty():
        return kept, schemas.empty(schemas.QUARANTINE)
    rejects = bad.group_by(*schemas.LINE_KEYS, maintain_order=True).agg(pl.col("verdict").first().alias("reason"))
    kept = kept.join(rejects, on=list(schemas.LINE_KEYS), how="anti", maintain_order="left")
    return kept, schemas.conform(rejects, schemas.QUARANTINE)


def line_tallies(told: pl.DataFrame, kept: pl.DataFrame, *rejects: pl.DataFrame) -> pl.DataFrame:
    """Lines by what became of them: content_id, call_line_count, other_line_count, quarantined_line_count."""
    bad = pl.concat(rejects)
    parts = [
        _lines_of(kept, "call_line_count"),
        _lines_of(told.filter(pl.col("verdict") == "other"), "other_line_count"),
        _lines_of(bad, "quarantined_line_count"),
    ]
    return pl.concat(parts, how="diagonal").group_by("content_id").sum()  # a tally that is missing is none


def _lines_of(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.group_by("content_id").agg(pl.col("line_number").n_unique().cast(pl.Int64).alias(name))


def with_action(calls: pl.DataFrame) -> pl.DataFrame:
    """An action that the log does not name is the call itself."""
    if not calls["action_id"].null_count():
        return calls
    by_line = pl.format("call-{}-{}-{}", *_ADDRESS)
    return calls.with_columns(action_id=pl.coalesce("action_id", "response_id", by_line))


def keyed(calls: pl.DataFrame) -> pl.DataFrame:
    """CALLS (verdict null, action known) -> LEDGER, one row for each, duplicates still in.

    Key: xxh3-128 of provider and response id. A call without an id is known by its line alone, so that identical rows
    stay different calls.
    """
    by_id = pl.concat_str(pl.col("provider").fill_null(""), pl.lit("\0"), pl.col("response_id")).nchash.xxh3_128()
    address = pl.col("line_number").cast(pl.UInt64) * PARTS + pl.col("part").cast(pl.UInt64)
    return schemas.conform(
        calls.with_columns(by_id.alias("hash")).with_columns(
            key_hi=pl.coalesce((pl.col("hash") // TWO_64).cast(pl.UInt64), pl.col("content_id").cast(pl.UInt64)),
            key_lo=pl.coalesce((pl.col("hash") % TWO_64).cast(pl.UInt64), address),
            day=pl.col("called_at").dt.date(),
        ),
        schemas.LEDGER,
    )


def settle(ledger: pl.DataFrame) -> pl.DataFrame:
    """LEDGER rows with one row for each key: the telling with the most usage."""
    if ledger["key_lo"].n_unique() == ledger.height:  # the common case, at a third of the cost of both halves
        return ledger
    again = pl.struct("key_hi", "key_lo").is_duplicated()
    told_again = ledger.filter(again)
    winners = told_again.sort(
        *_USAGE,
        *_TEXTS,
        "called_at",
        *_ADDRESS,
        descending=[True] * len(_USAGE) + [False] * (len(_TEXTS) + 1 + len(_ADDRESS)),
        nulls_last=True,
    ).unique(["key_hi", "key_lo"], keep="first", maintain_order=True)
    return pl.concat([ledger.filter(~again), winners])

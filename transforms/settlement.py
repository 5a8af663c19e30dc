"""One row for each call: keys, and which of several tellings of a call counts.

A log may tell of a call more than once: streaming snapshots with growing usage, the same lines in a resumed session's
file, a gateway's log and the client's. The telling with the most usage is the whole one, so it wins.
"""

from datetime import datetime

import polars as pl
import polars_hash  # noqa: F401 - registers the `nchash` expressions

from transforms import schemas

TWO_64 = pl.lit(2**64, dtype=pl.UInt128)
PART_BITS = 24  # a line may tell of 2**24 parts; 2**40 lines of a file are left
TOO_MANY_PARTS = f"tells of more than {2**PART_BITS} calls"

# Ids that providers make at random, and UUIDs.
_UNIQUE_ID = (
    r"^(chatcmpl-|cmpl-|resp_|msg_|gen-)[A-Za-z0-9_-]{12}|^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
KEY = ("key_hi", "key_lo")
# What decides: all output and input, then the classes that have prices of their own. A class that one log leaves out
# and another says is 0 is the same usage: what a log knows of whom the call belongs to must not be lost for it.
_TOTALS = ("output_tokens", "input_tokens")
_PRICED = tuple(
    name for name in schemas.QUANTITIES if name.startswith(("cache_", "web_", "file_", "code_", "compute_"))
)
_USAGE = (*_TOTALS, *_PRICED)
_STATUS_RANK = {"success": 0, "cache_hit": 1, "refused": 2, "error": 3}
_TIMES = ("called_at", "occurred_at")
# A run that was killed before it could tell its usage is known by its action. A feature may be a folder's, or constant.
_WHOSE = ("action_id", "user_id", "customer_id")
_TOLD = ("model", "model_requested", "response_id", "called_at", *schemas.QUANTITIES, "recorded_cost_pico", *_WHOSE)
_JSON = r'^(\{\s*["}]|\[\s*["\[{\]\d-])'  # what an object or a list begins with, and "[prod] gpt" does not
FUTURE = "{} is not a time that this machine's clock has reached, by more than two days"
NOTHING = "tells nothing of a call"
_ADDRESS = ("content_id", "line_number", "part")


def numbered(told: pl.DataFrame) -> pl.DataFrame:
    """`told` of lines that hold several records: `part` counts the calls of a line, in order."""
    return told.with_columns(part=pl.int_range(pl.len(), dtype=pl.Int32).over(*schemas.LINE_KEYS))


def judged(told: pl.DataFrame, latest: datetime) -> pl.DataFrame:
    """`told` (CALLS, or OUTCOMES with a verdict) with a verdict on what no shape looks at: times after `latest`, what
    is no name, and records of which nothing was understood."""
    grounds = {FUTURE.format(name): pl.col(name) > latest for name in _TIMES if _exceeds(told, name, latest)}
    if "model" in told.columns:
        is_json = pl.col("model").str.contains(_JSON)
        grounds |= {"model is not a name": is_json} if told.select(is_json.any()).item() else {}
        if all(told[name].null_count() for name in _TOLD):
            # a refusal has none of these either
            is_success = pl.col("status").eq_missing("success") | pl.col("status").is_null()
            grounds[NOTHING] = pl.all_horizontal(is_success, *(pl.col(name).is_null() for name in _TOLD))
    if not grounds:
        return told
    found = [pl.when(holds).then(pl.lit(reason)) for reason, holds in grounds.items()]
    return told.with_columns(verdict=pl.coalesce("verdict", *found))


def _exceeds(told: pl.DataFrame, name: str, latest: datetime) -> bool:
    return name in told.columns and told[name].null_count() < told.height and told[name].max() > latest


def by_verdict(told: pl.DataFrame, by_part: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows to keep, QUARANTINE) of a frame with `verdict`.

    A line with one part that cannot be kept is quarantined whole: half of it would pass for all of it. Not so
    `by_part`, where each part is a record of its own.
    """
    if "part" in told.columns and (told["part"].max() or 0) >= 2**PART_BITS:
        told = told.with_columns(
            verdict=pl.when(pl.col("part") >= 2**PART_BITS).then(pl.lit(TOO_MANY_PARTS)).otherwise("verdict")
        )
    if told["verdict"].null_count() == told.height:
        return told, schemas.empty(schemas.QUARANTINE)
    bad = told.filter(pl.col("verdict").is_not_null() & (pl.col("verdict") != "other"))
    kept = told.filter(pl.col("verdict").is_null())
    if bad.is_empty():
        return kept, schemas.empty(schemas.QUARANTINE)
    if by_part:
        return kept, schemas.conform(bad.rename({"verdict": "reason"}), schemas.QUARANTINE)
    rejects = bad.group_by(*schemas.LINE_KEYS, maintain_order=True).agg(pl.col("verdict").first().alias("reason"))
    kept = kept.join(rejects, on=list(schemas.LINE_KEYS), how="anti", maintain_order="left")
    rejects = rejects.with_columns(part=pl.lit(None, pl.Int32))
    return kept, schemas.conform(rejects, schemas.QUARANTINE)


def line_tallies(told: pl.DataFrame, kept: pl.DataFrame, *rejects: pl.DataFrame) -> pl.DataFrame:
    """Lines by what became of them: content_id, call_line_count, other_line_count, quarantined_line_count.

    A line of several records counts once: as a call line where one of them is kept, else as quarantined.
    """
    keys = list(schemas.LINE_KEYS)
    bad = pl.concat([some.select(keys) for some in rejects]).join(kept, on=keys, how="anti")
    others = told.filter(pl.col("verdict") == "other").select(keys)
    if not others.is_empty():
        others = others.join(kept, on=keys, how="anti").join(bad, on=keys, how="anti")
    parts = [
        _lines_of(kept, "call_line_count"),
        _lines_of(others, "other_line_count"),
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

    Key: xxh3-128 of the response id, and of the provider where the id may not be unique without it. Logs of one call
    differ in what they call its provider (a body does not name it, a gateway names itself), never in the id. A call
    without an id is known by its line alone, so that identical rows stay different calls.
    """
    namespace = pl.when(~pl.col("response_id").str.contains(_UNIQUE_ID)).then("provider").fill_null("")
    by_id = pl.concat_str(namespace, pl.lit("\0"), pl.col("response_id")).nchash.xxh3_128()
    address = pl.col("line_number").cast(pl.UInt64) * 2**PART_BITS + pl.col("part").cast(pl.UInt64)
    return schemas.conform(
        calls.with_columns(by_id.alias("hash")).with_columns(
            key_hi=pl.coalesce((pl.col("hash") // TWO_64).cast(pl.UInt64), pl.col("content_id").cast(pl.UInt64)),
            key_lo=pl.coalesce((pl.col("hash") % TWO_64).cast(pl.UInt64), address),
            day=pl.col("called_at").dt.date(),
        ),
        schemas.LEDGER,
    )


def settle(ledger: pl.DataFrame) -> pl.DataFrame:
    """LEDGER rows with one row for each key: the telling with the most usage. Where usage is equal the rest decides, so
    that the order of lines, files and runs never does; the address of the line comes last."""
    if ledger["key_lo"].n_unique() == ledger.height:  # the common case, at a third of the cost of both halves
        return ledger
    again = pl.struct(KEY).is_duplicated()
    told = ledger.filter(again)
    for name in _TOTALS:  # few rows are left for the rest to decide; what is unknown is less than any count
        amount = pl.col(name).fill_null(-1)
        told = told.filter(amount == amount.max().over(KEY))
    winners = told.sort(*(by for _, by in preferences()), descending=False, nulls_last=True)
    return pl.concat([ledger.filter(~again), winners.unique(KEY, keep="first", maintain_order=True)])


def preferences() -> list[tuple[str, pl.Expr]]:
    """(column, what to sort by), best telling first: the most usage, an answer before none, the most that is known of
    whom it belongs to and of its cost, then every other column."""
    most = [(name, -pl.col(name)) for name in _TOTALS]
    most += [(name, -pl.col(name).fill_null(0)) for name in _PRICED]  # see _TOTALS
    # a stream's start is a success until the log tells how the stream ended, in a later run perhaps
    failed_later = pl.col("shape").eq_missing("anthropic_stream") & pl.col("status").eq_missing("error")
    status = [("status", failed_later.not_())]
    status += [("status", pl.col("status").replace_strict(_STATUS_RANK, default=9, return_dtype=pl.Int8))]
    # an action that is named by the response is one that the log did not name, see with_action
    is_named = pl.col("action_id").ne_missing(pl.col("response_id")).cast(pl.Int8)
    known = sum(
        (
            pl.col(name).is_not_null().cast(pl.Int8)
            for name in (*schemas.ATTRIBUTES, "recorded_cost_pico")
            if name != "action_id"
        ),
        is_named,
    )
    details = [name for name in schemas.QUANTITIES if name not in _TOTALS]
    others = [name for name in schemas.LEDGER if name not in (*schemas.QUANTITIES, *KEY, *_ADDRESS)]
    rest = [*((name, -pl.col(name)) for name in details), *((name, pl.col(name)) for name in (*others, *_ADDRESS))]
    return [*most, *status, ("action_id", -known), ("action_id", -is_named), *rest]

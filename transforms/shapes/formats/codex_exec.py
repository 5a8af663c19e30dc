"""The events that `codex exec --json` prints: a thread's start, its turns and items.

A turn's usage is the thread's counter, not the turn's own: a turn is the step from one to the next, and here all its
calls are one. The log tells neither time nor model. A turn that failed tells no usage. `codex exec resume` goes on with
the thread's counter: the first turn of a log that begins so cannot be told from what came before the log. The same run
also writes a session file (see codex), call by call and with models: read one or the other.
Source: openai/codex, codex-rs/exec/src/exec_events.rs; openai/codex#17539.
"""

import polars as pl

from transforms.shapes.dialects import codex_usage
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_USAGE = "usage"
_FIELDS = ("type", "thread_id", *codex_usage.fields(_USAGE))


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = lines.with_columns(
        is_told=codex_usage.is_told(_USAGE) & (pl.col("type") == "turn.completed").fill_null(False),
        thread=pl.when(pl.col("type") == "thread.started").then(text("thread_id")).forward_fill().over("content_id"),
    )
    read = typed(lines, codex_usage.kinds(_USAGE))
    read = codex_usage.with_before(read, _USAGE, pl.col("is_told"), ("content_id", "thread"))
    is_call = (pl.col("type") == "turn.completed") & ~codex_usage.is_unmoved(_USAGE)
    is_failure = (pl.col("type") == "turn.failed").fill_null(False)
    usage = codex_usage.step(_USAGE)
    columns = {
        **codex_usage.columns(usage),
        "provider": pl.lit("openai"),
        "response_id": pl.when(~is_failure).then(pl.col("thread") + ":" + codex_usage.tally(_USAGE)),
        "status": pl.when(is_failure).then(pl.lit("error")).otherwise(pl.lit("success")),
        "action_id": pl.col("thread"),
    }
    other = ~(is_call.fill_null(False) | is_failure)
    return to_calls(
        read, "codex_exec", columns, other=other, strange=pl.col("type").is_null(), total=usage[codex_usage.TOTAL]
    )


CODEX_EXEC = Shape("codex_exec", _FIELDS, matcher("codex_exec"), calls, frame="history")

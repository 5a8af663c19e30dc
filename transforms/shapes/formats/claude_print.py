"""What `claude -p` prints with `--output-format json` or `stream-json`.

The last line (`result`) is the total of a run, and its cost that of all runs of the process so far: no call. The
messages that stream-json prints before it are snapshots, whose usage is not the last word. Claude Code writes the calls
themselves to its session file (see claude_code), so both are quarantined, to be seen, never counted.
Source: Claude Code's documentation of its output formats; anthropics/claude-code#70604.
"""

import polars as pl

from transforms.shapes.fields import to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

RUN_TOTAL = "a run's total, not a call: the session's log has the calls"
SNAPSHOT = "a snapshot of a message, not a call: the session's log has the calls"
_FIELDS = ("type", "session_id", "total_cost_usd", "message.usage.output_tokens")


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    is_total = (pl.col("type") == "result").fill_null(False)
    is_snapshot = (pl.col("type") == "assistant").fill_null(False) & pl.col(_FIELDS[-1]).is_not_null()
    reasons = {RUN_TOTAL: is_total, SNAPSHOT: is_snapshot}
    return to_calls(typed(lines, {}), "claude_print", {}, other=~(is_total | is_snapshot), reasons=reasons)


CLAUDE_PRINT = Shape("claude_print", _FIELDS, matcher("claude_print"), calls)

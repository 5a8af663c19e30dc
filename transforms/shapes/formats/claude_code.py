"""Claude Code's session files, `~/.claude/projects/<project>/<session>.jsonl` and their subagents' files.

A response is written as several lines, one for each block of its content, each with a copy of its usage: early copies
are snapshots, and resumed or forked sessions repeat whole lines. All are calls here, with the same response_id, which
other logs of the call have too; settlement keeps the one with the largest output. `uuid` is a line's, never a call's.
Lines of users, tools, summaries and local errors (`<synthetic>`) tell of no call. The action is the session, the
feature the folder that it worked in; a session names no user. `costUSD` was written by early versions only.
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage
from transforms.shapes.fields import USD, last_step, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_USAGE = "message.usage"
_FIELDS = (
    "type",
    "timestamp",
    "sessionId",
    "cwd",
    "requestId",
    "isApiErrorMessage",
    "costUSD",
    "message.id",
    "message.model",
    _USAGE,
)
_WITHOUT_SESSION = ("summary", "file-history-snapshot")
_KINDS = {"timestamp": INSTANT_KINDS["any"], "costUSD": USD, **anthropic_usage.kinds(_USAGE)}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = anthropic_usage.decoded(lines, _USAGE)
    told = pl.col(f"{_USAGE}.input_tokens").is_not_null() | pl.col(f"{_USAGE}.output_tokens").is_not_null()
    is_answer = (pl.col("type") == "assistant").fill_null(False) & pl.col("message.model").ne_missing("<synthetic>")
    is_call = told & is_answer & pl.col("isApiErrorMessage").ne_missing("true")
    lines = anthropic_usage.opened(lines.with_columns(is_call=is_call), _USAGE, "message.model")
    own_id = text("message.id", "requestId")  # either is the same on all lines of a response
    columns = {
        **anthropic_usage.columns(_USAGE),
        "part": pl.col("part"),
        "provider": pl.lit("anthropic"),
        "model": text("message.model"),
        "response_id": anthropic_usage.part_id(own_id, "message.model"),
        "called_at": pl.col("timestamp"),
        "status": pl.lit("success"),
        "recorded_cost_pico": pl.col("costUSD"),
        "action_id": text("sessionId"),
        "feature": last_step(pl.col("cwd")),
    }
    guards = anthropic_usage.guards(_USAGE)
    reasons = {f"{_USAGE} is no object of counts": pl.col("is_usage_odd")}
    strange = text("sessionId").is_null() & ~pl.col("type").is_in(_WITHOUT_SESSION).fill_null(False)
    kinds = {"other": ~pl.col("is_call") & ~pl.col("is_usage_odd"), "strange": strange}
    return to_calls(typed(lines, _KINDS), "claude_code", columns, **kinds, reasons=reasons, guards=guards)


CLAUDE_CODE = Shape("claude_code", _FIELDS, matcher("claude_code"), calls)

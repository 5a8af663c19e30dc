"""Gemini CLI's session files, `~/.gemini/tmp/<project>/chats/session-*.jsonl`; older ones are one `.json` object.

A header tells the session, then a line each message. A message is written anew, with the same id, whenever its tokens
or the results of its tools arrive: all are the same call, and the last counts hold. `$set` changes the header and may
hold all messages again. `$rewindTo` takes messages out of the conversation, not off the bill. An older file is the
header with its `messages` inside. Only messages of type gemini are calls; their ids are unique everywhere.

The action is the session, the feature the project, by its hash or its short name. Nothing tells a user.
Source: google-gemini/gemini-cli, packages/core/src/services/chatRecordingService.ts.
"""

from typing import Any

import polars as pl

from transforms.shapes.dialects import gemini_cli_usage
from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.paths import as_text, find, loads
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = {name: f"tokens.{name}" for name in ("input", "output", "cached", "thoughts", "tool", "total")}
_MESSAGE = ("id", "timestamp", "type", "model", *_COUNTS.values())
_HEADER = ("sessionId", "projectHash")
_LISTS = ("messages", "$set.messages")
_FIELDS = (*_HEADER, *_LISTS, *_MESSAGE)
_KINDS = {"timestamp": INSTANT_KINDS["any"], **dict.fromkeys(_COUNTS.values(), COUNT)}


def _with_parts(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with `part`; a line that holds messages becomes a row for each that is a model's."""
    lines = lines.with_columns(pl.lit(0, pl.Int32).alias("part"), held=pl.coalesce(map(text, _LISTS)))
    if lines["held"].null_count() == lines.height:
        return lines
    lines = lines.with_row_index("$row")
    holding = lines.filter(pl.col("held").is_not_null())
    rows = [[row, part, *message] for row, held in holding.select("$row", "held").iter_rows()
            for part, message in enumerate(_messages(held))]  # fmt: skip
    schema = {"$row": pl.UInt32, "part": pl.Int32, **dict.fromkeys(_MESSAGE, pl.String)}
    parts = pl.DataFrame(rows, schema=schema, orient="row")
    opened = holding.drop("part", *_MESSAGE).join(parts, on="$row", maintain_order="right").select(lines.columns)
    others = lines.join(parts.select("$row"), on="$row", how="anti", maintain_order="left")
    return pl.concat([others, opened]).sort("$row", "part").drop("$row")


def _messages(held: str) -> list[list[str | None]]:
    """The fields of each message of a model in a list; none where `held` is something else."""
    try:
        found = loads(held)
    except ValueError:
        return []
    messages = found if isinstance(found, list) else []
    return [[as_text(find(message, path)) for path in _MESSAGE] for message in messages if _is_models(message)]


def _is_models(message: Any) -> bool:
    return isinstance(message, dict) and message.get("type") == "gemini"


def _with_last_counts(read: pl.DataFrame) -> pl.DataFrame:
    """Each message with the counts that were told of it last."""
    told = pl.any_horizontal(pl.col(path).is_not_null() for path in _COUNTS.values())
    last = pl.struct(_COUNTS.values()).filter(told).last().over("content_id", "id")
    known = pl.col("id").is_not_null() & told.any().over("content_id", "id")
    counts = {path: pl.when(known).then(last.struct.field(path)).otherwise(path) for path in _COUNTS.values()}
    return read.with_columns(**counts)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    header = {f"${name}": text(name).forward_fill().over("content_id") for name in _HEADER}
    read = _with_last_counts(typed(_with_parts(lines.with_columns(**header)), _KINDS))
    columns = {
        **gemini_cli_usage.columns(_COUNTS),
        "part": pl.col("part"),
        "provider": pl.lit("google"),
        "model": text("model"),
        "response_id": text("id"),
        "called_at": pl.col("timestamp"),
        "status": pl.lit("success"),
        "action_id": pl.col("$sessionId"),
        "feature": pl.col("$projectHash"),
    }
    other = (pl.col("type") != "gemini").fill_null(True)
    return to_calls(read, "gemini_cli", columns, other=other, total=pl.col(_COUNTS["total"]))


GEMINI_CLI = Shape("gemini_cli", _FIELDS, matcher("gemini_cli"), calls, frame="history")

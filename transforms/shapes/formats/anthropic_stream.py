"""Anthropic's stream events, one a line: bare as the SDK has them, or as server-sent events are logged, {"event": ...,
"data": {...}} with `data` as an object or a text.

A message is what lies between its `message_start` and its `message_stop`. Only the start names it (id, model) and
splits its cache writes by lifetime; only a `message_delta` tells its output: the start's is provisional (1 to 8
tokens) and is not read, so that of a stream that broke off the output is unknown. A delta's counts are cumulative and
hold for the whole message, never to be added to the start's: they replace them where they are told. Each of these lines
is a telling of the call, with the message's id; all other events tell of none.

An `error` event within a message is that message's, and ends it; another is a call without an answer, and since the
HTTP answer was 200 it is no refusal. Streams must lie one after another: events name no message, so interleaved ones
cannot be told apart, but a delta outside of a message shows itself. A line that cannot be read may have been the start
of another message, whatever it begins with (a crash leaves half a line, and the next one is written behind it): what
follows is of no known message until one starts, and the message before it is one that broke off. Events have no time;
what a logger writes beside them is read, the start's for the whole message. Source: Anthropic API reference
(streaming), types of its Python SDK 2.12.
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage, exchange
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher
from transforms.shapes.unread import before as unread_before

_USAGE = anthropic_usage.fields("usage")
_OF_OUTPUT = ("usage.output_tokens", "usage.output_tokens_details.thinking_tokens", "usage.iterations")
_EVENT = ("type", "request_id", "message.id", "message.model", *(f"message.{path}" for path in _USAGE), *_USAGE)
_FIELDS = (*exchange.TIMES, *_EVENT, *(f"data>{path}" for path in _EVENT))
_KINDS = {"time": INSTANT_KINDS["any"], **anthropic_usage.kinds("usage")}
_MESSAGE = ("content_id", "$message")
UNSURE = "it is not known which message it tells of: a line after the last start cannot be read"


def _unwrapped(lines: pl.DataFrame) -> pl.DataFrame:
    inside = [path for path in _EVENT if lines[f"data>{path}"].null_count() < lines.height]
    return lines.with_columns(*(pl.coalesce(f"data>{path}", path).alias(path) for path in inside))


def _of_messages(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with what the start of their message tells, `is_open`, whether they lie within one, and `is_unsure`,
    whether that cannot be known."""
    begins, stops, fails = (
        pl.col("type").eq_missing(pl.lit(event)) for event in ("message_start", "message_stop", "error")
    )
    lines = lines.with_columns(begins.cum_sum().over("content_id").alias("$message"))
    ends = (stops | fails).cast(pl.UInt32)
    is_within = (pl.col("$message") > 0) & (ends.cum_sum().over(_MESSAGE) == ends)
    unread = unread_before(lines)
    is_unsure = is_within & (unread > unread.first().over(_MESSAGE))
    lines = lines.with_columns(is_open=is_within & ~is_unsure, is_unsure=is_unsure)

    def of_start(path: str) -> pl.Expr:
        first = pl.when(begins).then(path).first().over(_MESSAGE)
        return pl.when("is_open").then(first)

    counts = {path: pl.coalesce(path, of_start(f"message.{path}")) for path in _USAGE if path not in _OF_OUTPUT}
    names = {path: of_start(path) for path in ("message.id", "message.model")}
    own_time = pl.coalesce(exchange.TIMES)
    lines = lines.with_columns(time=own_time)
    return lines.with_columns(**counts, **names, time=pl.coalesce(of_start("time"), "time"))


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = _of_messages(_unwrapped(lines)).with_row_index("$event")
    begins, is_delta, is_error = (
        pl.col("type").eq_missing(pl.lit(event)) for event in ("message_start", "message_delta", "error")
    )
    tells = begins | is_delta | is_error
    # without an id the tellings of a message would pass for calls of their own: only the last one counts
    last = pl.when(tells & pl.col("is_open")).then("$event").max().over(_MESSAGE)
    is_surpassed = pl.col("is_open") & pl.col("message.id").is_null() & (pl.col("$event") < last)
    broke_off = (is_error & pl.col("is_open")).any().over(_MESSAGE) & pl.col("is_open")
    lines = lines.with_columns(
        is_other=pl.col("type").str.contains(r"^(message_|content_block_|ping$)") & (~tells | is_surpassed),
        is_lost=is_delta & ~pl.col("is_open"),
        is_event=tells | pl.col("type").str.contains(r"^(message_|content_block_|ping$)"),
        failed=broke_off | is_error,
    )
    lines = anthropic_usage.opened(lines, "usage", "message.model")
    own_id = pl.when("is_open").then(text("message.id")).otherwise(text("request_id"))
    columns = {
        **anthropic_usage.columns("usage"),
        "part": pl.col("part"),
        "provider": pl.lit("anthropic"),
        "model": text("message.model"),
        "response_id": anthropic_usage.part_id(own_id, "message.model"),
        "called_at": pl.col("time"),
        "status": pl.when("failed").then(pl.lit("error")).otherwise(pl.lit("success")),
    }
    reasons = {
        "not an event of a stream": ~pl.col("is_event").fill_null(False),
        UNSURE: pl.col("is_unsure") & (is_delta | is_error),
        "tells of a message whose start is not before it": pl.col("is_lost"),
    }
    return to_calls(
        typed(lines, _KINDS),
        "anthropic_stream",
        columns,
        other=pl.col("is_other").fill_null(False),
        reasons=reasons,
        guards=anthropic_usage.guards("usage"),
    )


ANTHROPIC_STREAM = Shape("anthropic_stream", _FIELDS, matcher("anthropic_stream"), calls, frame="history")

"""OpenTelemetry: spans and log records in OTLP JSON, of any instrumentation of model calls that we know.

Which spans are calls is told span by span (otel_dialects), and which of several spans of one call counts (otel_trees);
all others are "other". Counts, by dialect:

- Input includes cached tokens by convention. Some older instrumentations of Anthropic leave them out: that is mended
  where it is proven, by cached tokens that exceed the input or by Anthropic's own uncached count. A total that holds
  the cached tokens on top makes it likely only, and is flagged. Claude Code's input is without them always.
- Output includes reasoning by convention; where the total shows that it comes on top (Gemini) it is added. Gemini CLI's
  output leaves out thoughts, its input leaves out what tools put into the prompt.
- A span without usage (a stream whose client asked for none) is a call of unknown usage.

A collector may write metrics into the same file. They are sums and histograms of tokens over many calls, tell of no
single one, and repeat what spans and events tell: never a source.

Identity: the provider's response id. Claude Code: the id of the HTTP request. Gemini CLI: session, prompt and time. A
span that tells none is known by its trace and span id: a span id is unique within its trace only.

The action is the conversation or session, else the trace. `called_at` is a span's start, but an event's own time, which
is when the answer was there. A span that does not name the model that served it has the model that was asked for. The
status is that of the span: an error that is an HTTP status, or one of the classes of the OpenAI and Anthropic SDKs that
stand for one, was refused.

Source: OpenTelemetry GenAI semantic conventions and those of otel_attributes; measured with the instrumentations of
OpenLLMetry, OpenInference, OpenTelemetry and the AI SDK 5 to 7.
"""

from dataclasses import replace

import polars as pl

from transforms.shapes.dialects import otel_dialects, otel_trees, otlp
from transforms.shapes.dialects.otel_attributes import COUNTS, DETAILS, INHERITED, KEYS
from transforms.shapes.fields import CODE, COUNT, MILLISECONDS, USD, is_refusal, known_sum, text, to_calls, typed
from transforms.shapes.guards import AMBIGUOUS, CACHE_OUTSIDE, SPLIT_EXCEEDS, with_cache_outside, without_lifetime
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

UNREADABLE = "neither spans nor log records of OTLP"
AGGREGATES = "metrics are aggregates, not calls"
_KINDS = {
    **dict.fromkeys((*COUNTS, "uncached", "web_searches"), COUNT),
    "cost": USD,
    "status_code": CODE,
    "duration_ms": MILLISECONDS,
    "at": INSTANT_KINDS["any"],
    "endTimeUnixNano": replace(INSTANT_KINDS["any"], lenient=True),
}
# Exceptions of both SDKs that stand for an HTTP error. Source: openai-python and anthropic-sdk-python.
_REFUSALS = r"(RateLimit|BadRequest|Authentication|PermissionDenied|NotFound|Conflict|UnprocessableEntity)Error$"


def opened(lines: pl.DataFrame, attributes: tuple[str, ...]) -> pl.DataFrame:
    asked = {f"@{path}": (otlp.key_of(path),) for path in attributes}
    spans = otlp.opened(lines.drop(asked, strict=False), {**KEYS, **asked}, {**INHERITED, **asked})
    return otel_dialects.with_details(otel_dialects.classified(spans))


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    spans = lines if "signal" in lines.columns else _opened_late(lines)
    asked = [name for name in spans.columns if name.startswith("@")]
    resource = {name: f"resource:{name}" for name in (*INHERITED, *asked) if f"resource:{name}" in spans.columns}
    spans = otel_trees.inherited(spans, [*INHERITED, *asked], resource)
    # of the spans of one call, one that is inside another span is in the trace of the work that the call was for
    in_trace = pl.when(pl.col("parentSpanId") != "").then("traceId")
    spans = spans.with_columns(provider=otel_dialects.provider(), response_id=_response_id(), in_trace=in_trace)
    kept = [*INHERITED, *asked, *DETAILS, "in_trace", "reasoning", "web_searches"]
    spans = otel_trees.one_telling(spans, kept, [*COUNTS, "tier", "response_id"])
    # a mistake in a span that tells of no call is none of ours
    at = pl.when("is_call").then(pl.coalesce("event_time", "startTimeUnixNano"))
    read = typed(spans.with_columns(at=at), _KINDS)
    outside, likely = _counted_outside()
    aggregates = pl.col("is_metrics") & pl.col("signal").is_null()
    return to_calls(
        read.with_columns(outside=outside, likely=likely),
        "otel",
        _columns(),
        other=~pl.col("is_call") & ~pl.col("is_unreadable") & ~aggregates,
        strange=pl.col("is_strange"),
        reasons={UNREADABLE: pl.col("is_unreadable"), AGGREGATES: aggregates},
        guards={CACHE_OUTSIDE: pl.col("outside"), AMBIGUOUS: pl.col("likely"), SPLIT_EXCEEDS: _cached()[3]},
        total=pl.when(~pl.col("outside") & ~pl.col("likely") & (pl.col("dialect") != "claude_code")).then("total"),
    )


def _opened_late(lines: pl.DataFrame) -> pl.DataFrame:
    """Lines that a log of several formats hands over as they are, with what the user's rules found in them."""
    found = {name: lines[name] for name in lines.columns if name.startswith("@")}
    spans = opened(lines.rename({name: f"^{name}" for name in found}), tuple(name[1:] for name in found))
    return spans.with_columns(pl.coalesce(f"^{name}", name).alias(name) for name in found).drop(f"^{n}" for n in found)


def _response_id() -> pl.Expr:
    """The provider's id, or that of the event's own log."""
    by_prompt = pl.concat_str(text("action_id").fill_null(""), "prompt_id", "event_time", separator=":")
    return (
        pl.when(pl.col("dialect") == "claude_code")
        .then(text("request_id", "response_id"))
        .when(pl.col("dialect") == "gemini_cli")
        .then(pl.coalesce(text("response_id"), by_prompt))
        .otherwise(text("response_id"))
    )


def _id_of_record() -> pl.Expr:
    is_log = pl.col("signal") == "log"
    of_event = pl.concat_str("action_id", pl.coalesce("sequence", "event_time", "startTimeUnixNano"), separator=":")
    return pl.when(is_log).then(of_event).otherwise(pl.concat_str("traceId", "spanId", separator=":"))


def _cached() -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """(cache reads, all cache writes, those of unknown lifetime, whether those of known lifetimes exceed all)"""
    split = known_sum(pl.col("cache_write_5m"), pl.col("cache_write_1h"))
    rest, exceeds = without_lifetime(pl.coalesce("cache_write", split), split)
    return pl.col("cache_read"), known_sum(split, rest), rest, exceeds


def _counted_outside() -> tuple[pl.Expr, pl.Expr]:
    """(whether cached tokens exceed the input, whether the total makes it likely that the input is without them)"""
    read, written, *_ = _cached()
    cached = known_sum(read, written)
    _, outside = _mended()
    by_convention = pl.col("dialect").is_in(("ai", "openinference", "gen_ai"))
    on_top = pl.col("total") == pl.col("input") + pl.col("output") + cached
    likely = (cached > 0) & on_top & ~outside & ~_told_uncached()
    return (outside & by_convention & ~_told_uncached()), (likely & by_convention).fill_null(False)


def _mended() -> tuple[pl.Expr, pl.Expr]:
    read, written, *_ = _cached()
    return with_cache_outside(pl.col("input"), read, written, output=pl.col("output"), total=pl.col("total"))


def _told_uncached() -> pl.Expr:
    read, written, *_ = _cached()
    return ((pl.col("uncached") == pl.col("input")) & (known_sum(read, written) > 0)).fill_null(False)


def _input() -> pl.Expr:
    read, written, *_ = _cached()
    counted = pl.col("input")
    exclusive = _told_uncached() | (pl.col("dialect") == "claude_code")
    return (
        pl.when("outside")
        .then(_mended()[0])
        .when(exclusive)
        .then(counted + pl.sum_horizontal(read, written))
        .when(pl.col("dialect") == "gemini_cli")
        .then(counted + pl.col("tool").fill_null(0))  # told only where tools were used
        .otherwise(counted)
    )


def _output() -> pl.Expr:
    counted, reasoning = pl.col("output"), pl.col("reasoning")
    on_top = (reasoning > 0) & (pl.col("total") == pl.col("input") + counted + reasoning)
    without = (pl.col("dialect") == "gemini_cli") | on_top.fill_null(False)
    # Gemini CLI tells no thoughts where there were none
    return pl.when(without).then(counted + reasoning.fill_null(0)).otherwise(counted)


def _status() -> pl.Expr:
    """An answer that was counted is none that was refused."""
    told = pl.col("error").fill_null("")
    code = pl.coalesce("status_code", told.str.extract(r"^(\d{3})$").cast(pl.Int64))
    refused = (is_refusal(code) | told.str.contains(_REFUSALS)) & ~pl.col("has_usage")
    failed = (
        pl.col("status").is_in(("2", "STATUS_CODE_ERROR")).fill_null(False)
        | ~told.is_in(("", "false"))
        | pl.col("name").str.ends_with(".api_error").fill_null(False)
        | pl.col("event").str.ends_with(".api_error").fill_null(False)
    )
    answered = pl.when(failed).then(pl.lit("error")).otherwise(pl.lit("success"))
    return pl.when(refused).then(pl.lit("refused")).otherwise(answered)


def _columns() -> dict[str, pl.Expr]:
    span_seconds = (pl.col("endTimeUnixNano") - pl.col("at")).dt.total_microseconds() / 10**6
    return {
        "part": pl.col("part"),
        "provider": pl.col("provider"),
        "model": text("model", "model_requested"),
        "model_requested": text("model_requested"),
        "response_id": pl.coalesce(text("response_id"), _id_of_record()),
        "called_at": pl.col("at"),
        "status": _status(),
        "service_tier": pl.when(pl.col("tier") != "normal").then("tier"),  # Claude Code's speed is fast or normal
        "latency_seconds": pl.coalesce(pl.when(span_seconds >= 0).then(span_seconds), "duration_ms"),
        "recorded_cost_pico": pl.col("cost"),
        "input_tokens": _input(),
        "cache_read_tokens": pl.col("cache_read"),
        "cache_write_5m_tokens": pl.col("cache_write_5m"),
        "cache_write_1h_tokens": pl.col("cache_write_1h"),
        "cache_write_other_tokens": _cached()[2],
        "output_tokens": _output(),
        "reasoning_tokens": pl.col("reasoning"),
        "input_audio_tokens": pl.col("input_audio"),
        "output_audio_tokens": pl.col("output_audio"),
        "input_image_tokens": pl.col("input_image"),
        "output_image_tokens": pl.col("output_image"),
        "input_video_tokens": pl.col("input_video"),
        "web_search_count": pl.col("web_searches"),
        "action_id": text("action_id", "in_trace", "traceId"),
        **{name: text(name) for name in INHERITED if name != "action_id"},
    }


OTEL = Shape("otel", otlp.FIELDS, matcher("otel"), calls, opened, frame="log")

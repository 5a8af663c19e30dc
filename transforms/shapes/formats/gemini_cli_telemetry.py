"""Gemini CLI's telemetry file (`telemetry.outfile`): OpenTelemetry records as JSON objects one after another, printed
over several lines each.

A call is an event `gemini_cli.api_response`, or `gemini_cli.api_error` where no answer came; it stands there again as
`gen_ai.client.inference.operation.details` and as a span, which are left out. `prompt_id` is a prompt's, shared by all
calls that it took: a call is known by session, prompt and time. Session files (see gemini_cli) tell of the same calls
under other ids: read one or the other. The action is the session.
Source: google-gemini/gemini-cli, packages/core/src/telemetry.
"""

import polars as pl

from transforms.shapes.dialects import gemini_cli_usage
from transforms.shapes.fields import CODE, COUNT, MILLISECONDS, is_refusal, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher


def _attribute(name: str) -> str:
    return f'attributes."{name}"'


_COUNTS = {
    "input": _attribute("input_token_count"),
    "output": _attribute("output_token_count"),
    "cached": _attribute("cached_content_token_count"),
    "thoughts": _attribute("thoughts_token_count"),
    "tool": _attribute("tool_token_count"),
    "total": _attribute("total_token_count"),
}
_EVENT, _TIME, _SESSION = _attribute("event.name"), _attribute("event.timestamp"), _attribute("session.id")
_MODELS = (_attribute("model"), _attribute("model_name"))  # of answers; of errors
_PROMPT, _USER = _attribute("prompt_id"), _attribute("user.email")
_DURATION, _STATUS = _attribute("duration_ms"), _attribute("status_code")
_ERROR = "gemini_cli.api_error"
_FIELDS = (_EVENT, _TIME, _SESSION, *_MODELS, _PROMPT, _USER, _DURATION, _STATUS, *_COUNTS.values())
_KINDS = {
    _TIME: INSTANT_KINDS["any"],
    _DURATION: MILLISECONDS,
    _STATUS: CODE,
    **dict.fromkeys(_COUNTS.values(), COUNT),
}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    # without a time nothing tells the calls of a prompt apart
    identity = pl.concat_str(text(_SESSION).fill_null(""), text(_PROMPT), text(_TIME), separator=":")
    read = typed(lines.with_columns(identity=identity), _KINDS)
    failed = pl.when(is_refusal(pl.col(_STATUS))).then(pl.lit("refused")).otherwise(pl.lit("error"))
    columns = {
        **gemini_cli_usage.columns(_COUNTS),
        "provider": pl.lit("google"),
        "model": text(*_MODELS),
        "response_id": pl.col("identity"),
        "called_at": pl.col(_TIME),
        "status": pl.when(pl.col(_EVENT) == _ERROR).then(failed).otherwise(pl.lit("success")),
        "latency_seconds": pl.col(_DURATION),
        "action_id": text(_SESSION),
        "user_id": text(_USER),
    }
    other = ~pl.col(_EVENT).is_in(["gemini_cli.api_response", _ERROR]).fill_null(False)
    return to_calls(read, "gemini_cli_telemetry", columns, other=other, total=pl.col(_COUNTS["total"]))


GEMINI_CLI_TELEMETRY = Shape("gemini_cli_telemetry", _FIELDS, matcher("gemini_cli_telemetry"), calls)

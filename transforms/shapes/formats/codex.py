"""Codex CLI's session files, `~/.codex/sessions/<year>/<month>/<day>/rollout-*.jsonl`: {timestamp, type, payload}.

Newer versions write a `token_usage_record` for each response, with its id. A file that has one counts by these alone,
but for calls that an older version wrote before: they stand within the counter that the first record starts from. Older
versions write `token_count` events: `total_token_usage` is the thread's counter, `last_token_usage` the last response.
An event with a counter that was there before is written for rate limits, compactions or a resumption, one without
`info` too. Events that tell of no tokens mark a full context window.

A fork or a subagent begins with its parent's history: a copy of all its lines or of some, mostly with new timestamps;
or with nothing but its counter. So a file of such a thread never counts steps between counters, only
`last_token_usage`; and an event is known by its turn (`turn_id` is unique, and copies keep it) and the counter, so
that the copy and the original are one call, whichever is read first and even where the parent is gone. Files from
before `turn_id` know it by the thread at the root instead, the parent of the last `session_meta` before the first
usage (a copied history has its own). Events of a fork before its first turn are what it was handed.

The action is the session, which subagents share, the feature the folder that it worked in. Nothing tells a user.
Source: openai/codex (codex-rs/protocol, codex-rs/core/src/agent/control/spawn.rs); ccusage#897, #950, #1288;
tokscale#679; CodexBar#3524; PokeTokenBar#132.
"""

import polars as pl

from transforms.shapes.dialects import codex_usage
from transforms.shapes.fields import last_step, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_LOG = ("content_id",)
_COUNTER = "payload.info.total_token_usage"
_LAST = "payload.info.last_token_usage"
_RECORD = "payload.usage"
_RECORD_COUNTER = "payload.thread_token_usage"
_USAGES = (_COUNTER, _LAST, _RECORD, _RECORD_COUNTER)
_PAYLOAD = (
    "type",
    "id",
    "session_id",
    "thread_id",
    "turn_id",
    "response_id",
    "forked_from_id",
    "parent_thread_id",
    "source",
    "cwd",
    "model",
    "model_provider",
)
_FIELDS = (
    "timestamp",
    "type",
    *(f"payload.{name}" for name in _PAYLOAD),
    *(path for usage in _USAGES for path in codex_usage.fields(usage)),
)
_KINDS = {"timestamp": INSTANT_KINDS["any"]}
for _usage in _USAGES:
    _KINDS |= codex_usage.kinds(_usage)
_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"  # turns were numbers once, each thread with its own 1
_PARENT_IN_SOURCE = r'"parent_thread_id"\s*:\s*"([^"]+)"'  # source is a word, or {"subagent": {"thread_spawn": ...}}
# `model_provider` is a name in the user's settings; another than these is some gateway to OpenAI
_PROVIDERS = {"azure": "azure", "ollama": "ollama", "lmstudio": "lmstudio", "amazon-bedrock": "aws"}


def _with_kinds_of_line(lines: pl.DataFrame) -> pl.DataFrame:
    kind, event = pl.col("type"), pl.col("payload.type")
    lines = lines.with_columns(
        is_meta=(kind == "session_meta").fill_null(False),
        is_context=(kind == "turn_context").fill_null(False),
        is_start=((kind == "event_msg") & event.is_in(["task_started", "turn_started"])).fill_null(False),
        is_record=(kind == "token_usage_record").fill_null(False),
        is_event=((kind == "event_msg") & (event == "token_count")).fill_null(False)
        & (codex_usage.is_told(_COUNTER) | codex_usage.is_told(_LAST)),
        parent=pl.coalesce(
            text("payload.forked_from_id", "payload.parent_thread_id"),
            pl.col("payload.source").str.extract(_PARENT_IN_SOURCE),
        ),
    )
    before_usage = (pl.col("is_record") | pl.col("is_event")).cum_sum().over(_LOG) == 0
    return lines.with_columns(is_head=pl.col("is_meta") & before_usage)


def _latest(path: str, holds: str) -> pl.Expr:
    return pl.when(holds).then(text(path)).forward_fill().over(_LOG)


def _with_thread(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with what is known of the thread at each of them."""
    head, turn = pl.col("is_head"), text("payload.turn_id")
    root = pl.coalesce("parent", text("payload.id")).filter(head).last()
    lines = lines.with_columns(is_turn=pl.col("is_context") | pl.col("is_start"))
    return lines.with_columns(
        root=root.over(_LOG),
        is_fork=(head & pl.col("parent").is_not_null()).any().over(_LOG),
        session=pl.coalesce(text("payload.session_id"), text("payload.id")).filter("is_meta").first().over(_LOG),
        provider=text("payload.model_provider").filter("is_meta").first().over(_LOG),
        model=_latest("payload.model", "is_context"),
        cwd=pl.when(pl.col("is_context") | pl.col("is_meta")).then(text("payload.cwd")).forward_fill().over(_LOG),
        turn=pl.when(pl.col("is_turn") & turn.str.contains(_UUID)).then(turn).forward_fill().over(_LOG),
        has_turns=(pl.col("is_turn") & turn.str.contains(_UUID)).any().over(_LOG),
    )


def _is_call() -> pl.Expr:
    usage = _usage_of_event()
    first_record = pl.col(f"{_RECORD_COUNTER}.input_tokens") - pl.col(f"{_RECORD}.input_tokens")
    start = first_record.filter("is_record").first().over(_LOG)
    is_older = (pl.col(f"{_COUNTER}.input_tokens") <= start) & (pl.col("is_record").cum_sum().over(_LOG) == 0)
    by_records = pl.col("is_record").any().over(_LOG) & (pl.col("is_fork") | ~is_older.fill_null(False))
    is_handed = pl.col("is_fork") & pl.col("has_turns") & pl.col("turn").is_null()
    is_empty = ((usage["input_tokens"] == 0) & (usage["output_tokens"] == 0)).fill_null(False)
    tally = pl.when("is_event").then(codex_usage.tally(_COUNTER))
    is_new = tally.is_null() | tally.is_first_distinct().over(_LOG)
    is_event = pl.col("is_event") & is_new & ~by_records & ~is_handed & ~is_empty
    return pl.col("is_record") | is_event.fill_null(False)


def _usage_of_event() -> codex_usage.Usage:
    """The step between counters, or the last usage where a step would be no call."""
    step, last = codex_usage.step(_COUNTER), codex_usage.at(_LAST)
    no_step = codex_usage.is_first() | codex_usage.is_restarted(_COUNTER) | pl.col("is_fork")
    is_last = codex_usage.tally(_LAST).is_not_null() & (no_step | codex_usage.tally(_COUNTER).is_null())
    return {name: pl.when(is_last).then(last[name]).otherwise(step[name]) for name in step}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    read = _with_thread(typed(_with_kinds_of_line(lines), _KINDS))
    read = codex_usage.with_before(read, _COUNTER, pl.col("is_event"), _LOG)
    record, event = codex_usage.at(_RECORD), _usage_of_event()
    usage = {name: pl.when("is_record").then(record[name]).otherwise(event[name]) for name in event}
    by_state = pl.coalesce("turn", "root") + ":" + codex_usage.tally(_COUNTER)
    columns = {
        **codex_usage.columns(usage),
        "provider": pl.col("provider").replace_strict(_PROVIDERS, default="openai", return_dtype=pl.String),
        "model": pl.col("model"),
        "response_id": pl.when("is_record").then(text("payload.response_id")).otherwise(by_state),
        "called_at": pl.col("timestamp"),
        "status": pl.lit("success"),
        "action_id": pl.coalesce(pl.col("session"), text("payload.session_id", "payload.thread_id")),
        "feature": last_step(pl.col("cwd")),
    }
    return to_calls(read.with_columns(is_call=_is_call()), "codex", columns, other=~pl.col("is_call"),
                    strange=pl.col("type").is_null(), total=usage[codex_usage.TOTAL])  # fmt: skip


CODEX = Shape("codex", _FIELDS, matcher("codex"), calls, frame="history")

"""Langfuse's `usage_details`: an open set of keys, each with a count; what they are to each other the log does not say.

By design the keys are disjoint buckets, whose sum is `total`. Many integrations write an input that includes the cached
tokens (or an output that includes reasoning) beside keys for these, so what is right is decided row by row:

- cached tokens that exceed the input are not in it;
- else `total` tells, where it is the sum with the parts of the input, of the output or of both left out: an app's;
- else the design holds, but it is a guess where there are cached tokens (AMBIGUOUS), or reasoning that does not exceed
  the output (AMBIGUOUS_OUTPUT): a total that is the sum of all keys proves nothing, as Langfuse writes it itself where
  the app gave none, whatever the keys are to each other.

A Claude model's reads under OpenAI's name (`input_cached_tokens`) come through an adapter, and adapters count its input
with the cache in it, though Langfuse's sum adds both: the input is left as told, AMBIGUOUS too.

One number may be there under several names (integrations write each provider's): the first counts, never their sum. A
key that is not known here counts as a part of the input or the output where its name begins so.
Source: Langfuse's ingestion of OpenAI, Anthropic, Vertex and LangChain usage; issues 9386, 10592 and 12306.
"""

import json
from typing import Any

import polars as pl

from transforms.shapes.fields import COUNT, Kind, as_count, known_sum
from transforms.shapes.guards import AMBIGUOUS, AMBIGUOUS_OUTPUT, TOTAL_DIFFERS
from transforms.shapes.paths import as_text, loads

_OPENAI_READ = "input_cached_tokens"
_NAMES = {
    "input": ("input", "input_tokens", "prompt_tokens", "prompt_token_count", "promptTokens", "prompt"),
    "read": (_OPENAI_READ, "input_cache_read", "cache_read_input_tokens", "input_cache_read_tokens",
             "input_cache_read_input_tokens", "cached_content_token_count", "cached_tokens", "cache_read",
             "input_cached"),
    "written": ("input_cache_creation", "cache_creation_input_tokens", "input_cache_creation_tokens",
                "input_cache_creation_input_tokens", "input_cache_write", "input_cache_write_tokens",
                "cache_write_input_tokens", "cache_creation", "cache_write"),
    "short": ("input_cache_creation_5m", "input_cache_creation_5m_tokens", "input_ephemeral_5m_input_tokens",
              "ephemeral_5m_input_tokens"),
    "long": ("input_cache_creation_1h", "input_cache_creation_1h_tokens", "input_ephemeral_1h_input_tokens",
             "ephemeral_1h_input_tokens"),
    "audio": ("input_audio_tokens", "input_audio", "input_modality_AUDIO", "input_modality_audio"),
    "image": ("input_image_tokens", "input_image", "input_modality_IMAGE", "input_modality_image"),
    "video": ("input_video_tokens", "input_video", "input_modality_VIDEO", "input_modality_video"),
    "text": ("input_text_tokens", "input_text", "input_modality_TEXT", "input_modality_text"),
    "read_audio": ("cached_modality_AUDIO", "input_cached_audio", "input_cached_audio_tokens"),
    "read_text": ("cached_modality_TEXT", "input_cached_text", "input_cached_text_tokens"),
    "output": ("output", "output_tokens", "completion_tokens", "candidates_token_count", "completionTokens",
               "completion"),
    "reasoning": ("output_reasoning_tokens", "output_reasoning", "reasoning_tokens", "thoughts_token_count"),
    "spoken": ("output_audio_tokens", "output_audio", "output_modality_AUDIO", "output_modality_audio"),
    "drawn": ("output_image_tokens", "output_image", "output_modality_IMAGE", "output_modality_image"),
    "total": ("total", "total_tokens", "totalTokens", "total_token_count"),
    "searches": ("web_search_requests", "server_tool_use_web_search_requests", "input_web_search_requests"),
    "input_rest": ("input_*",),
    "output_rest": ("output_*",),
}  # fmt: skip
_KEYS = tuple(key for names in _NAMES.values() for key in names)
_REST = ("input", "output")

_KEY = "|".join(key for key in _KEYS if "*" not in key)
_PAIR = rf'[ \n]*"(?:{_KEY})"[ \n]*:[ \n]*(?:0|[1-9]\d{{0,8}}|"\d{{1,9}}")[ \n]*'
_PLAIN = rf"^\{{(?:{_PAIR}(?:,{_PAIR})*|[ \n]*)\}}$"

_NO_COUNT = "not a count"
_USAGE = "usage_details."
KINDS: dict[str, Kind] = dict.fromkeys((f"{_USAGE}{name}" for name in _NAMES), COUNT)


def opened(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with a text column for each of KINDS, and `is_renamed_read`, from their column `usage_details`."""
    plain = _all_plain(lines["usage_details"])
    decoded = plain.str.json_decode(pl.Struct(dict.fromkeys(_KEYS, pl.String))).struct.unnest()
    read = decoded.select(
        pl.col(_OPENAI_READ).is_not_null().alias("is_renamed_read"),
        *(pl.coalesce(names).alias(f"{_USAGE}{name}") for name, names in _NAMES.items()),
    )
    return lines.with_columns(read)


def _all_plain(usage: pl.Series) -> pl.Series:
    """`usage` as objects of known keys and counts: as it is, but for the few that must be looked into."""
    usage = usage.replace("", None)
    odd = usage.str.contains(_PLAIN).not_().fill_null(False)
    if not odd.any():
        return usage
    return usage.replace({text: _plain(text) for text in usage.filter(odd).unique()})


def _plain(text: str) -> str:
    try:
        usage = loads(text)
    except ValueError:
        usage = text
    if not isinstance(usage, dict):
        return json.dumps({"input": _NO_COUNT})
    counts: dict[str, int | None] = {}
    for key, value in usage.items():
        name = key if key in _KEYS else next((f"{side}_*" for side in _REST if key.startswith(side)), None)
        if name and value not in (None, ""):
            known = counts.get(name, 0)  # the start of a sum
            count = _count(value)
            counts[name] = None if known is None or count is None else known + count
    return json.dumps({name: _NO_COUNT if count is None else count for name, count in counts.items()})


def _count(value: Any) -> int | None:
    return as_count(as_text(value) or "")


def _col(name: str) -> pl.Expr:
    return pl.col(f"{_USAGE}{name}")


_CACHED = ("read", "read_audio", "read_text", "written_rest", "short", "long")
_PARTS = (*_CACHED, "audio", "image", "video", "text", "input_rest")
_OUTPUT_PARTS = ("reasoning", "spoken", "drawn", "output_rest")


def decided(read: pl.DataFrame, model: str) -> pl.DataFrame:
    """`read` with what its counts are to each other: is_input_whole, is_output_whole (the parts are inside), and what
    the guards ask for."""
    read = _summed(read)
    total, bare, parts, thought = _col("total"), pl.col("bare"), pl.col("inside"), pl.col("inside_output")
    found = read.select(
        both=total == bare + parts + thought,
        input_only=total == bare + parts,
        output_only=total == bare + thought,
        neither=total == bare,
        proven=_col("input").is_null() | (pl.col("cached") > _col("input")),
        renamed=pl.col("is_renamed_read") & pl.col(model).str.contains("(?i)claude"),
        within=(_col("reasoning") > 0) & (_col("reasoning") <= _col("output")),
    )
    read = read.with_columns(found.select(pl.all().fill_null(False)))
    is_sum, leaves_out = pl.col("both") | pl.col("input_only"), pl.col("output_only") | pl.col("neither")
    inclusive = pl.when(is_sum).then("renamed").otherwise(leaves_out | pl.col("renamed"))
    is_design = pl.col("both") | ~(is_sum | leaves_out)  # what no app's total has told otherwise
    is_guess = is_design | (pl.col("renamed") & is_sum)
    return read.with_columns(
        is_input_whole=inclusive & ~pl.col("proven"),
        is_output_whole=(pl.col("input_only") | pl.col("neither")) & ~pl.col("both"),
        is_ambiguous=is_guess & ~pl.col("proven") & (pl.col("cached") > 0),
        is_output_ambiguous=is_design & pl.col("within"),
        is_total_off=~(is_sum | leaves_out) & total.is_not_null(),
    )


def _summed(read: pl.DataFrame) -> pl.DataFrame:
    split = known_sum(_col("short"), _col("long"))
    # beside its split, the sum of all writes; or, where that is more, what it does not account for
    rest = pl.when(_col("written") >= split).then(_col("written") - split).otherwise(_col("written"))
    read = read.with_columns(pl.coalesce(rest, _col("written")).alias(f"{_USAGE}written_rest"))
    return read.with_columns(
        cached=pl.sum_horizontal(map(_col, _CACHED)),
        inside=pl.sum_horizontal(map(_col, _PARTS)),
        inside_output=pl.sum_horizontal(map(_col, _OUTPUT_PARTS)),
        bare=pl.sum_horizontal(_col("input"), _col("output")),
    )


def columns() -> dict[str, pl.Expr]:
    """The call columns, of what `decided` has added."""
    whole_input = known_sum(_col("input"), *map(_col, _PARTS))
    whole_output = known_sum(_col("output"), *map(_col, _OUTPUT_PARTS))
    input_tokens = pl.when("is_input_whole").then(_col("input")).otherwise(whole_input)
    output_tokens = pl.when("is_output_whole").then(_col("output")).otherwise(whole_output)
    return {
        "input_tokens": input_tokens,
        "cache_read_tokens": known_sum(_col("read"), _col("read_audio"), _col("read_text")),
        "cache_write_5m_tokens": _col("short"),
        "cache_write_1h_tokens": _col("long"),
        "cache_write_other_tokens": _col("written_rest"),
        # an embedding has no output key; a total that is the input says that there was none
        "output_tokens": pl.coalesce(output_tokens, pl.when(_col("total") == input_tokens).then(pl.lit(0))),
        "reasoning_tokens": _col("reasoning"),
        "input_audio_tokens": _col("audio"),
        "output_audio_tokens": _col("spoken"),
        "cache_read_audio_tokens": _col("read_audio"),
        "input_image_tokens": _col("image"),
        "output_image_tokens": _col("drawn"),
        "input_video_tokens": _col("video"),
        "web_search_count": _col("searches"),
    }


GUARDS = {
    AMBIGUOUS: pl.col("is_ambiguous"),
    AMBIGUOUS_OUTPUT: pl.col("is_output_ambiguous"),
    TOTAL_DIFFERS: pl.col("is_total_off"),
}

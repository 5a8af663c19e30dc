"""Gemini's generateContent response, which several logs hold: `usageMetadata` and what is priced beside tokens.

`promptTokenCount` includes `cachedContentTokenCount`, but not the prompts of tools that Google runs
(`toolUsePromptTokenCount`), which are billed as input: all input is their sum. There are no cache writes; an explicit
cache's storage, billed by the hour, is in no response. `candidatesTokenCount` (`responseTokenCount` in the Live API)
leaves out `thoughtsTokenCount`: output is their sum, unless `totalTokenCount` proves that thoughts are inside, as some
versions had it. Counts of zero are left out of the body: where the total is the input alone, the output is 0. Each
list of details splits one of the counts by modality, cached tokens included; a document's pages are read as images.
Embeddings have no output, tell no total, and write the list of their input's details under a name of its own.

`trafficType` (Vertex) and `serviceTier` (Gemini API) tell the tier that served: ON_DEMAND_FLEX is "flex", as the price
list has it. PROVISIONED_THROUGHPUT is not billed by token.

Grounding with Google Search is billed for each distinct query that is not empty; up to Gemini 2.5 for each prompt that
was grounded, with however many queries: such a call counts 1.
Source: Gemini API reference (UsageMetadata, GroundingMetadata, document processing) and pricing page.
"""

from typing import Any

import polars as pl

from transforms.shapes.dialects.flat_lists import counted
from transforms.shapes.fields import COUNT, Kind, known_sum, text
from transforms.shapes.guards import with_cache_outside
from transforms.shapes.paths import loads

_COUNTS = (
    "promptTokenCount",
    "cachedContentTokenCount",
    "candidatesTokenCount",
    "responseTokenCount",
    "thoughtsTokenCount",
    "toolUsePromptTokenCount",
    "totalTokenCount",
)
_OF_EMBEDDINGS = "promptTokenDetails"
_OF_INPUT = ("promptTokensDetails", _OF_EMBEDDINGS, "toolUsePromptTokensDetails")
_OF_CACHE = ("cacheTokensDetails",)
_OF_OUTPUT = ("candidatesTokensDetails", "responseTokensDetails")
_DETAILS = (*_OF_INPUT, *_OF_CACHE, *_OF_OUTPUT)
_MODALITIES = {
    **dict.fromkeys(_OF_INPUT, ("AUDIO", "IMAGE", "DOCUMENT", "VIDEO")),
    **dict.fromkeys(_OF_CACHE, ("AUDIO",)),
    **dict.fromkeys(_OF_OUTPUT, ("AUDIO", "IMAGE")),
}
BODY = (
    "responseId",
    "createTime",
    "modelVersion",
    "candidates",
    *(f"usageMetadata.{name}" for name in (*_COUNTS, *_DETAILS, "trafficType", "serviceTier")),
)
_BY_MODALITY = tuple(f"usageMetadata.{name}.{modality}" for name, held in _MODALITIES.items() for modality in held)
KINDS: dict[str, Kind] = {f"usageMetadata.{name}": COUNT for name in _COUNTS} | dict.fromkeys(_BY_MODALITY, COUNT)


def opened(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` (columns BODY) with a column for each modality of each list of details, and `searches`."""
    counts = (counted(path.rpartition(".")[0], path.rpartition(".")[2], "token_?[cC]ount") for path in _BY_MODALITY)
    named = (count.alias(path) for count, path in zip(counts, _BY_MODALITY, strict=True))
    return lines.with_columns(*named, searches=_searches(lines["candidates"]))


def columns() -> dict[str, pl.Expr]:
    """The call columns that a response tells."""
    return {
        "model": text("modelVersion").str.extract(r"([^/]+)/*$"),
        "service_tier": _tier(),
        "input_tokens": _input()[0],
        "cache_read_tokens": _count("cachedContentTokenCount"),
        "output_tokens": _output(),
        "reasoning_tokens": _count("thoughtsTokenCount"),
        "input_audio_tokens": _of_modality("AUDIO", *_OF_INPUT),
        "output_audio_tokens": _of_modality("AUDIO", *_OF_OUTPUT),
        "cache_read_audio_tokens": _of_modality("AUDIO", *_OF_CACHE),
        "input_image_tokens": known_sum(_of_modality("IMAGE", *_OF_INPUT), _of_modality("DOCUMENT", *_OF_INPUT)),
        "output_image_tokens": _of_modality("IMAGE", *_OF_OUTPUT),
        "input_video_tokens": _of_modality("VIDEO", *_OF_INPUT),
        "web_search_count": pl.when(pl.col("modelVersion").str.contains(r"gemini-[12]\b"))
        .then(pl.col("searches").clip(0, 1))
        .otherwise("searches"),
    }


def total() -> pl.Expr:
    return _count("totalTokenCount")


def is_cache_outside() -> pl.Expr:
    return _input()[1]


def answered() -> pl.Expr:
    """Whether there is a response at all; one that was blocked has no candidates, but usage."""
    return pl.any_horizontal(
        text("responseId", "candidates").is_not_null(), _count("promptTokenCount").is_not_null()
    ).fill_null(False)


def _count(name: str) -> pl.Expr:
    return pl.col(f"usageMetadata.{name}")


def _prompt() -> pl.Expr:
    return _count("promptTokenCount") + _count("toolUsePromptTokenCount").fill_null(0)  # absent: no tool was run


def _input() -> tuple[pl.Expr, pl.Expr]:
    return with_cache_outside(_prompt(), _count("cachedContentTokenCount"))


def _output() -> pl.Expr:
    answer = pl.coalesce(_count("candidatesTokenCount"), _count("responseTokenCount"))
    thoughts = _count("thoughtsTokenCount")
    are_inside = (thoughts > 0) & (total() == _prompt() + answer)
    is_embedding = text(f"usageMetadata.{_OF_EMBEDDINGS}").is_not_null()
    nothing = pl.when((total() == _prompt()) | is_embedding).then(pl.lit(0, pl.Int64))
    return pl.when(are_inside).then(answer).otherwise(pl.coalesce(known_sum(answer, thoughts), nothing))


def _of_modality(modality: str, *details: str) -> pl.Expr:
    return known_sum(*(pl.col(f"usageMetadata.{name}.{modality}") for name in details))


def _tier() -> pl.Expr:
    told = text("usageMetadata.trafficType", "usageMetadata.serviceTier").str.to_lowercase()
    return pl.when(~told.str.contains("unspecified")).then(
        told.str.strip_prefix("service_tier_").str.strip_prefix("on_demand_")
    )


def _searches(candidates: pl.Series) -> pl.Series:
    held = candidates.str.contains(r'"web_?[sS]earch_?[qQ]ueries"').fill_null(False)
    if not held.any():
        return pl.Series([None] * len(candidates), dtype=pl.Int64)
    counts = [_queries(some) if is_held else None for some, is_held in zip(candidates, held, strict=True)]
    return pl.Series(counts, dtype=pl.Int64)


def _queries(candidates: str) -> int | None:
    """How many distinct searches the candidates tell of; null where none does."""
    try:
        found = loads(candidates)
    except ValueError:
        return None
    asked: set[str] = set()
    for candidate in found if isinstance(found, list) else []:
        grounding = _either(candidate, "groundingMetadata", "grounding_metadata")
        queries = _either(grounding, "webSearchQueries", "web_search_queries")
        asked.update(query for query in (queries if isinstance(queries, list) else []) if type(query) is str and query)
    return len(asked) or None


def _either(value: Any, *keys: str) -> Any:
    return next((value[key] for key in keys if value.get(key)), None) if isinstance(value, dict) else None

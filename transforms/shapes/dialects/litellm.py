"""What LiteLLM's two logs, the logging payload of its callbacks and its spend table, have in common.

`prompt_tokens` includes cache reads and writes; older versions left some out of Anthropic's. `usage_object` repeats
each cache count under up to three names: the first one that is there is taken, never their sum. A cache hit replays
the counts of the call that filled the cache. `model` may carry LiteLLM's provider prefix. Tags "feature:...",
"customer:...", "user:...", "action:..." and "environment:..." say whom a call was for; else the first plain tag is its
feature ("User-Agent: ..." tags are LiteLLM's own). Source: payloads and rows written by LiteLLM 1.106.

A failure's counts are zeros or LiteLLM's own estimate of the prompt, not usage: they are unknown. It was refused where
its code is an HTTP error, of the provider or of the proxy, which then asked none. LiteLLM writes 408 and 504 for
time-outs, and 500 for lost connections as well as for a provider's own 500: these stay errors, as do streams that broke
off and answers that a guardrail held back. Source: LiteLLM 1.106 against servers that were made to fail.
"""

import base64
import re

import polars as pl

from transforms.schemas import ATTRIBUTES
from transforms.shapes.fields import BOOLEAN_OR_NONSENSE, CODE, COUNT, USD, Kind, is_refusal, known_sum, text
from transforms.shapes.guards import CACHE_OUTSIDE, SPLIT_EXCEEDS, with_cache_outside, without_lifetime
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.paths import loads
from transforms.shapes.providers import provider_id

FIELDS = (
    "litellm_call_id",
    "startTime",
    "endTime",
    "custom_llm_provider",
    "model",
    "model_group",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "status",
    "cache_hit",
    "request_tags",
    "end_user",
    "session_id",
)
_READ = ("prompt_tokens_details.cached_tokens", "cache_read_input_tokens")
_WRITTEN = (
    "prompt_tokens_details.cache_creation_tokens",
    "prompt_tokens_details.cache_write_tokens",
    "cache_creation_input_tokens",
)
_SHORT = "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens"
_LONG = "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens"
_OTHERS = {
    "reasoning_tokens": "completion_tokens_details.reasoning_tokens",
    "input_audio_tokens": "prompt_tokens_details.audio_tokens",
    "output_audio_tokens": "completion_tokens_details.audio_tokens",
    "web_search_count": "server_tool_use.web_search_requests",
}
_COUNTS = ("prompt_tokens", *_READ, *_WRITTEN, _SHORT, _LONG, *_OTHERS.values())
_MAY_BE_BILLED = ("Timeout", "APIConnectionError", "MidStreamFallbackError", "GuardrailRaisedException",
                  "BlockedPiiEntityError", "HTTPException")  # whatever their code  # fmt: skip
_GIVEN = ("requester_metadata", "spend_logs_metadata")  # what the caller sent along, through either door
_TAGS = {  # attribute: what a tag that tells it begins with
    "feature": "feature:",
    "user_id": "user:",
    "customer_id": "customer:",
    "action_id": "action:",
    "environment": "environment:",
}
_WRAPPED = "resp_" + base64.b64encode(b"litellm:c")[:11].decode()
_RESPONSE_ID = re.compile(r"litellm:.*response_id:([^;]+)")


def metadata_fields(metadata: str) -> tuple[str, ...]:
    """Paths within the metadata; `metadata` is "metadata." where it is an object, "metadata>" where it is JSON text."""
    usage = (*_COUNTS, "service_tier")
    keys = ("user_api_key_user_id", "user_api_key_team_alias", "user_api_key_team_id")
    return (
        *(f"{metadata}usage_object.{path}" for path in usage),
        *(f"{metadata}{given}.{name}" for given in _GIVEN for name in ATTRIBUTES),
        *(f"{metadata}{key}" for key in keys),
    )


def error_fields(error: str) -> tuple[str, ...]:
    return f"{error}error_code", f"{error}error_class"


def kinds(metadata: str, error: str, cost: str) -> dict[str, Kind]:
    instants = dict.fromkeys(("startTime", "endTime"), INSTANT_KINDS["any"])
    counts = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), COUNT)
    usage = {f"{metadata}usage_object.{path}": COUNT for path in _COUNTS}
    codes = {f"{error}error_code": CODE}
    return {**counts, **usage, **instants, **codes, cost: USD, "cache_hit": BOOLEAN_OR_NONSENSE}


def with_tags(lines: pl.DataFrame) -> pl.DataFrame:
    """`lines` with a column "tag.<attribute>" for each attribute that their tags may tell."""
    names = [f"tag.{name}" for name in _TAGS]
    rows = [(tags, *_read_tags(tags)) for tags in lines["request_tags"].drop_nulls().unique()]
    read = pl.DataFrame(rows, schema=dict.fromkeys(["request_tags", *names], pl.String), orient="row")
    return lines.join(read, on="request_tags", how="left", maintain_order="left")


def _read_tags(request_tags: str) -> list[str | None]:
    try:
        tags = loads(request_tags)
    except ValueError:
        tags = []
    tags = [tag for tag in tags if type(tag) is str] if isinstance(tags, list) else []
    found = {
        name: next((tag.removeprefix(prefix).strip() for tag in tags if tag.startswith(prefix)), None)
        for name, prefix in _TAGS.items()
    }
    found["feature"] = found["feature"] or next((tag for tag in tags if ":" not in tag), None)
    return [value or None for value in found.values()]


def response_ids(ids: pl.Series) -> pl.Series:
    """The provider's ids: "resp_" and base64 of "litellm:...;response_id:<id>" is the wrapping of the Responses API."""
    if not ids.str.starts_with(_WRAPPED).any():
        return ids
    return pl.Series(ids.name, [value and _unwrapped(value) for value in ids], dtype=pl.String)


def _unwrapped(response_id: str) -> str:
    if not response_id.startswith(_WRAPPED):
        return response_id
    try:
        inner = base64.b64decode(response_id.removeprefix("resp_"), validate=True).decode()
    except ValueError:
        return response_id
    found = _RESPONSE_ID.fullmatch(inner)
    return found[1] if found else response_id


def columns(metadata: str, error: str, identity: str, cost: str, *, no_cost: pl.Expr) -> dict[str, pl.Expr]:
    """Call columns; `error` is the path of its error information, `no_cost` is true where a cost of 0 means that
    LiteLLM knew no price."""
    is_hit, is_error = pl.col("cache_hit").fill_null(False), pl.col("status").eq_missing(pl.lit("failure"))
    usage = _usage(metadata)
    status = pl.when(is_hit).then(pl.lit("cache_hit")).when(is_error).then(_failure(error))
    # an answered call with no tokens at all and no usage object: LiteLLM's zeros stand for "not told"
    no_tokens = (pl.col("prompt_tokens") == 0) & (pl.col("completion_tokens") == 0)
    told = ~is_error & (usage["prompt_tokens"].is_not_null() | ~no_tokens.fill_null(False))
    provider = text("custom_llm_provider")
    model = pl.coalesce(text("model").str.strip_prefix(provider + "/"), text("model"))
    return {
        "provider": provider_id(provider),
        "model": model,
        "model_requested": pl.coalesce(text("model_group"), model),
        "response_id": text(identity),
        "called_at": pl.col("startTime"),
        "status": status.otherwise(pl.lit("success")),
        "service_tier": text(f"{metadata}usage_object.service_tier"),
        "is_batch": pl.col(identity).str.ends_with("_batch_cost"),
        "latency_seconds": (pl.col("endTime") - pl.col("startTime")).dt.total_seconds(fractional=True).round(6),
        "recorded_cost_pico": pl.when(is_hit | is_error | ~no_cost | (pl.col(cost) != 0)).then(pl.col(cost)),
        **_input(metadata, told)[0],
        "output_tokens": pl.when(told).then(pl.col("completion_tokens")),
        **{name: usage[path] for name, path in _OTHERS.items()},
        **_attributes(metadata),
    }


def guards(metadata: str) -> dict[str, pl.Expr]:
    """What may be wrong with the counts."""
    return _input(metadata, pl.lit(True))[1]


def _usage(metadata: str) -> dict[str, pl.Expr]:
    is_error = pl.col("status").eq_missing(pl.lit("failure"))
    return {path: pl.when(~is_error).then(pl.col(f"{metadata}usage_object.{path}")) for path in _COUNTS}


def _input(metadata: str, told: pl.Expr) -> tuple[dict[str, pl.Expr], dict[str, pl.Expr]]:
    """The call columns of input, and what is found wrong with them."""
    usage, output, total = _usage(metadata), pl.col("completion_tokens"), pl.col("total_tokens")
    read, split = pl.coalesce(usage[path] for path in _READ), known_sum(usage[_SHORT], usage[_LONG])
    other, exceeds = without_lifetime(pl.coalesce(usage[path] for path in _WRITTEN), split)
    counted, is_outside = with_cache_outside(pl.col("prompt_tokens"), read, split, other, output=output, total=total)
    return {
        "input_tokens": pl.when(told).then(counted),
        "cache_read_tokens": read,
        "cache_write_5m_tokens": usage[_SHORT],
        "cache_write_1h_tokens": usage[_LONG],
        "cache_write_other_tokens": other,
    }, {CACHE_OUTSIDE: is_outside, SPLIT_EXCEEDS: exceeds}


def _failure(error: str) -> pl.Expr:
    code, error_class = pl.col(f"{error}error_code"), text(f"{error}error_class")
    refused = is_refusal(code) & (code != 500) & ~error_class.is_in(_MAY_BE_BILLED).fill_null(False)
    return pl.when(refused).then(pl.lit("refused")).otherwise(pl.lit("error"))


def _attributes(metadata: str) -> dict[str, pl.Expr]:
    told = {
        name: pl.coalesce(text(*(f"{metadata}{given}.{name}" for given in _GIVEN)), text(f"tag.{name}"))
        for name in ATTRIBUTES
    }
    team = text(f"{metadata}user_api_key_team_alias", f"{metadata}user_api_key_team_id")
    return told | {
        "feature": pl.coalesce(told["feature"], team),
        # `user` of the request arrives as end_user; the key's owner speaks for those who name none
        "user_id": pl.coalesce(told["user_id"], text("end_user", f"{metadata}user_api_key_user_id")),
        # retries and fallbacks of one request share their session, or trace
        "action_id": pl.coalesce(told["action_id"], text("session_id")),
    }

"""LiteLLM's StandardLoggingPayload: what its callbacks, S3 and GCS loggers and generic API logger write.

Identity: the response's id; ids of the Responses API, which the proxy wraps, are unwrapped, so that the provider's own
log of the same call has the same id. A failed attempt has no response and shares its `litellm_call_id` with the other
attempts of its request, a cache hit repeats the id of the call that filled the cache: both go by litellm_call_id and
start. A cost of 0 with a diagnostic beside it means that LiteLLM knew no price. `response_time` is the time to the
first token on streams, so latency is end less start. Anthropic ids of the `completion` route are LiteLLM's own.
"""

import polars as pl

from transforms.shapes.dialects import litellm
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COST_UNKNOWN = ("zero_cost_diagnostic", "response_cost_failure_debug_info.error_str")
_ERROR = "error_information."
_FIELDS = (
    "id",
    "trace_id",
    "response_cost",
    "response.model",
    "model_parameters.user",
    *_COST_UNKNOWN,
    *litellm.FIELDS,
    *litellm.error_fields(_ERROR),
    *litellm.metadata_fields("metadata."),
)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    attempt = text("litellm_call_id") + ":" + text("startTime")
    no_response = pl.col("status").eq_missing(pl.lit("failure")) | pl.col("cache_hit").is_in(
        ["true", "True"]
    ).fill_null(False)
    own_ids = litellm.response_ids(lines["id"])
    lines = lines.with_columns(response_id=pl.when(no_response).then(attempt).otherwise(own_ids))
    lines = litellm.with_tags(lines)
    no_cost = pl.any_horizontal(text(path).is_not_null() for path in _COST_UNKNOWN)
    columns = litellm.columns("metadata.", _ERROR, "id", "response_cost", no_cost=no_cost)
    columns |= {
        "model": pl.coalesce(text("response.model"), columns["model"]),
        "response_id": text("response_id"),
        "user_id": pl.coalesce(columns["user_id"], text("model_parameters.user")),
        "action_id": pl.coalesce(columns["action_id"], text("trace_id")),
    }
    read = typed(lines, litellm.kinds("metadata.", _ERROR, "response_cost"))
    return to_calls(read, "litellm_slp", columns, guards=litellm.guards("metadata."))


LITELLM_SLP = Shape("litellm_slp", _FIELDS, matcher("litellm_slp"), calls)

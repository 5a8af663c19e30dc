"""LiteLLM's spend table (LiteLLM_SpendLogs), dumped as JSON, CSV or Parquet.

`request_id` is the table's key, and the response's id where there was a response, so that a call that is also in a
callback's log is counted once. `metadata` and `request_tags` hold JSON as text, `cache_hit` the words "True", "False"
and "None"; times in a dump have no zone and are UTC. Cache counts stand in the metadata only. A spend of 0 without a
cost breakdown means that LiteLLM knew no price.
"""

import polars as pl

from transforms.shapes.dialects import litellm
from transforms.shapes.fields import text, to_calls, typed
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_BREAKDOWN = "metadata>cost_breakdown.total_cost"
_ERROR = "metadata>error_information."
_FIELDS = (
    "request_id",
    "spend",
    "user",
    _BREAKDOWN,
    *litellm.FIELDS,
    *litellm.error_fields(_ERROR),
    *litellm.metadata_fields("metadata>"),
)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = litellm.with_tags(lines.with_columns(response_id=litellm.response_ids(lines["request_id"])))
    columns = litellm.columns("metadata>", _ERROR, "request_id", "spend", no_cost=text(_BREAKDOWN).is_null())
    columns |= {
        "response_id": text("response_id"),
        "user_id": pl.coalesce(columns["user_id"], text("user")),
    }
    read = typed(lines, litellm.kinds("metadata>", _ERROR, "spend"))
    return to_calls(read, "litellm_spendlogs", columns, guards=litellm.guards("metadata>"))


LITELLM_SPENDLOGS = Shape("litellm_spendlogs", _FIELDS, matcher("litellm_spendlogs"), calls)

"""Azure API Management's table ApiManagementGatewayLlmLog, exported from Log Analytics as CSV or JSON.

`PromptTokens` includes cached tokens and `CompletionTokens` reasoning, but the table splits off neither: both are
unknown, and a price is an upper bound. A call with long messages is several rows of one `CorrelationId`, numbered by
`SequenceNumber`; which of them has the counts is not promised, so each row gets the largest of all and is a telling of
the same call. No call has an input of none: where all rows have zeros, its usage is unknown.

Who called stands in another table (GatewayLogs, by CorrelationId), as do status and duration. `Region` is the
gateway's, not the model's. `TimeGenerated` is UTC; the portal's CSV heads it "TimeGenerated [UTC]". The provider is
taken to be Azure: the table does not name the backend. Source: Azure API Management documentation (LLM logs), Azure
Monitor table reference.
"""

import polars as pl

from transforms.shapes.fields import COUNT, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_COUNTS = ("PromptTokens", "CompletionTokens", "TotalTokens")
_PORTAL_TIME = "TimeGenerated [UTC]"
_FIELDS = (
    "CorrelationId",
    "SequenceNumber",
    "TimeGenerated",
    _PORTAL_TIME,
    "DeploymentName",
    "ModelName",
    *_COUNTS,
)
_KINDS = {"TimeGenerated": INSTANT_KINDS["any"], **dict.fromkeys(_COUNTS, COUNT)}


def _of_call(read: pl.DataFrame) -> pl.DataFrame:
    """`read` with the largest counts of all rows of a call."""
    id_or_row = pl.coalesce(text("CorrelationId"), pl.format("row {}", pl.int_range(pl.len())))
    read = read.with_columns(id_or_row.alias("$call"))
    largest = [pl.col(name).max().over("content_id", "$call") for name in _COUNTS]
    read = read.with_columns(largest)
    is_told = (pl.col("PromptTokens") > 0) | (pl.col("CompletionTokens") > 0)
    return read.with_columns(pl.when(is_told).then(name).alias(name) for name in _COUNTS)


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    read = _of_call(typed(lines.with_columns(TimeGenerated=text("TimeGenerated", _PORTAL_TIME)), _KINDS))
    columns = {
        "provider": pl.lit("azure"),
        "model": text("ModelName"),
        "model_requested": text("DeploymentName"),
        "response_id": text("CorrelationId"),
        "called_at": pl.col("TimeGenerated"),
        "status": pl.lit("success"),
        "input_tokens": pl.col("PromptTokens"),
        "output_tokens": pl.col("CompletionTokens"),
    }
    return to_calls(read, "apim_llm", columns, total=pl.col("TotalTokens"))


APIM_LLM = Shape("apim_llm", _FIELDS, matcher("apim_llm"), calls, frame="log")

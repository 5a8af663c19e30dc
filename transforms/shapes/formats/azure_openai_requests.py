"""Azure OpenAI's resource log, category RequestResponse, from a storage account (PT1H.json) or an Event Hub.

It tells of calls but counts no tokens (`requestLength` and `responseLength` are bytes): all usage is unknown.
`properties` is an object or a text that holds JSON. The model is the name with its version where that is part of how
the provider names it ("2024-08-06", "0613"; "1" and "2" are Azure's own), the one asked for is the deployment. A line
whose properties name neither is of another request (a list of deployments or files), no call.

Identity: `correlationId` recurs over calls, so time and duration go with it; it alone is the action. Durations may be
negative: unknown. `time` is UTC with 7 digits of a second; where it is missing there is `requestTime` in ticks. The
user is the Entra id of the caller, often empty. Source: log files in elastic/integrations (azure_openai), Azure Monitor
documentation.
"""

import polars as pl

from transforms.shapes.fields import CODE, MILLISECONDS, is_refusal, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_TICKS, _DEPLOYMENT = "properties>requestTime", "properties>modelDeploymentName"
_NAME, _VERSION = "properties>modelName", "properties>modelVersion"
_FIELDS = (
    "category",
    "resourceId",
    "correlationId",
    "time",
    "durationMs",
    "resultSignature",
    "location",
    "properties>objectId",
    _TICKS,
    _DEPLOYMENT,
    _NAME,
    _VERSION,
)
_KINDS = {
    "time": INSTANT_KINDS["iso"],
    _TICKS: INSTANT_KINDS["dotnet_ticks"],
    "durationMs": MILLISECONDS,
    "resultSignature": CODE,
}


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    attempt = pl.concat_str(
        text("correlationId"), pl.coalesce(text("time", _TICKS), pl.lit("")), pl.coalesce("durationMs", pl.lit("")),
        separator=":",
    )  # fmt: skip
    ticks = pl.when(text("time").is_null()).then(_TICKS).alias(_TICKS)  # not looked at where there is a time
    lines = lines.with_columns(ticks, attempt=attempt)
    code = pl.col("resultSignature")
    failed = pl.when(code >= 400).then(pl.lit("error")).otherwise(pl.lit("success"))
    is_named = pl.when(text(_VERSION).str.contains(r"^([a-z]+-)?\d{4}")).then(text(_NAME) + "-" + text(_VERSION))
    columns = {
        "provider": pl.lit("azure"),
        "model": pl.coalesce(is_named, text(_NAME)),
        "model_requested": text(_DEPLOYMENT),
        "response_id": pl.col("attempt"),
        "called_at": pl.coalesce("time", _TICKS),
        "status": pl.when(is_refusal(code)).then(pl.lit("refused")).otherwise(failed),
        "region": text("location"),
        "latency_seconds": pl.col("durationMs"),
        "action_id": text("correlationId"),
        "user_id": text("properties>objectId"),
    }
    other = text(_DEPLOYMENT, _NAME).is_null()
    reasons = {"category is not RequestResponse": pl.col("category").ne_missing(pl.lit("RequestResponse"))}
    return to_calls(typed(lines, _KINDS), "azure_openai_requests", columns, other=other, reasons=reasons)


AZURE_OPENAI_REQUESTS = Shape("azure_openai_requests", _FIELDS, matcher("azure_openai_requests"), calls)

"""Azure API Management's resource log, category GatewayLogs: one line for each request that the gateway took.

`properties` is an object or a text that holds JSON. In it the provider's response may be logged as text, as the backend
sent it (`backendResponseBody`) or as the client got it (`responseBody`): the first that can be read counts. It is of
OpenAI (Chat Completions, embeddings, Responses; see openai_usage) or of Anthropic (see anthropic_usage), whole or the
events of a stream. One that is cut off at the logged size, or not logged, makes a call of unknown usage. Requests of
other APIs tell of no call: a call's URL ends like a model API's, or its body is of one.

Status: what the backend answered goes before what the gateway made of it. A code of 500 or more without a backend's is
the gateway's word for a backend that it lost, whose work may be billed: an error; below 500 the gateway itself refused.
`cache` "hit" is an answer of the gateway's response cache. `durationMs` is the client's wait. The deployment stands in
the URL. The user is the gateway's subscription, unless the logged request names one. `location` is the gateway's.

Identity: the body's id, else `correlationId`, which is also the action, and is the id of the same call in the table of
the apim_llm shape. Source: Azure API Management documentation (GatewayLogs schema), log files in elastic/integrations.
"""

import polars as pl

from transforms.shapes.dialects import anthropic_usage, logged_body, openai_usage
from transforms.shapes.fields import CODE, MILLISECONDS, is_refusal, text, to_calls, typed
from transforms.shapes.instants import INSTANT_KINDS
from transforms.shapes.shape import Shape
from transforms.shapes.signatures import matcher

_OPENAI_COUNTS = openai_usage.fields("usage", (*openai_usage.CHAT, *openai_usage.RESPONSES))
_BODY = tuple(
    dict.fromkeys(
        ("id", "object", "type", "model", "service_tier", "output", *_OPENAI_COUNTS, *anthropic_usage.fields("usage"))
    )
)
_BODIES = ("properties>backendResponseBody", "properties>responseBody")
_REQUESTS = ("properties>backendRequestBody", "properties>requestBody")
_ASKED = ("model", "user", "safety_identifier", "metadata.user_id", "metadata.feature")
_FIELDS = (
    "category",
    "correlationId",
    "time",
    "durationMs",
    "isRequestSuccess",
    "properties>backendTime",
    "properties>backendResponseCode",
    "properties>responseCode",
    "properties>backendUrl",
    "properties>url",
    "properties>cache",
    "properties>apimSubscriptionId",
    *_BODIES,
    *_REQUESTS,
)
_KINDS = {
    "time": INSTANT_KINDS["iso"],
    "durationMs": MILLISECONDS,
    "properties>backendTime": MILLISECONDS,
    "properties>backendResponseCode": CODE,
    "properties>responseCode": CODE,
    **openai_usage.kinds("usage", (*openai_usage.CHAT, *openai_usage.RESPONSES)),
    **anthropic_usage.kinds("usage"),
}
_CALLS_MODEL = r"/(?:completions|embeddings|(?:v1|openai)/responses|v1/messages)/?(?:\?|$)"
_BODY_OF_MODEL = ("chat.completion", "chat.completion.chunk", "text_completion", "response")
_IS_MESSAGE = pl.col("type").eq_missing(pl.lit("message"))
_IS_RESPONSE = pl.col("object").eq_missing(pl.lit("response"))
_BACKENDS = {  # any other host, and none, is taken for Azure's
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "google",
    "api.mistral.ai": "mistral",
}


def _usage() -> dict[str, pl.Expr]:
    """The call columns that the body's usage object tells."""
    tier, tools = {"service_tier": text("service_tier")}, {name: pl.col(name) for name in openai_usage.TOOL_COUNTS}
    of_chat = openai_usage.chat_columns() | tier
    of_response = openai_usage.responses_columns() | tier | tools
    of_message = anthropic_usage.columns("usage")
    none = pl.lit(None)
    return {
        name: pl.when(_IS_MESSAGE)
        .then(of_message.get(name, none))
        .when(_IS_RESPONSE)
        .then(of_response.get(name, none))
        .otherwise(of_chat.get(name, none))
        for name in of_chat | of_response | of_message
    }


def _total() -> pl.Expr:
    return pl.when(~_IS_MESSAGE).then(openai_usage.either_checks()["total"])


def _status(answered: pl.Expr) -> pl.Expr:
    backend, gateway = pl.col("properties>backendResponseCode"), pl.col("properties>responseCode")
    backend = pl.when(backend > 0).then(backend)
    lost = backend.is_null() & (gateway >= 500)
    code = pl.coalesce(backend, gateway)
    failed = pl.coalesce(code >= 400, pl.col("isRequestSuccess").is_in(["false", "False"]))
    return (
        pl.when(pl.col("properties>cache").str.to_lowercase() == "hit")
        .then(pl.lit("cache_hit"))
        .when(is_refusal(code) & ~lost.fill_null(False) & ~answered)
        .then(pl.lit("refused"))
        .when(failed.fill_null(False) & ~answered)
        .then(pl.lit("error"))
        .otherwise(pl.lit("success"))
    )


def calls(lines: pl.DataFrame) -> pl.DataFrame:
    lines = lines.with_columns(*_inside(lines, _BODIES, _BODY), *_inside(lines, _REQUESTS, _ASKED, "asked."))
    lines = openai_usage.with_tool_counts(lines, "output")
    asked = {path: text(f"asked.{path}") for path in _ASKED}
    is_body = pl.col("object").is_in(_BODY_OF_MODEL).fill_null(False)
    is_body |= pl.coalesce("usage.prompt_tokens", "usage.input_tokens").is_not_null()
    urls = (pl.col(f"properties>{url}").str.contains(_CALLS_MODEL).fill_null(False) for url in ("url", "backendUrl"))
    host = pl.col("properties>backendUrl").str.extract(r"^https?://([^/:?]+)")
    columns = {
        **_usage(),
        "provider": pl.when(host.str.starts_with("bedrock")).then(pl.lit("aws")).otherwise(
            host.replace_strict(_BACKENDS, default="azure", return_dtype=pl.String)
        ),
        "model": text("model"),
        "model_requested": pl.coalesce(_deployment(), asked["model"]),
        "response_id": text("id", "correlationId"),
        "called_at": pl.col("time"),
        "status": _status(is_body),
        "latency_seconds": pl.coalesce("durationMs", "properties>backendTime"),
        "action_id": text("correlationId"),
        "feature": asked["metadata.feature"],
        "user_id": pl.coalesce(
            asked["user"], asked["safety_identifier"], asked["metadata.user_id"], text("properties>apimSubscriptionId")
        ),
    }  # fmt: skip
    return to_calls(
        typed(lines, _KINDS),
        "apim_gateway",
        columns,
        other=~is_body & ~pl.any_horizontal(*urls),
        reasons={"category is not GatewayLogs": pl.col("category").ne_missing(pl.lit("GatewayLogs"))},
        guards=anthropic_usage.guards("usage") | openai_usage.either_checks()["guards"],
        total=_total(),
    )


def _inside(lines: pl.DataFrame, columns: tuple[str, ...], paths: tuple[str, ...], prefix: str = "") -> list[pl.Series]:
    """What is found at `paths` in the bodies of `columns`, in the first that has it."""
    found = [logged_body.fields_of(lines[name], paths) for name in columns if lines[name].null_count() < lines.height]
    none = pl.Series([None] * lines.height, dtype=pl.String)
    return [
        pl.select(pl.coalesce(*(each[path] for each in found), none)).to_series().alias(prefix + path) for path in paths
    ]


def _deployment() -> pl.Expr:
    urls = (pl.col(f"properties>{url}").str.extract(r"/deployments/([^/?]+)") for url in ("backendUrl", "url"))
    return pl.coalesce(urls)


APIM_GATEWAY = Shape("apim_gateway", _FIELDS, matcher("apim_gateway"), calls)

"""Which spans and log records are calls of a model, and what each dialect of them means by its attributes.

- AI SDK: `ai.generateText` and its like are wrappers that repeat the usage of the `.doGenerate`, `.doStream` and
  `.doEmbed` spans inside; from version 7 on `chat <model>` spans of the plain conventions, inside `invoke_agent`.
- OpenInference: spans of kind LLM and EMBEDDING.
- The GenAI conventions: by operation; agents, steps, workflows and tools are no calls, whatever usage they repeat.
- OpenLLMetry: workflow, task, agent and tool spans are no calls.
- Claude Code and Gemini CLI: log records of their api_request, api_response and api_error events, and Claude Code's
  `llm_request` spans. Other log records, also the conventions' own `gen_ai.*` events, repeat what a span or these tell.
- A span of none of these is a call where it tells usage and a model, or a model and that it is a client of a provider.

Sources: as in otel_attributes; the AI SDK's guide to telemetry, Claude Code's and Gemini CLI's guides to monitoring.
"""

import polars as pl

from transforms.shapes.providers import provider_id

_CALL_EVENTS = (
    "claude_code.api_request",
    "claude_code.api_error",
    "gemini_cli.api_response",
    "gemini_cli.api_error",
)
_CALL_OPERATIONS = ("chat", "completion", "text_completion", "generate_content", "embeddings", "embedding", "responses")
_NO_CALLS = (
    "invoke_agent",
    "create_agent",
    "agent_step",
    "invoke_workflow",
    "execute_tool",
    "plan",
    "retrieval",
    "rerank",
    "create_memory",
    "search_memory",
)


def _tells(*columns: str) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_not_null() for column in columns)


def classified(spans: pl.DataFrame) -> pl.DataFrame:
    """`spans` with `dialect`, `is_call`, `has_usage`, `is_embedding` and `is_tool`."""
    of_agent = r"^(claude_code|gemini_cli)\."  # event.name may leave it out, then the body has it
    named = (pl.when(pl.col(name).str.contains(of_agent)).then(name) for name in ("event", "name"))
    spans = spans.with_columns(
        event=pl.coalesce(named).fill_null(""),
        ai_name=pl.coalesce("ai_operation", "name").fill_null(""),
        has_usage=_tells("input", "output"),
    )
    marked = spans.with_columns(
        dialect=_dialect(),
        is_embedding=_any(
            pl.col("operation").is_in(("embeddings", "embedding")),
            pl.col("request_type") == "embedding",
            pl.col("openinference_kind") == "EMBEDDING",
            pl.col("ai_name").str.ends_with(".doEmbed"),
        ),
        is_tool=_any(
            pl.col("operation") == "execute_tool",
            pl.col("openinference_kind") == "TOOL",
            pl.col("traceloop_kind") == "tool",
            pl.col("ai_name") == "ai.toolCall",
        ),
    )
    return marked.with_columns(is_call=_is_call().fill_null(False) & pl.col("signal").is_not_null())


def _any(*conditions: pl.Expr) -> pl.Expr:
    return pl.any_horizontal(condition.fill_null(False) for condition in conditions)


def _dialect() -> pl.Expr:
    is_ai = _any(pl.col("scope") == "ai", pl.col("ai_operation").is_not_null())
    return (
        pl.when(pl.col("event") != "")
        .then(pl.col("event").str.extract(r"^(\w+)"))
        .when(is_ai)
        .then(pl.lit("ai"))
        .when(pl.col("openinference_kind").is_not_null())
        .then(pl.lit("openinference"))
        .otherwise(pl.lit("gen_ai"))
    )


def _is_call() -> pl.Expr:
    dialect = pl.col("dialect")
    return (
        pl.when(pl.col("signal") == "log")
        .then(pl.col("event").is_in(_CALL_EVENTS))
        .when(dialect.is_in(("claude_code", "gemini_cli")))
        .then(pl.col("event") == "claude_code.llm_request")
        .when(dialect == "ai")
        .then(pl.col("ai_name").str.contains(r"\.do(Generate|Stream|Embed)$"))
        .when(dialect == "openinference")
        .then(pl.col("openinference_kind").is_in(("LLM", "EMBEDDING")))
        .otherwise(_is_plain_call())
    )


def _is_plain_call() -> pl.Expr:
    told = pl.col("has_usage") & _tells("model", "model_requested", "provider")
    is_client = pl.col("kind").is_in(("3", "SPAN_KIND_CLIENT"))
    asks = is_client & _tells("provider") & _tells("model", "model_requested")
    return (
        pl.when(pl.col("operation").is_in(_NO_CALLS) | (pl.col("request_type") == "rerank"))
        .then(pl.lit(False))
        .when(pl.col("operation").is_in(_CALL_OPERATIONS) | pl.col("request_type").is_not_null())
        .then(_tells("provider", "model", "model_requested", "input"))
        .when(pl.col("operation").is_null() & pl.col("traceloop_kind").is_not_null())
        .then(pl.lit(False))
        .otherwise(told | asks.fill_null(False))
    )


def provider() -> pl.Expr:
    """The AI SDK names a provider and its interface: `anthropic.messages`."""
    told = pl.col("provider").str.to_lowercase()
    known = provider_id(told)
    of_ai = pl.when(known != told).then(known).otherwise(provider_id(told.str.extract(r"^([^.]+)")))
    return (
        pl.when(pl.col("dialect") == "claude_code")
        .then(pl.lit("anthropic"))
        .when(pl.col("dialect") == "gemini_cli")
        .then(pl.lit("google"))
        .when(pl.col("dialect") == "ai")
        .then(of_ai)
        .otherwise(known)
    )


def with_details(spans: pl.DataFrame) -> pl.DataFrame:
    """`spans` with what their dialects hide inside JSON, in place of that JSON.

    - The AI SDK 5 tells the cache split of generateText only in its provider's metadata, every version the lifetimes of
      Anthropic's cache writes; `uncached` is Anthropic's own count, which leaves cached tokens out.
    - OpenInference keeps the response as its output, with the id that it tells nowhere else, and Anthropic's usage; the
      request's parameters name the model and the user; `metadata` is the application's.
    """
    spans = spans.with_columns(uncached=pl.lit(None, pl.String), web_searches=pl.lit(None, pl.String))
    found = spans.select(_inside("metadata", _METADATA) + _inside("parameters", _PARAMETERS))
    is_body = (pl.col("dialect") == "openinference") & pl.col("is_call")
    asked = spans.select(
        provider_metadata=pl.when("is_call").then("provider_metadata"), body=pl.when(is_body).then("body")
    )
    for column, paths in (("provider_metadata", _PROVIDER_METADATA), ("body", _BODY)):
        if asked[column].null_count() < asked.height:
            found = found.hstack(asked.select(_inside(column, paths)))
    told: dict[str, list[str]] = {}
    for name in found.columns:
        told.setdefault(name.split(" ")[0], []).append(name)
    both = spans.hstack(found)
    return both.select(
        pl.coalesce(name, *told.get(name, [])).alias(name) for name in spans.columns if name not in _JSON
    )


def _inside(column: str, paths: dict[str, tuple[str, ...]]) -> list[pl.Expr]:
    """`paths` looked up in the JSON of `column`, each column named "<what> <column>"."""
    return [
        pl.coalesce(pl.col(column).str.json_path_match(path) for path in some).alias(f"{name} {column}")
        for name, some in paths.items()
    ]


_JSON = ("metadata", "parameters", "provider_metadata", "body")
_METADATA = {
    "feature": ("$.feature",),
    "user_id": ("$.user_id",),
    "customer_id": ("$.customer_id",),
    "environment": ("$.environment",),
    "web_searches": ("$.server_tool_use.web_search_requests",),
}
_PARAMETERS = {"model_requested": ("$.model",), "user_id": ("$.user",)}
_BODY = {
    "response_id": ("$.id",),
    "cache_write_5m": ("$.usage.cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h": ("$.usage.cache_creation.ephemeral_1h_input_tokens",),
    "tier": ("$.service_tier", "$.usage.service_tier"),
}
_PROVIDER_METADATA = {
    "uncached": ("$.anthropic.usage.input_tokens",),
    "cache_read": (
        "$.anthropic.usage.cache_read_input_tokens",
        "$.openai.cachedPromptTokens",
        "$.google.usageMetadata.cachedContentTokenCount",
        "$.bedrock.usage.cacheReadInputTokens",
        "$.deepseek.promptCacheHitTokens",
    ),
    "cache_write": (
        "$.anthropic.usage.cache_creation_input_tokens",
        "$.anthropic.cacheCreationInputTokens",
        "$.bedrock.usage.cacheWriteInputTokens",
    ),
    "cache_write_5m": ("$.anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h": ("$.anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "reasoning": ("$.openai.reasoningTokens", "$.google.usageMetadata.thoughtsTokenCount"),
    "tier": ("$.anthropic.usage.service_tier", "$.openai.serviceTier"),
    "web_searches": ("$.anthropic.usage.server_tool_use.web_search_requests",),
}

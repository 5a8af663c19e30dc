"""What instrumentations call the same thing: one table of meaning -> attribute keys, the preferred one first.

Sources: OpenTelemetry GenAI semantic conventions, current and older spellings (`gen_ai.*`, `anthropic.*`, `openai.*`);
OpenLLMetry (`llm.usage.*`, `llm.request.type`, `traceloop.*`); OpenInference (`llm.token_count.*`,
`openinference.span.kind`); the AI SDK's telemetry (`ai.*`); Claude Code's and Gemini CLI's events, which have flat
names (`input_tokens`); LiteLLM's and Pydantic AI's costs.
"""

# Of an event that is not a span: the flat names of Claude Code and Gemini CLI come last everywhere, so that an
# application's own `input_tokens` beside `gen_ai.usage.input_tokens` is never taken.
COUNTS = {
    "input": (
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens",
        "llm.token_count.prompt", "ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.tokens",
        "input_tokens", "input_token_count",
    ),
    "output": (
        "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens",
        "llm.token_count.completion", "ai.usage.outputTokens", "ai.usage.completionTokens",
        "output_tokens", "output_token_count",
    ),
    "total": (
        "gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens",
        "total_token_count",
    ),
    "cache_read": (
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cached_tokens",
        "gen_ai.usage.details.cache_read_tokens", "llm.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input",
        "ai.usage.inputTokenDetails.cacheReadTokens", "ai.usage.cachedInputTokens",
        "cache_read_tokens", "cached_content_token_count",
    ),
    "cache_write": (
        "gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens", "gen_ai.usage.details.cache_write_tokens",
        "llm.usage.cache_creation_input_tokens", "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens", "cache_creation_tokens",
    ),
    "cache_write_5m": ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",),
    "cache_write_1h": ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",),
    "reasoning": (
        "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens", "llm.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning", "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens", "thoughts_token_count",
    ),
    "tool": ("tool_token_count",),
    "input_audio": ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"),
    "output_audio": ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"),
    "input_image": ("gen_ai.usage.image.input_tokens",),
    "output_image": ("gen_ai.usage.image.output_tokens",),
    "input_video": ("gen_ai.usage.video.input_tokens",),
}  # fmt: skip

# What a call's own span tells of it, or else a span of the same call.
DETAILS = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "ai.model.provider", "llm.provider", "llm.system"),
    "model": (
        "gen_ai.response.model", "ai.response.model", "llm.response.model_name", "llm.model_name",
        "embedding.model_name",
    ),
    "model_requested": ("gen_ai.request.model", "ai.model.id", "llm.request.model_name", "model", "model_name"),
    "tier": (
        "openai.response.service_tier", "gen_ai.openai.response.service_tier", "anthropic.response.service_tier",
        "speed",
    ),
    "cost": (
        "gen_ai.usage.cost", "gen_ai.usage.total_cost", "gen_ai.cost.total_cost", "llm.cost.total", "operation.cost",
        "cost_usd",
    ),
}  # fmt: skip

# Whom a call belongs to: told by its own span, by the nearest one around it, or by the resource.
INHERITED = {
    "action_id": (
        "gen_ai.conversation.id", "session.id", "langfuse.session.id", "ai.telemetry.metadata.sessionId",
        "traceloop.association.properties.session_id",
    ),
    "feature": (
        "ai.telemetry.functionId", "ai.telemetry.metadata.feature", "traceloop.association.properties.feature",
        "feature", "traceloop.workflow.name", "gen_ai.agent.name", "agent.name", "traceloop.entity.name",
    ),
    "user_id": (
        "user.id", "gen_ai.user", "enduser.id", "langfuse.user.id", "ai.telemetry.metadata.userId",
        "ai.telemetry.metadata.user_id", "traceloop.association.properties.user_id", "user.email",
    ),
    "customer_id": (
        "customer.id", "customer_id", "tenant.id", "ai.telemetry.metadata.customerId",
        "traceloop.association.properties.customer_id",
    ),
    "environment": (
        "deployment.environment.name", "deployment.environment", "ai.telemetry.metadata.environment",
        "traceloop.association.properties.environment",
    ),
}  # fmt: skip

# What a span is.
_MARKS = {
    "operation": ("gen_ai.operation.name",),
    "request_type": ("llm.request.type",),
    "openinference_kind": ("openinference.span.kind",),
    "traceloop_kind": ("traceloop.span.kind",),
    "ai_operation": ("ai.operationId",),
    "event": ("event.name",),
    "response_id": ("gen_ai.response.id", "ai.response.id"),
    "request_id": ("request_id",),
    "prompt_id": ("prompt_id",),
    "sequence": ("event.sequence",),
    "event_time": ("event.timestamp",),
    "duration_ms": ("duration_ms",),
    "status_code": ("http.response.status_code", "http.status_code", "status_code"),
    "error": ("error.type", "error_type", "error"),
    "metadata": ("metadata",),
    "provider_metadata": ("ai.response.providerMetadata",),
    "parameters": ("llm.invocation_parameters",),
    "body": ("output.value",),  # OpenInference: the response as JSON, where it is not hidden
}

KEYS: dict[str, tuple[str, ...]] = {**COUNTS, **DETAILS, **INHERITED, **_MARKS}

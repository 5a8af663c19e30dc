"""The words by which fields of unknown logs are guessed at: in the names that people give them."""

# Column: the words of a field's path that tell it, likeliest first ("=id": its last step is just that word).
COUNTS = {
    "input_tokens": ("prompt token", "input token", "token in", "token prompt", "usage prompt", "usage input",
                     "usage in", "context token",
                     "in tok", "input tok", "prompt tok", "n prompt", "input length", "prompt length"),
    "output_tokens": ("completion token", "output token", "token out", "generated token", "usage completion",
                      "usage output", "usage out", "response token", "candidate token",
                      "out tok", "output tok", "completion tok", "n completion", "output length",
                      "completion length"),
    "cache_read_tokens": ("cache read token", "cached token", "cached input token", "cache hit token", "cache read",
                          "cached in"),
    "cache_write_5m_tokens": ("cache write 5m", "ephemeral 5m token"),
    "cache_write_1h_tokens": ("cache write 1h", "ephemeral 1h token"),
    "cache_write_other_tokens": ("cache write token", "cache creation token", "cache write", "cache creation"),
    "reasoning_tokens": ("reasoning token", "thinking token", "thought token", "reasoning output token"),
    "web_search_count": ("web search request", "web search count", "web search"),
}  # fmt: skip
TEXTS = {
    "model": ("model served", "response model", "model name", "model id", "model", "engine", "deployment"),
    "model_requested": ("request model", "requested model", "model requested", "model alias"),
    "provider": ("provider", "vendor", "llm provider"),
    "response_id": ("response id", "completion id", "generation id", "call id", "request id", "=id"),
    "action_id": ("action id", "trace id", "session id", "conversation id", "thread id", "run id", "task id",
                  "session", "trace"),
    "feature": ("feature", "use case", "workflow", "endpoint", "route", "operation", "task", "purpose", "area"),
    "user_id": ("user id", "user", "end user", "username", "uid", "employee"),
    "customer_id": ("customer id", "customer", "tenant id", "tenant", "account id", "account", "organization", "org id",
                    "org", "company", "workspace"),
    "environment": ("environment", "env", "stage"),
    "service_tier": ("service tier", "tier"),
    "region": ("region",),
}  # fmt: skip
TIMES = ("called at", "started at", "start time", "timestamp", "created at", "created", "time", "ts", "datetime",
          "date", "=at", "when", "finished", "ended", "completed")  # fmt: skip
LATENCY = ("latency", "duration", "elapsed", "took", "response time")
COST = ("cost", "total cost", "spend", "price", "amount", "usd")
NOT_INPUT = {"cache", "cached", "cost", "price", "max", "limit", "total", "audio", "reasoning", "image"}
UNITS = {"ms": "ms", "millis": "ms", "milliseconds": "ms", "us": "us", "ns": "ns"}
MONEY = {"cents": "cents", "cent": "cents", "micro": "micro_usd", "micros": "micro_usd", "nano": "nano_usd"}
# Of a field that holds what somebody wrote: never a label.
PROSE = {
    "message",
    "prompt",
    "content",
    "text",
    "query",
    "question",
    "answer",
    "body",
    "comment",
    "title",
    "description",
}
# Of a field that says what kind of record it is in.
KINDS = ("event", "type", "kind", "event_type", "eventType", "record_type", "op", "message_type")

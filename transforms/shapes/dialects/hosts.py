"""Who served a call, as far as the name of its model tells.

Many hosts answer in OpenAI's form, and no body says which: some names are one host's own way of writing
("accounts/fireworks/...", "llama-3.3-70b-versatile"), others are sold by their maker under them ("grok-4"). An open
model's name ("qwen3-32b", or "command-r:35b", as Ollama writes it) or an alias tells nothing. Source: the hosts' model
lists, genai-prices.
"""

import re
from functools import lru_cache

import polars as pl

# The first that fits the beginning of the name has it. Ids are those of genai-prices.
_NAMES = (
    ("fireworks", r"accounts/fireworks/"),
    ("together", r"(meta-llama|Qwen|deepseek-ai|mistralai)/.+-(Turbo|Lite)|together(computer)?/"),
    ("groq", r"groq/|(llama|gemma|mixtral|qwen|mistral|deepseek)[^/]*-(versatile|instant|specdec|8192|32768)$"),
    ("azure", r"gpt-35-"),
    (
        "openai",
        r"(ft:)?(gpt-(?!oss)|o\d(-|$)|chatgpt-|codex-|computer-use-|davinci|babbage|text-(embedding-3|embedding-ada|"
        r"davinci|curie|babbage|ada|moderation)|omni-moderation|whisper-1|tts-1|dall-e-|sora-)",
    ),
    ("x-ai", r"grok-[^/:]*$"),
    ("deepseek", r"deepseek-(chat|reasoner|coder|v4-)[^/:]*$"),
    ("moonshotai", r"(kimi-|moonshot-v1)[^/:]*$"),
    (
        "mistral",
        r"(labs-)?(mistral-(tiny|small|medium|large|embed|moderation|ocr|saba)|ministral|codestral|devstral|magistral|"
        r"pixtral|voxtral|open-mi[sx]tral)[^/:]*$",
    ),
    ("perplexity", r"sonar(-|$)"),
    ("cohere", r"command-[^/:]*$"),
    ("google", r"(models/)?gemini-"),
    ("anthropic", r"claude-[^@:]*$"),
)
_COMPILED = tuple((host, re.compile(names)) for host, names in _NAMES)


@lru_cache(10_000)
def host_of(model: str) -> str | None:
    return next((host for host, names in _COMPILED if names.match(model)), None)


def by_model(models: pl.Series) -> pl.Series:
    """The host that each model's name tells; null where it tells none."""
    known = {model: host for model in models.unique().drop_nulls() if (host := host_of(model))}
    return models.replace_strict(known, default=None, return_dtype=pl.String)

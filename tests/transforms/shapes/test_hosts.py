"""What the name of a model tells of who served it."""

import polars as pl
import pytest

from transforms.shapes.dialects.hosts import by_model, host_of


@pytest.mark.parametrize(
    ("host", "models"),
    [
        (
            "openai",
            "gpt-4o gpt-5-mini-2025-08-07 o1 o4-mini chatgpt-4o-latest ft:gpt-4o:acme::1 whisper-1",
        ),
        ("azure", "gpt-35-turbo"),
        ("fireworks", "accounts/fireworks/models/gpt-oss-120b"),
        ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("groq", "llama-3.1-8b-instant llama3-70b-8192 groq/compound"),
        ("x-ai", "grok-4"),
        ("deepseek", "deepseek-chat deepseek-reasoner"),
        ("moonshotai", "kimi-k2 moonshot-v1-8k"),
        ("mistral", "mistral-large-latest codestral-2508 open-mixtral-8x7b"),
        ("anthropic", "claude-sonnet-4-5"),
        ("google", "gemini-2.5-pro models/gemini-2.5-flash"),
        # an open model, one with a gateway's prefix, one of Ollama's, an alias, another cloud's spelling
        (None, "qwen3-32b gpt-oss-20b openai/gpt-4o mistral:7b command-r:35b support-desk claude-opus-4@20250514 o"),
    ],
)
def test_host(host: str | None, models: str) -> None:
    assert {model: host_of(model) for model in models.split()} == dict.fromkeys(models.split(), host)


def test_a_column_of_models() -> None:
    models = pl.Series(["grok-4", None, "", "our-alias", "gpt-5", "grok-4"])
    assert by_model(models).to_list() == ["x-ai", None, None, None, "openai", "x-ai"]
    assert by_model(pl.Series([None, None], dtype=pl.String)).to_list() == [None, None]

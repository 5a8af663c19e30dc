"""What gateways call a provider -> the provider's id in genai-prices; a name that is not here is kept as it is."""

import polars as pl

PROVIDER_IDS = {
    "anthropic_text": "anthropic",
    "azure_ai": "azure",
    "azure_text": "azure",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "moonshot": "moonshotai",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "google",
    "vertex_ai_beta": "google",
    "voyage": "voyageai",
    "xai": "x-ai",
    "zai": "zhipuai",
}


def provider_id(name: pl.Expr) -> pl.Expr:
    return name.replace(PROVIDER_IDS)

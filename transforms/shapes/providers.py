"""What gateways and conventions call a provider -> the provider's id in genai-prices; another name is kept as it is."""

import polars as pl

# Spellings that genai-prices does not know, or takes for another provider ("azure.ai.openai" has "openai" in
# it). None: a gateway's name, which says nothing about who served the call.
PROVIDER_IDS = {
    "aws.bedrock": "aws", "bedrock": "aws", "bedrock_converse": "aws", "amazon_bedrock": "aws",
    "azure_ai": "azure", "azure_openai": "azure", "azure-openai": "azure", "azure.ai.openai": "azure",
    "azure.ai.inference": "azure", "az.ai.openai": "azure", "az.ai.inference": "azure", "azure_text": "azure",
    "fireworks_ai": "fireworks", "fireworks-ai": "fireworks",
    "gcp.gemini": "google", "gcp.gen_ai": "google", "gcp.vertex_ai": "google", "gemini": "google",
    "vertex_ai": "google", "vertex_ai_beta": "google", "vertexai": "google", "google_genai": "google",
    "google_vertexai": "google",
    "kimi": "moonshotai", "moonshot": "moonshotai", "voyage": "voyageai", "z.ai": "zai", "z-ai": "zai",
    "mistral_ai": "mistral", "mistralai": "mistral", "codestral": "mistral",
    "together_ai": "together", "together-ai": "together", "togetherai": "together",
    "text-completion-openai": "openai", "anthropic_text": "anthropic", "cohere_chat": "cohere",
    "x_ai": "x-ai", "xai": "x-ai", "grok": "x-ai",
    "aws-bedrock": "aws", "azure-ai": "azure", "google-ai-studio": "google", "google-vertex-ai": "google",
    "vertex-ai": "google", "mistral-ai": "mistral", "perplexity-ai": "perplexity", "workers-ai": "cloudflare",
    "amazon-bedrock": "aws", "vertex": "google", "gateway": None,
    "bedrock_mantle": "aws", "github_copilot": "github-copilot", "meta_llama": "meta",
    "text-completion-codestral": "mistral",
    "litellm": None, "litellm_proxy": None,
}  # fmt: skip


def provider_id(name: pl.Expr) -> pl.Expr:
    return name.replace(PROVIDER_IDS)


def provider_id_of(name: str | None) -> str | None:
    key = (name or "").strip().lower()
    return PROVIDER_IDS.get(key, key) or None

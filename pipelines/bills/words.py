"""What a bill calls a model and what is metered of it -> the model's name in the bill and our token class."""

import re

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+[a-z]?")
_METER = re.compile(
    r"(?P<model>.+?)[\s_-]+(?:mantle-)?(?=(?:cached?|input|output|inp|outp|text|image|audio|video|prompt|completion)\b)",
    re.IGNORECASE,
)
MODALITIES = ("audio", "image", "video")


def token_class_of(text: str) -> str | None:
    """One of ours, `cache_write` where its lifetime is not told; None for a meter that is none of ours.

    The words are those of OpenAI's line items ("cached input"), Anthropic's token types
    ("cache_creation.ephemeral_1h_input_tokens", "input_cache_write_5m") and AWS' usage types
    ("cache-read-input-token-count", "CacheWriteInputTokenCount").
    """
    words = {word.lower() for word in _WORD.findall(text)}
    modality = next((name for name in MODALITIES if name in words), None)
    if words & {"cache", "cached", "cch"} and words & {"write", "writes", "creation", "wr"}:
        hour, minutes = "1h" in words or ("1" in words and words & {"hour", "hr"}), "5m" in words
        return "cache_write_1h" if hour else "cache_write_5m" if minutes else "cache_write"
    if words & {"cache", "cached", "cchd"} and not words & {"no", "uncached"}:
        return "cache_read_audio" if modality == "audio" else "cache_read"
    if {"web", "search"} <= words:
        return "web_search"
    if {"file", "search"} <= words:
        return "file_search"
    if "code" in words and words & {"interpreter", "execution"}:
        return "code_session"
    if words & {"output", "outp", "completion"}:
        return f"output_{modality}" if modality in ("audio", "image") else "output"
    if words & {"input", "inp", "prompt", "uncached"}:
        return f"input_{modality}" if modality else "input"
    return None


def model_and_class(text: str) -> tuple[str | None, str | None]:
    """("gpt-5.2-2025-12-11, cached input" or "Claude Sonnet 4.5 Usage - Input Tokens") -> model and token class. A text
    without a known meter is a model of its own, which matches no call; a tool's fee is of no model."""
    text = text.strip()
    for mark in (", ", " - "):
        model, found, meter = text.rpartition(mark)
        if found and (token_class := token_class_of(meter)):
            return model.removesuffix(" Usage"), token_class
    token_class = token_class_of(text)
    if token_class in ("web_search", "file_search", "code_session"):
        return None, token_class
    meter = _METER.match(text)
    if meter and (token_class := token_class_of(text[meter.end() :])):
        return meter["model"], token_class
    return text or None, None

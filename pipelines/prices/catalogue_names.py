"""Who and what the genai-prices catalogue knows, by name."""

from collections.abc import Iterator

from transforms.shapes.providers import provider_id_of


def is_provider(name: str) -> bool:
    """Whether the catalogue knows a provider of this id."""
    from genai_prices.data_snapshot import get_snapshot

    return any(provider.id == name for provider in get_snapshot().providers)


def provider_of(model: str) -> str | None:
    """The provider that the catalogue lists a model of this name for; None: it knows none."""
    from genai_prices.data_snapshot import get_snapshot

    found = find_model(get_snapshot(), None, model)
    return found and found[0].id


def context_bounds() -> list[int]:
    """Every number of input tokens above which any model of the catalogue has another price."""
    from genai_prices.data_snapshot import get_snapshot

    models = [model for provider in get_snapshot().providers for model in provider.models]
    prices = [model.prices if isinstance(model.prices, list) else [model] for model in models]
    tiered = [value for lists in prices for held in lists for value in vars(held.prices).values()]
    return sorted({tier.start for value in tiered for tier in getattr(value, "tiers", ())})


def status_as_same(provider: str | None, name: str, other: str) -> str | None:
    """How surely genai-prices takes `name` for the model that it takes `other` for: price_status; None: for another."""
    from genai_prices.data_snapshot import get_snapshot

    found, known = (find_model(get_snapshot(), provider, text) for text in (name, other))
    return match_status(found[1], found[2]) if found and known and found[1] is known[1] else None


def find_model(snapshot, provider: str | None, model: str | None):
    """(provider, model, the name it was found by), or None where genai-prices knows no such model."""
    known = {p.id for p in snapshot.providers}
    for provider_id, name in _names_to_try(provider, model or "", known):
        try:
            return *snapshot.find_provider_model(name, None, provider_id, None), name
        except LookupError:
            continue
    return None


def _names_to_try(provider: str | None, model: str, known: set[str]) -> Iterator[tuple[str | None, str]]:
    """Whom to ask for which model: LiteLLM writes the provider in front of it ("openai/gpt-5.2")."""
    provider_id = provider_id_of(provider)
    prefix, _, rest = model.partition("/")
    prefix_id = provider_id_of(prefix)
    names_provider = bool(rest) and (prefix_id is None or prefix_id in known)
    if provider_id is not None:
        yield provider_id, model
        if names_provider and prefix_id in (provider_id, None):
            yield provider_id, rest
    elif names_provider and prefix_id is None:
        yield from _names_to_try(None, rest, known)
    else:
        yield (prefix_id, rest) if names_provider else (None, model)


def match_status(model, name: str) -> str:
    # without hyphens, since genai-prices also looks a compact date (-20251211) up as -2025-12-11
    texts = {text.lower().replace("-", "") for text in (model.id, *_equality_texts(model.match))}
    return "exact" if name.lower().replace("-", "") in texts else "prefix_match"


def _equality_texts(clause) -> list[str]:
    if hasattr(clause, "equals"):
        return [clause.equals]
    parts = getattr(clause, "or_", None) or getattr(clause, "and_", None) or ()
    return [text for part in parts for text in _equality_texts(part)]

"""Lines of a price file that say what a unit costs: a price, or a multiplier on what other sources say."""

from pipelines.prices import cells as cell
from transforms.schemas import COUNT_CLASSES, PRICE_REFS, PRICE_RULES, RATE_CLASSES, TIME_CLASS
from transforms.shapes.providers import provider_id_of

SCOPE = ("token_class", "service_tier", "region", "is_batch", "context_above", "weekdays", "time_from", "time_to")
COLUMNS = {"price": (*SCOPE, "usd_per_million", "usd_per_unit"), "multiplier": (*SCOPE, "multiplier")}
CACHE_WRITES = ("cache_write_5m", "cache_write_1h", "cache_write_other")
UNIT_CLASSES = (*COUNT_CLASSES, TIME_CLASS)
RULE_KEY = (*PRICE_REFS, "token_class", "context_above", "week_second_from", "week_second_to", "valid_from")


def rule_rows(kind: str, cells: dict[str, str | None], source: str) -> list[dict]:
    """The PRICE_RULES rows of one line: one for each class and window of the week that it names."""
    classes = _classes(kind, cells.get("token_class"))
    row = dict.fromkeys(PRICE_RULES) | {
        **{name: cells.get(name) for name in ("model", "service_tier", "region", "source_url", "note")},
        "provider": provider_of(cells),
        "is_batch": cell.is_true("is_batch", cells.get("is_batch")),
        "context_above": cell.whole_number("context_above", cells.get("context_above") or "0", "tokens"),
        "valid_from": cell.instant("valid_from", cells.get("valid_from")),
        "valid_to": cell.instant("valid_to", cells.get("valid_to")),
        "source": source,
    }
    check_period(cells, row)
    if kind == "price":
        row["rate_pico"] = _rate(cells)
    else:
        row["multiplier_nano"] = cell.multiplier_nano(cells.get("multiplier"))
    windows = cell.week_windows(*(cells.get(name) for name in ("weekdays", "time_from", "time_to")))
    return [
        row | {"token_class": token_class, "week_second_from": start, "week_second_to": end}
        for token_class in classes
        for start, end in windows
    ]


def provider_of(cells: dict[str, str | None]) -> str | None:
    """The provider's id; a gateway's own name stands for no provider: as it is, it matches no call, which is told."""
    return provider_id_of(cells["provider"]) or cells["provider"]


def check_period(cells: dict[str, str | None], row: dict) -> None:
    if row["valid_from"] and row["valid_to"] and row["valid_to"] <= row["valid_from"]:
        raise ValueError(f"valid_to {cells['valid_to']} is not after valid_from {cells['valid_from']}; it is exclusive")


def _classes(kind: str, token_class: str | None) -> tuple[str | None, ...]:
    if token_class is None and kind == "multiplier":
        return (None,)
    if token_class == "cache_write":
        return CACHE_WRITES
    if token_class not in RATE_CLASSES:
        allowed = ", ".join(RATE_CLASSES)
        raise ValueError(f"token_class {token_class or ''!r} is unknown; use {allowed}, or cache_write for all writes")
    return (token_class,)


def _rate(cells: dict[str, str | None]) -> int:
    """Pico-USD per unit, from whichever of the two columns holds the price."""
    token_class, per_million, per_unit = (
        cells.get(name) for name in ("token_class", "usd_per_million", "usd_per_unit")
    )
    if per_million and per_unit:
        raise ValueError("usd_per_million and usd_per_unit are both given; keep one of them")
    if per_unit and token_class not in UNIT_CLASSES:
        raise ValueError(f"usd_per_unit is not for {token_class}; give the price of tokens as usd_per_million")
    if not per_unit and token_class == TIME_CLASS:
        raise ValueError("usd_per_unit is empty; give the price of a second there, and no usd_per_million")
    if per_unit:
        return cell.rate_pico("usd_per_unit", per_unit, cell.PER_UNIT)
    return cell.rate_pico("usd_per_million", per_million, cell.PER_MILLION)

"""Step 7, the user's own prices: a CSV file, as PRICE_BOOK rows."""

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from pipelines.settings import UserError
from transforms.schemas import PRICE_REFS, PRICE_RULES, TOKEN_CLASSES, WEEK_SECONDS
from transforms.shapes.providers import provider_id_of

PRICE_FILE_COLUMNS = ("provider", "model", "token_class", "usd_per_million", "valid_from")
PRICE_FILE_OPTIONS = ("valid_to", "service_tier", "region", "is_batch", "context_above", "source_url")
CACHE_WRITES = ("cache_write_5m", "cache_write_1h", "cache_write_other")
PRICE_KEY = (*PRICE_REFS, "token_class", "context_above", "valid_from")


def read_price_file(path: Path | str) -> pl.DataFrame:
    """PRICE_RULES, source "contract", of a CSV file with PRICE_FILE_COLUMNS and any of PRICE_FILE_OPTIONS.

    Providers become their genai-prices ids. An empty provider, service_tier, region or is_batch means any; `*` in a
    model stands for any text; `cache_write` for all three write classes; an empty valid_from for ever since. Dates and
    instants are UTC. UserError names the line.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not UTF-8; save the price file as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); name a readable CSV file with --prices") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restval="")
    rows, lines_by_key = [], {}
    try:
        _check_columns(reader.fieldnames or [])
        for cells in reader:
            for row in _contract_rows(cells):
                key = tuple(str(row[name]).lower() for name in PRICE_KEY)
                if first := lines_by_key.get(key):
                    given, provider = cells["provider"].strip(), row["provider"]
                    alias = f" ({given} is {provider})" if provider and given.lower() != provider else ""
                    fact = f"the same price from the same instant as line {first}{alias}"
                    raise ValueError(f"{fact}; keep one of the two lines")
                lines_by_key[key] = reader.line_num
                rows.append(row)
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}, line {max(reader.line_num, 1)}: {error}") from None
    return pl.DataFrame(rows, schema=PRICE_RULES, orient="row")


def _check_columns(names: list[str]) -> None:
    missing = [name for name in PRICE_FILE_COLUMNS if name not in names]
    unknown = [name for name in names if name not in PRICE_FILE_COLUMNS + PRICE_FILE_OPTIONS]
    if missing or unknown:
        fact = f"column {missing[0]!r} is missing" if missing else f"column {unknown[0]!r} is unknown"
        columns, options = ", ".join(PRICE_FILE_COLUMNS), ", ".join(PRICE_FILE_OPTIONS)
        raise ValueError(f"{fact}; the first line must name {columns} and may name {options}")


def _contract_rows(cells: dict[str, str]) -> list[dict]:
    """The rate rows of one line; ValueError says what is wrong with it and how to mend it."""
    if None in cells:
        raise ValueError("more cells than columns; quote a text that has a comma in it")
    cells = {name: cell.strip() or None for name, cell in cells.items()}
    if not cells["model"]:
        raise ValueError("model is empty; name a model, or * for all")
    rate = _contract_rate(cells["usd_per_million"] or "")
    row = dict.fromkeys(PRICE_RULES) | {
        **{name: cells.get(name) for name in ("model", "service_tier", "region", "source_url")},
        # a gateway's own name stands for no provider: as it is, it matches no call, which is told
        "provider": provider_id_of(cells["provider"]) or cells["provider"],
        "is_batch": _choice(cells.get("is_batch"), {"true": True, "false": False, None: None}),
        "context_above": _whole_number(cells.get("context_above") or "0"),
        "week_second_from": 0, "week_second_to": WEEK_SECONDS,
        "valid_from": _instant(cells["valid_from"], "valid_from"),
        "valid_to": _instant(cells.get("valid_to"), "valid_to"),
        "rate_pico": rate, "source": "contract",
    }  # fmt: skip
    if row["valid_from"] and row["valid_to"] and row["valid_to"] <= row["valid_from"]:
        raise ValueError(f"valid_to {cells['valid_to']} is not after valid_from {cells['valid_from']}; it is exclusive")
    token_class = cells["token_class"]
    if token_class not in (*TOKEN_CLASSES, "cache_write"):
        allowed = ", ".join(TOKEN_CLASSES)
        raise ValueError(f"token_class {token_class or ''!r} is unknown; use {allowed}, or cache_write for all writes")
    return [row | {"token_class": name} for name in (CACHE_WRITES if token_class == "cache_write" else (token_class,))]


def _contract_rate(text: str) -> int:
    if not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", text, re.ASCII):
        raise ValueError(f"usd_per_million {text!r} is not a number; write it as 2.50, without currency or separators")
    price = Decimal(text)
    if price < 0:
        raise ValueError(f"usd_per_million {text} is negative; a price is 0 (free) or more")
    if price >= 10**9:
        raise ValueError(f"usd_per_million {text} is above 1000 USD per token; give USD per million tokens")
    if len(text.partition(".")[2].rstrip("0")) > 6:
        raise ValueError(f"usd_per_million {text} has more than 6 decimals (12 per token); round it to 6")
    return int(price * 10**6)


def _whole_number(text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise ValueError(f"context_above {text!r} is not a whole number of tokens; write it as 200000")
    return int(text)


def _choice(text: str | None, values: dict):
    key = text and text.lower()
    if key not in values:
        raise ValueError(f"is_batch {text!r} is neither true nor false; write one of them, or leave it empty for any")
    return values[key]


def _instant(text: str | None, column: str) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{column} {text!r} is not a date; write 2026-01-31 or 2026-01-31T12:00:00Z") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

"""Step 7, rate cards: the price book as pricing uses it, all classes in a row, and other books on the same cards."""

from collections import defaultdict
from collections.abc import Mapping

import polars as pl

from transforms.prices.book import LAYERS
from transforms.prices.grid import cells
from transforms.schemas import (
    BOOK_RATES,
    MAIN_CLASSES,
    PART_CLASSES,
    PRICE_REFS,
    RATE_CARDS,
    RATE_CLASSES,
    TIME_CLASS,
    conform,
)

STATUSES = ("free", "exact", "prefix_match", "fallback_provider", "context_unmatched")  # the surest first


def rate_cards(books: Mapping[str, pl.DataFrame], refs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """RATE_CARDS of `refs` from the `applicable` rows of the first of `books`, and BOOK_RATES of the others.

    Cut wherever a rate of any book changes, merged where none does: one card for each ref, span of time, window of the
    week and band of context; they never overlap. A class without a row has a null rate; where no class of any book has
    one there is no card. card_id counts from 1 by ref, time, window, context.
    """
    by_ref: dict[tuple, list[dict]] = defaultdict(list)
    for name, rows in books.items():
        for row in rows.iter_rows(named=True):
            by_ref[tuple(row[column] for column in PRICE_REFS)].append(row | {"book": name})
    numbers = {name: number for number, name in enumerate(books)}
    cards: list[dict] = []
    for values in refs.select(list(PRICE_REFS)).unique().iter_rows():
        for bounds, told in cells(by_ref.get(values, []), lambda rows: _rates(rows, numbers)):
            cards.append(dict(zip(PRICE_REFS, values, strict=True)) | dict(bounds) | {"told": told})
    keys = [*PRICE_REFS, "valid_from", "week_second_from", "context_above"]
    cards.sort(key=lambda card: [(card[key] is not None, card[key]) for key in keys])
    rows_by_book: dict[str, list[dict]] = {name: [] for name in books}
    for number, card in enumerate(cards, start=1):
        told = card.pop("told")
        for name, position in numbers.items():
            rates, status = told[position] or ((), None)
            rows_by_book[name].append(card | dict(rates) | {"card_id": number, "book": name, "price_status": status})
    first, *others = rows_by_book.values()
    frame = pl.DataFrame(first, schema=RATE_CARDS, orient="row")
    return conform(frame, RATE_CARDS), pl.DataFrame(sum(others, []), schema=BOOK_RATES, orient="row")


def _rates(rows: list[dict], numbers: Mapping[str, int]) -> tuple | None:
    """For each book its rate columns and status from the rows that cover a card; None where no book has any."""
    told = tuple(_book_rates([row for row in rows if row["book"] == name]) for name in numbers)
    return told if any(told) else None


def _book_rates(rows: list[dict]) -> tuple | None:
    """Of a class's rows the highest context's holds; a card is as unsure as the least sure of its rates of tokens.

    A model whose time a price file prices, and not its tokens, is billed by time, whatever a catalogue says of it. A
    fee without any rate of tokens (a search has one price for all models) is no price of the model: status null.
    """
    if not rows:
        return None
    by_class = {row["token_class"]: row for row in sorted(rows, key=lambda row: row["context_above"])}
    told = [(name, by_class[name]["rate_pico"]) for name in RATE_CLASSES if name in by_class]
    # a row without a rate says what no row says: equal cards must be equal
    rates = tuple((f"{name}_rate", rate) for name, rate in told if rate is not None)
    sources = {row["source"] for name, row in by_class.items() if name in MAIN_CLASSES}
    time_source = by_class[TIME_CLASS]["source"] if TIME_CLASS in by_class else None
    if time_source in LAYERS and sources.isdisjoint(LAYERS):
        return tuple((name, rate) for name, rate in rates if name == f"{TIME_CLASS}_rate"), "billed_by_time"
    if not sources:
        return (rates, None) if rates else None
    of_tokens = [row for name, row in by_class.items() if name in MAIN_CLASSES or name in PART_CLASSES]
    priced = [row for row in of_tokens if row["rate_pico"] is not None] or of_tokens
    return rates, max((row["price_status"] for row in priced), key=STATUSES.index)

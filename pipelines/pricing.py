"""Step 7: the price book of a build, from the user's contract down to the catalogue, and the cards made of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl

from pipelines import build_inputs
from pipelines.ledger import Ledger
from pipelines.prices import catalogue, price_file
from pipelines.prices import history as dated
from pipelines.settings import Settings, UserError
from transforms import schemas
from transforms.prices import book, cards

CORRECTIONS = "corrections"  # kind of kept input
SHIPPED = Path(price_file.__file__).with_name("corrections.csv")
THEN, NOW = "believed_then", "believed_now"  # books, see sql/models/price_book_revision.sql


@dataclass(frozen=True)
class Priced:
    """What a build knows of prices; `history` is PRICE_BOOK with all that was ever believed."""

    history: pl.DataFrame
    book_hash: str
    rate_cards: pl.DataFrame
    book_rates: pl.DataFrame  # of the other belief, THEN or NOW
    unmatched_rates: pl.DataFrame
    contract_terms: pl.DataFrame


def priced(store: Ledger, settings: Settings, refs: pl.DataFrame, now: datetime) -> Priced:
    """The price book for `refs` (PRICE_REFS) after its sources were read `now`. Raises UserError."""
    named = book.named(refs, settings.aliases)
    own = contract(store)
    rows = stated(named, pl.concat([own, imported_corrections(store)]))
    history = book.revise(build_inputs.price_history(store), rows, now)
    believed, other = book.current(history), _other_belief(store, history)
    books = {NOW: believed} | other
    if settings.prices_as_of:
        books = {THEN: _as_of(history, settings.prices_as_of), NOW: believed}
    rate_cards, book_rates = cards.rate_cards(books, refs)
    hashed = book.book_hash(next(iter(books.values())))
    is_bill = pl.col("rate_pico").is_null() & pl.col("multiplier_nano").is_null()  # told of in contract_terms
    unmatched = book.unmatched(own.filter(~is_bill), named)
    return Priced(history, hashed, rate_cards, book_rates, unmatched, contract_terms(store, settings.prices_as_of))


def stated(named: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """PRICE_BOOK rows of `named` refs as the user's `rules`, the shipped corrections and the catalogues state them."""
    asked = book.asked(named)
    sources = [dated.history_rates(asked), catalogue.catalogue_rates(asked)]
    # the shipped ones last: of two that are as specific the first holds
    rules = pl.concat([rules, price_file.read_price_file(SHIPPED, book.CORRECTION)])
    return book.applicable(named, rules, [book.answered(rows, named) for rows in sources])


def contract(store: Ledger) -> pl.DataFrame:
    """PRICE_RULES of the price file that was given last with --prices; of its bills for time, that they are such."""
    rules = build_inputs.kept_input(store, "prices", price_file.read_price_file, schemas.PRICE_RULES)
    return pl.concat([rules, book.billed_by_time(contract_terms(store))])


def contract_terms(store: Ledger, at: datetime | None = None) -> pl.DataFrame:
    """CONTRACT_TERMS of the price file that was given last with --prices (until `at`)."""
    return build_inputs.kept_input(store, "prices", price_file.read_contract_terms, schemas.CONTRACT_TERMS, at)


def imported_corrections(store: Ledger) -> pl.DataFrame:
    """PRICE_RULES of what `prices import` kept last."""
    read = partial(price_file.read_price_file, source=book.CORRECTION)
    return build_inputs.kept_input(store, CORRECTIONS, read, schemas.PRICE_RULES)


def _as_of(history: pl.DataFrame, instant: datetime) -> pl.DataFrame:
    """What was believed at an instant. Raises UserError where nothing was yet."""
    rows = book.as_of(history, instant)
    if rows.is_empty() and not history.is_empty():
        first = history["recorded_at"].min()
        raise UserError(
            f"--prices-as-of {instant:%Y-%m-%d %H:%M}: no price was believed yet, the first were recorded at "
            f"{first:%Y-%m-%d %H:%M} (UTC); name that instant or a later one"
        )
    return rows


def _other_belief(store: Ledger, history: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The book of the last build, where it said otherwise of what it spoke of."""
    at = store.manifest.one("select max(ended_at) from run where kind = 'build' and status = 'done'")
    if at is None:
        return {}
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    then = book.as_of(history, instant + timedelta(microseconds=1))
    is_revised = then["superseded_at"].is_not_null().any()
    return {THEN: then} if is_revised else {}

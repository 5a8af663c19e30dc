"""Step 7: the price book of a build, from the user's contract down to the catalogue, and the cards made of it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import polars as pl

from pipelines import build_inputs
from pipelines.errors import UserError
from pipelines.ledger import Ledger
from pipelines.prices import catalogue, price_file
from pipelines.prices import history as dated
from pipelines.settings import Settings
from transforms import schemas
from transforms.prices import book, cards

CORRECTIONS = "corrections"  # kind of kept input
SHIPPED = Path(price_file.__file__).with_name("corrections.csv")
THEN, NOW = "believed_then", "believed_now"  # books, see sql/models/price_book_revision.sql
LIST = "list"  # the book without the user's contract


IS_BILL = pl.col("rate_pico").is_null() & pl.col("multiplier_nano").is_null()  # told of in contract_terms


@dataclass(frozen=True)
class Priced:
    """What a build knows of prices; `history` is PRICE_BOOK with all that was ever believed."""

    refs: pl.DataFrame  # named, see book.named
    history: pl.DataFrame
    book_hash: str
    rate_cards: pl.DataFrame
    book_rates: pl.DataFrame  # of the other belief, THEN or NOW, and of LIST where there is a contract
    unmatched_rates: pl.DataFrame
    rules: pl.DataFrame  # PRICE_RULES: the contract and the imported corrections
    contract_terms: pl.DataFrame
    are_terms_revised: bool  # between THEN and NOW
    notes: list[str]  # on settings that do nothing


def priced(store: Ledger, settings: Settings, refs: pl.DataFrame, now: datetime) -> Priced:
    """The price book for `refs` (PRICE_REFS) after its sources were read `now`. Raises UserError."""
    as_of, named = settings.prices_as_of, book.named(refs, settings.aliases)
    if as_of and as_of > now:
        raise UserError(f"--prices-as-of {as_of:%Y-%m-%d %H:%M}: that is to come; name today or a day before")
    own = contract(store)
    rules = pl.concat([own, imported_corrections(store)])
    rows = stated(named, rules)
    history = book.revise(build_inputs.price_history(store), rows, now)
    then = as_of or _last_build(store)
    books = {NOW: book.current(history)}
    if then:
        before = _believed_at(store, history, named, then, is_asked=as_of is not None)
        if as_of or book.book_hash(before) != book.book_hash(books[NOW]):
            books = {THEN: before} | books if as_of else books | {THEN: before}
    books |= _listed(named, rules)
    rate_cards, book_rates = cards.rate_cards(books, refs)
    terms, terms_then = contract_terms(store), contract_terms(store, then)
    believed_terms = terms_then if as_of else terms
    return Priced(
        refs=named,
        history=history,
        book_hash=_hash(next(iter(books.values())), believed_terms),
        rate_cards=rate_cards,
        book_rates=book_rates,
        unmatched_rates=book.unmatched(own.filter(~IS_BILL), named),
        rules=rules,
        contract_terms=believed_terms,
        are_terms_revised=then is not None and not _agreed(terms).equals(_agreed(terms_then)),
        notes=_alias_notes(settings, named, rows),
    )


def named(refs: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """`refs` (PRICE_REFS) with the names that prices of them are asked by: as_provider, as_model."""
    return book.named(refs, settings.aliases)


def stated(named: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """PRICE_BOOK rows of `named` refs as the user's `rules`, the shipped corrections and the catalogues state them."""
    asked = book.asked(named)
    sources = [dated.history_rates(asked), catalogue.catalogue_rates(asked)]
    # the shipped ones last: of two that are as specific the first holds
    rules = pl.concat([rules, price_file.read_price_file(SHIPPED, book.CORRECTION)])
    return book.applicable(named, rules, [book.answered(rows, named) for rows in sources])


def priced_refs(
    refs: pl.DataFrame, rules: pl.DataFrame, settings: Settings
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """RATE_CARDS of `refs` and their BOOK_RATES of LIST by `rules` and the catalogues of now; the refs as named."""
    named = book.named(refs, settings.aliases)
    books = {NOW: stated(named, rules)} | _listed(named, rules)
    return *cards.rate_cards(books, refs), named


def _listed(named: pl.DataFrame, rules: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The book without the contract's prices, where it has any."""
    is_contract = (pl.col("source") == book.CONTRACT) & ~IS_BILL
    has_contract = not rules.filter(is_contract).is_empty()
    return {LIST: stated(named, rules.filter(~is_contract))} if has_contract else {}


def contract(store: Ledger, at: datetime | None = None) -> pl.DataFrame:
    """PRICE_RULES of the price file that was given last with --prices (until `at`), its bills among them."""
    rules = build_inputs.kept_input(store, "prices", price_file.read_price_file, schemas.PRICE_RULES, at)
    return pl.concat([rules, book.billed_by_time(contract_terms(store, at))])


def contract_terms(store: Ledger, at: datetime | None = None) -> pl.DataFrame:
    """CONTRACT_TERMS of the price file that was given last with --prices (until `at`)."""
    return build_inputs.kept_input(store, "prices", price_file.read_contract_terms, schemas.CONTRACT_TERMS, at)


def imported_corrections(store: Ledger, at: datetime | None = None) -> pl.DataFrame:
    """PRICE_RULES of what `prices import` kept last (until `at`)."""
    read = partial(price_file.read_price_file, source=book.CORRECTION)
    return build_inputs.kept_input(store, CORRECTIONS, read, schemas.PRICE_RULES, at)


def _believed_at(
    store: Ledger, history: pl.DataFrame, named: pl.DataFrame, at: datetime, is_asked: bool
) -> pl.DataFrame:
    """The book of an instant. Of refs that no build had asked for by then: where the instant `is_asked` for, what the
    price files of then and the catalogues of now say; else what is believed now, for new in the log is no revision."""
    rows = book.as_of(history, at)
    if is_asked and rows.is_empty() and not history.is_empty():
        first = history["recorded_at"].min()
        raise UserError(
            f"--prices-as-of {at:%Y-%m-%d %H:%M}: no price was believed yet, the first were recorded at "
            f"{first:%Y-%m-%d %H:%M} (UTC); name that instant or a later one"
        )
    known = build_inputs.asked_refs(store).filter(pl.col("asked_at") <= at)
    is_ref = {"on": list(schemas.PRICE_REFS), "nulls_equal": True}
    late = named.join(known, how="anti", **is_ref)
    if is_asked:
        of_late = stated(late, pl.concat([contract(store, at), imported_corrections(store, at)]))
    else:
        of_late = book.current(history).join(late, how="semi", **is_ref)
    return pl.concat([rows.join(late, how="anti", **is_ref), of_late])


def _last_build(store: Ledger) -> datetime | None:
    at = store.manifest.one("select max(ended_at) from run where kind = 'build' and status = 'done'")
    return at and datetime.fromisoformat(at)


def _hash(rows: pl.DataFrame, terms: pl.DataFrame) -> str:
    """Of the book alone where nothing else is agreed, else of both."""
    rates = book.book_hash(rows)
    agreed = _agreed(terms).cast(pl.String).rows()
    return hashlib.sha256(json.dumps([rates, agreed]).encode()).hexdigest() if agreed else rates


def _agreed(terms: pl.DataFrame) -> pl.DataFrame:
    """The terms but for where and in which words they stand."""
    told = terms.drop("term_id", "line_number", "note", "source_url")
    return told.sort(told.columns)


def _alias_notes(settings: Settings, named: pl.DataFrame, rows: pl.DataFrame) -> list[str]:
    """Aliases that do nothing: the model that they name has no price, or no call is of the deployment."""
    priced_models = set(rows.select("provider", "model").iter_rows())
    notes = []
    for name, target in settings.aliases.items():
        refs = named.filter(_is_named(name)).select("provider", "model").rows()
        if not refs:
            notes.append(f"[aliases] {name!r}: no call is of it")
        elif not priced_models.intersection(refs):
            notes.append(f"[aliases] {name!r} = {target!r}: nobody has a price of that, and aliases lead no further")
    return notes


def _is_named(name: str) -> pl.Expr:
    whole = pl.concat_str(pl.col("provider").fill_null(""), pl.lit("/"), pl.col("model")).str.to_lowercase()
    return (whole == name.lower()) | (pl.col("model").str.to_lowercase() == name.lower())

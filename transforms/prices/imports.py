"""Rates of another source as corrections of the book, and what the differences between sources are worth."""

from collections import defaultdict
from itertools import chain

import polars as pl

from transforms.prices.book import CACHE_CLASSES, matcher
from transforms.schemas import PART_CLASSES, PRICE_BOOK, PRICE_REFS, RATE_CLASSES

CLASS = [*PRICE_REFS, "token_class"]
RATE = [*CLASS, "context_above", "week_second_from", "week_second_to", "valid_from", "valid_to"]
AS_BELIEVED = "as believed before the import"
# What a class without a rate of its own is priced as.
STAND_INS = PART_CLASSES | dict.fromkeys(CACHE_CLASSES, "input")
Classes = list[dict]  # rows of PRICE_REFS and token_class


def corrections(
    stated: pl.DataFrame, believed: pl.DataFrame, refs: pl.DataFrame
) -> tuple[pl.DataFrame, Classes, Classes, Classes]:
    """(PRICE_BOOK rows to write as rules, classes left out, kept, exposed) of what a source `stated` of `refs`.

    A class with a part that is known to have no price is left out: a rule cannot say so, and the price of the other
    part would hold for it. What a rule leaves empty means any, so the price of a ref without a tier would hold for each
    tier that the source says nothing of: there the rates `believed` without the source are kept, that is, stated
    beside; exposed are the classes of which none is believed.
    """
    holes = stated.filter(pl.col("rate_pico").is_null()).select(CLASS).unique(maintain_order=True)
    told = stated.join(holes, on=CLASS, how="anti", nulls_equal=True, maintain_order="left")
    reached = pl.DataFrame(_reached(told, refs), schema={name: PRICE_BOOK[name] for name in CLASS}, orient="row")
    kept = believed.filter(pl.col("rate_pico").is_not_null()).join(
        reached, on=CLASS, how="semi", nulls_equal=True, maintain_order="left"
    )
    note = pl.concat_str(pl.lit(AS_BELIEVED), "source", "note", separator="; ", ignore_nulls=True)
    rows, exposed = shielded(pl.concat([told, kept.with_columns(note=note, source=pl.lit("correction"))]), refs)
    return rows, holes.rows(named=True), kept.select(CLASS).unique(maintain_order=True).rows(named=True), exposed


def shielded(rates: pl.DataFrame, refs: pl.DataFrame) -> tuple[pl.DataFrame, Classes]:
    """(`rates` that as rules say the same of each of `refs`, classes of which that cannot be told).

    A class of a ref that has no rate is priced as another one; where the rule of another ref would reach it, the rates
    of that other class are stated for it.
    """
    told = rates.filter(pl.col("rate_pico").is_not_null())
    shields, exposed = [told], []
    for row in _reached(told, refs):
        stand_in = STAND_INS.get(row["token_class"])
        same_ref = pl.all_horizontal(pl.col(name).eq_missing(pl.lit(row[name])) for name in PRICE_REFS)
        rows = told.filter(same_ref & (pl.col("token_class") == stand_in)) if stand_in else told.clear()
        note = pl.concat_str("note", pl.lit(f"as {stand_in}"), separator="; ", ignore_nulls=True)
        shields.append(rows.with_columns(token_class=pl.lit(row["token_class"]), note=note))
        exposed += [row] if rows.is_empty() else []
    return pl.concat(shields), exposed


def _reached(rates: pl.DataFrame, refs: pl.DataFrame) -> Classes:
    """Classes of `refs` that have no rate, but that the rate of another ref, as a rule, would hold for."""
    classes_by_ref: dict[tuple, set[str]] = defaultdict(set)
    for *ref, token_class in rates.select(CLASS).unique().iter_rows():
        classes_by_ref[tuple(ref)].add(token_class)
    refs_by_model: dict[str | None, list[dict]] = defaultdict(list)
    for ref in refs.select(list(PRICE_REFS)).unique().iter_rows(named=True):
        refs_by_model[ref["model"] and ref["model"].lower()].append(ref)
    found: dict[tuple, None] = {}
    for values, classes in classes_by_ref.items():
        rule = dict(zip(PRICE_REFS, values, strict=True))
        is_met, model = matcher(rule), (rule["model"] or "").lower()
        for ref in chain.from_iterable(refs_by_model.values()) if "*" in model else refs_by_model.get(model, ()):
            if is_met(ref):
                own = tuple(ref.values())
                found |= dict.fromkeys((*own, name) for name in classes - classes_by_ref.get(own, set()))
    rows = [dict(zip(CLASS, values, strict=True)) for values in found]
    return sorted(rows, key=lambda row: [(row[name] is not None, row[name]) for name in CLASS])


def revised_counts(before: pl.DataFrame, after: pl.DataFrame) -> tuple[int, int, int]:
    """Rates (gained, changed, lost) of the book `after` (PRICE_BOOK) beside `before`; one that is cut anew, in time,
    hours or contexts, is lost and gained."""
    old, new = (book.filter(pl.col("rate_pico").is_not_null()) for book in (before, after))
    both = new.join(old, on=RATE, how="inner", nulls_equal=True, suffix="_before")
    changed = both.filter(pl.col("rate_pico") != pl.col("rate_pico_before")).height
    gained, lost = (a.join(b, on=RATE, how="anti", nulls_equal=True).height for a, b in ((new, old), (old, new)))
    return gained, changed, lost


def differing_refs(rate_cards: pl.DataFrame, book_rates: pl.DataFrame) -> list[dict]:
    """The price refs, as PRICE_REFS, of RATE_CARDS that the BOOK_RATES of one other book price otherwise."""
    both = rate_cards.join(book_rates, on="card_id", how="left", suffix="_told")
    differs = pl.any_horizontal(_rate(name).ne_missing(_rate(name, "_told")) for name in RATE_CLASSES)
    return both.filter(differs).select(list(PRICE_REFS)).unique(maintain_order=True).rows(named=True)


def _rate(name: str, suffix: str = "") -> pl.Expr:
    """What a class of a card is priced at: a part without a rate as what it is part of."""
    names = [name, PART_CLASSES[name]] if name in PART_CLASSES else [name]
    return pl.coalesce(f"{each}_rate{suffix}" for each in names)


def worth(found: pl.DataFrame, cells: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows, totals) of the differences `found` (PRICE_DIFFERENCES) in which the ledger has a quantity.

    `cells` are the rows of sql/questions/difference_worth.sql. One row for each price ref, class, context, pair of
    sources and pair of rates, with its `windows`: what the other source's rate would add to the published cost, exact;
    null where nothing is published. Totals are by pair of sources. Sorted by absolute worth, unknown ones last.
    """
    keys = [*CLASS, "context_above", "published_source", "published_pico", "source", "rate_pico"]
    window = pl.struct("week_second_from", "week_second_to").unique().sort()
    differing = cells.filter(pl.col("rate_pico").ne_missing(pl.col("published_pico")))
    told = found.select("difference_id", "source", *CLASS, "context_above", "week_second_from", "week_second_to")
    joined = differing.join(told, on=["difference_id", "source"], maintain_order="left")
    rows = joined.group_by(keys, maintain_order=True).agg(
        window.alias("windows"), pl.col("call_count").sum(), pl.col("quantity").sum(), _sum("worth_pico")
    )
    totals = rows.group_by("published_source", "source", maintain_order=True).agg(
        pl.len().alias("difference_count"), _sum("worth_pico")
    )
    by_worth = pl.col("worth_pico").abs()
    rows = rows.sort(by_worth, *CLASS, "source", descending=[True, *[False] * (len(CLASS) + 1)], nulls_last=True)
    return rows, totals.sort(by_worth, "source", descending=[True, False], nulls_last=True)


def _sum(name: str) -> pl.Expr:
    """Null where nothing is known: polars' own sum of nulls is zero."""
    return pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name)

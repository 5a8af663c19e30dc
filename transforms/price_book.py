"""Step 7, the price book: what was believed when, which layer of rates holds, and the cards that price calls."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import pairwise

import polars as pl

from transforms.schemas import INSTANT, PRICE_BOOK, PRICE_REFS, RATE_CARDS, TOKEN_CLASSES, conform

CONTRACT, CATALOGUE = "contract", "genai-prices"  # first word of `source`
# Where a cache class has no price of its own its tokens are priced as input: what a catalogue row's source says then.
AS_INPUT = ", as input"
CACHE_CLASSES = ("cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
BOUNDS = ("valid_from", "valid_to", "day_second_from", "day_second_to", "context_above", "context_up_to")
STATUSES = ("free", "exact", "prefix_match", "fallback_provider")  # from the surest to the most doubtful

# Two rows state the same rate when these agree: neither the version of the source nor its link makes a price change.
IDENTITY = [
    *(name for name in PRICE_BOOK if name not in ("recorded_at", "superseded_at", "source", "source_url")),
    "stated_by",  # the source without its version
]


def revise(
    book: pl.DataFrame,
    rows: pl.DataFrame,
    recorded_at: datetime,
    refs: pl.DataFrame | None = None,
    sources: tuple[str, ...] = (CONTRACT, CATALOGUE),
) -> pl.DataFrame:
    """`book` (PRICE_BOOK, the whole history) after `sources` were read at `recorded_at` and stated `rows`.

    Nothing is deleted or edited: a rate that is no longer stated is superseded, a new one is appended, one that is
    still stated stays as first recorded. `refs` (PRICE_REFS) is what the catalogue was asked for: its rows of other
    refs stand. Revising again with the same rows changes nothing.
    """
    book = _with_identity(book)
    stated = _with_identity(rows).unique(IDENTITY, keep="first", maintain_order=True)
    believed = current(book)
    asked = believed.filter(pl.col("source").str.extract(r"^([a-z-]+)").is_in(sources))
    if refs is not None:
        is_contract = pl.col("source") == CONTRACT
        of_refs = asked.filter(~is_contract).join(refs, on=list(PRICE_REFS), how="semi", nulls_equal=True)
        asked = pl.concat([asked.filter(is_contract), of_refs])
    vanished = asked.join(stated, on=IDENTITY, how="anti", nulls_equal=True)
    fresh = stated.join(believed, on=IDENTITY, how="anti", nulls_equal=True)
    instant, never = pl.lit(recorded_at, dtype=INSTANT), pl.lit(None, dtype=INSTANT)
    revised = [
        book.join(vanished, on=[*IDENTITY, "superseded_at"], how="anti", nulls_equal=True, maintain_order="left"),
        vanished.with_columns(superseded_at=instant),
        fresh.with_columns(recorded_at=instant, superseded_at=never),
    ]
    return pl.concat([conform(part, PRICE_BOOK) for part in revised])


def current(book: pl.DataFrame) -> pl.DataFrame:
    """The rows of `book` that are still believed."""
    return book.filter(pl.col("superseded_at").is_null())


def as_of(book: pl.DataFrame, instant: datetime) -> pl.DataFrame:
    """The rows of `book` that were believed at `instant`."""
    at = pl.lit(instant, dtype=INSTANT)
    is_superseded = (pl.col("superseded_at") <= at).fill_null(False)  # null: never superseded
    return book.filter((pl.col("recorded_at") <= at) & ~is_superseded)


def layers(book: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The contract rows and the catalogue rows of `book`, for `applicable`."""
    is_contract = pl.col("source") == CONTRACT
    return book.filter(is_contract), book.filter(~is_contract)


def book_hash(book: pl.DataFrame) -> str:
    """SHA-256 of the believed rates, whatever their order, when they were recorded and the version of their source."""
    rows = _with_identity(current(book)).select(IDENTITY).rows()
    lines = sorted(json.dumps(row, default=lambda instant: instant.isoformat(), separators=(",", ":")) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _with_identity(book: pl.DataFrame) -> pl.DataFrame:
    return book.with_columns(stated_by=pl.col("source").str.replace(r"^(genai-prices) [^,]+", "$1"))


def applicable(contract: pl.DataFrame, catalogue: pl.DataFrame, refs: pl.DataFrame) -> pl.DataFrame:
    """PRICE_BOOK rows of each of `refs`, without overlap within a ref and class: the contract above the catalogue.

    A contract row (null: any; `*` in a model: any text) holds from its valid_from on. Of several that match, the most
    specific holds, then the greatest context_above, then the latest; where one with a valid_to ends, what it covered
    holds again. A class that it does not name is left to the catalogue; a cache class that neither of them has a price
    of takes the contract's input rate.
    """
    if contract.is_empty():
        return catalogue.join(refs, on=list(PRICE_REFS), how="semi", nulls_equal=True, maintain_order="left")
    by_ref = _by_ref(catalogue)
    deals = [row | {"matches": _matcher(row)} for row in contract.iter_rows(named=True)]
    rows = []
    for values in refs.iter_rows():
        ref, listed = dict(zip(PRICE_REFS, values, strict=True)), by_ref.get(values, [])
        matching = [row for row in deals if row["matches"](ref)]
        rows += [ref | row for row in _layered(matching, listed)] if matching else listed
    return pl.DataFrame(rows, schema=PRICE_BOOK, orient="row")


def unmatched(contract: pl.DataFrame, refs: pl.DataFrame) -> pl.DataFrame:
    """The rows of `contract` that speak of none of `refs`: the model is not in use, or its name is mistyped."""
    asked = list(refs.iter_rows(named=True))
    spoken_of = contract.select(list(PRICE_REFS)).unique().rows(named=True)
    idle = [ref for ref in spoken_of if not any(map(_matcher(ref), asked))]
    of_idle = pl.DataFrame(idle, schema=PRICE_REFS, orient="row")
    return contract.join(of_idle, on=list(PRICE_REFS), how="semi", nulls_equal=True, maintain_order="left")


def _layered(deals: list[dict], listed: list[dict]) -> Iterator[dict]:
    """The rows that hold for one ref: `deals` are the contract rows that match it, `listed` its catalogue rows."""
    for token_class in TOKEN_CLASSES:
        own_deals = [row for row in deals if row["token_class"] == token_class]
        own = [row for row in listed if row["token_class"] == token_class and AS_INPUT not in row["source"]]
        input_deals = [row for row in deals if row["token_class"] == "input" and token_class in CACHE_CLASSES]
        as_input = [row for row in listed if row["token_class"] == token_class and AS_INPUT in row["source"]]
        layers = [(3, own_deals), (2, own), (1, input_deals), (0, as_input)]
        offers = [row | {"rank": (layer, *_rank(row))} for layer, rows in layers for row in rows]
        for bounds, offered in _grid(offers, _first_ranked):
            yield dict(bounds) | dict(offered) | {"token_class": token_class}


def _first_ranked(rows: list[dict]) -> tuple | None:
    if not rows:
        return None
    first = max(rows, key=lambda row: row["rank"])
    return tuple((name, first[name]) for name in ("rate_pico", "price_status", "source", "source_url"))


def _rank(row: dict) -> tuple:
    """Orders the rows of a layer that match the same ref: the greater holds."""
    model, valid_from = row["model"], row["valid_from"]
    named = [row[name] is not None for name in PRICE_REFS]
    # null valid_from (ever since) comes before every instant
    since = valid_from is not None, valid_from
    return "*" not in model, len(model), sum(named), *named, model.lower(), row["context_above"], *since


def _matcher(row: dict) -> Callable[[dict], bool]:
    """Whether a ref is one that the contract row speaks of; names match in any case, as genai-prices matches them."""
    parts = {name: re.escape(str(row[name])) for name in PRICE_REFS if row[name] is not None}
    parts["model"] = parts["model"].replace(r"\*", ".*")
    patterns = {name: re.compile(part, re.IGNORECASE | re.DOTALL) for name, part in parts.items()}
    return lambda ref: all(
        ref[name] is not None and pattern.fullmatch(str(ref[name])) for name, pattern in patterns.items()
    )


def rate_cards(rows: pl.DataFrame, refs: pl.DataFrame) -> pl.DataFrame:
    """RATE_CARDS of `refs` from their `applicable` rows: cut wherever a rate changes, merged where none does.

    One card for each ref, span of time, window of the day and band of context; they never overlap. A class without a
    row has a null rate; where no class has one there is no card. card_id counts from 1 by ref, time, window, context.
    """
    by_ref, cards = _by_ref(rows), []
    for values in refs.unique().iter_rows():
        for bounds, rates in _grid(by_ref.get(values, []), _rates):
            cards.append(dict(zip(PRICE_REFS, values, strict=True)) | dict(bounds) | dict(rates))
    frame = pl.DataFrame(cards, schema=RATE_CARDS, orient="row")
    frame = frame.sort([*PRICE_REFS, "valid_from", "day_second_from", "context_above"])
    return conform(frame.with_columns(card_id=pl.int_range(1, pl.len() + 1, dtype=pl.Int64)), RATE_CARDS)


def _rates(rows: list[dict]) -> tuple | None:
    """A card's rate columns and status from the rows that cover it; of a class's rows the highest context's holds."""
    if not rows:
        return None
    by_class = {row["token_class"]: row for row in sorted(rows, key=lambda row: row["context_above"])}
    rates = [(f"{token_class}_rate_pico", row["rate_pico"]) for token_class, row in sorted(by_class.items())]
    priced = [row for row in by_class.values() if row["rate_pico"] is not None] or list(by_class.values())
    return *rates, ("price_status", max((row["price_status"] for row in priced), key=STATUSES.index))


def _by_ref(rows: pl.DataFrame) -> dict[tuple, list[dict]]:
    by_ref = defaultdict(list)
    for row in rows.iter_rows(named=True):
        by_ref[tuple(row[name] for name in PRICE_REFS)].append(row)
    return by_ref


def _grid(rows: list[dict], value_of: Callable[[list[dict]], tuple | None]) -> Iterator[tuple[tuple, tuple]]:
    """(bounds, value) of each cell of time x second of day x context that `rows` cut; neighbours that are equal merge.

    value_of tells what holds where exactly these rows cover; None: nothing, and there is no cell.
    """
    instants = sorted({row[bound] for row in rows for bound in ("valid_from", "valid_to")} - {None})
    seconds = sorted({0, 86_400}.union(*((row["day_second_from"], row["day_second_to"]) for row in rows)))
    contexts = sorted({0}.union(row["context_above"] for row in rows))
    eras = []
    for start, end in spans([None, *instants, None]):
        alive = [row for row in rows if _is_valid(row, start)]
        bands = []
        for above, up_to in spans([*contexts, None]):
            reached = [row for row in alive if row["context_above"] <= above]
            # windows within a band: what cuts another band's day must not cut this one's
            windows = [
                (day_from, day_to, value_of([row for row in reached if _is_awake(row, day_from)]))
                for day_from, day_to in spans(seconds)
            ]
            bands.append((above, up_to, tuple(merged(windows))))
        eras.append((start, end, tuple(merged(bands))))
    for start, end, bands in merged(eras):
        for above, up_to, windows in bands:
            for day_from, day_to, value in windows:
                if value is not None:
                    bounds = (start, end, day_from, day_to, above, up_to)
                    yield tuple(zip(BOUNDS, bounds, strict=True)), value


def _is_valid(row: dict, start: datetime | None) -> bool:
    """Whether the row holds in a span that starts at `start` (None: since ever) and is cut by no bound of the row."""
    has_begun = row["valid_from"] is None or (start is not None and row["valid_from"] <= start)
    return has_begun and (row["valid_to"] is None or start is None or start < row["valid_to"])


def _is_awake(row: dict, second: int) -> bool:
    return row["day_second_from"] <= second < row["day_second_to"]


def spans(edges: Iterable) -> list[tuple]:
    """Half-open spans between neighbouring edges."""
    return list(pairwise(edges))


def merged(cells: Iterable[tuple]) -> list[tuple]:
    """(start, end, value) cells in order, neighbours with equal values made one."""
    whole = []
    for start, end, value in cells:
        if whole and whole[-1][2] == value:
            start = whole.pop()[0]
        whole.append((start, end, value))
    return whole

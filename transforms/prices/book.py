"""Step 7, the price book: which layer of rates holds for a price ref, and what was believed when."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction

import polars as pl

from transforms.prices.grid import cells
from transforms.schemas import (
    INSTANT,
    PRICE_BOOK,
    PRICE_REFS,
    PRICE_RULES,
    RATE_CLASSES,
    TIME_CLASS,
    WEEK_SECONDS,
    conform,
)

CONTRACT, CORRECTION = "contract", "correction"  # `source` of a price file's rows
LAYERS = {CORRECTION: 100, CONTRACT: 1000}  # above every catalogue, which count from 0
# A cache class that nobody has a price of is priced as input: nothing says that it is cheaper.
CACHE_CLASSES = ("cache_read", "cache_write_5m", "cache_write_1h", "cache_write_other")
AS_INPUT, STAND_IN = "as input", -1  # its note, and its place below every source
NANO = 10**9
ANSWER = ("rate_pico", "price_status", "source", "source_url", "note")

# Two rows state the same rate when these agree: neither the version of the source nor its link makes a price change.
IDENTITY = [
    *(name for name in PRICE_BOOK if name not in ("recorded_at", "superseded_at", "source", "source_url")),
    "stated_by",  # the source without its version
]


# What was believed when


def revise(book: pl.DataFrame, rows: pl.DataFrame, recorded_at: datetime) -> pl.DataFrame:
    """`book` (PRICE_BOOK, the whole history) after `rows` were stated at `recorded_at`.

    Nothing is deleted or edited: a rate that is no longer stated is superseded, a new one is appended, one that is
    still stated stays as first recorded. Revising again with the same rows changes nothing.
    """
    book = _with_identity(book)
    stated = _with_identity(rows).unique(IDENTITY, keep="first", maintain_order=True)
    believed = current(book)
    vanished = believed.join(stated, on=IDENTITY, how="anti", nulls_equal=True)
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


def book_hash(rows: pl.DataFrame) -> str:
    """SHA-256 of the rates of `rows`, whatever their order, when they were recorded and the version of their source."""
    told = _with_identity(rows).select(IDENTITY).rows()
    lines = sorted(json.dumps(row, default=lambda instant: instant.isoformat(), separators=(",", ":")) for row in told)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _with_identity(book: pl.DataFrame) -> pl.DataFrame:
    return book.with_columns(stated_by=pl.col("source").str.extract(r"^(\S+)"))


# What a ref is called where prices are asked for


def named(refs: pl.DataFrame, aliases: Mapping[str, str]) -> pl.DataFrame:
    """`refs` (PRICE_REFS) with as_provider and as_model, the names that its prices are looked up by.

    `aliases` maps "provider/model" or "model", in any case, to "provider/model" or "model" (of the same provider).
    """
    targets, rows = {key.lower(): value for key, value in aliases.items()}, []
    for ref in refs.iter_rows(named=True):
        provider, model = ref["provider"], ref["model"]
        keys = [f"{provider}/{model}".lower()] * (provider is not None) + [(model or "").lower()]
        if target := next((targets[key] for key in keys if key in targets), None):
            head, _, rest = target.partition("/")
            provider, model = (head, rest) if rest else (provider, head)
        rows.append(ref | {"as_provider": provider, "as_model": model})
    return pl.DataFrame(rows, schema=PRICE_REFS | {"as_provider": pl.String, "as_model": pl.String}, orient="row")


def asked(named_refs: pl.DataFrame) -> pl.DataFrame:
    """The distinct PRICE_REFS that the sources are asked for."""
    names = {"provider": pl.col("as_provider"), "model": pl.col("as_model")}
    return named_refs.with_columns(**names).select(list(PRICE_REFS)).unique(maintain_order=True)


def answered(rows: pl.DataFrame, named_refs: pl.DataFrame) -> pl.DataFrame:
    """What a source states of `asked` refs (PRICE_BOOK), as rows of the ledger's own refs."""
    own = named_refs.rename({"provider": "own_provider", "model": "own_model"})
    own = own.rename({"as_provider": "provider", "as_model": "model"})
    joined = own.join(rows, on=list(PRICE_REFS), how="inner", nulls_equal=True, maintain_order="left_right")
    return conform(joined.with_columns(provider="own_provider", model="own_model"), PRICE_BOOK)


# Which layer holds


def applicable(named_refs: pl.DataFrame, rules: pl.DataFrame, sources: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """PRICE_BOOK rows of each of `named_refs`, without overlap within a ref, class and context_above.

    `rules` (PRICE_RULES) are the contract's and the corrections'; `sources` what catalogues state (PRICE_BOOK), the
    better first. Contract goes before correction before the sources. Of several rules of one layer that speak of a ref
    the most specific holds, then the greatest context_above, then a time window, then the latest; where one ends, what
    it covered holds again. A multiplier multiplies what the layers below its own state; of each layer one.
    A class that nobody has a price of is left out, but cached input is then priced as input.
    """
    by_ref: dict[tuple, list[dict]] = defaultdict(list)
    for rank, source in enumerate(reversed(sources)):
        for row in source.iter_rows(named=True):
            by_ref[tuple(row[name] for name in PRICE_REFS)].append(
                row | {"rank": (rank, row["context_above"]), "layer": rank}
            )
    deals = [row | {"matches": matcher(row)} for row in rules.iter_rows(named=True)]
    rows: list[dict] = []
    for ref in named_refs.iter_rows(named=True):
        names = [ref, ref | {"provider": ref["as_provider"], "model": ref["as_model"]}]
        matching = [_ranked(row) for row in deals if any(map(row["matches"], names))]
        own = {name: ref[name] for name in PRICE_REFS}
        rows += [own | row for row in _layered(matching, by_ref.get(tuple(own.values()), []))]
    return pl.DataFrame(rows, schema=PRICE_BOOK, orient="row")


def billed_by_time(terms: pl.DataFrame) -> pl.DataFrame:
    """PRICE_RULES that say of the models in bills for time (of CONTRACT_TERMS): no rate, and billed so."""
    midnight = {name: pl.col(name).cast(INSTANT) for name in ("valid_from", "valid_to")}
    always = {"context_above": pl.lit(0, pl.Int64), "week_second_from": pl.lit(0, pl.Int32)}
    always |= {"week_second_to": pl.lit(WEEK_SECONDS, pl.Int32), "token_class": pl.lit(TIME_CLASS)}
    rules = terms.filter(kind="time").with_columns(**midnight, **always, source=pl.lit(CONTRACT))
    absent = [name for name in PRICE_RULES if name not in rules.columns]
    return conform(rules.with_columns(pl.lit(None, PRICE_RULES[name]).alias(name) for name in absent), PRICE_RULES)


def unmatched(rules: pl.DataFrame, named_refs: pl.DataFrame) -> pl.DataFrame:
    """The rows of `rules` that speak of none of the refs: the model is not in use, or its name is mistyped."""
    refs = [*named_refs.iter_rows(named=True), *asked(named_refs).iter_rows(named=True)]
    spoken_of = rules.select(list(PRICE_REFS)).unique().rows(named=True)
    idle = [ref for ref in spoken_of if not any(map(matcher(ref), refs))]
    of_idle = pl.DataFrame(idle, schema=PRICE_REFS, orient="row")
    return rules.join(of_idle, on=list(PRICE_REFS), how="semi", nulls_equal=True, maintain_order="left")


def matcher(rule: dict) -> Callable[[dict], bool]:
    """Whether a ref is one that the rule speaks of; names match in any case, as genai-prices matches them."""
    parts = {name: re.escape(str(rule[name])) for name in PRICE_REFS if rule[name] is not None}
    patterns = {
        name: re.compile(part.replace(r"\*", ".*") if name == "model" else part, re.IGNORECASE | re.DOTALL)
        for name, part in parts.items()
    }
    # any model is also one that the log does not name
    return lambda ref: all(
        pattern.fullmatch(str(ref[name])) if ref[name] is not None else name == "model" and pattern.fullmatch("")
        for name, pattern in patterns.items()
    )


def _ranked(rule: dict) -> dict:
    """A rule as a row that competes: the greater rank holds, above every source's."""
    layer = LAYERS[rule["source"]]
    is_free = rule["rate_pico"] == 0
    status = "free" if is_free else "exact"  # of a multiplier nobody asks for it
    return rule | {"rank": (layer, *_specificity(rule)), "layer": layer, "price_status": status}


def _specificity(rule: dict) -> tuple:
    model, valid_from = rule["model"] or "*", rule["valid_from"]
    said = [rule[name] is not None for name in PRICE_REFS]
    is_windowed = (rule["week_second_from"], rule["week_second_to"]) != (0, WEEK_SECONDS)
    # null valid_from (ever since) comes before every instant
    since = valid_from is not None, valid_from
    names_class = rule["token_class"] is not None
    condition = names_class, rule["context_above"], is_windowed, since
    return "*" not in model, len(model), sum(said), *said, model.lower(), *condition


def _layered(rules: list[dict], listed: list[dict]) -> Iterator[dict]:
    """The rows that hold for one ref: `rules` are those that speak of it, `listed` what the sources state."""
    priced = [rule for rule in rules if rule["multiplier_nano"] is None] + listed
    factors = [rule for rule in rules if rule["multiplier_nano"] is not None]
    inputs = [row for row in priced if row["token_class"] == "input"]
    for token_class in RATE_CLASSES:
        own = [row for row in priced if row["token_class"] == token_class]
        stand_ins = inputs if token_class in CACHE_CLASSES else []
        offers = own + [
            row | {"rank": (STAND_IN, *row["rank"]), "note": _joined(row["note"], AS_INPUT)} for row in stand_ins
        ]
        of_class = [rule for rule in factors if rule["token_class"] in (None, token_class)]
        if stand_ins:  # where input stands in, its multipliers hold too
            of_class += [rule | {"is_of_input": True} for rule in factors if rule["token_class"] == "input"]
        for bounds, answer in cells(offers + of_class, _answer):
            yield dict(bounds) | dict(zip(ANSWER, answer, strict=True)) | {"token_class": token_class}


def _answer(rows: list[dict]) -> tuple | None:
    """What holds where exactly `rows` cover: the first of the prices, times a multiplier of each layer above it."""
    prices = [row for row in rows if row.get("multiplier_nano") is None]
    if not prices:
        return None
    first = max(prices, key=lambda row: row["rank"])
    rate, status, note = first["rate_pico"], first["price_status"], first["note"]
    is_stand_in = first["rank"][0] == STAND_IN
    for layer in sorted(LAYERS.values()):
        factors = [row for row in rows if row.get("multiplier_nano") is not None and row["layer"] == layer]
        factors = [row for row in factors if is_stand_in or not row.get("is_of_input")]
        if not factors or rate is None or first["layer"] >= layer:
            continue
        factor = max(factors, key=lambda row: row["rank"])
        multiplier = Fraction(factor["multiplier_nano"], NANO)
        exact = rate * multiplier
        rate = round(exact)  # a half to the even neighbour
        status = status if rate else "free"
        note = _joined(note, f"x {_decimal(multiplier)} by {factor['source']}")
        note = note if rate == exact else _joined(note, "rounded to 1e-12")
    return rate, status, first["source"], first["source_url"], note


def _decimal(multiplier: Fraction) -> str:
    text = f"{float(multiplier):.9f}".rstrip("0")  # at most 9 decimals, below 1000: exact as text
    return text.rstrip(".")


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None

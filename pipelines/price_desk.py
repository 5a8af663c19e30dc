"""The corridor of `tokenspread prices`: what is believed of prices, why a call costs what it costs, and corrections."""

import os
import re
import tempfile
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import build_inputs, ledger, pricing, questions, warehouse
from pipelines.errors import UserError
from pipelines.price_answers import Differing, Explained, Exported, Imported, Shown
from pipelines.prices import catalogue, history, litellm, price_file
from pipelines.prices.price_text import UNSURE, price_text
from pipelines.settings import Settings
from transforms import schemas
from transforms.prices import book, cards, differences, imports, week
from transforms.schemas import PRICE_BOOK, PRICE_DIFFERENCES, PRICE_REFS, PRICE_RULES, RATE_CLASSES, conform

CALL_PREFIX = re.compile(r"[0-9a-f]{6,32}")
PLACE = re.compile(r"(.+):(\d{1,15})", re.DOTALL)
MOST_NAMES = 10
TERMS = {"volume_tier": "volume tiers", "commitment": "commitments", "time": "bills for time"}
LITELLM_JSON = re.compile(rb"(\xef\xbb\xbf)?\s*\{")


def show(settings: Settings, model: str | None, as_of: datetime | None, with_history: bool) -> Shown:
    """Rates of the models that `model` (a glob; None: any) matches, as believed `as_of` an instant, by default as the
    published figures are priced; with the superseded ones. Raises UserError."""
    link = _link(settings)
    rates, refs = questions.answer(link, "price_book"), questions.answer(link, "price_refs")
    if with_history:
        rates = rates.filter(pl.col("recorded_at") <= as_of) if as_of else rates
    else:
        rates = _believed(rates, as_of)
    names = {ref: _name(*ref) for ref in refs.select("provider", "model").unique().iter_rows()}
    chosen = {ref for ref, name in names.items() if model is None or _is_meant(model, name)}
    if not names:
        raise UserError(f"{settings.data}: the ledger has no calls yet; read logs first with tokenspread ingest")
    if not chosen:
        known = sorted(names.values())
        more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
        raise UserError(
            f"{model}: no model of the ledger is called so; there are {', '.join(known[:MOST_NAMES])}{more}"
        )
    rows = pl.DataFrame(list(chosen), schema={name: PRICE_REFS[name] for name in ("provider", "model")}, orient="row")
    shown = rates.join(rows, on=["provider", "model"], how="semi", nulls_equal=True, maintain_order="left")
    priced = set(shown.select("provider", "model").iter_rows())
    return Shown(_in_words(_ordered(conform(shown, PRICE_BOOK))), sorted(names[ref] for ref in chosen - priced))


def why(settings: Settings, call: str) -> Explained:
    """What one call's cost is made of; `call` is a call_id, its beginning, a response_id or FILE:LINE. UserError."""
    link = _link(settings)
    path, line_number = (found[1], int(found[2])) if (found := PLACE.fullmatch(call)) else (None, None)
    place = {
        "path": path and os.path.abspath(path), "tail": path and "/" + path.removeprefix("./"),
        "line_number": line_number,
    }  # fmt: skip
    prefix = call.lower() if CALL_PREFIX.fullmatch(call.lower()) else None
    meant = questions.answer(link, "told_calls", prefix=prefix, response_id=call, **place)
    if meant.is_empty():
        raise UserError(_not_found(link, call, place))
    if meant.height > 1:
        ids = ", ".join(meant["call_id"][:5])
        more = " ..." if meant.height > 5 else ""
        raise UserError(f"{call}: means {meant['meant_count'][0]:,} calls; give one of their ids: {ids}{more}")
    told = meant.row(0, named=True)
    lines = questions.answer(link, "class_lines", call_ids=[told["call_id"]]).rows(named=True)
    told["card_window"] = _window(told["card_week_second_from"], told["card_week_second_to"])
    told_lines = [line | {"window": _window(line["week_second_from"], line["week_second_to"])} for line in lines]
    terms = questions.answer(link, "told_terms", call_id=told["call_id"]).rows(named=True)
    return Explained(told, sorted(told_lines, key=lambda line: RATE_CLASSES.index(line["token_class"])), terms)


def diff(settings: Settings, price_map: Path | None) -> Differing:
    """Where the published prices, catalogue, history and, with a price map, LiteLLM disagree on what the ledger uses in
    its days, and what that is worth. Raises UserError."""
    link, path = _link(settings), litellm.find_price_map(price_map)
    days = questions.answer(link, "days").row(0, named=True)
    named = book.named(questions.answer(link, "price_refs"), settings.aliases)
    asked = book.asked(named)
    stated = [history.history_rates(asked), catalogue.catalogue_rates(asked)]
    stated += [litellm.litellm_rates(asked, path)] if path else []
    # what is published is one more source: a contract may differ from sources that agree
    published = conform(_believed(questions.answer(link, "price_book"), None), PRICE_BOOK)
    published = published.with_columns(source=pl.lit("published"))
    rows = pl.concat([published, *(book.answered(rows, named) for rows in stated)])
    found = pl.DataFrame(schema=PRICE_DIFFERENCES)
    if days["first_day"]:
        found = differences.differences(rows, days["first_day"], days["last_day"])
    worth = questions.answer(
        link, "difference_worth", {"differences": (found, PRICE_DIFFERENCES)}, call_ids=None
    )  # fmt: skip
    told, totals = imports.worth(found, worth)
    idle_count = found["difference_id"].n_unique() - worth["difference_id"].n_unique()
    return Differing(**days, litellm=path, rows=_described(told), totals=totals, idle_count=idle_count)


def export(settings: Settings, as_of: datetime | None) -> Exported:
    """The believed rates as a price file. Raises UserError."""
    link = _link(settings)
    refs = questions.answer(link, "price_refs")
    believed = conform(_believed(questions.answer(link, "price_book"), as_of), PRICE_BOOK)
    rates, _ = imports.shielded(believed, refs)
    text = price_text(_ordered(rates))
    with tempfile.TemporaryDirectory(prefix="tokenspread-") as folder:
        path = Path(folder) / "prices.csv"
        path.write_text(text, encoding="utf-8")
        rules = price_file.read_price_file(path, book.CORRECTION)
    told = book.applicable(book.named(refs, settings.aliases), rules, [])
    untold = imports.differing_refs(*cards.rate_cards({"believed": believed, "told": told}, refs))
    terms = [TERMS[kind] for kind in questions.answer(link, "term_kinds")["kind"]]
    unsure = believed.filter(pl.col("price_status").is_in(UNSURE), pl.col("rate_pico").is_not_null())
    statuses = sorted(unsure["price_status"].unique())
    refs_untold = [_ref_name(ref) for ref in untold]
    return Exported(text, text.count("\n") - 1, refs_untold, unsure.height, statuses, terms)


def import_prices(settings: Settings, path: Path) -> Imported:
    """Keeps a price file, or what a LiteLLM price map says of the ledger's models, as corrections for later builds, in
    place of those that were kept before. Raises UserError, LedgerBusy."""
    if not settings.data.is_dir():
        raise UserError(
            f"{settings.data}: no such data folder; check --data, or read logs first with tokenspread ingest"
        )
    with ledger.opened(settings.data) as store:
        named = book.named(warehouse.distinct_price_refs(store.paths("ledger")), settings.aliases)
        # neither what was imported before, and is replaced, nor the contract speaks for what this file leaves open
        without = pricing.stated(named, schemas.empty(PRICE_RULES))
        content, *told = _corrections(path, named, without)
        staged = store.staging / "import.csv"
        staged.write_bytes(content)
        rules = price_file.read_price_file(staged, book.CORRECTION)
        contract, former = pricing.contract(store), pricing.imported_corrections(store)
        query = "select name from input where kind = ? order by id desc limit 1"
        replaced = None if former.is_empty() else store.manifest.one(query, pricing.CORRECTIONS)
        before = pricing.stated(named, pl.concat([contract, former]))
        after = pricing.stated(named, pl.concat([contract, rules]))
        build_inputs.keep_input(store, pricing.CORRECTIONS, path, content)
    revised = imports.revised_counts(before, after)
    idle = _names(book.unmatched(rules, named))
    return Imported(rules.height, _names(rules), idle, *told, replaced, former.height, *revised)


def _corrections(path: Path, named: pl.DataFrame, believed: pl.DataFrame) -> tuple[bytes, *tuple[list[str], ...]]:
    """A price file, and of a price map what is left out, what is kept as `believed`, and what is exposed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); name a price file or LiteLLM's price map"
        ) from None
    if not LITELLM_JSON.match(content):
        price_file.read_price_file(path, book.CORRECTION)
        if not price_file.read_contract_terms(path).is_empty():
            fact = "has volume tiers, commitments or bills, which are of a contract"
            raise UserError(f"{path}: {fact}; give it to run or build with --prices, or take those lines out")
        return content, [], [], []
    try:
        stated = book.answered(litellm.litellm_rates(book.asked(named), path), named)
    except UserError as error:
        raise UserError(str(error).removesuffix(" with --litellm")) from None  # an option of diff, not of import
    if stated.is_empty():
        raise UserError(f"{path}: has no price of any model of the ledger; name another file, or set [aliases]")
    rates, *told = imports.corrections(stated, believed, named)
    return price_text(_ordered(rates)).encode(), *([_class_name(row) for row in rows] for rows in told)


def _link(settings: Settings) -> Path:
    return settings.data / "warehouse.duckdb"


def _believed(rates: pl.DataFrame, as_of: datetime | None) -> pl.DataFrame:
    """Those that were believed at an instant; None: those that the published figures are priced with."""
    if as_of is None:
        return rates.filter(pl.col("is_published"))
    rows = book.as_of(rates, as_of)
    if rows.is_empty() and not rates.is_empty():
        first = f"{rates['recorded_at'].min():%Y-%m-%d %H:%M}"
        raise UserError(f"--as-of {as_of:%Y-%m-%d %H:%M}: nothing was believed yet; the first rates are of {first} UTC")
    return rows


def _ordered(rates: pl.DataFrame) -> pl.DataFrame:
    order = pl.col("token_class").replace_strict(RATE_CLASSES, range(len(RATE_CLASSES)))
    return rates.sort(*PRICE_REFS, order, "context_above", "valid_from", "recorded_at", "week_second_from")


def _in_words(rates: pl.DataFrame) -> pl.DataFrame:
    return _described(week.joined(rates))


def _described(rows: pl.DataFrame) -> pl.DataFrame:
    """`window` in words for `windows`."""
    told = [week.described(tuple(window.values()) for window in windows) for windows in rows["windows"].to_list()]
    return rows.drop("windows").with_columns(pl.Series("window", told, pl.String))


def _window(start: int | None, end: int | None) -> str | None:
    return None if start is None or end is None else week.described([(start, end)])


def _not_found(link: Path, call: str, place: dict[str, Any]) -> str:
    if place["path"] is None:
        fix = "give a call_id or its first 6 digits or more, a response_id, or FILE:LINE"
        return f"{call}: no call of the ledger has this id; {fix}"
    told = questions.answer(link, "told_line", **place).row(0, named=True)
    if told["reason"]:
        return f"{call}: the line is quarantined ({told['reason']}); mend the log, or map it"
    if told["is_file_known"]:
        return (
            f"{call}: no call of the ledger is from this line; it tells of none, or of one that another line tells too"
        )
    return f"{call}: no log of this path was read; see the table files for those that were"


def _is_meant(pattern: str, name: str) -> bool:
    texts = (name.lower(), name.lower().partition("/")[2])
    return any(text == pattern.lower() or fnmatchcase(text, pattern.lower()) for text in texts)


def _name(provider: str | None, model: str | None) -> str:
    return f"{provider or '-'}/{model or '-'}"


def _ref_name(ref: dict[str, Any]) -> str:
    told = [ref["service_tier"], ref["region"], "batch" if ref["is_batch"] else None]
    rest = ", ".join(part for part in told if part)
    return _name(ref["provider"], ref["model"]) + (f" ({rest})" if rest else "")


def _class_name(row: dict[str, Any]) -> str:
    return f"{_ref_name(row)} {row['token_class']}"


def _names(rules: pl.DataFrame) -> list[str]:
    pairs = rules.select("provider", "model").unique().iter_rows()
    return sorted(f"{provider}/{model}" if provider else str(model) for provider, model in pairs)

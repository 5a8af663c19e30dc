"""Step 7, the user's own prices: a CSV or a TOML file, as PRICE_RULES and CONTRACT_TERMS.

A line, or a `[[prices]]` table, is of one `kind`, and the cells of other kinds stay empty:

- price (the default): `usd_per_million` units of a `token_class`, or `usd_per_unit` (request, search, session, second)
- multiplier: `multiplier` on what other sources say of a `token_class`; empty: of all
- volume_tier: what is spent above `above_usd_per_month` (or what is used above `above_tokens_per_month`) and up to the
  next tier of the same provider and model costs `multiplier` of it
- commitment: `usd_per_month` is due, used or not
- time: a bill for the time from valid_from to valid_to: `usd`, or seconds x usd_per_second (minutes, hours likewise),
  `allocate_by` busy time (the default) or tokens, of which one of output weighs `output_weight` of input
"""

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path

import polars as pl

from pipelines.errors import UserError
from pipelines.prices import rules, terms
from pipelines.sniff import named
from transforms.schemas import CONTRACT_TERMS, PRICE_RULES

PRICE_FILE_COLUMNS = ("provider", "model", "valid_from")
KINDS = rules.COLUMNS | terms.COLUMNS
EVERY_KIND = (*PRICE_FILE_COLUMNS, "valid_to", "source_url", "note")
PRICE_FILE_OPTIONS = ("kind", "valid_to", *dict.fromkeys(sum(KINDS.values(), ())), "source_url", "note")
# The first line that is not blank: no CSV file has column names like these.
TOML = re.compile(r"\s*(#|\[|[^\n,]*=)")
TABLE = re.compile(r"^[ \t]*\[\[[ \t]*(?:prices|\"prices\"|'prices')[ \t]*\]\]", re.MULTILINE)

Cells = dict[str, str | None]


def read_price_file(path: Path | str, source: str = "contract") -> pl.DataFrame:
    """PRICE_RULES of a price file: its prices and multipliers. The whole file is checked; UserError names the line.

    Providers become their genai-prices ids. An empty provider, service_tier, region or is_batch means any; `*` in a
    model stands for any text; `cache_write` for all three write classes; an empty valid_from for ever since. Dates,
    instants and times of the day are UTC.
    """
    return pl.DataFrame(_read(path, source)[0], schema=PRICE_RULES, orient="row")


def read_contract_terms(path: Path | str) -> pl.DataFrame:
    """CONTRACT_TERMS of a price file: its volume tiers, commitments and bills. UserError as of read_price_file."""
    return pl.DataFrame(_read(path, "contract")[1], schema=CONTRACT_TERMS, orient="row")


def _read(path: Path | str, source: str) -> tuple[list[dict], list[dict]]:
    """(rows of PRICE_RULES, rows of CONTRACT_TERMS)"""
    text = _text(path)
    priced, lines_by_key, agreed = [], {}, []
    for line, cells in _tables(path, text) if TOML.match(text) else _csv_lines(path, text):
        try:
            kind = _kind(cells)
            if kind in rules.COLUMNS:
                found = [row | {"line_number": line} for row in rules.rule_rows(kind, cells, source)]
                for row in found:
                    _check_once(kind, cells, row, lines_by_key)
                priced += found
            else:
                row = terms.term_row(kind, cells) | {"line_number": line}
                if fault := next(filter(None, (terms.clash(row, other) for other in agreed)), None):
                    raise ValueError(fault)
                agreed.append(row)
        except ValueError as error:
            raise UserError(f"{path}, line {line}: {error}") from None
    return priced, terms.numbered(agreed)


def _text(path: Path | str) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not UTF-8; save the price file as UTF-8") from None
    except OSError as error:
        fix = "name a readable CSV or TOML file with --prices"
        raise UserError(f"{path}: cannot be read ({error.strerror}); {fix}") from None


def _csv_lines(path: Path | str, text: str) -> Iterator[tuple[int, Cells]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, restval="")
    try:
        _check_columns(reader.fieldnames or [])
        for cells in reader:
            if None in cells:
                raise ValueError("more cells than columns; quote a text that has a comma in it")
            yield reader.line_num, {name: cell.strip() or None for name, cell in cells.items()}
    except (ValueError, csv.Error) as error:
        fix = "; close every quote" if isinstance(error, csv.Error) else ""
        # the inner reader's number: it is on the line that it could not read
        raise UserError(f"{path}, line {max(reader.reader.line_num, 1)}: {error}{fix}") from None


def _check_columns(names: list[str]) -> None:
    separator = next((mark for mark in ";\t" if len(names) == 1 and mark in names[0]), None)
    if separator:
        mark = "a tab" if separator == "\t" else repr(separator)
        raise ValueError(f"columns are separated by {mark}; save the file as CSV with commas")
    missing = [name for name in PRICE_FILE_COLUMNS if name not in names]
    unknown = [name for name in names if name not in PRICE_FILE_COLUMNS + PRICE_FILE_OPTIONS]
    repeated = [name for name in names if names.count(name) > 1]
    if missing or unknown or repeated:
        facts = [(missing, "is missing"), (unknown, "is unknown"), (repeated, "is there twice")]
        name, fact = next((found[0], fact) for found, fact in facts if found)
        fact += "" if names else ", as the file is empty"
        fix = f"the first line must name {', '.join(PRICE_FILE_COLUMNS)} and may name {', '.join(PRICE_FILE_OPTIONS)}"
        raise ValueError(f"column {named([name])!r} {fact}; {fix}")


def _tables(path: Path | str, text: str) -> Iterator[tuple[int, Cells]]:
    """The `[[prices]]` of a TOML file, with the lines on which they begin."""
    try:
        document = tomllib.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond all measure is no TOMLDecodeError
        place = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        fact = f"not TOML ({re.sub(r' [(]at .*$', '', str(error))})"
        raise UserError(f"{path}, line {line}: {fact}; mend it, or begin a CSV file with its column names") from None
    if unknown := [name for name in document if name != "prices"]:
        raise UserError(f"{path}: {unknown[0]!r} is unknown; write each price as a [[prices]] table")
    tables = document.get("prices", [])
    lines = [text.count("\n", 0, match.start()) + 1 for match in TABLE.finditer(text)]
    if not isinstance(tables, list) or len(lines) != len(tables):
        raise UserError(f"{path}: prices that are not all [[prices]] tables; write each price as a [[prices]] table")
    for line, table in zip(lines, tables, strict=True):
        try:
            yield line, dict.fromkeys(PRICE_FILE_COLUMNS) | {name: _cell(name, value) for name, value in table.items()}
        except ValueError as error:
            raise UserError(f"{path}, line {line}: {error}") from None


def _cell(name: str, value: object) -> str | None:
    """A TOML value as the text that a CSV file would have."""
    if name not in PRICE_FILE_COLUMNS + PRICE_FILE_OPTIONS:
        raise ValueError(
            f"{name!r} is unknown; a [[prices]] table may have {', '.join(PRICE_FILE_COLUMNS + PRICE_FILE_OPTIONS)}"
        )
    if isinstance(value, list | dict):
        raise ValueError(f"{name} is a {'list' if isinstance(value, list) else 'table'}; write it as one text")
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    return str(value).strip() or None


def _kind(cells: Cells) -> str:
    """The kind of a line; ValueError where it has cells that mean nothing in it."""
    kind = (cells.get("kind") or "price").lower()
    if kind not in KINDS:
        raise ValueError(f"kind {cells['kind']!r} is unknown; use {', '.join(KINDS)}; empty is price")
    if idle := [name for name, text in cells.items() if text and name not in (*EVERY_KIND, *KINDS[kind], "kind")]:
        raise ValueError(f"{idle[0]} says nothing in a {kind}; leave it empty, or mend the kind")
    if not cells["model"]:
        raise ValueError("model is empty; name a model, or * for all")
    return kind


def _check_once(kind: str, cells: Cells, row: dict, lines_by_key: dict[tuple, int]) -> None:
    key = (kind, *(str(row[name]).lower() for name in rules.RULE_KEY))
    if first := lines_by_key.get(key):
        given, provider = cells["provider"] or "", row["provider"]
        alias = f" ({given} is {provider})" if provider and given.lower() != provider else ""
        fact = f"the same {kind} from the same instant as line {first}{alias}"
        raise ValueError(f"{fact}; keep one of the two lines")
    lines_by_key[key] = row["line_number"]

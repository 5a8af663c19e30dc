"""What providers charged: exports of their bills, each format told by its content, as one frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.bills import aws, dashboards, files, focus, mapped, pages
from pipelines.bills.sheet import Period, Sheet
from pipelines.errors import UserError
from pipelines.log_files import find, shown
from transforms.bill_schemas import BILL

__all__ = ["BillFile", "Bills", "read"]

DASHBOARDS = {
    "OpenAI costs": (dashboards.OPENAI_COSTS, dashboards.openai_costs),
    "OpenAI usage": (dashboards.OPENAI_USAGE, dashboards.openai_usages),
    "Anthropic costs": (dashboards.ANTHROPIC_COSTS, dashboards.anthropic_costs),
    "Anthropic usage": (dashboards.ANTHROPIC_USAGE, dashboards.anthropic_usages),
}


@dataclass(frozen=True)
class BillFile:
    """The balance of one file: billed_pico = charge_pico + the money of all others."""

    path: str
    kind: str
    charge_count: int
    charge_pico: int | None  # null: it tells quantities only
    others: dict[str, tuple[int, int]]  # rows that are not of LLM calls, by reason: how many, and their pico-USD
    billed_pico: int | None
    rounded_count: int  # figures with more decimals than are kept
    notes: list[str]


@dataclass(frozen=True)
class Bills:
    rows: pl.DataFrame  # bill_schemas.BILL
    periods: dict[str, Period]  # by provider: first day that its bill tells of, and the day after the last
    files: list[BillFile]


def read(patterns: list[str], mappings: Mapping[str, Any]) -> Bills:
    """The bills that `patterns` (files, folders, globs) name, each content once. Raises UserError."""
    mapped.check(mappings)
    found = find(patterns)
    if found.unreadable:
        path, why = found.unreadable[0]
        raise UserError(f"{path}: cannot be read ({why}); check the path")
    sheets: list[Sheet] = []
    first_of: dict[str, Path] = {}
    for file in found.files:
        sheet, known = _read(file.path, mappings), first_of.setdefault(files.digest(file.path), file.path)
        if known != file.path:
            sheet = Sheet(file.path, sheet.kind, sheet.unit)
            sheet.notes.append(f"has the content of {shown(known)}, which counts once")
        sheets.append(sheet)
    if not sheets:
        raise UserError(f"{', '.join(map(shown, patterns))}: there is no file; name the exports of your bills")
    rows = pl.DataFrame([row for sheet in sheets for row in sheet.charges], schema=BILL, orient="row")
    return Bills(rows, _periods(sheets), [_balance(sheet) for sheet in sheets])


def _read(path: Path, mappings: Mapping[str, Any]) -> Sheet:
    document = files.opened(path)
    if document.unit == "result":
        return _read_pages(document)
    fitting = [name for name, mapping in mappings.items() if set(mapped.columns_of(mapping)) <= set(document.columns)]
    if len(fitting) > 1:
        both = " and ".join(f"[bill.{name}]" for name in fitting[:2])
        raise UserError(f"{shown(path)}: both {both} fit; map another column in one of them")
    if fitting:
        mapping = mappings[fitting[0]]
        sheet = Sheet(path, f"bill.{fitting[0]}", document.unit)
        mapped.read(sheet, document.rows(mapped.columns_of(mapping)), fitting[0], mapping)
        return sheet
    return _read_table(document, mappings)


def _read_table(document: files.Document, mappings: Mapping[str, Any]) -> Sheet:
    path, names = document.path, document.columns
    try:
        if any(name in names for name in aws.SIGN):
            sheet, columns = Sheet(path, "AWS cost and usage report", document.unit), aws.columns_of(names)
            aws.read(sheet, document.rows(columns.values()), columns)
            return sheet
        if all(name in names for name in focus.SIGN):
            sheet = Sheet(path, "FOCUS", document.unit)
            focus.check(names)
            focus.read(sheet, document.rows((*focus.NEEDED, *focus.OPTIONAL)))
            return sheet
    except ValueError as error:
        raise UserError(f"{shown(path)}: {error}") from None
    for kind, (columns, reader) in DASHBOARDS.items():
        if all(name in names for name in columns):
            sheet = Sheet(path, kind, document.unit)
            reader(sheet, list(document.rows(names)))
            return sheet
    raise UserError(f"{shown(path)}: {mapped.almost(names, mappings) or files.NO_BILL}")


def _read_pages(document: files.Document) -> Sheet:
    """Pages, or their buckets alone."""
    buckets: list[dict[str, Any]] = []
    have_more = []
    for value in document.values:
        if not isinstance(value, dict):
            raise UserError(f"{shown(document.path)}: {files.NO_BILL}")
        have_more += [value["has_more"]] if "has_more" in value else []
        buckets += value["data"] if isinstance(value.get("data"), list) else [value]
    if all(isinstance(bucket, dict) and "start_time" in bucket for bucket in buckets):
        kind, reader = "OpenAI", pages.openai
    elif all(isinstance(bucket, dict) and "starting_at" in bucket for bucket in buckets):
        kind, reader = "Anthropic", pages.anthropic
    else:
        raise UserError(f"{shown(document.path)}: {files.NO_BILL}")
    sheet = Sheet(document.path, kind, document.unit)
    results: list[pages.Result] = []
    for bucket in buckets:
        told = bucket.get("results", bucket.get("result")) or []
        if not isinstance(told, list) or not all(isinstance(result, dict) for result in told):
            raise UserError(f"{shown(document.path)}: {files.NO_BILL}")
        results += [(len(results) + number, bucket, result) for number, result in enumerate(told, start=1)]
        results += [] if told else [(len(results) + 1, bucket, None)]
    reader(sheet, results)
    if have_more and all(have_more):
        sheet.notes.append("says that another page follows; it counts only if you name that one too")
    return sheet


def _periods(sheets: list[Sheet]) -> dict[str, Period]:
    """Of a provider's exports of money; of usage only where there are no others."""
    periods: dict[str, Period] = {}
    with_money = {row["provider"] for sheet in sheets for row in sheet.charges if row["billed_pico"] is not None}
    for sheet in sheets:
        has_money = any(row["billed_pico"] is not None for row in sheet.charges) or not sheet.charges
        for provider, (start, end) in sheet.covered.items():
            if has_money or provider not in with_money:
                first, after = periods.get(provider, (start, end))
                periods[provider] = (min(first, start), max(after, end))
    return periods


def _balance(sheet: Sheet) -> BillFile:
    amounts = [row["billed_pico"] for row in sheet.charges if row["billed_pico"] is not None]
    charged = None if sheet.charges and not amounts else sum(amounts)
    others = {reason: (count, sheet.other_pico[reason]) for reason, count in sorted(sheet.other_rows.items())}
    billed = None if charged is None else charged + sum(pico for _, pico in others.values())
    return BillFile(
        shown(sheet.path), sheet.kind, len(sheet.charges), charged, others, billed, sheet.rounded_count, sheet.notes
    )

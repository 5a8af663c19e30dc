"""Model swaps as measured: those that the history holds, and what two models took and led to on the same features."""

from collections.abc import Callable
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from pipelines.errors import UserError
from pipelines.report import output
from pipelines.report.header import selected
from pipelines.report.output import Report
from pipelines.report.text import UNKNOWN, count, counted, harmless, money, share
from pipelines.warehouse_sources import literal

Query = Callable[[str], pl.DataFrame]
Row = dict[str, Any]
Line = tuple[str, str, str, str]  # label, before, after, what changed

MODELS = ("model_swaps",)
LEAST_ACTION_COUNT = 20
MOST_SWAPS = 20
CLASS_LABELS = {
    "input": "input/action", "cache_read": "cache reads/action", "cache_write": "cache writes/action",
    "output": "output/action", "total": "tokens/action",
}  # fmt: skip
NO_EVIDENCE = "no feature has actions on either model alone: nothing measured, a swap would assume the same tokens"


def write_past(
    query: Query, form: str, stream: TextIO, least_action_count: int = LEAST_ACTION_COUNT, part: Row | None = None,
    most: int | None = None, data: Path | None = None,
) -> None:  # fmt: skip
    """The swaps that the history holds, by feature and day, as one of output.FORMATS; in CSV a row of `model_swaps` for
    each. Raises UserError for a count below 1."""
    if least_action_count < 1:
        raise UserError(f"{least_action_count} actions: a swap needs at least 1 on either side")
    order = "order by feature, swapped_on"
    rows = query(f"from model_swaps(least_action_count := {least_action_count}) {order}").to_dicts()
    kept = rows[:most]
    lines = [
        *selected(part),
        f"{counted(len(rows), 'swap')} of a feature's main model, of {least_action_count} actions or more",
    ]
    for row in kept[: most or MOST_SWAPS]:
        lines += ["", f"{harmless(row['feature'])}, {row['swapped_on']}: {_name(row, 'from')} -> {_name(row, 'to')}"]
        lines += _aligned(_past_lines(row))
    if rest := len(rows) - len(kept[: most or MOST_SWAPS]):
        lines += ["", f"and {rest:,} more; all of them with --top, --json or: from model_swaps()"]
    if undated := query("select count(*) from calls where day is null").item():
        lines += ["", f"{counted(undated, 'call')} without an instant: swaps are not looked for among them"]
    last = rows[-1] if rows else None
    pair = [_quoted_name(last, side) for side in ("from", "to")] if last else []
    next_command = f"tokenspread swap {' '.join(pair)}" if last else None
    output.write(Report(kept, lines, lambda: kept, len(rows) - len(kept), next_command), form, stream, data)


def _quoted_name(row: Row, side: str) -> str:
    return output.quoted("/".join(part for part in (row[f"{side}_provider"], row[f"{side}_model"]) if part))


def evidence(query: Query, from_model: str, to_model: str) -> list[str]:
    """What the two models took and led to where both served, as lines. Raises UserError for a model that no call
    names."""
    for model in (from_model, to_model):
        _check_known(query, model)
    asked = f"swap_evidence({literal(from_model)}, {literal(to_model)})"
    order = f"order by from_action_count desc, feature, list_position({list(CLASS_LABELS)}, token_class)"
    rows = query(f"from {asked} {order}").to_dicts()
    lines = [f"{harmless(from_model)} -> {harmless(to_model)}, as measured", *([] if rows else [NO_EVIDENCE])]
    for feature, classes in groupby(rows, key=lambda row: row["feature"]):
        group = list(classes)
        lines += ["", f"{harmless(feature)}, {group[0]['basis']}", *_aligned(_evidence_lines(group))]
    return lines


def _check_known(query: Query, model: str) -> None:
    served = "select distinct provider, coalesce(model, model_requested) as model from calls"
    names = query(f"select model, concat_ws('/', provider, model) as full_name from ({served}) where model is not null")
    if model not in {*names["model"], *names["full_name"]}:
        known = ", ".join(map(harmless, sorted(set(names["full_name"]))[:10])) or "none"
        raise UserError(f"{harmless(model)}: no call was made on it; name a model of the ledger (such as {known})")


def _past_lines(row: Row) -> list[Line]:
    return [
        *_counts(row),
        ("share of all", share(row["from_main_share"]), share(row["to_main_share"]), ""),
        ("tokens/action", *_means(row), _ratio(row, "tokens_ratio")),
        ("of these input", "", "", _ratio(row, "input_ratio")),
        ("of these output", "", "", _ratio(row, "output_ratio")),
        ("USD/million tokens", *_both(row, "price_per_million_usd", money), ""),
        *_results(row),
    ]


def _evidence_lines(rows: list[Row]) -> list[Line]:
    """Of one feature; a token class that no call tells of has no line."""
    told = [row for row in rows if (row["from_tokens_per_action"], row["to_tokens_per_action"]) != (None, None)]
    classes = [(CLASS_LABELS[row["token_class"]], *_means(row), _ratio(row, "ratio")) for row in told]
    cached: Line = ("cached share of input", *_both(rows[0], "cache_share", share), "")
    return [*_counts(rows[0]), *classes, cached, *_results(rows[0])]


def _counts(row: Row) -> list[Line]:
    apart = [
        (row["unknown_usage_action_count"], "of unknown usage"),
        (row["unpriced_action_count"], "without a price"),
        (row.get("mixed_action_count"), "more on several models"),
    ]
    notes = [f"{number:,} {what}" for number, what in apart if number]
    return [
        ("from (UTC)", *_both(row, "first_day", _day), ""),
        ("to", *_both(row, "last_day", _day), ""),
        ("actions", *_both(row, "action_count", count), ", ".join(notes)),
    ]


def _results(row: Row) -> list[Line]:
    labelled = ("labelled actions", *_both(row, "labelled_count", count), "")
    success = ("success share", *_both(row, "success_share", share), _points(row))
    per_outcome = ("cost/outcome (USD)", *_both(row, "cost_per_outcome_usd", money), "")
    has_outcomes = row["from_labelled_count"] or row["to_labelled_count"]
    cost = ("cost/action (USD)", *_both(row, "cost_per_action_usd", money), _ratio(row, "cost_ratio"))
    return [cost, *([labelled, success, per_outcome] if has_outcomes else [])]


def _both(row: Row, column: str, shown: Callable[[Any], str]) -> tuple[str, str]:
    return shown(row[f"from_{column}"]), shown(row[f"to_{column}"])


def _means(row: Row) -> tuple[str, str]:
    return _both(row, "tokens_per_action", _mean)


def _mean(tokens: float | None) -> str:
    return UNKNOWN if tokens is None else f"{tokens:,.{0 if tokens >= 10 else 2}f}"


def _ratio(row: Row, column: str) -> str:
    """As `x0.770 (0.701 to 0.840)`, the bounds where they are known."""
    ratio, low, high = (row[column + bound] for bound in ("", "_low", "_high"))
    if ratio is None:
        return UNKNOWN
    return f"x{_times(ratio)}" + (f" ({_times(low)} to {_times(high)})" if low is not None else "")


def _times(ratio: float) -> str:
    """At most three decimals, fewer where the ratio is large, and never in powers of ten."""
    return f"{ratio:,.{0 if ratio >= 100 else 1 if ratio >= 10 else 3}f}"


def _points(row: Row) -> str:
    """A change of a share, in points, as `+2.1 points (-3.0 to +7.2)`."""
    change, low, high = (row[f"success_change{bound}_share"] for bound in ("", "_low", "_high"))
    if change is None:
        return UNKNOWN
    return f"{100 * change:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"


def _day(day: date | None) -> str:
    return UNKNOWN if day is None else day.isoformat()


def _name(row: Row, side: str) -> str:
    return harmless("/".join(part for part in (row[f"{side}_provider"], row[f"{side}_model"]) if part))


def _aligned(lines: list[Line]) -> list[str]:
    head: Line = ("", "before", "after", "change (95 % interval)")
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(3)]
    return [
        f"  {label:<{widths[0]}}  {before:>{widths[1]}}  {after:>{widths[2]}}  {change}".rstrip()
        for label, before, after, change in [head, *lines]
    ]

"""The forecast: what a month comes to under each scenario, and in words how good such forecasts were so far."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from pipelines.errors import UserError
from pipelines.report import output
from pipelines.report.figures import Query
from pipelines.report.output import Column, Report, Table
from pipelines.report.text import UNKNOWN, count, counted, money, share

# Alike in all scenarios: told once.
OF_ALL = (
    "month_start", "as_of", "last_called_at", "days_told_count", "days_left_count", "undated_call_count",
)  # fmt: skip
COLUMNS: list[Column] = [
    ("so far", lambda row: _money(row["so_far_usd"])),
    ("rest", lambda row: _money(row["expected_rest_usd"])),
    ("month end", lambda row: _money(row["month_end_usd"])),
    ("from", lambda row: _money(row["low_usd"])),
    ("to", lambda row: _money(row["high_usd"])),
]


def write(query: Query, as_of: date | None, form: str, stream: TextIO, data: Path | None = None) -> None:
    """The forecast on `stream`, as one of output.FORMATS, of what is known up to `as_of`: else the log's last day that
    is over. Raises UserError for a day that the log does not span, and where no call has a day."""
    asked = "" if as_of is None else f"as_of := date '{as_of.isoformat()}'"
    rows = query(f"select * from forecast({asked}) order by scenario_order").rows(named=True)
    if not rows:
        raise UserError(_no_forecast(query, as_of))
    output.write(report(rows, is_chosen=as_of is not None), form, stream, data)


def report(rows: list[dict[str, Any]], is_chosen: bool) -> Report:
    """In CSV a row of `forecast` for each scenario."""
    first = rows[0]
    shown = [row | {"name": row["scenario"]} for row in rows]
    last_month = f"{(first['month_start'] - timedelta(days=1)):%Y-%m}"
    return Report(
        figures=figures(rows),
        blocks=[Table(_title(first), COLUMNS, shown), *notes(first, is_chosen)],
        records=lambda: [dict(row) for row in rows],
        next_command=f"tokenspread bridge {last_month} {first['month_start']:%Y-%m}",
    )


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All of it: exact money as text, estimates as numbers, null for unknown."""
    scenarios = [{name: value for name, value in row.items() if name not in OF_ALL} for row in rows]
    return {name: rows[0][name] for name in OF_ALL} | {"scenarios": scenarios}


def notes(row: dict[str, Any], is_chosen: bool) -> list[str]:
    """What a reader must know to trust the figures of `row`, the actual scenario's."""
    lines = [_past(row), _method(row)]
    called_at = row["last_called_at"]
    if not is_chosen and called_at.date() > row["as_of"]:
        lines.append(
            f"the log's last call is at {called_at:%Y-%m-%d %H:%M} UTC: that day may not be over and counts as left; "
            f"--as-of {called_at:%Y-%m-%d} takes it as it is"
        )
    if row["unpriced_call_count"]:
        lines.append(
            f"{counted(row['unpriced_call_count'], 'call')} without a price in these weeks: missing in all figures"
        )
    if row["undated_call_count"]:
        lines.append(f"{counted(row['undated_call_count'], 'call')} without a time: in no figure")
    return lines


def _past(row: dict[str, Any]) -> str:
    """The error of the same forecast in earlier months, in words."""
    made, left = row["past_forecast_count"], counted(row["days_left_count"], "day")
    if not made:
        return "no month before this one is whole in the log: how good such forecasts are is not known"
    told = f"of {counted(made, 'past month')}, forecasts made with {left} left"
    if row["past_error_share"] is None:
        return f"{told} were of months without any cost"
    bias = row["past_bias_share"]
    way = f"too {'high' if bias > 0 else 'low'} by {share(abs(bias))}" if share(abs(bias)) != share(0.0) else "no bias"
    held = f"{count(row['past_held_count'])} of {count(row['past_interval_count'])} intervals held what came"
    return f"{told} were off by {share(row['past_error_share'])} ({way}); {held}"


def _method(row: dict[str, Any]) -> str:
    known = counted(row["history_day_count"], "day")
    if row["method"] is None:
        return "no call of these weeks has a price: nothing to forecast from"
    if row["method"] == "told":
        return "no day of the month is left: this is what it came to"
    if row["method"] == "daily mean":
        return f"less than a week is known ({known}): each day left costs the mean of them, without an interval"
    way = f"each day left costs the mean of its weekday ({known} of the last 8 weeks)"
    if row["low_usd"] is None:
        return f"{way}; no interval, since a weekday is known less than twice"
    return f"{way}; the interval (95 %) takes days for independent, so a trend or a break is not in it"


def _title(row: dict[str, Any]) -> str:
    told, left = counted(row["days_told_count"], "day"), count(row["days_left_count"])
    return f"{row['month_start']:%B %Y} as of {row['as_of']}: {told} told, {left} left (USD, tokens and fees)"


def _money(usd: Decimal | float | None) -> str:
    return UNKNOWN if usd is None else money(Decimal(str(usd)))


def _no_forecast(query: Query, as_of: date | None) -> str:
    span = query("select first_day, last_day from about").row(0, named=True)
    if span["first_day"] is None:
        return "no call in the ledger has a day, so there is no month to forecast: ingest some logs first"
    return f"--as-of {as_of}: the log spans {span['first_day']} to {span['last_day']}; name a day of these"

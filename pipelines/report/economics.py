"""Unit economics as finance reads them: percentiles, intervals, waste, price per token, concentration, retention."""

from pathlib import Path
from typing import Any, TextIO

from pipelines.errors import UserError
from pipelines.report import output
from pipelines.report.figures import DIMENSIONS, Query
from pipelines.report.header import selected
from pipelines.report.output import Column, Report, Row, Table
from pipelines.report.terminal import MOST_ROWS, NO_CALLS, cost, more
from pipelines.report.text import UNKNOWN, count, estimate, money, share

MODELS = ("unit_economics", "concentration", "spend_retention")
ROWS = "select * from unit_economics where dimension in ('all', '{by}') order by cost_usd desc nulls last, name"
CONCENTRATION = "select * from concentration('{by}')"
RETENTION = "select * from spend_retention('{by}')"
CONCENTRATED = ("feature", "user", "customer", "model")
RETAINED = ("user", "customer")
MOST_COHORT_MONTHS = 12


def write(
    query: Query, by: str, form: str, stream: TextIO, part: Row | None = None, most: int | None = None,
    data: Path | None = None,
) -> None:  # fmt: skip
    """All figures as one of output.FORMATS, of all calls or of the `part` that `query` is about, with the `most`
    dearest rows. Raises UserError for an unknown `by`."""
    output.write(report(economics_figures(query, by), part, most), form, stream, data)


def economics_figures(query: Query, by: str) -> dict[str, Any]:
    """{by, total, rows, concentration, retention}: published rows; None where nothing is said of `by`."""
    if by not in DIMENSIONS:
        raise UserError(f"--by {by}: no such grouping; choose one of {', '.join(DIMENSIONS)}")
    rows = query(ROWS.format(by=by)).to_dicts()
    of_names = [row for row in rows if row["dimension"] == by]
    if by == "day":
        of_names.sort(key=lambda row: row["name"])
    return {
        "by": by,
        "total": next((row for row in rows if row["dimension"] == "all"), None),
        "rows": of_names,
        "concentration": query(CONCENTRATION.format(by=by)).row(0, named=True) if by in CONCENTRATED else None,
        "retention": query(RETENTION.format(by=by)).to_dicts() if by in RETAINED else None,
    }


def report(figures: Row, part: Row | None = None, most: int | None = None) -> Report:
    """In CSV a row of `unit_economics` for each name and one for all."""
    rows, total, by = figures["rows"], figures["total"], figures["by"]
    kept = output.top(rows, most)
    left_out = len(rows) - len(kept)
    return Report(
        figures=figures | {"selection": part, "rows": kept, "left_out_count": left_out},
        blocks=[*selected(part), *([""] if part else []), *_blocks(figures, kept[: most or MOST_ROWS])],
        records=lambda: [*kept, *([total] if total else [])],
        left_out_count=left_out,
        next_command=_next(rows, by) if total else None,
    )


def _next(rows: list[Row], by: str) -> str | None:
    """Into the dearest name, by another dimension."""
    dearest = next((row for row in rows if row["cost_usd"]), None)
    if dearest is None or by == "day":
        return None
    into = "feature" if by != "feature" else "model"
    dearest_name = f"{by}={dearest['name']}"
    return f"tokenspread economics --by {into} --where {output.quoted(dearest_name)}"


def _blocks(figures: Row, shown: list[Row]) -> list[str | Table]:
    rows, total, by = figures["rows"], figures["total"], figures["by"]
    if total is None:
        return [NO_CALLS]
    blocks: list[str | Table] = [Table(title.format(by=by), columns, shown, total) for title, columns in TABLES.items()]
    blocks += more(rows, shown, "select * from unit_economics")
    if total["costed_action_count"] < total["action_count"]:
        left_out = total["action_count"] - total["costed_action_count"]
        blocks.append(
            f"{left_out:,} of {total['action_count']:,} actions hold a call without a price: their cost is unknown, so "
            "they are in no percentile of cost and in no interval of cost/outcome"
        )
    blocks += _concentration(figures["concentration"], by) if figures["concentration"] else []
    return [*blocks, *(_retention(figures["retention"], by) if figures["retention"] else [])]


def _usd(column: str) -> Column:
    return column.split("_")[0], lambda row: money(row[column])


def _tokens(column: str) -> Column:
    return column.split("_")[0], lambda row: count(row[column])


def _share(header: str, column: str) -> Column:
    return header, lambda row: share(row[column])


def _mean(header: str, column: str, decimals: int = 0) -> Column:
    return header, lambda row: UNKNOWN if row[column] is None else f"{row[column]:,.{decimals}f}"


def _between(header: str, column: str, shown: Any) -> Column:
    def cell(row: dict[str, Any]) -> str:
        low, high = row[f"low_{column}"], row[f"high_{column}"]
        return UNKNOWN if high is None else f"{shown(low)} to {shown(high)}"

    return header, cell


def _list_cost(row: dict[str, Any]) -> str:
    """What is not known to be nothing never shows as nothing."""
    if row["unlisted_call_count"] and not row["list_cost_usd"]:
        return UNKNOWN
    return money(row["list_cost_usd"]) + ("+" if row["unlisted_call_count"] else "")


TABLES: dict[str, list[Column]] = {
    "What an action takes, by {by}": [
        ("actions", lambda row: count(row["action_count"])),
        _mean("actions/\nuser", "actions_per_user", 1),
        _mean("calls/\naction", "calls_per_action", 2),
        _mean("tokens/\naction", "tokens_per_action"),
        *(_tokens(f"{rank}_tokens_per_action") for rank in ("p50", "p90", "p99")),
        _share("cached\ninput", "cache_read_share"),
        _share("output", "output_share"),
        _share("reasoning\nof output", "reasoning_share"),
    ],
    "What an action costs, and what one that succeeds does, by {by} (USD)": [
        ("cost/\naction", lambda row: cost(row, "cost_per_action_usd")),
        *(_usd(f"{rank}_cost_per_action_usd") for rank in ("p50", "p90", "p99")),
        *(
            (f"{rank} of\nsuccesses", _usd(f"{rank}_cost_per_success_usd")[1])
            for rank in ("p50", "p90", "p99")
        ),
    ],
    "What it leads to, with 95 % intervals, by {by} (cost in USD)": [
        _share("labelled", "labelled_share"),
        _share("success\nshare", "success_share"),
        _between("95 %", "success_share", share),
        ("cost/\noutcome", lambda row: cost(row, "cost_per_outcome_usd")),
        _between("95 %", "cost_per_outcome_usd", estimate),
        ("failed\nactions", lambda row: cost(row, "failed_cost_usd")),
        ("failed\ncalls", lambda row: money(row["error_cost_usd"])),
        ("retries", lambda row: money(row["retry_cost_usd"])),
    ],
    "Price per million tokens, and what is known of whom the cost belongs to, by {by} (cost in USD)": [
        ("cost", lambda row: cost(row, "cost_usd")),
        ("at list\nprices", _list_cost),
        ("per million\ntokens", lambda row: money(row["cost_per_million_tokens_usd"])),
        ("at list\nprices", lambda row: money(row["list_cost_per_million_tokens_usd"])),
        *(_share(f"known\n{name}", f"known_{name}_cost_share") for name in ("feature", "user", "customer", "action")),
    ],
}  # fmt: skip


def _concentration(row: Row, by: str) -> list[str]:
    names = f"{row['name_count']:,} {by}{'' if row['name_count'] == 1 else 's'}"
    tops = ", ".join(f"top {top} {share(row[f'top_{top}_share'])}" for top in (1, 5, 10, 20))
    gini, hhi = (UNKNOWN if row[name] is None else f"{row[name]:.3f}" for name in ("gini_index", "hhi_index"))
    unattributed = f"{money(row['unattributed_cost_usd'])} USD ({share(row['unattributed_share'])})"
    return [
        f"Concentration of cost, by {by}",
        f"{names}, {money(row['cost_usd'])} USD: {tops}",
        f"dearest 1 % of them {share(row['top_1_percent_share'])}, 5 % {share(row['top_5_percent_share'])}",
        f"80 % of the cost is of {count(row['names_for_80_percent_count'])}; Gini {gini}, HHI {hhi}",
        f"unattributed {unattributed}, in none of these",
        "",
    ]


RETAINED_COLUMNS: list[Column] = [
    ("month", lambda row: f"{row['month']:%Y-%m}"),
    ("names", lambda row: count(row["name_count"])),
    ("active", lambda row: count(row["active_count"])),
    ("spend", lambda row: money(row["spend_usd"])),
    ("gross", lambda row: share(row["gross_retention_share"])),
    ("net", lambda row: share(row["net_retention_share"])),
    ("partial", lambda row: "first: too high" if row["is_base_partial"] else "month" if row["is_partial"] else ""),
]


def _retention(rows: list[Row], by: str) -> list[str | Table]:
    """The latest months of every cohort that has a second one."""
    following = [row for row in rows if row["month_number"] > 0]
    if not following:
        return [f"Retention of spend, by {by}: the log holds no second month of any cohort"]
    shown = [row | {"name": f"{row['cohort_month']:%Y-%m}"} for row in following[-MOST_COHORT_MONTHS:]]
    title = f"Retention of spend, by {by}: cohorts by their first month of spend"
    rest = len(following) - len(shown)
    told = [f"and {rest:,} earlier rows; all of them with --json or: from spend_retention('{by}')"] if rest else []
    return [Table(title, RETAINED_COLUMNS, shown), *told]

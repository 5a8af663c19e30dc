"""What a person sees of a night in Prefect's page: scenarios by feature, spend by day, lines in and out, restated days.

Only features, models, counts and money: no user and no customer. What a log names is data: it is never Markdown.
"""

import base64
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from pipelines import sandbox
from pipelines.report.figures import LINES, Query, repriced_figures
from pipelines.report.terminal import at_most, cost
from pipelines.report.text import UNKNOWN, count, counted, harmless, money
from pipelines.settings import Settings
from pipelines.summaries import Night

CHART_DAYS = 60
MOST_MODELS = 9  # more colours nobody tells apart
MOST_ROWS = 1_000
MOST_DAYS = 60
MARKUP = re.compile(r"[\\`*_{}\[\]()<>#!|~&:.@$]|^[-+](?!\d)")  # what Prefect's page would obey, in tables too
SPEND = f"""
with spend as (
    select day, model, sum(cost_usd) as cost_usd
    from cost_by_class
    where day > (select max(day) from cost_by_class) - {CHART_DAYS}
    group by day, model
    having sum(cost_usd) is not null
),

largest as (
    select model from spend group by model order by sum(cost_usd) desc, model limit {MOST_MODELS}
)

select
    day,
    case when model in (select model from largest) then model else 'all other models' end as model,
    sum(cost_usd) as cost_usd
from spend
group by all
order by all
"""
Row = dict[str, Any]


def key(deployment_name: str) -> str:
    """How Prefect finds a deployment's artifacts again: lower case letters, digits and dashes."""
    return f"tokenspread-{re.sub('[^a-z0-9]+', '-', deployment_name.lower()).strip('-')}"


@contextmanager
def optional(what: str) -> Iterator[None]:
    """What is published is not undone because it cannot be shown."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning("%s could not be shown: %s", what, type(error).__name__)


class Progress:
    """How many of a night's batches are in the ledger."""

    def __init__(self, key: str, total: int) -> None:
        self._total, self._done, self._id = total, 0, None
        with optional("progress"):
            told = f"{counted(total, 'batch').replace('batchs', 'batches')} to take in"
            self._id = create_progress_artifact(0.0 if total else 100.0, f"{key}-progress", told)

    def advance(self) -> None:
        self._done += 1
        if self._id and self._done <= self._total:
            with optional("progress"):
                update_progress_artifact(self._id, progress=100 * self._done / self._total)


def of_night(settings: Settings, night: Night, key: str) -> None:
    """Shows what the published warehouse says after a night."""
    report = settings.data.absolute() / "reports" / f"{night.day}.txt"
    with sandbox.asking(settings.data / "warehouse.duckdb") as query:
        figures, svg, text = repriced_figures(query, "feature"), spend_chart(query), night_text(query, night, report)
    scenario_table(figures, f"{key}-features")
    if svg is not None:
        image = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
        create_image_artifact(image, f"{key}-spend", f"Spend by day and model, the last {CHART_DAYS} days of the log")
    create_markdown_artifact(text, f"{key}-night", f"The night of {night.day}")
    if report.exists():
        create_link_artifact(report.as_uri(), report.name, f"{key}-report", f"On that machine: {code(str(report))}")


def scenario_table(figures: Row, key: str) -> None:
    """`figures` as report.figures.repriced_figures has them: a row for each name and scenario, and for all."""
    by, total = figures["by"], figures["total"]
    named = [*([total | {"name": "all"}] if total else []), *figures["rows"]]
    rows = [
        {
            by: escaped(row["name"]),
            "scenario": escaped(scenario["scenario"]),
            "cost USD": _figure(cost(scenario, "cost_usd")),
            "cost per outcome USD": _figure(cost(scenario, "cost_per_outcome_usd")),
            "margin USD": _figure(_margin(scenario)),
        }
        for row in named
        for scenario in row["scenarios"]
    ]
    told = [f"Cost, cost per outcome and margin by {by} under each scenario."]
    if any(scenario["unpriced_call_count"] for row in named for scenario in row["scenarios"]):
        told.append("`+`: calls without a price come on top. `<`: at most, they would lower it.")
    if len(rows) > MOST_ROWS:
        told.append(f"The first {MOST_ROWS:,} of {len(rows):,} rows.")
    create_table_artifact(rows[:MOST_ROWS], key, " ".join(told))


def _margin(scenario: Row) -> str:
    lost = " LOST" if scenario["survives"] is False else ""
    return at_most(scenario, "margin_usd", money(scenario["margin_usd"])) + lost


def night_text(query: Query, night: Night, report: Path) -> str:
    """Markdown of what a night did."""
    lines = counted(night.line_count, "line")
    parts = [
        f"## Night of {night.day}: {night.status}",
        f"New: {lines} with {counted(night.call_count, 'call')}; {count(night.quarantined_count)} quarantined.",
        f"{code(night.catalogue.name)} has {counted(night.unpriced_call_count, 'call')} without a price.",
        "### Lines in, lines out, of all files",
        _balance(query(LINES).row(0, named=True)),
        "### Restated days",
        _restated(night.restated),
        "### Alerts",
        _alerts(Counter(alert.kind for alert in night.alerts)),
    ]
    if night.unreadable:
        parts.append(f"{counted(len(night.unreadable), 'file')} could not be read.")
    if report.exists():
        parts.append(f"Report: {code(str(report))}")
    return "\n\n".join(parts)


def _balance(lines: Row) -> str:
    parts = {
        "= of calls or outcomes": lines["kept_line_count"],
        "+ duplicate": lines["duplicate_count"],
        "+ quarantined": lines["quarantined_count"],
        "+ other": lines["other_count"],
        "+ blank": lines["blank_count"],
    }
    if lines["pruned_count"]:
        parts["+ pruned"] = lines["pruned_count"]
    return _table(["read", *parts], [[count(number) for number in (lines["line_count"], *parts.values())]])


def _restated(rows: list[Row]) -> str:
    if not rows:
        return "None."
    header = ["day", "change", "calls before", "calls", "cost before USD", "cost USD", "change USD"]
    cells = [
        [
            str(row["day"] or "no day"),
            escaped(row["change"]),
            count(row["call_count_before"]),
            count(row["call_count"]),
            money(row["cost_before_usd"]),
            money(row["cost_usd"]),
            money(row["cost_change_usd"]),
        ]
        for row in rows[:MOST_DAYS]
    ]
    more = f"\n\nand {counted(len(rows) - MOST_DAYS, 'day')} more, in `restatements`." if len(rows) > MOST_DAYS else ""
    return _table(header, cells) + more


def _alerts(kinds: Counter[str]) -> str:
    if not kinds:
        return "None that is new."
    return _table(["kind", "new"], [[escaped(kind), count(number)] for kind, number in sorted(kinds.items())])


def _table(header: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *(["---:"] * (len(header) - 1))]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return MARKUP.sub(r"\\\g<0>", harmless(text).strip())


def _figure(text: str) -> str:
    """A hyphen alone would be a list; "<-" is drawn as an arrow."""
    return "\N{EN DASH}" if text == UNKNOWN else text.replace("<", "< ")


def code(text: str) -> str:
    """A path or a name as Markdown code, whatever stands in it."""
    text = harmless(text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def spend_chart(query: Query) -> str | None:
    """Spend in USD by day, stacked by model, as SVG; None where no day has a cost."""
    import vl_convert  # 20 MB of JavaScript engine, for this alone

    rows = query(SPEND).to_dicts()
    if not rows:
        return None
    values = [
        {"day": str(row["day"]), "model": harmless(row["model"]), "cost_usd": float(row["cost_usd"])} for row in rows
    ]
    return vl_convert.vegalite_to_svg(
        {
            "width": 860,
            "height": 320,
            "background": "white",
            "data": {"values": values},
            "mark": {"type": "bar", "tooltip": None},
            "encoding": {
                "x": {"field": "day", "type": "ordinal", "timeUnit": "utcyearmonthdate", "title": "day (UTC)"},
                "y": {"field": "cost_usd", "type": "quantitative", "aggregate": "sum", "title": "USD"},
                "color": {"field": "model", "type": "nominal", "title": None, "scale": {"scheme": "tableau10"}},
            },
        }
    )

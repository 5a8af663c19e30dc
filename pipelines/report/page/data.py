"""All that the page tells, from the published tables: what it opens with, and what is unpacked when it is asked for."""

from typing import Any

from pipelines.report.figures import DIMENSIONS, Query, report_figures
from pipelines.report.header import header
from pipelines.report.page import history, questions, slider, subjects
from pipelines.report.page.asked import Asked
from pipelines.report.page.numbers import percent, shown
from pipelines.report.page.slider import Apart
from pipelines.report.text import harmless
from pipelines.warehouse_models import model_header

EXPLAINED = ("unit_economics", "sensitivity", "exposure")
Data = dict[str, Any]


def page_data(query: Query, apart: Apart) -> tuple[Data, Data]:
    """What the page opens with, and the rest: users, details, SQL. Text of logs is harmless, money as in `numbers`."""
    asked = Asked(query)
    figures = report_figures(asked.about("Coverage"), DIMENSIONS[0])
    about, total = figures["about"], figures["total"]
    opening: Data = {
        "about": {name: _text(about[name]) for name in ("first_day", "last_day", *_ABOUT)},
        "head": header(figures),
        "coverage": _coverage(asked, figures),
        "book": [
            {"source": harmless(row["source"]), "rates": row["rate_count"], "recorded_at": str(row["recorded_at"])}
            for row in asked.rows(questions.BOOK)
        ],
        "total": None,
    }
    if total is None:
        return opening, {"sql": asked.texts, "models": asked.models(), "meanings": _meanings()}
    first_day, last_day = about["first_day"], about["last_day"]
    features = subjects.rows(asked.about("Features"), "feature")
    everything = subjects.rows(asked, "all")
    users = subjects.rows(asked.about("Users"), "user")
    opening |= {
        "total": subjects.table(everything),
        "features": subjects.table(features),
        "slider": slider.slider(asked.about("Price slider"), apart, features, everything[0]),
    }
    rest = {
        "spend": history.spend(asked.about("Spend by day"), first_day),
        "events": history.events(asked),
        "bridge": history.bridge(asked.about("From one period to the next"), first_day, last_day),
        "tornado": history.tornado(asked.about("Sensitivity")),
        "concentration": history.concentration(asked.about("Concentration")),
        "users": subjects.table(users),
        "feature_details": subjects.details(asked.about("Features"), "feature", features, first_day),
        "user_details": subjects.details(asked.about("Users"), "user", users, first_day),
        "meanings": _meanings(),
    }
    return opening, rest | {"sql": asked.texts, "models": asked.models()}


_ABOUT = ("ledger_version", "price_book_hash", "prices_as_of", "code_version")


def _text(value: object) -> str | None:
    return None if value is None else harmless(str(value))


def _coverage(asked: Asked, figures: Data) -> Data:
    """How much of the log the figures are of; counts, and shares in percent."""
    lines, total = figures["lines"], figures["total"]
    told: Data = {name: lines[name] or 0 for name in lines}
    told["quarantine"] = [[harmless(row["reason"]), row["line_count"]] for row in figures["quarantine"]]
    told["unpriced"] = [
        {
            "model": f"{harmless(row['provider'] or '-')}/{harmless(row['model'] or '-')}",
            "why": row["price_status"],
            "calls": row["call_count"],
        }
        for row in figures["unpriced"]
        if row["token_class"] is None
    ]
    told |= asked.rows(questions.UNATTRIBUTED)[0]
    if total is not None:
        told["calls"] = total["call_count"]
        told["unlabelled"] = total["action_count"] - total["labelled_count"]
        told["actions"] = total["action_count"]
        told["unlabelled_cost"] = shown(
            None if total["cost_usd"] is None else total["cost_usd"] - (total["labelled_cost_usd"] or 0)
        )
        told |= {
            f"known_{name}": percent(total[f"known_{name}_cost_share"])
            for name in ("feature", "user", "customer", "action")
        }
    return told


def _meanings() -> dict[str, dict[str, str]]:
    """What each column means, in the words of its table."""
    return {name: model_header(name)[1] for name in EXPLAINED}

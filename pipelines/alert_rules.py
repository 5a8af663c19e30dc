"""What is an alert, and what it says: pure, from rows of the questions `alert_*` to alerts.

Names from logs are shown so that they stay within their line, and so that a chat calls nobody by them; `name` holds
them as they are.
"""

import json
import re
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

from pipelines.night_rules import SpendLimit
from pipelines.report.text import counted, harmless, money, share
from pipelines.summaries import Alert

KINDS = ("gate", "failure", "unreadable", "thin_day", "spend", "margin", "model_swap", "anomaly")
EVENTS = ("model_swap",)  # happens once; the others hold until they do not
MOST_ANOMALIES = MOST_FILES = 20  # of one night
MOST_LETTERS = {"name": 100, "reason": 1000}
MARKS = re.compile(r"[<>]|(?<!\w)@")  # a chat calls people by these

Row = dict[str, Any]


def of_spend(limit: SpendLimit, rows: list[Row], day: date) -> list[Alert]:
    """Names above the limit. Impact: the cost above it."""
    period = f"on {day}" if limit.days == 1 else f"in the {limit.days} days to {day}"
    told = f"{limit.limit_usd.normalize():f}"
    alerts = []
    for row in rows:
        cost, dimension, name = row["cost_usd"], row["dimension"], row["name"]
        if cost <= limit.limit_usd or (limit.name is None and _is_nobody(row)):
            continue
        limit_usd, cost_usd = money(limit.limit_usd), money(cost)
        if limit_usd == cost_usd:  # the difference is in digits that are not shown
            limit_usd, cost_usd = told, f"{cost.normalize():f}"
        text = f"{_subject(row)} cost {_at_least(cost_usd, row)} {period}{_unpriced(row)}, limit {limit_usd} USD"
        key = _key("spend", dimension, name, limit.days, told)
        alerts.append(Alert(key, "spend", day, text, dimension, name, cost - limit.limit_usd))
    return alerts


def of_margins(scenario: str, target: Decimal, rows: list[Row], day: date) -> list[Alert]:
    """Names whose margin over the whole log is below the target. Impact: what it lacks of the target."""
    alerts = []
    for row in rows:
        margin, revenue = row["margin_usd"], row["revenue_usd"]
        left = "" if row["margin_share"] is None else f", {share(row['margin_share'])} of it"
        at_most = "at most " if row["unpriced_call_count"] else ""
        text = (
            f"{_subject(row)}: at prices of {_shown(scenario)} {at_most}{money(margin)} USD are left of "
            f"{money(revenue)} USD revenue over the whole log{left}{_unpriced(row)}; target {_percent(target)}"
        )
        key = _key("margin", scenario, row["dimension"], row["name"])
        alerts.append(Alert(key, "margin", day, text, row["dimension"], row["name"], target * revenue - margin))
    return alerts


def of_unknown_scenario(scenario: str, published: list[str], day: date) -> Alert:
    """That margins are not judged, since what they are to be judged in is not published."""
    text = (
        f"no margin is judged: scenario {_shown(scenario)} of [alerts] margin_scenario is not published; "
        f"name one of {', '.join(map(_shown, published))}, or add it to scenarios in [input]"
    )
    return Alert(_key("margin", scenario), "margin", day, text)


def of_model_swaps(rows: list[Row], day: date) -> list[Alert]:
    """Impact: what the actions since cost more a day, on average, than they would at the cost per action of before."""
    alerts = []
    for row in rows:
        sides = [row["from_provider"], row["from_model"], row["to_provider"], row["to_model"]]
        before, after = ("/".join(_shown(word) for word in side if word) for side in (sides[:2], sides[2:]))
        impact = _daily_impact(row)
        told = [
            f"{_subject({'dimension': 'feature', 'name': row['feature']})} went from {before} to {after} on "
            f"{row['swapped_on']}",
            *(_ratio(row, "tokens"), _ratio(row, "cost")),
            "" if impact is None else f"{_signed(impact)} USD a day since, at as many actions",
            counted(row["unpriced_action_count"], "action") + " in no cost" if row["unpriced_action_count"] else "",
        ]
        key = _key("model_swap", row["feature"], *sides, row["swapped_on"].isoformat())
        text = "; ".join(part for part in told if part)
        alerts.append(Alert(key, "model_swap", day, text, "feature", row["feature"], impact))
    return alerts


def of_anomalies(rows: list[Row], day: date) -> list[Alert]:
    """One for each name, the greatest impact first: all calls as well as the feature that it comes from, since they say
    how much it is and where. Impact: the cost above the usual one; below zero where it is below."""
    rows = [row for row in rows if not _is_nobody(row)]
    alerts = []
    for number, row in enumerate(rows[:MOST_ANOMALIES], 1):
        text = (
            f"{_subject(row)} cost {_at_least(money(row['cost_usd']), row)} on {day}{_unpriced(row)}, "
            f"usually {money(row['usual_usd'])} USD on a {day:%A} ({_signed(row['impact_usd'])} USD)"
        )
        if number == MOST_ANOMALIES and (more := len(rows) - number):
            text += f"; and {more:,} more of less impact in spend_anomalies"
        key = _key("anomaly", row["dimension"], row["name"], "above" if row["impact_usd"] > 0 else "below")
        alerts.append(Alert(key, "anomaly", day, text, row["dimension"], row["name"], row["impact_usd"]))
    return alerts


def of_gate(reasons: list[str], day: date) -> list[Alert]:
    """Reasons as the gate gives them, which begin with the name of what they are about."""
    return [
        Alert(_key("gate", reason.partition(":")[0]), "gate", day, f"not published: {_shown(reason, 'reason')}")
        for reason in reasons
    ]


def of_failure(reason: str, day: date) -> Alert:
    return Alert(_key("failure"), "failure", day, f"the night of {day} failed: {_shown(reason, 'reason')}")


def of_thin_day(reasons: list[str], day: date) -> list[Alert]:
    return [Alert(_key("thin_day"), "thin_day", day, _shown(reason, "reason")) for reason in reasons]


def of_unreadable(files: list[tuple[Path, str]], day: date) -> list[Alert]:
    """One for each file; of very many, the last one says how many more."""
    alerts = []
    for number, (path, why) in enumerate(files[:MOST_FILES], 1):
        text = f"{_shown(str(path), 'reason')} could not be read: {why}"
        if number == MOST_FILES and (more := len(files) - number):
            text += f"; and {more:,} more"
        alerts.append(Alert(_key("unreadable", str(path)), "unreadable", day, text))
    return alerts


def _is_nobody(row: Row) -> bool:
    """Calls whose user or customer nobody told are neither one."""
    return row["dimension"] in ("user", "customer") and row["name"] == "unattributed"


def _key(*words: Any) -> str:
    return json.dumps(words, ensure_ascii=False)  # as it is, for whoever looks a name up


def _daily_impact(row: Row) -> Decimal | None:
    before, after = row["from_cost_per_action_usd"], row["to_cost_per_action_usd"]
    if before is None or after is None:
        return None
    days = (row["to_last_day"] - row["to_first_day"]).days + 1
    return ((after - before) * row["to_action_count"] / days).quantize(Decimal("1e-12"), ROUND_HALF_EVEN)


def _ratio(row: Row, of: str) -> str:
    ratio, low, high = (row[f"{of}_ratio{bound}"] for bound in ("", "_low", "_high"))
    if ratio is None:
        return ""
    interval = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return f"{ratio:.2f} times the {of} per action{interval}"


def _subject(row: Row) -> str:
    return "all calls" if row["dimension"] == "all" else f"{row['dimension']} {_shown(row['name'])}"


def _at_least(cost_usd: str, row: Row) -> str:
    return f"at least {cost_usd} USD" if row["unpriced_call_count"] else f"{cost_usd} USD"


def _unpriced(row: Row) -> str:
    count = row["unpriced_call_count"]
    return f" ({counted(count, 'call')} {'has' if count == 1 else 'have'} no price)" if count else ""


def _signed(usd: Decimal) -> str:
    return f"{'+' if usd > 0 else ''}{money(usd)}"


def _percent(part: Decimal) -> str:
    return f"{(part * 100).normalize():f}%"


def _shown(text: str, of: str = "name") -> str:
    most = MOST_LETTERS[of]
    cut = text if len(text) <= most else text[:most] + "..."
    return MARKS.sub(lambda mark: f"\\x{ord(mark[0]):02x}", harmless(cut))

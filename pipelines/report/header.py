"""The head of a report: what its figures rest on, and all that is not known."""

from decimal import Decimal
from typing import Any

from pipelines.report.price_lines import price_lines, unpriced_lines
from pipelines.report.text import UNKNOWN, count, counted, harmless, model_name, money

MOST_REASONS = 5
MOST_CAUSES = 6
UNSUMMED = {None: "cause unknown", "an outlier": "an outlier"}


def header(figures: dict[str, Any], part: dict[str, Any] | None = None) -> list[str]:
    """What the figures rest on, line by line: period, balance of lines, price book, and all that is not known. Of a
    `part` of the calls, as selection tells it, the balance and what is told beside it are of the whole ledger."""
    about, lines, total = figures["about"], figures["lines"], figures["total"]
    calls = total["call_count"] if total else 0
    balance = " + ".join(
        f"{count(lines[name] or 0)} {word}"
        for name, word in (
            ("kept_line_count", "of calls or outcomes"),
            ("duplicate_count", "duplicate"),
            ("quarantined_count", "quarantined"),
            ("other_count", "other"),
            ("blank_count", "blank"),
            ("pruned_count", "pruned"),
        )
        if name != "pruned_count" or lines[name]  # most data folders were never pruned
    )
    outcome_files = f" and {count(lines['outcome_file_count'])} of outcomes" if lines["outcome_file_count"] else ""
    told = [
        f"period      {about['first_day'] or UNKNOWN} to {about['last_day'] or UNKNOWN} (UTC)",
        f"files       {count(lines['call_file_count'])} of calls{outcome_files}",
        f"lines       {count(lines['line_count'] or 0)} = {balance}",
        f"calls       {count(calls)}, ledger version {harmless(about['ledger_version'] or UNKNOWN)}, "
        f"price book {harmless(about['price_book_hash'] or UNKNOWN)[:12]}",
    ]
    checked = [*_recorded(figures), *_revenue(figures), *price_lines(figures)]
    told = [*selected(part), *told, f"unknown     {_unknown(figures['unknown'])}"]
    return [*told, *_restated(figures["restated"]), *_caveats(figures), *checked, *unpriced_lines(figures["unpriced"])]


def selected(part: dict[str, Any] | None) -> list[str]:
    """Which calls a part is of, and what is not known of it."""
    if part is None:
        return []
    bounds = [f"{word} {part[word]}" for word in ("since", "until") if part[word]]
    what = harmless(", ".join([*bounds, *part["where"]]))
    lines = [f"selected    {what}: {count(part['call_count'])} of {counted(part['of_call_count'], 'call')}; an action"]
    lines[0] += " counts with its calls among these; files, lines and restated days are of the whole ledger"
    if part["undated_call_count"]:
        lines.append(
            f"undated     {counted(part['undated_call_count'], 'call')} without a time: in no selection of days"
        )
    if part["left_out_revenue_count"]:
        rows = counted(part["left_out_revenue_count"], "amount")
        lines.append(f"revenue     {rows} for more than these calls: not split, so in no margin here")
    if part["are_terms_left_out"]:
        why = "is told by day, model, feature, user and customer alone"
        lines.append(f"apart       what these calls bear of discounts, commitments and bills {why}: in no margin here")
    return lines


def _unknown(row: dict[str, Any]) -> str:
    """All of it in one line."""
    if not row["call_count"]:
        return "all: there is no call"
    told = [("unpriced_call_count", "without a price"), ("featureless_count", "without a feature")]
    told += [("userless_count", "without a user")]
    calls = [f"{count(row[name])} {what}" for name, what in told if row[name]]
    parts = [f"of {counted(row['call_count'], 'call')} {', '.join(calls)}"] if calls else []
    if row["unlabelled_action_count"]:
        actions = counted(row["action_count"], "action")
        parts.append(f"of {actions} {count(row['unlabelled_action_count'])} without an outcome")
    return "; ".join(parts) or "nothing: every call has a price, a feature and a user, every action an outcome"


def _restated(rows: list[dict[str, Any]]) -> list[str]:
    """Of which days the publication before told otherwise, and by how much in all."""
    if not rows:
        return []
    calls = sum((row["call_count"] or 0) - (row["call_count_before"] or 0) for row in rows)
    cost = sum(((row["cost_usd"] or 0) - (row["cost_before_usd"] or 0) for row in rows), start=Decimal(0))
    days = f"{rows[0]['day'] or 'no day'}" if len(rows) == 1 else f"{count(len(rows))} days"
    moved = ", ".join(sorted({word for row in rows for word in row["change"].split(",")}))
    signed = ("+" if cost > 0 else "") + money(cost)
    return [
        f"restated    {days} ({moved}): {calls:+,} calls, {signed} USD since the last publication (table restatements)"
    ]


def _caveats(figures: dict[str, Any]) -> list[str]:
    reasons = figures["quarantine"][:MOST_REASONS]
    lines = [f"quarantined {count(row['line_count'])}: {harmless(row['reason'])}" for row in reasons]
    doubtful = figures["possible_duplicates"]
    if doubtful["set_count"]:
        lines.append(
            f"doubtful    {counted(doubtful['call_count'], 'call')} in {counted(doubtful['set_count'], 'set')}: "
            "each set may be one call that two files tell (table possible_duplicates)"
        )
    for row in figures["guard_findings"]:
        lines.append(
            f"odd counts  {counted(row['call_count'], 'call')}: {harmless(row['finding'])} (table guard_findings)"
        )
    if unmatched := figures["about"]["unmatched_outcome_count"]:
        lines.append(f"outcomes    {count(unmatched)} of actions that no call names (table outcomes)")
    return lines


def _recorded(figures: dict[str, Any]) -> list[str]:
    """How many calls cost what their log says, and by how much the others do not, cause by cause."""
    recorded, gaps, causes = figures["recorded_cost"], figures["recorded_cost_gaps"], figures["recorded_cost_causes"]
    lines = []
    if compared := recorded["compared_call_count"]:
        equal, differing = recorded["equal_call_count"], recorded["differing_call_count"]
        told = f"{count(equal)} of {counted(compared, 'compared call')} cost what the log says"
        told += f" ({money(recorded['equal_recorded_cost_usd'])} USD)" if equal else ""
        if gaps:
            differ = "1 differs," if differing == 1 else f"{count(differing)} differ, the largest"
            told += f"; {differ} by {money(abs(gaps[0]['gap_usd']))} USD:"
        lines.append(f"recorded    {told}")
    lines += [f"            {_cause(row)}" for row in causes[:MOST_CAUSES]]
    if len(causes) > MOST_CAUSES:
        more = counted(len(causes) - MOST_CAUSES, "more cause")
        lines.append(f"            and {more} (table recorded_cost_causes)")
    if recorded["uncompared_recorded_cost_usd"] is not None:
        theirs = money(recorded["uncompared_recorded_cost_usd"])
        uncompared = recorded["recorded_call_count"] - compared
        lines.append(f"recorded    {theirs} USD in the logs for {counted(uncompared, 'call')} without a price here")
    return lines


def _cause(row: dict[str, Any]) -> str:
    """What one cause makes of recorded cost; what is absurd or unknown is in no sum, only its largest is told."""
    cause = row["likely_cause"]
    model = model_name(row) if row["model_count"] == 1 else f"{count(row['model_count'])} models"
    calls = f"{counted(row['call_count'], 'call')} of {model}"
    if cause not in UNSUMMED:
        verb, more = "costs" if row["call_count"] == 1 else "cost", "more" if row["gap_usd"] > 0 else "less"
        return f"{calls} {verb} {money(abs(row['gap_usd']))} USD {more} in the log: {harmless(cause)}"
    largest = "differs" if row["call_count"] == 1 else "differ, the largest"
    place = f", {harmless(row['source_file'])}:{row['line_number']}" if row["source_file"] else ""
    return f"{calls} {largest} by {money(row['largest_gap_usd'])} USD: {UNSUMMED[cause]}{place}"


def _revenue(figures: dict[str, Any]) -> list[str]:
    """Amounts that count in no figure, and how much of the others' period the calls are of."""
    lines, uncounted, period = [], figures["uncounted_revenue"], figures["revenue_period"]
    if uncounted:
        rows = sum(row["row_count"] for row in uncounted)
        reasons = ", ".join(f"{count(row['row_count'])} {row['reason']}" for row in uncounted)
        do = "does" if rows == 1 else "do"
        lines.append(f"revenue     {counted(rows, 'row')} {do} not count: {reasons} (table revenue)")
    days, other = period["call_day_count"], period["other_call_day_count"]
    if period["day_count"] is not None and (days != period["day_count"] or other):
        beside = f" and {count(other)} beside" if other else ""
        lines.append(
            f"revenue     is for {period['first_day']} to {period['last_day']}, "
            f"the calls are of {count(days)} of its {counted(period['day_count'], 'day')}{beside}"
        )
    return lines

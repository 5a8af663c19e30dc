"""What a report tells, read from the published tables: the same figures for the terminal and for JSON."""

from collections.abc import Callable
from typing import Any

import polars as pl

from pipelines.errors import UserError

Query = Callable[[str], pl.DataFrame]
DIMENSIONS = ("feature", "user", "customer", "model", "day")

LINES = """
select
    count(*) filter (where kind = 'calls') as call_file_count,
    count(*) filter (where kind = 'outcomes') as outcome_file_count,
    sum(line_count)::bigint as line_count,
    sum(kept_line_count)::bigint as kept_line_count,
    sum(duplicate_count)::bigint as duplicate_count,
    sum(quarantined_count)::bigint as quarantined_count,
    sum(other_count)::bigint as other_count,
    sum(blank_count)::bigint as blank_count,
    sum(pruned_count)::bigint as pruned_count
from files
"""
QUARANTINE = "select reason, count(*) as line_count from quarantine group by reason order by line_count desc, reason"
UNPRICED = "select * from unpriced order by provider, model, price_status, token_class nulls first"
RECORDED_COST = """
select
    sum(recorded_call_count)::bigint as recorded_call_count,
    sum(compared_call_count)::bigint as compared_call_count,
    sum(equal_call_count)::bigint as equal_call_count,
    sum(equal_recorded_cost_usd) as equal_recorded_cost_usd,
    sum(differing_call_count)::bigint as differing_call_count,
    sum(uncompared_recorded_cost_usd) as uncompared_recorded_cost_usd
from recorded_cost
"""
# By cause, over all files and models; with the place of the largest difference, where that is among the largest of all.
CAUSES = """
with places as (
    select
        likely_cause,
        arg_max(source_file, abs(gap_usd)) as source_file,
        arg_max(line_number, abs(gap_usd)) as line_number
    from recorded_cost_gaps
    group by likely_cause
)

select
    causes.likely_cause,
    sum(causes.call_count)::bigint as call_count,
    count(distinct (causes.provider, causes.model)) as model_count,
    max(causes.provider) as provider,
    max(causes.model) as model,
    sum(causes.gap_usd) as gap_usd,
    max(causes.largest_gap_usd) as largest_gap_usd,
    any_value(places.source_file) as source_file,
    any_value(places.line_number) as line_number
from recorded_cost_causes as causes
left join places on causes.likely_cause is not distinct from places.likely_cause
group by causes.likely_cause
order by abs(sum(causes.gap_usd)) desc, causes.likely_cause
"""
GAPS = "select * from recorded_cost_gaps order by abs(gap_usd) desc, call_id limit 3"
UNMATCHED_RATES = """
select provider, model, list(distinct token_class order by token_class) as token_classes, count(*) as rate_count
from unmatched_rates
group by all
order by model, provider
"""
CERTAINTY = "select * from price_certainty order by cost_usd desc nulls last, provider, model, price_status"
REVISION = "select * from price_book_revision order by abs(revision_usd) desc, provider, model, change"
COSTS_APART = """
select kind, is_allocated, sum(cost_usd) as cost_usd
from costs_apart
where scenario_order = 0
group by all
order by kind, is_allocated desc
"""
IDLE_TERMS = """
select kind, provider, model, line_number
from contract_terms
where scenario_order = 0
group by all
having sum(call_count) = 0
order by line_number
"""
# Commitments of months that the log does not span.
UNRECKONED_TERMS = """
select kind, line_number, period_start, logged_day_count, (period_end - period_start)::bigint as day_count
from contract_terms
where scenario_order = 0 and kind = 'commitment' and period_start is not null and adjustment_pico is null
order by line_number, period_start
"""
UNWEIGHTED_CALLS = """
select line_number, allocate_by, unweighted_call_count
from contract_terms
where kind = 'time' and period_start is not null and unweighted_call_count > 0
order by line_number
"""
ROUNDED = """
select count(*)
from price_book
where superseded_at is null and note like '%rounded%'
"""
UNCOUNTED_REVENUE = """
select reason, count(*) as row_count
from revenue
where not is_counted
group by reason
order by row_count desc, reason
"""
# Null where no amount that counts is of a period.
REVENUE_PERIOD = """
with days as (
    select distinct day from usage_cube where day is not null
),

periods as (
    select
        min(coalesce(period_start, about.first_day)) as first_day,
        max(coalesce(period_end - 1, about.last_day)) as last_day
    from revenue
    cross join about
    where is_counted and revenue_usd is not null and (period_start is not null or period_end is not null)
)

select
    first_day,
    last_day,
    last_day - first_day + 1 as day_count,
    (select count(*) from days where day between first_day and last_day) as call_day_count,
    (select count(*) from days where day not between first_day and last_day) as other_call_day_count
from periods
"""
DUPLICATES = "select count(*) as set_count, sum(call_count)::bigint as call_count from possible_duplicates"
FINDINGS = """
select finding, sum(call_count)::bigint as call_count
from guard_findings
group by finding
order by call_count desc, finding
"""
# No row of a name: no call without one, which is a known zero.
UNKNOWN = """
select
    max(call_count) filter (where dimension = 'all') as call_count,
    max(unpriced_call_count) filter (where dimension = 'all') as unpriced_call_count,
    coalesce(max(call_count) filter (where dimension = 'feature' and name = 'unattributed'), 0) as featureless_count,
    coalesce(max(call_count) filter (where dimension = 'user' and name = 'unattributed'), 0) as userless_count,
    max(action_count) filter (where dimension = 'all') as action_count,
    max(action_count - labelled_count) filter (where dimension = 'all') as unlabelled_action_count,
from unit_economics
"""
ECONOMICS = "select * from unit_economics where dimension in ('all', '{by}') order by cost_usd desc nulls last, name"
SCENARIOS = "select * from scenario_by_dimension where dimension in ('all', '{by}') order by scenario_order"
SENSITIVITY = "select * from sensitivity where dimension in ('all', '{by}')"
EXPOSURE = "select * from exposure where dimension in ('all', '{by}') order by kind, cost_usd desc nulls last, driver"
UNDERWATER = "select * from underwater order by dimension, scenario_order"

REASONS = "select scenario, reason from source.scenarios where reason is not null order by scenario_order"


RESTATED = "select * from restatements where change <> 'new day' order by day nulls last"


def report_figures(query: Query, by: str) -> dict[str, Any]:
    """Everything that a report shows: ints, exact Decimals, and None for unknown. Raises UserError for an unknown `by`.

    `rows` has one entry for each name of the dimension, `total` one for all; each with its `scenarios`, actual first,
    its `sensitivity` and its `exposure`, the greatest driver of each kind first.
    """
    if by not in DIMENSIONS:
        raise UserError(f"--by {by}: no such grouping; choose one of {', '.join(DIMENSIONS)}")
    rows = _rows(query, by)
    total = [row for row in rows if row["dimension"] == "all"]
    rows = [row for row in rows if row["dimension"] == by]
    rows = sorted(rows, key=lambda row: row["name"]) if by == "day" else rows
    return {
        "by": by,
        "about": _one(query("select * from about")),
        "lines": _one(query(LINES)),
        "unknown": _one(query(UNKNOWN)),
        "restated": query(RESTATED).to_dicts(),
        "quarantine": query(QUARANTINE).to_dicts(),
        "unpriced": query(UNPRICED).to_dicts(),
        "recorded_cost": _one(query(RECORDED_COST)),
        "recorded_cost_gaps": query(GAPS).to_dicts(),
        "recorded_cost_causes": query(CAUSES).to_dicts(),
        "unmatched_rates": query(UNMATCHED_RATES).to_dicts(),
        "price_certainty": query(CERTAINTY).to_dicts(),
        "price_book_revision": query(REVISION).to_dicts(),
        "rounded_rate_count": query(ROUNDED).item(),
        "costs_apart": query(COSTS_APART).to_dicts(),
        "idle_terms": query(IDLE_TERMS).to_dicts(),
        "unreckoned_terms": query(UNRECKONED_TERMS).to_dicts(),
        "unweighted_calls": query(UNWEIGHTED_CALLS).to_dicts(),
        "uncounted_revenue": query(UNCOUNTED_REVENUE).to_dicts(),
        "revenue_period": _one(query(REVENUE_PERIOD)),
        "possible_duplicates": _one(query(DUPLICATES)),
        "guard_findings": query(FINDINGS).to_dicts(),
        "reasons": query(REASONS).to_dicts(),
        "underwater": query(UNDERWATER).to_dicts(),
        "rows": rows,
        "total": total[0] if total else None,
    }


def repriced_figures(query: Query, by: str) -> dict[str, Any]:
    """What scenarios do to the rows of `by` and to all, as in report_figures, and which calls they move."""
    rows = _rows(query, by)
    return {
        "by": by,
        "reasons": query(REASONS).to_dicts(),
        "scenario_swaps": query("select * from scenario_swaps order by all").to_dicts(),
        "underwater": query(UNDERWATER).to_dicts(),
        "rows": [row for row in rows if row["dimension"] == by],
        "total": next((row for row in rows if row["dimension"] == "all"), None),
    }


def _rows(query: Query, by: str) -> list[dict[str, Any]]:
    nested = {"scenarios": SCENARIOS, "sensitivity": SENSITIVITY, "exposure": EXPOSURE}
    found = {key: _by_name(query(text.format(by=by))) for key, text in nested.items()}
    rows = query(ECONOMICS.format(by=by)).to_dicts()
    for row in rows:
        place = row["dimension"], row["name"]
        row |= {key: some.get(place, []) for key, some in found.items()}
        row["sensitivity"] = row["sensitivity"][0]  # every name has its one
    return rows


def _by_name(frame: pl.DataFrame) -> dict[tuple[str, str], list[dict[str, Any]]]:
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in frame.to_dicts():
        found.setdefault((row.pop("dimension"), row.pop("name")), []).append(row)
    return found


def _one(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True)

-- What does one action, and one outcome, cost, week by week?
-- Read: one row for each ISO week (from Monday, UTC); the changes are from the week before, null where that has no call. An action that goes on after midnight counts on both days.
-- Unknown: calls without a price are counted and in no cost; the outcomes of the last weeks may still come, so see labelled_share before cost per outcome. Calls without a day are the row without a week.
with weeks as (
    select
        date_trunc('week', try_cast(name as date))::date as week_start,
        sum(action_count) as action_count,
        sum(call_count) as call_count,
        sum(cost_usd) as cost_usd,
        sum(labelled_count) as labelled_count,
        sum(success_count) as success_count,
        sum(labelled_cost_usd) as labelled_cost_usd,
        sum(unpriced_call_count) as unpriced_call_count,
    from unit_economics
    where dimension = 'day'
    group by all
),

units as (
    select
        *,
        usd_per(cost_usd, action_count) as cost_per_action_usd,
        usd_per(labelled_cost_usd, success_count) as cost_per_outcome_usd,
    from weeks
)

select
    units.week_start,
    units.action_count,
    units.call_count / nullif(units.action_count, 0) as calls_per_action,
    units.cost_usd,
    units.cost_per_action_usd,
    units.cost_per_action_usd / nullif(week_before.cost_per_action_usd, 0) - 1 as action_change_share,
    units.success_count,
    units.labelled_count / nullif(units.action_count, 0) as labelled_share,
    units.cost_per_outcome_usd,
    units.cost_per_outcome_usd / nullif(week_before.cost_per_outcome_usd, 0) - 1 as outcome_change_share,
    units.unpriced_call_count,
from units
left join units as week_before
    on units.week_start = week_before.week_start + 7
order by units.week_start

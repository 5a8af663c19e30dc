-- How much goes to production, and how much to staging, tests and development?
-- Read: one row for each environment as the log has it.
-- Unknown: calls of logs that tell no environment stand under null; calls without a price are counted and in no cost.
with params as (
    select
        null::varchar as period, -- see log_days: this month, 2026-03, ...; null: all, calls without a day too
)

select
    usage_cube.environment,
    count(distinct usage_cube.feature) as feature_count,
    count(distinct usage_cube.user_id) as user_count,
    sum(usage_cube.call_count) as call_count,
    usd_from_pico(sum(usage_cube.cost_pico)) as cost_usd,
    sum(usage_cube.cost_pico) / nullif(sum(sum(usage_cube.cost_pico)) over (), 0) as cost_share,
    coalesce(sum(usage_cube.call_count) filter (where usage_cube.cost_pico is null), 0) as unpriced_call_count,
from usage_cube
cross join params
left join log_days((select coalesce(period, 'log') from params)) as days
    on params.period is not null
where params.period is null or usage_cube.day between days.first_day and days.last_day
group by all
order by cost_usd desc nulls last, usage_cube.environment

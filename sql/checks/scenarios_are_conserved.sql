-- The scenario without a change is what the calls cost, which is what the cube has (see cost_is_conserved), and in
-- every scenario every grouping adds up to the same total.
with calls_total as (
    select usd_from_pico(sum(cost_pico))::decimal(38, 18) as cost_usd
    from usage_cube
),

levels as (
    select
        scenario,
        scenario_order,
        'scenario_comparison, by '
            || if(feature is null, '', 'feature ') || if(user_id is null, '', 'user') as grouping_name,
        sum(cost_usd) as cost_usd,
    from scenario_comparison
    group by all
    union all
    select
        scenario,
        scenario_order,
        'scenario_by_dimension, by ' || dimension as grouping_name,
        sum(cost_usd) as cost_usd,
    from scenario_by_dimension
    group by all
),

totals as (
    select
        scenario,
        cost_usd,
    from scenario_by_dimension
    where dimension = 'all'
)

select
    levels.grouping_name,
    levels.scenario,
    levels.cost_usd,
    totals.cost_usd as total_cost_usd,
    calls_total.cost_usd as calls_cost_usd,
from levels
left join totals
    on levels.scenario = totals.scenario
cross join calls_total
where
    levels.cost_usd is distinct from totals.cost_usd
    or (levels.scenario_order = 0 and levels.cost_usd is distinct from calls_total.cost_usd)

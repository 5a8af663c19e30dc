-- Every grouping of the cost adds up to the calls' cost, to the last digit.
with calls_total as (
    select usd_from_pico(sum(cost_pico)) as cost_usd
    from calls
),

groupings as (
    select 'actions' as grouping_name, usd_from_pico(sum(cost_pico)) as cost_usd from actions
    union all
    select 'usage_cube', usd_from_pico(sum(cost_pico)) from usage_cube
    union all
    select
        'tokens_per_action, by ' || grouping_name,
        sum(cost_usd),
    from (
        select
            if(feature is null, '', 'feature ') || if(user_id is null, '', 'user') as grouping_name,
            cost_usd,
        from tokens_per_action
    ) as levels
    group by grouping_name
    union all
    select
        'cost_per_outcome, by ' || grouping_name,
        sum(cost_usd),
    from (
        select
            if(feature is null, '', 'feature ') || if(user_id is null, '', 'user') as grouping_name,
            cost_usd,
        from cost_per_outcome
        where outcome is null
    ) as levels
    group by grouping_name
    union all
    select 'unit_economics, by ' || dimension, sum(cost_usd) from unit_economics group by dimension
)

select
    groupings.grouping_name,
    groupings.cost_usd,
    calls_total.cost_usd as calls_cost_usd,
from groupings
cross join calls_total
where groupings.cost_usd is distinct from calls_total.cost_usd

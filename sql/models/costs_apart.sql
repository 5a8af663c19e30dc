-- one row per scenario, kind, day, provider, model, feature, user and customer: what calls cost beside their tokens and fees
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- kind | compute (time at a rate per second), time (a bill for time), volume_tier (a discount is negative), commitment (a shortfall)
-- is_allocated | whether calls bear it; not: no call in its period tells what it is allocated by, and all other columns of calls are null
-- day | UTC date; null: the log does not say
-- provider | who served the calls
-- model | model as served; null: not told
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- cost_usd | cost that is in no cost of tokens
-- cost_pico | cost_usd in integer pico-USD
with parts as (
    select
        scenario_order,
        kind,
        true as is_allocated,
        day,
        provider,
        model,
        feature,
        user_id,
        customer_id,
        allocated_pico as cost_pico,
    from allocated_costs
    union all by name
    select
        scenario_order,
        kind,
        false as is_allocated,
        unallocated_pico as cost_pico,
    from contract_terms
    where unallocated_pico <> 0
    union all by name
    select
        scenarios.scenario_order,
        'compute' as kind,
        true as is_allocated,
        cells.day,
        cells.provider,
        cells.model,
        cells.feature,
        cells.user_id,
        cells.customer_id,
        scaled_to_nearest(cells.time_cost_pico, cells.activity_nano, 1000000000) as cost_pico,
    from scenario_cells as cells
    inner join source.scenarios as scenarios
        on cells.scope is not distinct from case when scenarios.is_scoped then scenarios.scenario_order end
    where cells.time_cost_pico is not null and cells.bound in ('exact', 'point') and not cells.is_moved and not cells.is_lost
),

summed as (
    select
        * exclude (cost_pico),
        sum(cost_pico) as cost_pico,
    from parts
    group by all
)

select
    scenarios.scenario,
    scenarios.scenario_order,
    summed.kind,
    summed.is_allocated,
    summed.day,
    summed.provider,
    summed.model,
    summed.feature,
    summed.user_id,
    summed.customer_id,
    usd_from_pico(summed.cost_pico) as cost_usd,
    summed.cost_pico,
from summed
-- A bill for time is due in every scenario; compute time costs as much as there are calls that stay.
inner join source.scenarios as scenarios
    on summed.scenario_order = scenarios.scenario_order
    or (summed.kind = 'time' and summed.scenario_order = 0)

-- one row per feature, user and scenario; null in feature or user: all of them
-- feature | product feature, `unattributed` where there is none; null: all of them
-- user_id | who acted, `unattributed` where nobody is known; null: all of them
-- scenario | what was asked
-- scenario_order | position of the scenario, from 0 (as it was)
-- cost_atto | cost under the scenario; null: unpriced
-- low_cost_atto | the same, at the lower bound where the scenario leaves it open
-- high_cost_atto | the same, at the upper bound
-- labelled_cost_atto | of the cost, that of calls whose action has a known outcome
-- unpriced_call_count | calls without a price under the scenario
-- low_unpriced_call_count | the same, at the lower bound
-- high_unpriced_call_count | the same, at the upper bound
with cell_costs as (
    -- One pass over the cube, and one over what a scoped scenario makes of it.
    select
        coalesce(cells.feature, 'unattributed') as feature,
        coalesce(cells.user_id, 'unattributed') as user_id,
        cells.is_success is not null as is_labelled,
        cells.bound,
        cells.call_count,
        rates.scenario,
        rates.scenario_order,
        scenario_cost_of(cells, rates) as cost_atto,
    from scenario_cells as cells
    inner join scenario_rates as rates
        on cells.card_id is not distinct from rates.card_id
        and cells.scope is not distinct from rates.scope
        and case when cells.card_id is not null then cells.variant end is not distinct from rates.variant
),

pair_costs as (
    select
        feature,
        user_id,
        scenario,
        scenario_order,
        sum(cost_atto) filter (where bound in ('exact', 'point')) as cost_atto,
        sum(cost_atto) filter (where bound in ('exact', 'low')) as low_cost_atto,
        sum(cost_atto) filter (where bound in ('exact', 'high')) as high_cost_atto,
        sum(cost_atto) filter (where is_labelled and bound in ('exact', 'point')) as labelled_cost_atto,
        sum(call_count) filter (where cost_atto is null and bound in ('exact', 'point')) as unpriced_call_count,
        sum(call_count) filter (where cost_atto is null and bound in ('exact', 'low')) as low_unpriced_call_count,
        sum(call_count) filter (where cost_atto is null and bound in ('exact', 'high')) as high_unpriced_call_count,
    from cell_costs
    group by all
)

select
    feature,
    user_id,
    scenario,
    scenario_order,
    sum(cost_atto) as cost_atto,
    sum(low_cost_atto) as low_cost_atto,
    sum(high_cost_atto) as high_cost_atto,
    sum(labelled_cost_atto) as labelled_cost_atto,
    -- No unpriced call is a known zero: these count rows that were seen.
    coalesce(sum(unpriced_call_count), 0)::bigint as unpriced_call_count,
    coalesce(sum(low_unpriced_call_count), 0)::bigint as low_unpriced_call_count,
    coalesce(sum(high_unpriced_call_count), 0)::bigint as high_unpriced_call_count,
from pair_costs
group by grouping sets (
    (scenario, scenario_order, feature, user_id),
    (scenario, scenario_order, feature),
    (scenario, scenario_order, user_id),
    (scenario, scenario_order)
)

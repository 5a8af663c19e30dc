-- one row per feature, user and scenario; null in feature or user: all of them
-- feature | product feature, or unattributed; null: all
-- user_id | who acted, or unattributed; null: all
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- action_count | actions
-- success_count | actions whose latest outcome is a success
-- cost_usd | cost of the same calls under the scenario; null: none is priced
-- cost_low_usd | the same if every call that may cross a context bound, or whose tokens were measured, costs least; else cost_usd; null: not known
-- cost_high_usd | the same if it costs most; null: not known
-- cost_per_action_usd | cost_usd over all actions
-- cost_per_outcome_usd | cost of the labelled actions over success_count; null: no success
-- cost_apart_usd | what they cost beside tokens and fees, see costs_apart; in all, with what no call bears; null: nothing
-- revenue_usd | revenue that can be told for exactly this group; null: none was given for it
-- margin_usd | revenue_usd less cost_usd and cost_apart_usd; at most this when calls are unpriced
-- margin_share | margin_usd over revenue_usd; at most this when calls are unpriced
-- survives | whether the margin is at least zero, at both bounds of the cost; null: not known, or it is while calls are unpriced
-- break_even_change_share | how far prices may rise from actual until the margin is zero (0.5: by half), while what stands apart stays; at most this when calls are unpriced
-- unpriced_call_count | calls without a cost in the scenario, missing in its cost
with named_costs_apart as (
    select
        scenario_order,
        is_allocated,
        cost_pico,
        coalesce(feature, 'unattributed') as feature,
        coalesce(user_id, 'unattributed') as user_id,
    from costs_apart
),

costs_apart_by_group as (
    select
        feature,
        user_id,
        scenario_order,
        -- What no call bears is in the total alone.
        1000000 * case
            when grouping(feature, user_id) = 3 then sum(cost_pico)
            else sum(cost_pico) filter (where is_allocated)
        end as cost_apart_atto,
    from named_costs_apart
    group by grouping sets (
        (scenario_order, feature, user_id), (scenario_order, feature), (scenario_order, user_id), (scenario_order)
    )
),

margins as (
    select
        costs.*,
        actual_costs.cost_atto as actual_cost_atto,
        -- Shown in whole actions, divided by as they are.
        coalesce(own_counts.action_millionths, counts.action_count::hugeint * 1000000) as action_millionths,
        coalesce(own_counts.success_millionths, counts.success_count::hugeint * 1000000) as success_millionths,
        revenue_by_group.revenue_usd,
        revenue_by_group.revenue_pico::hugeint * 1000000 as revenue_atto,
        actual_revenue.revenue_pico::hugeint * 1000000 as actual_revenue_atto,
        apart.cost_apart_atto,
        -- Nothing stands apart of most: what is left of the revenue for tokens is all of it.
        revenue_atto - coalesce(apart.cost_apart_atto, 0) as left_atto,
        -- A bound with calls without a price that the estimate has not is not known.
        case
            when costs.cost_atto is not null and costs.low_unpriced_call_count <= costs.unpriced_call_count
                then least(costs.cost_atto, costs.low_cost_atto)
        end as least_cost_atto,
        case
            when costs.cost_atto is not null and costs.high_unpriced_call_count <= costs.unpriced_call_count
                then greatest(costs.cost_atto, costs.high_cost_atto)
        end as most_cost_atto,
        actual_apart.cost_apart_atto as actual_apart_atto,
    from scenario_costs as costs
    inner join scenario_costs as actual_costs
        on costs.feature is not distinct from actual_costs.feature
        and costs.user_id is not distinct from actual_costs.user_id
        and actual_costs.scenario_order = 0
    inner join cost_per_outcome as counts
        on costs.feature is not distinct from counts.feature
        and costs.user_id is not distinct from counts.user_id
        and counts.outcome is null
    inner join source.scenarios as scenarios
        on costs.scenario_order = scenarios.scenario_order
    left join scenario_counts as own_counts
        on costs.scenario_order = own_counts.scenario_order
        and case
            when costs.feature is not null and costs.user_id is not null then 'pair'
            when costs.feature is not null then 'feature'
            when costs.user_id is not null then 'user'
            else 'all'
        end = own_counts.dimension
        and coalesce(own_counts.feature, costs.feature) is not distinct from costs.feature
        and coalesce(own_counts.user_id, costs.user_id) is not distinct from costs.user_id
        and (own_counts.dimension = 'pair' or own_counts.name = coalesce(costs.feature, costs.user_id, 'all'))
    left join revenue_by_group
        on costs.feature is not distinct from revenue_by_group.feature
        and costs.user_id is not distinct from revenue_by_group.user_id
        and revenue_by_group.customer_id is null
        and case when scenarios.has_activity then costs.scenario_order else 0 end = revenue_by_group.scenario_order
    left join revenue_by_group as actual_revenue
        on costs.feature is not distinct from actual_revenue.feature
        and costs.user_id is not distinct from actual_revenue.user_id
        and actual_revenue.customer_id is null
        and actual_revenue.scenario_order = 0
    left join costs_apart_by_group as apart
        on costs.feature is not distinct from apart.feature
        and costs.user_id is not distinct from apart.user_id
        and costs.scenario_order = apart.scenario_order
    left join costs_apart_by_group as actual_apart
        on costs.feature is not distinct from actual_apart.feature
        and costs.user_id is not distinct from actual_apart.user_id
        and actual_apart.scenario_order = 0
)

select
    feature,
    user_id,
    scenario,
    scenario_order,
    divide_half_even(action_millionths, 1000000)::bigint as action_count,
    divide_half_even(success_millionths, 1000000)::bigint as success_count,
    usd_from_atto(cost_atto) as cost_usd,
    usd_from_atto(least_cost_atto) as cost_low_usd,
    usd_from_atto(most_cost_atto) as cost_high_usd,
    usd_from_atto(scaled_to_nearest(cost_atto, 1000000, action_millionths)) as cost_per_action_usd,
    usd_from_atto(scaled_to_nearest(labelled_cost_atto, 1000000, success_millionths)) as cost_per_outcome_usd,
    usd_from_atto(cost_apart_atto) as cost_apart_usd,
    revenue_usd,
    usd_from_atto(left_atto - cost_atto) as margin_usd,
    (left_atto - cost_atto) / nullif(revenue_atto, 0) as margin_share,
    bounded_survives(left_atto - most_cost_atto, left_atto - least_cost_atto, unpriced_call_count) as survives,
    (actual_revenue_atto - coalesce(actual_apart_atto, 0) - actual_cost_atto) / nullif(actual_cost_atto, 0)
        as break_even_change_share,
    unpriced_call_count,
from margins

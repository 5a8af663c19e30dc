-- one row per dimension (all, feature, user, customer, model, day), name in it and scenario
-- dimension | all, feature, user, customer, model or day
-- name | the feature, user, ... or unattributed; provider/model; the UTC date, or unknown; all
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- action_count | actions with a call in the row
-- success_count | actions whose latest outcome is a success
-- cost_usd | cost of the same calls under the scenario; null: none is priced
-- cost_low_usd | the same if every call that may cross a context bound, or whose tokens were measured, costs least; else cost_usd; null: not known
-- cost_high_usd | the same if it costs most; null: not known
-- cost_per_action_usd | cost_usd over all actions
-- cost_per_outcome_usd | cost of the labelled actions over success_count; null: no success
-- cost_apart_usd | what they cost beside tokens and fees, see costs_apart; in all, with what no call bears; null: nothing
-- revenue_usd | revenue that can be told for exactly this group; null: none given, or not to be split so
-- margin_usd | revenue_usd less cost_usd and cost_apart_usd; at most this when calls are unpriced
-- margin_share | margin_usd over revenue_usd; at most this when calls are unpriced
-- survives | whether the margin is at least zero, at both bounds of the cost; null: not known, or it is while calls are unpriced
-- break_even_change_share | how far prices may rise from actual until the margin is zero (0.5: by half), while what stands apart stays; at most this when calls are unpriced
-- unpriced_call_count | calls without a cost in the scenario, missing in its cost
with labelled_cells as (
    select
        *,
        is_success is not null as is_labelled,
    from scenario_cells
),

cells as (
    -- One pass over the cube, and one over what a scoped scenario makes of it: rates depend on the card alone. Grouped
    -- by what the cube has and named then, since these are far fewer rows; what has the same name is added up below.
    select
        dimension_of(grouping(feature, user_id, customer_id, model, day)) as dimension,
        case
            when grouping(feature) = 0 then coalesce(feature, 'unattributed')
            when grouping(user_id) = 0 then coalesce(user_id, 'unattributed')
            when grouping(customer_id) = 0 then coalesce(customer_id, 'unattributed')
            when grouping(model) = 0 then concat_ws('/', provider, coalesce(model, 'unknown'))
            when grouping(day) = 0 then coalesce(day::varchar, 'unknown')
            else 'all'
        end as name,
        scope,
        bound,
        variant,
        card_id,
        is_priced,
        is_moved,
        is_parts_within,
        used_classes,
        is_labelled,
        sum(call_count) as call_count,
        sum(uncached_input_tokens) as uncached_input_tokens,
        sum(uncached_audio_tokens) as uncached_audio_tokens,
        sum(uncached_image_tokens) as uncached_image_tokens,
        sum(uncached_video_tokens) as uncached_video_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(cache_write_other_tokens) as cache_write_other_tokens,
        sum(cache_read_audio_tokens) as cache_read_audio_tokens,
        sum(output_tokens) as output_tokens,
        sum(output_audio_tokens) as output_audio_tokens,
        sum(output_image_tokens) as output_image_tokens,
        sum(reasoning_tokens) as reasoning_tokens,
        sum(web_search_count) as web_search_count,
        sum(file_search_count) as file_search_count,
        sum(code_session_count) as code_session_count,
    from labelled_cells
    group by grouping sets (
        (scope, bound, variant, card_id, is_priced, is_moved, is_parts_within, used_classes, is_labelled, feature),
        (scope, bound, variant, card_id, is_priced, is_moved, is_parts_within, used_classes, is_labelled, user_id),
        (scope, bound, variant, card_id, is_priced, is_moved, is_parts_within, used_classes, is_labelled, customer_id),
        (scope, bound, variant, card_id, is_priced, is_moved, is_parts_within, used_classes, is_labelled, provider, model),
        (scope, bound, variant, card_id, is_priced, is_moved, is_parts_within, used_classes, is_labelled, day),
        (scope, bound, variant, card_id, is_priced, is_moved, is_parts_within, used_classes, is_labelled)
    )
),

cell_costs as (
    select
        cells.dimension,
        cells.name,
        cells.is_labelled,
        cells.bound,
        cells.call_count,
        rates.scenario,
        rates.scenario_order,
        scenario_cost_of(cells, rates) as cost_atto,
    from cells
    inner join scenario_rates as rates
        on cells.card_id is not distinct from rates.card_id
        and cells.scope is not distinct from rates.scope
        and case when cells.card_id is not null then cells.variant end is not distinct from rates.variant
),

costs as (
    select
        dimension,
        name,
        scenario,
        scenario_order,
        sum(cost_atto) filter (where bound in ('exact', 'point')) as cost_atto,
        sum(cost_atto) filter (where bound in ('exact', 'low')) as low_cost_atto,
        sum(cost_atto) filter (where bound in ('exact', 'high')) as high_cost_atto,
        sum(cost_atto) filter (where is_labelled and bound in ('exact', 'point')) as labelled_cost_atto,
        -- No unpriced call is a known zero: these count rows that were seen.
        coalesce(sum(call_count) filter (where cost_atto is null and bound in ('exact', 'point')), 0)::bigint
            as unpriced_call_count,
        coalesce(sum(call_count) filter (where cost_atto is null and bound in ('exact', 'low')), 0)::bigint
            as low_unpriced_call_count,
        coalesce(sum(call_count) filter (where cost_atto is null and bound in ('exact', 'high')), 0)::bigint
            as high_unpriced_call_count,
    from cell_costs
    group by dimension, name, scenario, scenario_order
),

named_costs_apart as (
    select
        scenario_order,
        is_allocated,
        cost_pico,
        coalesce(feature, 'unattributed') as feature,
        coalesce(user_id, 'unattributed') as user_name,
        coalesce(customer_id, 'unattributed') as customer,
        concat_ws('/', provider, coalesce(model, 'unknown')) as model,
        coalesce(day::varchar, 'unknown') as day,
    from costs_apart
),

costs_apart_by_name as (
    select
        scenario_order,
        dimension_of(grouping(feature, user_name, customer, model, day)) as dimension,
        coalesce(feature, user_name, customer, model, day, 'all') as name,
        -- What no call bears is in the total alone.
        1000000 * case
            when grouping(feature, user_name, customer, model, day) = 31 then sum(cost_pico)
            else sum(cost_pico) filter (where is_allocated)
        end as cost_apart_atto,
    from named_costs_apart
    group by grouping sets (
        (scenario_order, feature),
        (scenario_order, user_name),
        (scenario_order, customer),
        (scenario_order, model),
        (scenario_order, day),
        (scenario_order)
    )
),

revenue as (
    select
        scenario_order,
        case
            when feature is not null then 'feature'
            when user_id is not null then 'user'
            when customer_id is not null then 'customer'
            else 'all'
        end as dimension,
        coalesce(feature, user_id, customer_id, 'all') as name,
        revenue_usd,
        revenue_pico,
    from revenue_by_group
    where feature is null or user_id is null
),

margins as (
    select
        costs.*,
        actual_costs.cost_atto as actual_cost_atto,
        -- Shown in whole actions, divided by as they are.
        coalesce(own_counts.action_millionths, counts.action_count::hugeint * 1000000) as action_millionths,
        coalesce(own_counts.success_millionths, counts.success_count::hugeint * 1000000) as success_millionths,
        revenue.revenue_usd,
        revenue.revenue_pico::hugeint * 1000000 as revenue_atto,
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
    from costs
    inner join costs as actual_costs
        on costs.dimension = actual_costs.dimension
        and costs.name = actual_costs.name
        and actual_costs.scenario_order = 0
    inner join unit_economics as counts
        on costs.dimension = counts.dimension
        and costs.name = counts.name
    inner join source.scenarios as scenarios
        on costs.scenario_order = scenarios.scenario_order
    left join scenario_counts as own_counts
        on costs.scenario_order = own_counts.scenario_order
        and costs.dimension = own_counts.dimension
        and costs.name = own_counts.name
    left join revenue
        on costs.dimension = revenue.dimension
        and costs.name = revenue.name
        and case when scenarios.has_activity then costs.scenario_order else 0 end = revenue.scenario_order
    left join revenue as actual_revenue
        on costs.dimension = actual_revenue.dimension
        and costs.name = actual_revenue.name
        and actual_revenue.scenario_order = 0
    left join costs_apart_by_name as apart
        on costs.dimension = apart.dimension
        and costs.name = apart.name
        and costs.scenario_order = apart.scenario_order
    left join costs_apart_by_name as actual_apart
        on costs.dimension = actual_apart.dimension
        and costs.name = actual_apart.name
        and actual_apart.scenario_order = 0
)

select
    dimension,
    name,
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

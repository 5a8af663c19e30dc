-- one row per dimension (all, feature, user, customer, model, day) and name: what an action takes, costs and leads to
-- dimension | all, feature, user, customer, model or day
-- name | the feature, user, ... or unattributed; provider/model; the UTC date, or unknown; all
-- action_count | actions with a call in the row (an action on two models is in both rows, and once in all)
-- user_count | known users
-- call_count | calls
-- input_tokens | input of the calls whose usage is known, cached included; null: of none
-- cache_read_tokens | of these, read from a cache; null: no call tells of any
-- output_tokens | output of the calls whose usage is known; null: of none
-- cost_usd | cost of the priced calls; null: none is priced
-- cost_per_action_usd | cost_usd over all actions
-- labelled_count | actions with an outcome, success or not
-- success_count | actions whose latest outcome is a success
-- labelled_cost_usd | cost of the labelled actions' calls in the row
-- cost_per_outcome_usd | labelled_cost_usd over success_count; null: no success
-- unknown_usage_call_count | calls whose input or output is unknown
-- unpriced_call_count | calls without a cost
-- error_call_count | calls with status error or refused
with latest_outcomes as (
    select
        action_id,
        is_success,
    from outcomes
    where is_latest and action_id is not null
),

named_calls as (
    select
        coalesce(calls.feature, 'unattributed') as feature,
        coalesce(calls.user_id, 'unattributed') as user_name,
        coalesce(calls.customer_id, 'unattributed') as customer,
        concat_ws('/', calls.provider, coalesce(calls.model, 'unknown')) as model,
        coalesce(calls.day::varchar, 'unknown') as day,
        calls.action_id,
        latest_outcomes.is_success,
    from calls
    left join latest_outcomes
        on calls.action_id = latest_outcomes.action_id
),

action_groups as (
    -- Distinct in every row: an action over two models is in both, and once in all. Success belongs to the action.
    select
        grouping(feature, user_name, customer, model, day) as dimension_number,
        coalesce(feature, user_name, customer, model, day, 'all') as name,
        is_success,
        count(distinct action_id) as action_count,
    from named_calls
    group by grouping sets (
        (is_success, feature),
        (is_success, user_name),
        (is_success, customer),
        (is_success, model),
        (is_success, day),
        (is_success)
    )
),

action_counts as (
    select
        dimension_number,
        name,
        sum(action_count)::bigint as action_count,
        -- No group of a kind is a known zero: these count rows that were seen.
        coalesce(sum(action_count) filter (where is_success is not null), 0)::bigint as labelled_count,
        coalesce(sum(action_count) filter (where is_success), 0)::bigint as success_count,
    from action_groups
    group by dimension_number, name
),

named_cells as (
    select
        coalesce(feature, 'unattributed') as feature,
        coalesce(user_id, 'unattributed') as user_name,
        coalesce(customer_id, 'unattributed') as customer,
        concat_ws('/', provider, coalesce(model, 'unknown')) as model,
        coalesce(day::varchar, 'unknown') as day,
        usage_cube.* exclude (feature, customer_id, model, day),
    from usage_cube
),

totals as (
    select
        grouping(feature, user_name, customer, model, day) as dimension_number,
        coalesce(feature, user_name, customer, model, day, 'all') as name,
        count(distinct user_id) as user_count,
        sum(call_count)::bigint as call_count,
        sum(input_tokens) as input_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_pico) as cost_pico,
        sum(cost_pico) filter (where is_success is not null) as labelled_cost_pico,
        sum(unknown_usage_call_count)::bigint as unknown_usage_call_count,
        coalesce(sum(call_count) filter (where cost_pico is null), 0)::bigint as unpriced_call_count,
        sum(error_call_count)::bigint as error_call_count,
    from named_cells
    group by grouping sets ((feature), (user_name), (customer), (model), (day), ())
)

select
    case totals.dimension_number
        when 15 then 'feature'
        when 23 then 'user'
        when 27 then 'customer'
        when 29 then 'model'
        when 30 then 'day'
        when 31 then 'all'
    end as dimension,
    totals.name,
    action_counts.action_count,
    totals.user_count,
    totals.call_count,
    totals.input_tokens,
    totals.cache_read_tokens,
    totals.output_tokens,
    usd_from_pico(totals.cost_pico) as cost_usd,
    usd_from_pico(divide_half_even(totals.cost_pico, action_counts.action_count)) as cost_per_action_usd,
    action_counts.labelled_count,
    action_counts.success_count,
    usd_from_pico(totals.labelled_cost_pico) as labelled_cost_usd,
    usd_from_pico(divide_half_even(totals.labelled_cost_pico, action_counts.success_count)) as cost_per_outcome_usd,
    totals.unknown_usage_call_count,
    totals.unpriced_call_count,
    totals.error_call_count,
from totals
inner join action_counts
    on totals.dimension_number = action_counts.dimension_number
    and totals.name = action_counts.name

-- one row per name of a dimension with calls in a period of days, and one for all: what an action takes, costs and leads to
-- period_economics(first_day, last_day, dimension := 'feature')
-- dimension | all, feature, user, customer or model
-- name | the feature, user, ... or unattributed; provider/model; all
-- user_count | known users
-- action_count | actions with a call in the period (an action on two models is in both rows, and once in all)
-- call_count | calls
-- input_tokens | input of the calls whose usage is known, cached included; null: of none
-- output_tokens | output of the calls whose usage is known; null: of none
-- cost_usd | cost of the priced calls; null: none is priced
-- cost_per_action_usd | cost_usd over all actions
-- labelled_count | actions with an outcome, success or not
-- success_count | actions whose latest outcome is a success
-- success_share | successes over labelled actions
-- cost_per_outcome_usd | cost of the labelled actions' calls of the period over success_count; null: no success
-- unpriced_call_count | calls without a cost
with dimensions as (
    select 'all' as dimension_name
    union
    select dimension as dimension_name
),

latest_outcomes as (
    select
        action_id,
        is_success,
    from outcomes
    where is_latest and action_id is not null
),

action_counts as (
    select
        dimensions.dimension_name,
        name_in(dimensions.dimension_name, ledger) as name,
        count(distinct ledger.action_id) as action_count,
        count(distinct ledger.action_id) filter (where latest_outcomes.is_success is not null) as labelled_count,
        count(distinct ledger.action_id) filter (where latest_outcomes.is_success) as success_count,
    from source.ledger as ledger
    cross join dimensions
    left join latest_outcomes
        on ledger.action_id = latest_outcomes.action_id
    where ledger.day between first_day::date and last_day::date
    group by dimensions.dimension_name, name
),

totals as (
    select
        dimensions.dimension_name,
        name_in(dimensions.dimension_name, usage_cube) as name,
        count(distinct usage_cube.user_id) as user_count,
        sum(usage_cube.call_count)::bigint as call_count,
        sum(usage_cube.input_tokens) as input_tokens,
        sum(usage_cube.output_tokens) as output_tokens,
        sum(usage_cube.cost_pico) as cost_pico,
        sum(usage_cube.cost_pico) filter (where usage_cube.is_success is not null) as labelled_cost_pico,
        coalesce(sum(usage_cube.call_count) filter (where usage_cube.cost_pico is null), 0)::bigint as unpriced_call_count,
    from usage_cube
    cross join dimensions
    where usage_cube.day between first_day::date and last_day::date
    group by dimensions.dimension_name, name
)

select
    totals.dimension_name as dimension,
    totals.name,
    totals.user_count,
    action_counts.action_count,
    totals.call_count,
    totals.input_tokens,
    totals.output_tokens,
    usd_from_pico(totals.cost_pico) as cost_usd,
    usd_from_pico(divide_half_even(totals.cost_pico, action_counts.action_count)) as cost_per_action_usd,
    action_counts.labelled_count,
    action_counts.success_count,
    action_counts.success_count / nullif(action_counts.labelled_count, 0) as success_share,
    usd_from_pico(divide_half_even(totals.labelled_cost_pico, action_counts.success_count)) as cost_per_outcome_usd,
    totals.unpriced_call_count,
from totals
inner join action_counts
    on totals.dimension_name = action_counts.dimension_name
    and totals.name = action_counts.name

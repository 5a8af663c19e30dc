-- one row per action within feature, user and customer: an action that spans two features has two rows
-- action_id | what one user did with a feature: one or more calls
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- day | UTC date of its first call; null: no call has one
-- started_at | instant of its first call (UTC); null: no call has one
-- ended_at | instant of its last call (UTC); null: no call has one
-- call_count | calls, retries and failures included
-- error_call_count | calls with status error or refused
-- input_tokens | input of the calls whose usage is known, cached included; null: of none
-- cache_read_tokens | of these, read from a cache; null: no call tells of any
-- output_tokens | output of the calls whose usage is known; null: of none
-- cost_usd | cost of its priced calls, failed ones included; null: none is priced
-- cost_pico | cost_usd in integer pico-USD, for exact arithmetic
-- unknown_usage_call_count | calls whose input or output is unknown
-- unpriced_call_count | calls without a cost
-- outcome | name of its latest outcome; null: none told yet
-- is_success | whether that was a success; null: unlabelled
-- value_usd | value of that outcome in USD; null: not told
with calls_by_action as (
    select
        action_id,
        feature,
        user_id,
        customer_id,
        min(day) as day,
        min(called_at) as started_at,
        max(called_at) as ended_at,
        count(*) as call_count,
        count(*) filter (where status in ('error', 'refused')) as error_call_count,
        sum(input_tokens) as input_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_pico) as cost_pico,
        count(*) filter (where input_tokens is null or output_tokens is null) as unknown_usage_call_count,
        count(*) filter (where cost_pico is null) as unpriced_call_count,
    from calls
    group by action_id, feature, user_id, customer_id
),

latest_outcomes as (
    select
        action_id,
        outcome,
        is_success,
        value_usd,
    from outcomes
    where is_latest and action_id is not null
)

select
    calls_by_action.action_id,
    calls_by_action.feature,
    calls_by_action.user_id,
    calls_by_action.customer_id,
    calls_by_action.day,
    calls_by_action.started_at,
    calls_by_action.ended_at,
    calls_by_action.call_count,
    calls_by_action.error_call_count,
    calls_by_action.input_tokens,
    calls_by_action.cache_read_tokens,
    calls_by_action.output_tokens,
    usd_from_pico(calls_by_action.cost_pico) as cost_usd,
    calls_by_action.cost_pico,
    calls_by_action.unknown_usage_call_count,
    calls_by_action.unpriced_call_count,
    latest_outcomes.outcome,
    latest_outcomes.is_success,
    latest_outcomes.value_usd,
from calls_by_action
left join latest_outcomes
    on calls_by_action.action_id = latest_outcomes.action_id

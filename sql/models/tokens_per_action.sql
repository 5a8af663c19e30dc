-- one row per feature and user; null in either: all (an action that spans two features is one action in their total)
-- feature | product feature, or unattributed; null: all
-- user_id | who acted, or unattributed; null: all
-- action_count | actions
-- user_count | known users
-- call_count | calls
-- calls_per_action | mean calls of an action
-- input_tokens_per_action | mean known input of the actions that tell any, cached included
-- cache_read_tokens_per_action | mean of these read from a cache; an action that tells of none has none
-- output_tokens_per_action | mean known output of the actions that tell any
-- p50_tokens_per_action | median of input plus output
-- p90_tokens_per_action | 90th percentile of input plus output
-- p99_tokens_per_action | 99th percentile of input plus output
-- max_tokens_per_action | largest input plus output
-- cost_usd | cost of the priced calls; null: none is priced
-- cost_per_action_usd | cost_usd over all actions
-- p50_cost_per_action_usd | median cost of the actions whose every call has a cost
-- p90_cost_per_action_usd | 90th percentile of the same
-- unknown_usage_call_count | calls whose input or output is unknown
-- unpriced_call_count | calls without a cost
-- error_call_count | calls with status error or refused
with attributed_actions as (
    select
        actions.* replace (coalesce(feature, 'unattributed') as feature, coalesce(user_id, 'unattributed') as user_id),
    from actions
),

action_totals as materialized (
    -- Whole actions at every level first, so that neither counts nor percentiles see a part of one.
    select
        feature,
        user_id,
        action_id,
        sum(call_count) as call_count,
        sum(input_tokens) as input_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_pico) as cost_pico,
        -- What is known of an action with an unpriced call is no value of a percentile.
        case when sum(unpriced_call_count) = 0 then sum(cost_pico) end as whole_cost_pico,
        sum(unknown_usage_call_count) as unknown_usage_call_count,
        sum(unpriced_call_count) as unpriced_call_count,
        sum(error_call_count) as error_call_count,
    from attributed_actions
    group by grouping sets (
        (action_id, feature, user_id), (action_id, feature), (action_id, user_id), (action_id)
    )
),

totals as (
    select
        feature,
        user_id,
        count(*) as action_count,
        sum(call_count)::bigint as call_count,
        sum(input_tokens) as input_tokens,
        count(input_tokens) as known_input_count,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(output_tokens) as output_tokens,
        count(output_tokens) as known_output_count,
        max(input_tokens + output_tokens) as max_tokens,
        sum(cost_pico) as cost_pico,
        sum(unknown_usage_call_count)::bigint as unknown_usage_call_count,
        sum(unpriced_call_count)::bigint as unpriced_call_count,
        sum(error_call_count)::bigint as error_call_count,
    from action_totals
    group by feature, user_id
),

-- Values with how often they come, which spill where they do not fit the memory: the lists of quantile_disc do not.
token_counts as (
    select
        feature,
        user_id,
        input_tokens + output_tokens as tokens,
        count(*) as value_count,
    from action_totals
    where tokens is not null
    group by feature, user_id, tokens
),

token_ranks as (
    select
        feature,
        user_id,
        tokens,
        sum(value_count) over (partition by feature, user_id order by tokens) as rank,
        sum(value_count) over (partition by feature, user_id) as total,
    from token_counts
),

token_percentiles as (
    select
        feature,
        user_id,
        min(tokens) filter (where reaches(0.5, total, rank)) as p50_tokens,
        min(tokens) filter (where reaches(0.9, total, rank)) as p90_tokens,
        min(tokens) filter (where reaches(0.99, total, rank)) as p99_tokens,
    from token_ranks
    group by feature, user_id
),

cost_counts as (
    select
        feature,
        user_id,
        whole_cost_pico as cost_pico,
        count(*) as value_count,
    from action_totals
    where whole_cost_pico is not null
    group by feature, user_id, whole_cost_pico
),

cost_ranks as (
    select
        feature,
        user_id,
        cost_pico,
        sum(value_count) over (partition by feature, user_id order by cost_pico) as rank,
        sum(value_count) over (partition by feature, user_id) as total,
    from cost_counts
),

cost_percentiles as (
    select
        feature,
        user_id,
        min(cost_pico) filter (where reaches(0.5, total, rank)) as p50_cost_pico,
        min(cost_pico) filter (where reaches(0.9, total, rank)) as p90_cost_pico,
    from cost_ranks
    group by feature, user_id
),

known_users as (
    select distinct
        coalesce(feature, 'unattributed') as feature,
        coalesce(user_id, 'unattributed') as user_id,
        user_id as known_user_id,
    from actions
),

users as (
    select
        feature,
        user_id,
        count(distinct known_user_id) as user_count,
    from known_users
    group by grouping sets ((feature, user_id), (feature), (user_id), ())
)

select
    totals.feature,
    totals.user_id,
    totals.action_count,
    users.user_count,
    totals.call_count,
    totals.call_count / totals.action_count as calls_per_action,
    totals.input_tokens / nullif(totals.known_input_count, 0) as input_tokens_per_action,
    totals.cache_read_tokens / nullif(totals.known_input_count, 0) as cache_read_tokens_per_action,
    totals.output_tokens / nullif(totals.known_output_count, 0) as output_tokens_per_action,
    token_percentiles.p50_tokens as p50_tokens_per_action,
    token_percentiles.p90_tokens as p90_tokens_per_action,
    token_percentiles.p99_tokens as p99_tokens_per_action,
    totals.max_tokens as max_tokens_per_action,
    usd_from_pico(totals.cost_pico) as cost_usd,
    usd_from_pico(divide_half_even(totals.cost_pico, totals.action_count)) as cost_per_action_usd,
    usd_from_pico(cost_percentiles.p50_cost_pico) as p50_cost_per_action_usd,
    usd_from_pico(cost_percentiles.p90_cost_pico) as p90_cost_per_action_usd,
    totals.unknown_usage_call_count,
    totals.unpriced_call_count,
    totals.error_call_count,
from totals
inner join users
    on totals.feature is not distinct from users.feature
    and totals.user_id is not distinct from users.user_id
left join token_percentiles
    on totals.feature is not distinct from token_percentiles.feature
    and totals.user_id is not distinct from token_percentiles.user_id
left join cost_percentiles
    on totals.feature is not distinct from cost_percentiles.feature
    and totals.user_id is not distinct from cost_percentiles.user_id

-- one row per dimension and name, made dimension by dimension: counts, sums and percentiles over whole actions
-- dimension | all, feature, user, customer, model or day
-- name | the feature, user, ... as unit_economics has it
-- action_count | actions with a call in the row (one over two models is in both rows)
-- labelled_count | actions with an outcome
-- success_count | actions that succeeded
-- user_action_count | actions of known users
-- tokens_per_action | mean tokens of the actions whose tokens are known; null: of none
-- p50_tokens | median of the same
-- p90_tokens | 90th percentile of the same
-- p99_tokens | 99th percentile of the same
-- costed_action_count | actions whose every call has a cost
-- p50_cost_pico | median cost of these
-- p90_cost_pico | 90th percentile of the same
-- p99_cost_pico | 99th percentile of the same
-- p50_success_cost_pico | median cost of those that succeeded
-- p90_success_cost_pico | 90th percentile of the same
-- p99_success_cost_pico | 99th percentile of the same
-- error_cost_pico | cost of the calls with status error or refused
-- named_cost_pico | cost in actions that the log names
-- sampled_count | labelled actions with a cost below a million USD
-- sampled_success_count | of these, those that succeeded
-- sampled_sum | cost of these, in nano-USD
-- sampled_success_sum | of this, that of those that succeeded
-- sampled_square_sum | sum of the squares of the costs in nano-USD
with action_totals as materialized (
    -- Whole actions first. Success belongs to the action.
    select
        case getvariable('dimension')
            when 'feature' then feature
            when 'user' then user_name
            when 'customer' then customer
            when 'model' then model
            when 'day' then day
            when 'all' then 'all'
            else error('no such dimension')
        end as name,
        is_success,
        count(user_id) > 0 as is_user_known,
        -- Known only where they are of every call.
        case when count(*) = count(tokens) then sum(tokens) end as tokens,
        case when count(*) = count(cost_pico) then sum(cost_pico) end as cost_pico,
        sum(error_cost_pico) as error_cost_pico,
        sum(named_cost_pico) as named_cost_pico,
    from call_parts
    group by action_id, is_success, name
),

sampled_totals as (
    select
        *,
        -- Squares stay integers (of nano-USD), so that no order of the rows shows in their sum; the bound keeps it in range.
        case when is_success is not null and cost_pico < 1000000000000000000 then divide_half_even(cost_pico, 1000) end
            as sampled_nano,
    from action_totals
),

totals as (
    select
        name,
        count(*) as action_count,
        count(is_success) as labelled_count,
        count(*) filter (where is_success) as success_count,
        count(*) filter (where is_user_known) as user_action_count,
        sum(tokens) / nullif(count(tokens), 0) as tokens_per_action,
        count(cost_pico) as costed_action_count,
        sum(error_cost_pico) as error_cost_pico,
        sum(named_cost_pico) as named_cost_pico,
        count(sampled_nano) as sampled_count,
        count(sampled_nano) filter (where is_success) as sampled_success_count,
        sum(sampled_nano)::double as sampled_sum,
        sum(sampled_nano) filter (where is_success)::double as sampled_success_sum,
        sum(sampled_nano * sampled_nano)::double as sampled_square_sum,
    from sampled_totals
    group by name
),

-- Values with how often they come, which spill where they do not fit the memory: the lists of quantile_disc do not.
token_counts as (
    select
        name,
        tokens,
        count(*) as value_count,
    from action_totals
    where tokens is not null
    group by name, tokens
),

token_ranks as (
    select
        name,
        tokens,
        sum(value_count) over (partition by name order by tokens) as rank,
        sum(value_count) over (partition by name) as total,
    from token_counts
),

token_percentiles as (
    select
        name,
        min(tokens) filter (where reaches(0.5, total, rank)) as p50_tokens,
        min(tokens) filter (where reaches(0.9, total, rank)) as p90_tokens,
        min(tokens) filter (where reaches(0.99, total, rank)) as p99_tokens,
    from token_ranks
    group by name
),

cost_counts as (
    select
        name,
        cost_pico,
        count(*) as value_count,
        count(*) filter (where is_success) as success_count,
    from action_totals
    where cost_pico is not null
    group by name, cost_pico
),

cost_ranks as (
    select
        name,
        cost_pico,
        success_count > 0 as is_of_success,
        sum(value_count) over (partition by name order by cost_pico) as rank,
        sum(value_count) over (partition by name) as total,
        sum(success_count) over (partition by name order by cost_pico) as success_rank,
        sum(success_count) over (partition by name) as success_total,
    from cost_counts
),

cost_percentiles as (
    select
        name,
        min(cost_pico) filter (where reaches(0.5, total, rank)) as p50_cost_pico,
        min(cost_pico) filter (where reaches(0.9, total, rank)) as p90_cost_pico,
        min(cost_pico) filter (where reaches(0.99, total, rank)) as p99_cost_pico,
        min(cost_pico) filter (where is_of_success and reaches(0.5, success_total, success_rank))
            as p50_success_cost_pico,
        min(cost_pico) filter (where is_of_success and reaches(0.9, success_total, success_rank))
            as p90_success_cost_pico,
        min(cost_pico) filter (where is_of_success and reaches(0.99, success_total, success_rank))
            as p99_success_cost_pico,
    from cost_ranks
    group by name
)

select
    getvariable('dimension') as dimension,
    totals.*,
    token_percentiles.* exclude (name),
    cost_percentiles.* exclude (name),
from totals
left join token_percentiles
    on totals.name = token_percentiles.name
left join cost_percentiles
    on totals.name = cost_percentiles.name

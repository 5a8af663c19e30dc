-- one row per name of a dimension with calls in either of two periods of days, and one for all: the change of its cost, split into what changed it, one after another in the order of the columns
-- bridge(from_start, from_end, to_start, to_end, dimension := 'feature')
-- dimension | all, feature, user, customer or model
-- name | the feature, user, ... or unattributed; provider/model; all, which is the sum of the rows
-- from_cost_usd | cost of the first period's priced calls (both of its days inclusive); 0: no call; null: none is priced
-- to_cost_usd | the same of the second period
-- change_usd | the second less the first, where an unknown cost adds nothing; the sum of the effects; null: neither is known
-- users_usd | as the number of known users changed; 0 where a period has none
-- actions_per_user_usd | as each did more or fewer actions
-- calls_per_action_usd | as an action took more or fewer calls
-- tokens_per_call_usd | as a call took more or fewer tokens (and requests, searches and sessions where these have a price)
-- model_mix_usd | as tokens went to other models, service tiers, regions, batches and context bands, at the first period's prices
-- class_mix_usd | as the shares of token classes changed within these, at the first period's prices
-- price_usd | as prices changed: the second period's usage at its prices less the same at the first's
-- new_usd | the second period's cost of what has no priced token in the first
-- gone_usd | the first period's cost, below zero, of what has no priced token in the second
-- from_unpriced_call_count | calls of the first period without a cost, missing in all of these
-- to_unpriced_call_count | the same of the second period
with steps as (
    select
        *,
        from_quantity is not null and to_quantity is not null as is_in_both,
        coalesce(from_cost_pico, to_cost_pico) is not null as is_known,
    from bridge_steps(from_start, from_end, to_start, to_end, dimension := dimension)
),

effects as (
    select
        name,
        case when from_call_count = 0 then 0::hugeint else from_cost_pico end as from_cost_pico,
        case when to_call_count = 0 then 0::hugeint else to_cost_pico end as to_cost_pico,
        from_unpriced_call_count,
        to_unpriced_call_count,
        -- An unknown cost adds nothing: its calls are counted beside.
        case when is_known then coalesce(to_cost_pico, 0) - coalesce(from_cost_pico, 0) end as change_pico,
        case when is_in_both then at_users_pico - from_cost_pico when is_known then 0 end as users_pico,
        case when is_in_both then at_actions_pico - at_users_pico when is_known then 0 end as actions_pico,
        case when is_in_both then at_calls_pico - at_actions_pico when is_known then 0 end as calls_pico,
        case when is_in_both then at_tokens_pico - at_calls_pico when is_known then 0 end as tokens_pico,
        case when is_in_both then at_models_pico - at_tokens_pico when is_known then 0 end as model_mix_pico,
        case when is_in_both then at_classes_pico - at_models_pico when is_known then 0 end as class_mix_pico,
        case when is_in_both then to_cost_pico - at_classes_pico when is_known then 0 end as price_pico,
        case
            when is_known and from_quantity is null then coalesce(to_cost_pico, 0)
            when is_known then 0
        end as new_pico,
        case
            when is_known and to_quantity is null then -coalesce(from_cost_pico, 0)
            when is_known then 0
        end as gone_pico,
    from steps
),

sums as (
    select
        grouping(name) = 1 as is_total,
        name,
        sum(from_cost_pico) as from_cost_pico,
        sum(to_cost_pico) as to_cost_pico,
        sum(change_pico) as change_pico,
        sum(users_pico) as users_pico,
        sum(actions_pico) as actions_pico,
        sum(calls_pico) as calls_pico,
        sum(tokens_pico) as tokens_pico,
        sum(model_mix_pico) as model_mix_pico,
        sum(class_mix_pico) as class_mix_pico,
        sum(price_pico) as price_pico,
        sum(new_pico) as new_pico,
        sum(gone_pico) as gone_pico,
        sum(from_unpriced_call_count)::bigint as from_unpriced_call_count,
        sum(to_unpriced_call_count)::bigint as to_unpriced_call_count,
    from effects
    group by grouping sets ((name), ())
    -- Two periods without a call have no row, not even for all.
    having count(*) > 0
)

select
    case when is_total then 'all' else dimension end as dimension,
    coalesce(name, 'all') as name,
    usd_from_pico(from_cost_pico) as from_cost_usd,
    usd_from_pico(to_cost_pico) as to_cost_usd,
    usd_from_pico(change_pico) as change_usd,
    usd_from_pico(users_pico) as users_usd,
    usd_from_pico(actions_pico) as actions_per_user_usd,
    usd_from_pico(calls_pico) as calls_per_action_usd,
    usd_from_pico(tokens_pico) as tokens_per_call_usd,
    usd_from_pico(model_mix_pico) as model_mix_usd,
    usd_from_pico(class_mix_pico) as class_mix_usd,
    usd_from_pico(price_pico) as price_usd,
    usd_from_pico(new_pico) as new_usd,
    usd_from_pico(gone_pico) as gone_usd,
    from_unpriced_call_count,
    to_unpriced_call_count,
from sums
-- Of everything as one row the sum is that row.
where not (is_total and dimension = 'all')

-- one row per name of a dimension with labelled actions in either of two periods of days, and one for all: the change of its cost per outcome, split into what changed it, one after another in the order of the columns
-- outcome_bridge(from_start, from_end, to_start, to_end, dimension := 'feature')
-- dimension | all, feature, user, customer or model
-- name | the feature, user, ... or unattributed; provider/model; all: reckoned by itself, for a quotient is no sum of the rows'
-- from_success_count | actions with a call in the first period (both of its days inclusive) whose latest outcome is a success
-- to_success_count | the same of the second period
-- from_cost_per_outcome_usd | cost of the first period's calls of labelled actions over its successes; null: no success, or none is priced
-- to_cost_per_outcome_usd | the same of the second period
-- change_usd | the second less the first, and the sum of the effects; null, as all of them are: one of the two is unknown
-- success_share_usd | as more or fewer of the labelled actions succeeded
-- calls_per_action_usd | as a labelled action took more or fewer calls
-- tokens_per_call_usd | as a call took more or fewer tokens (and requests, searches and sessions where these have a price)
-- model_mix_usd | as tokens went to other models, service tiers, regions, batches and context bands, at the first period's prices
-- class_mix_usd | as the shares of token classes changed within these, at the first period's prices
-- price_usd | as prices changed: the second period's usage at its prices less the same at the first's
-- from_unpriced_call_count | calls of the first period's labelled actions without a cost, missing in all of these
-- to_unpriced_call_count | the same of the second period
with steps as (
    select
        dimension as dimension_name,
        *,
    from bridge_steps(from_start, from_end, to_start, to_end, dimension := dimension, only_labelled := true)
    where dimension <> 'all'
    union all
    select
        'all' as dimension_name,
        *,
    from bridge_steps(from_start, from_end, to_start, to_end, dimension := 'all', only_labelled := true)
),

quotients as (
    select
        *,
        divide_half_even(from_cost_pico, from_success_count) as first_pico,
        divide_half_even(to_cost_pico, to_success_count) as last_pico,
        -- Null where any of the two is: an effect on what is unknown is unknown.
        case when first_pico is not null and last_pico is not null then to_success_count end as successes,
        divide_half_even(at_actions_pico, successes) as at_success_pico,
        divide_half_even(at_calls_pico, successes) as at_calls_each_pico,
        divide_half_even(at_tokens_pico, successes) as at_tokens_each_pico,
        divide_half_even(at_models_pico, successes) as at_models_each_pico,
        divide_half_even(at_classes_pico, successes) as at_classes_each_pico,
    from steps
)

select
    dimension_name as dimension,
    name,
    from_success_count,
    to_success_count,
    usd_from_pico(first_pico) as from_cost_per_outcome_usd,
    usd_from_pico(last_pico) as to_cost_per_outcome_usd,
    usd_from_pico(last_pico - first_pico) as change_usd,
    usd_from_pico(at_success_pico - first_pico) as success_share_usd,
    usd_from_pico(at_calls_each_pico - at_success_pico) as calls_per_action_usd,
    usd_from_pico(at_tokens_each_pico - at_calls_each_pico) as tokens_per_call_usd,
    usd_from_pico(at_models_each_pico - at_tokens_each_pico) as model_mix_usd,
    usd_from_pico(at_classes_each_pico - at_models_each_pico) as class_mix_usd,
    usd_from_pico(last_pico - at_classes_each_pico) as price_usd,
    from_unpriced_call_count,
    to_unpriced_call_count,
from quotients

-- one row per name of $dimension, and one for all: its actual cost, the same calls' with one thing after another changed as
-- the scenario has it (1: who acts, 2: the model, 3: tokens, 4: prices, which is the scenario), and what each changes
with costs as (
    select
        dimension,
        name,
        max(cost_usd) filter (where scenario_order = 0) as from_cost_usd,
        max(cost_usd) filter (where scenario_order = 1) as activity_cost_usd,
        max(cost_usd) filter (where scenario_order = 2) as model_cost_usd,
        max(cost_usd) filter (where scenario_order = 3) as tokens_cost_usd,
        max(cost_usd) filter (where scenario_order = 4) as to_cost_usd,
        max(unpriced_call_count) filter (where scenario_order = 0) as from_unpriced_call_count,
        max(unpriced_call_count) filter (where scenario_order = 4) as to_unpriced_call_count,
    from scenario_by_dimension
    where dimension in ('all', $dimension)
    group by dimension, name
)

select
    dimension,
    name,
    from_cost_usd,
    to_cost_usd,
    to_cost_usd - from_cost_usd as change_usd,
    activity_cost_usd - from_cost_usd as activity_usd,
    model_cost_usd - activity_cost_usd as model_mix_usd,
    tokens_cost_usd - model_cost_usd as tokens_per_call_usd,
    to_cost_usd - tokens_cost_usd as price_usd,
    from_unpriced_call_count,
    to_unpriced_call_count,
from costs
order by abs(change_usd) desc nulls last, name

-- What does a usual action cost, and what a dear one?
-- Read: one row for each name: half of the actions cost at most p50, one in a hundred more than p99. Where p99 is many times p50, budget by p90 and look at dearest_actions.
-- Unknown: percentiles are of actions whose every call has a cost (costed_action_count); the others are in none.
with params as (
    select
        'feature'::varchar as dimension, -- feature, user, customer or model; null: all alone
)

select
    unit_economics.dimension,
    unit_economics.name,
    unit_economics.action_count,
    unit_economics.costed_action_count,
    unit_economics.p50_cost_per_action_usd,
    unit_economics.p90_cost_per_action_usd,
    unit_economics.p99_cost_per_action_usd,
    unit_economics.p99_cost_per_action_usd / nullif(unit_economics.p50_cost_per_action_usd, 0) as p99_over_p50_ratio,
    unit_economics.cost_per_action_usd,
    unit_economics.unpriced_call_count,
from unit_economics
cross join params
where unit_economics.dimension in (one_of(params.dimension, ['feature', 'user', 'customer', 'model']), 'all')
order by unit_economics.dimension = 'all', unit_economics.p99_cost_per_action_usd desc nulls last, unit_economics.name

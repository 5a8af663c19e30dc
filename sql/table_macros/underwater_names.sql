-- one row per dimension (feature, user, customer), name and scenario in which its margin is below zero; all of them, or of one dimension or scenario
-- underwater_names(of_dimension := null, in_scenario := null)
-- dimension | feature, user or customer
-- name | the feature, user or customer, or unattributed
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- revenue_usd | revenue that can be told for exactly this group
-- cost_usd | cost of tokens and fees in the scenario
-- cost_apart_usd | what they cost beside these, see costs_apart; null: nothing
-- margin_usd | revenue_usd less both: below zero; at most this when calls are unpriced
-- lifting_change_share | how far cost_usd must change for a margin of zero (-0.2: fall by a fifth; below -1: not even free tokens would do); at most this when calls are unpriced
-- unpriced_call_count | calls without a cost, missing in its cost
select
    dimension,
    name,
    scenario,
    scenario_order,
    revenue_usd,
    cost_usd,
    cost_apart_usd,
    margin_usd,
    margin_usd / nullif(cost_usd, 0) as lifting_change_share,
    unpriced_call_count,
from scenario_by_dimension
where
    not survives
    and dimension in ('feature', 'user', 'customer')
    and (of_dimension is null or dimension = of_dimension)
    and (in_scenario is null or scenario = in_scenario)

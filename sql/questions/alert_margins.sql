-- one row per name (all, of a feature or a customer) of which less than $target_micro millionths of the revenue are left in $scenario
select
    dimension,
    name,
    cost_usd,
    cost_apart_usd,
    revenue_usd,
    margin_usd,
    margin_share,
    unpriced_call_count,
from scenario_by_dimension
where
    scenario = $scenario
    and dimension in ('all', 'feature', 'customer')
    -- Unpriced calls could only lower it; without a revenue nothing is known.
    and atto_from_usd(margin_usd) * 1000000 < atto_from_usd(revenue_usd) * $target_micro::hugeint
order by margin_usd, dimension, name

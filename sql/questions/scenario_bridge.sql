-- one row per name of $dimension, and one for all: its actual cost, the same calls' under $scenario, and the change
select
    scenarios.dimension,
    scenarios.name,
    actual.cost_usd as from_cost_usd,
    scenarios.cost_usd as to_cost_usd,
    scenarios.cost_usd - actual.cost_usd as change_usd,
    actual.unpriced_call_count as from_unpriced_call_count,
    scenarios.unpriced_call_count as to_unpriced_call_count,
from scenario_by_dimension as scenarios
inner join scenario_by_dimension as actual
    on scenarios.dimension = actual.dimension
    and scenarios.name = actual.name
    and actual.scenario_order = 0
where scenarios.scenario = $scenario and scenarios.dimension in ('all', $dimension)
order by abs(change_usd) desc nulls last, scenarios.name

-- one row per name of $dimension, and one for all: what it took, cost and led to under $scenario, over the whole log
select
    scenarios.dimension,
    scenarios.name,
    economics.user_count,
    economics.action_count,
    economics.call_count,
    economics.input_tokens,
    economics.output_tokens,
    scenarios.cost_usd,
    scenarios.cost_per_action_usd,
    economics.labelled_count,
    economics.success_count,
    economics.success_count / nullif(economics.labelled_count, 0) as success_share,
    scenarios.cost_per_outcome_usd,
    scenarios.margin_usd,
    scenarios.unpriced_call_count,
from scenario_by_dimension as scenarios
inner join unit_economics as economics
    on scenarios.dimension = economics.dimension
    and scenarios.name = economics.name
where scenarios.scenario = $scenario and scenarios.dimension in ('all', $dimension)
order by scenarios.cost_usd desc nulls last, scenarios.name

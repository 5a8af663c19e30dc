-- one row per name of $dimension, and one for all: what it took, cost and led to under $scenario, over the whole log
select
    scenarios.dimension,
    scenarios.name,
    -- Of a scenario that changes who acts, or which model and tokens, what an action takes is not logged.
    case when not named.has_activity then economics.user_count end as user_count,
    scenarios.action_count,
    case when not named.has_activity then economics.call_count end as call_count,
    case when not named.is_scoped then economics.input_tokens end as input_tokens,
    case when not named.is_scoped then economics.output_tokens end as output_tokens,
    scenarios.cost_usd,
    scenarios.cost_per_action_usd,
    economics.success_share,
    scenarios.cost_per_outcome_usd,
    scenarios.margin_usd,
    scenarios.unpriced_call_count,
from scenario_by_dimension as scenarios
inner join source.scenarios as named
    on scenarios.scenario_order = named.scenario_order
inner join unit_economics as economics
    on scenarios.dimension = economics.dimension
    and scenarios.name = economics.name
where scenarios.scenario = $scenario and scenarios.dimension in ('all', $dimension)
order by scenarios.cost_usd desc nulls last, scenarios.name

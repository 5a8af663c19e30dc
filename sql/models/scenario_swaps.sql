-- one row per scenario, feature and pair of models: whose calls the scenario moves to another model, and with how many tokens
-- scenario | the scenario's name
-- scenario_order | order of the scenarios
-- feature | product feature, or unattributed; null: in every feature alike
-- from_provider | who serves the calls
-- from_model | model that their price is looked up for
-- to_provider | who serves them in the scenario
-- to_model | the model in the scenario
-- tokens | measured (from the log), given (by the scenario), or same tokens assumed
-- input_ratio | input tokens in the scenario over those before
-- input_ratio_low | lower bound of its 95 % interval; input_ratio where it was not measured
-- input_ratio_high | its upper bound
-- output_ratio | the same of output tokens
-- output_ratio_low | its lower bound
-- output_ratio_high | its upper bound
-- from_action_count | actions that were measured on the one model; null: not measured
-- to_action_count | actions that were measured on the other
-- first_day | first day of these actions (UTC); null: not measured, or undated
-- last_day | the last
select
    scenarios.scenario,
    swaps.scenario_order,
    case when scenarios.by_feature then coalesce(swaps.feature, 'unattributed') end as feature,
    swaps.from_provider,
    swaps.from_model,
    swaps.to_provider,
    swaps.to_model,
    swaps.tokens,
    swaps.input_ratio,
    swaps.input_ratio_low,
    swaps.input_ratio_high,
    swaps.output_ratio,
    swaps.output_ratio_low,
    swaps.output_ratio_high,
    swaps.from_action_count,
    swaps.to_action_count,
    swaps.first_day,
    swaps.last_day,
from source.scenario_swaps as swaps
inner join source.scenarios as scenarios
    on swaps.scenario_order = scenarios.scenario_order

-- one row per scenario, variant and rate card, and one for what has no card; for the length of a build
-- scenario | actual, or the scenario's name
-- scenario_order | order of the scenarios; 0: actual
-- scope | order of a scoped scenario; null: any other
-- variant | which changes of rates; null: of no card
-- card_id | rate card; null: none; the columns after it are its rates in atto-USD
select
    rates.scenario,
    rates.scenario_order,
    case when scenarios.is_scoped then rates.scenario_order end as scope,
    rates.variant,
    rates.* exclude (scenario, scenario_order, variant),
from source.scenario_rates as rates
inner join source.scenarios as scenarios
    on rates.scenario_order = scenarios.scenario_order
union all by name
select
    scenario,
    scenario_order,
    case when is_scoped then scenario_order end as scope,
from source.scenarios

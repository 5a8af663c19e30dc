-- Who and what is under water, today or when prices rise?
-- Read: one row for each feature, user and customer whose revenue does not cover its cost in the scenario, the largest loss first; survives is false, or null where it cannot be told while calls are unpriced.
-- Unknown: only names that revenue is told for can be judged; with unpriced calls the margin is at most what is shown. Other rises: from reprice(50).
with params as (
    select
        '+50%'::varchar as scenario, -- actual, or any published scenario; null: all
        null::varchar as dimension, -- feature, user or customer; null: all three
),

-- Told beforehand: a mistyped value has no rows either, and would read as good news.
asked as materialized (
    select
        one_of(
            params.scenario, (select list(distinct scenario order by scenario) from scenario_by_dimension)
        ) as scenario,
        one_of(params.dimension, ['feature', 'user', 'customer']) as dimension,
    from params
)

select
    scenario_by_dimension.dimension,
    scenario_by_dimension.name,
    scenario_by_dimension.scenario,
    scenario_by_dimension.revenue_usd,
    scenario_by_dimension.cost_usd,
    scenario_by_dimension.cost_apart_usd,
    scenario_by_dimension.margin_usd,
    scenario_by_dimension.margin_share,
    scenario_by_dimension.survives,
    scenario_by_dimension.break_even_change_share,
    scenario_by_dimension.unpriced_call_count,
from scenario_by_dimension
cross join asked
where
    (asked.scenario is null or scenario_by_dimension.scenario = asked.scenario)
    and (asked.dimension is null or scenario_by_dimension.dimension = asked.dimension)
    and scenario_by_dimension.dimension in ('feature', 'user', 'customer')
    and scenario_by_dimension.revenue_usd is not null
    and scenario_by_dimension.survives is distinct from true
order by scenario_by_dimension.margin_usd nulls last, scenario_by_dimension.dimension, scenario_by_dimension.name

-- one row per published scenario: its name, and whether any revenue is told that a margin can be judged by
select
    scenario,
    bool_or(revenue_usd is not null) as has_revenue,
from scenario_by_dimension
group by scenario, scenario_order
order by scenario_order

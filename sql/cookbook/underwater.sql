-- Features and users whose margin does not survive a scenario, the thinnest break-even first.
select
    feature,
    user_id,
    scenario,
    revenue_usd,
    cost_usd,
    margin_usd,
    break_even_change_share,
from scenario_comparison
where not survives or (scenario_order = 0 and break_even_change_share is not null)
order by break_even_change_share, scenario_order

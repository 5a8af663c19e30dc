-- Costs beside those of calls, at the prices of today.
select
    is_allocated,
    provider,
    day,
    kind,
    sum(cost_pico) as cost_pico
from costs_apart
where scenario_order = 0
group by all

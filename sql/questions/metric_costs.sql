-- Cost by feature, the dearest first; null: unattributed.
select
    feature,
    usd_from_pico(sum(cost_pico)) as cost_usd,
from usage_cube
group by feature
order by sum(cost_pico) desc nulls last, feature

-- Cost of each ISO week and model, from the cube; a week with unpriced calls says how many.
select
    date_trunc('week', day)::date as week_start,
    provider,
    model,
    sum(call_count) as call_count,
    usd_from_pico(sum(cost_pico)) as cost_usd,
    coalesce(sum(call_count) filter (where cost_pico is null), 0) as unpriced_call_count,
from usage_cube
group by all
order by week_start, cost_usd desc nulls last

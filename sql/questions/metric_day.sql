-- The last day that has calls; no row: there is none.
select
    day,
    sum(call_count)::bigint as call_count,
    usd_from_pico(sum(cost_pico)) as cost_usd,
from usage_cube
where day = (select max(day) from usage_cube)
group by day

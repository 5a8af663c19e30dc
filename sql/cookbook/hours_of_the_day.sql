-- At which hours is the money spent?
-- Read: one row for each hour of the day that has a call, in the given time zone (whole hours: in a zone of +5:30 they begin at half past). Useful before work is moved to batches or off-peak prices.
-- Unknown: calls without a price are counted and in no cost; calls without an instant are the row without an hour.
with params as (
    select
        'UTC'::varchar as time_zone, -- such as Europe/Berlin
        null::varchar as model, -- one model; null: all
)

select
    hour(timezone(params.time_zone, hours.hour_at)) as hour_of_day,
    sum(hours.call_count) as call_count,
    sum(hours.error_call_count) / sum(hours.call_count) as error_share,
    usd_from_pico(sum(hours.cost_pico)) as cost_usd,
    sum(hours.cost_pico) / nullif(sum(sum(hours.cost_pico)) over (), 0) as cost_share,
    coalesce(
        sum(hours.call_count) filter (where isodow(timezone(params.time_zone, hours.hour_at)) > 5), 0
    ) as weekend_call_count,
    sum(hours.unpriced_call_count) as unpriced_call_count,
from hours
cross join params
where params.model is null or hours.model = params.model
group by all
order by hour_of_day

-- one row per log: how many calls its last day (or the day as_of) has, and how many its weekday usually has; none where the day is before the log
-- thin_days(as_of := null)
-- day | as given; else the last day of the log that is over: its calls go on until 23:00 UTC or later, else the day before
-- call_count | calls of the day; 0 also after the log's last day
-- usual_call_count | median of the calls of the same weekday in the 8 weeks before, as far as the log spans them; null: it spans none
-- call_share | call_count over usual_call_count; null: that is 0, or not known
-- weekday_count | how many of these weekdays the log spans, 0 to 8
with span as (
    select
        min(day) as first_day,
        max(day) as final_day,
        (select max(called_at) from source.ledger) as last_called_at,
    from usage_cube
),

asked as (
    select
        first_day,
        final_day,
        coalesce(as_of::date, last_day_over(first_day, final_day, last_called_at)) as known_to,
    from span
    where known_to >= first_day
),

weekdays as (
    select
        known_to - 7 * weeks.range::integer as day,
        weeks.range > 0 as is_before,
    from asked
    cross join range(9) as weeks
    where (weeks.range = 0 and known_to >= first_day)
        or known_to - 7 * weeks.range::integer between first_day and final_day
),

counts as (
    select
        weekdays.day,
        weekdays.is_before,
        coalesce(sum(usage_cube.call_count), 0)::bigint as call_count,
    from weekdays
    left join usage_cube
        on weekdays.day = usage_cube.day
    group by all
)

select
    max(day) as day,
    sum(call_count) filter (where not is_before)::bigint as call_count,
    median(call_count) filter (where is_before) as usual_call_count,
    sum(call_count) filter (where not is_before) / nullif(median(call_count) filter (where is_before), 0) as call_share,
    count(*) filter (where is_before) as weekday_count,
from counts
having count(*) > 0

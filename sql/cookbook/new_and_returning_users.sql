-- What do new users cost, and what those who come back?
-- Read: one row for each month and kind: new (their first call is in the month) or returning. In the log's first month everybody is new.
-- Unknown: calls without a price are counted and in no cost; calls without a user are the kind unattributed, with no user counted; calls without a day are left out.
with first_days as (
    select
        user_id,
        min(day) as first_day,
    from usage_cube
    where user_id is not null
    group by user_id
)

select
    date_trunc('month', usage_cube.day)::date as month_start,
    case
        when usage_cube.user_id is null then 'unattributed'
        when date_trunc('month', usage_cube.day) = date_trunc('month', first_days.first_day) then 'new'
        else 'returning'
    end as kind,
    count(distinct usage_cube.user_id) as user_count,
    sum(usage_cube.call_count) as call_count,
    usd_from_pico(sum(usage_cube.cost_pico)) as cost_usd,
    usd_from_pico(divide_half_even(sum(usage_cube.cost_pico), count(distinct usage_cube.user_id))) as cost_per_user_usd,
    coalesce(sum(usage_cube.call_count) filter (where usage_cube.cost_pico is null), 0) as unpriced_call_count,
from usage_cube
left join first_days
    on usage_cube.user_id = first_days.user_id
where usage_cube.day is not null
group by all
order by month_start, kind

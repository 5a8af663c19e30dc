-- one row per log: the first and the last day of a period, named as seen from the log's last day, which may not be over; none where the log tells no day
-- log_days(period := 'log')
-- A period is log, this month, last month, this week, last week (ISO, from Monday), last 7 days (or any number), a month
-- (2026-03), a day (2026-03-01) or two (2026-03-01..2026-03-31, both included).
-- first_day | first day of the period (UTC), whether the log begins later or not; of log: the first with a call
-- last_day | its last day (UTC), whether the log goes on so long or not; of log, this month and this week: the log's last
with span as (
    select
        min(day) as log_first,
        max(day) as log_last,
    from usage_cube
    having count(day) > 0
),

asked_for as (
    select
        *,
        lower(trim(period::varchar)) as asked,
    from span
),

bounds as (
    select
        *,
        date_trunc('month', log_last)::date as month_first,
        date_trunc('week', log_last)::date as week_first,
        try_cast(regexp_extract(asked, '^last (\d{1,6}) days$', 1) as integer) as day_count,
        try_cast(regexp_extract(asked, '^(\d{4}-\d\d)$', 1) || '-01' as date) as named_month,
        try_cast(regexp_extract(asked, '^(\d{4}-\d\d-\d\d)(\.\.\d{4}-\d\d-\d\d)?$', 1) as date) as named_first,
        try_cast(regexp_extract(asked, '^\d{4}-\d\d-\d\d\.\.(\d{4}-\d\d-\d\d)$', 1) as date) as named_last,
    from asked_for
)

select
    case
        when asked = 'log' then log_first
        when asked = 'this month' then month_first
        when asked = 'last month' then (month_first - interval 1 month)::date
        when asked = 'this week' then week_first
        when asked = 'last week' then week_first - 7
        when day_count > 0 then log_last - day_count + 1
        when named_month is not null then named_month
        when named_first is not null and (named_last >= named_first or asked not like '%..%') then named_first
        else error(
            'log_days: no such period: write log, this month, last month, this week, last week, last 7 days, '
            || 'a month as YYYY-MM, a day as YYYY-MM-DD, or two days as YYYY-MM-DD..YYYY-MM-DD'
        )
    end as first_day,
    case
        when asked = 'last month' then month_first - 1
        when asked = 'last week' then week_first - 1
        when named_month is not null then (named_month + interval 1 month)::date - 1
        when named_first is not null then coalesce(named_last, named_first)
        else log_last
    end as last_day,
from bounds

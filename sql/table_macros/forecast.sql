-- one row per scenario: what a month comes to by the pattern of weekdays, and how far off such forecasts were in months past
-- forecast(as_of := null)
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- month_start | first day of the month that is forecast
-- as_of | last day that the forecast knows; if not given, the last day of the log that is over: its calls go on until 23:00 UTC or later, else the day before
-- last_called_at | the log's last call (UTC)
-- days_told_count | days of the month up to as_of that the log spans
-- days_left_count | days of the month after as_of
-- so_far_usd | cost of tokens and fees of the days told; null: no call of them is priced
-- expected_rest_usd | estimate for the days left: for each the mean of its weekday over the 8 weeks up to as_of; null: no day is known
-- month_end_usd | so_far_usd and expected_rest_usd, an estimate
-- low_usd | lower end of its 95 % prediction interval, at least so_far_usd; null: a weekday that is left is known less than twice
-- high_usd | upper end of it
-- method | told (no day is left), weekday means, or daily mean (less than a week is known: all days alike); null: no day is known
-- history_day_count | days of these 8 weeks whose cost is known; a day without any call costs nothing, one without any priced call is unknown
-- past_forecast_count | complete earlier months of the log, at most 24, each forecast the same way with as many days left
-- past_error_share | sum of the differences between these forecasts and what the months came to, over the sum of what they came to
-- past_bias_share | the same of signed differences; above zero: forecasts were too high
-- past_interval_count | of these forecasts, those with an interval
-- past_held_count | of these, those whose interval held what the month came to
-- unpriced_call_count | calls without a cost in the 8 weeks up to as_of, missing in all figures
-- undated_call_count | calls without a day, in no figure
with told as (
    select
        scenario,
        scenario_order,
        try_cast(name as date) as day,
        cost_usd,
        unpriced_call_count,
    from scenario_by_dimension
    where dimension = 'day'
),

scenarios as (
    select distinct
        scenario,
        scenario_order,
    from told
),

span as (
    select
        min(told.day) as first_day,
        max(told.day) as final_day,
        (select max(called_at) from source.ledger) as last_called_at,
    from told
),

present as (
    select
        *,
        coalesce(as_of::date, last_day_over(first_day, final_day, last_called_at)) as known_to,
        date_trunc('month', known_to)::date as month_start,
        last_day(known_to) as month_end,
        (month_end - known_to)::integer as days_left,
    from span
    where known_to between first_day and final_day
),

past_months as (
    select
        present.*,
        unnest(generate_series(
            greatest(date_trunc('month', first_day)::timestamp, month_start::timestamp - interval 24 month),
            month_start::timestamp - interval 1 month,
            interval 1 month
        ))::date as past_start,
        last_day(past_start) as past_end,
    from present
),

asked as (
    -- One method for all: past months are forecast beside the present one, each from what was known by then.
    select
        true as is_present,
        month_start,
        month_end,
        known_to,
    from present
    union all by name
    select
        false as is_present,
        past_start as month_start,
        past_end as month_end,
        greatest(past_start, past_end - days_left) as known_to,
    from past_months
    where past_start >= first_day
),

calendar as (
    -- The past months and the eight weeks before them, however far back a stray call is.
    select
        unnest(generate_series(
            greatest(first_day::timestamp, month_start::timestamp - interval 26 month),
            known_to::timestamp,
            interval 1 day
        ))::date as day,
    from present
),

costs as (
    -- A day of the span without any call costs nothing, which is known; one whose calls have no price costs we know not what.
    select
        scenarios.scenario_order,
        calendar.day,
        case when told.day is null then 0 else told.cost_usd end as cost_usd,
        coalesce(told.unpriced_call_count, 0) as unpriced_call_count,
    from calendar
    cross join scenarios
    left join told
        on calendar.day = told.day
        and scenarios.scenario_order = told.scenario_order
),

weekdays as (
    select
        asked.month_start,
        asked.month_end,
        asked.known_to,
        asked.is_present,
        costs.scenario_order,
        isodow(costs.day) as weekday,
        -- How often the weekday is left: the first time 0 to 6 days after tomorrow, then every seventh day.
        (asked.month_end - asked.known_to + 6 - (weekday - isodow(asked.known_to) + 6) % 7) // 7 as left_count,
        count(costs.cost_usd) as known_count,
        sum(costs.cost_usd) as sum_usd,
        sum_usd::double / known_count as mean_usd,
        -- In order of the days, for sums of doubles depend on it.
        list_var_samp(list(costs.cost_usd::double order by costs.day) filter (where costs.cost_usd is not null)) as variance,
        sum(costs.cost_usd) filter (where costs.day >= asked.month_start) as so_far_usd,
        count(*) filter (where costs.day >= asked.month_start) as days_told_count,
        sum(costs.unpriced_call_count) as unpriced_call_count,
    from asked
    inner join costs
        on costs.day between asked.known_to - 55 and asked.known_to
    group by all
),

rests as (
    -- The rest is a sum of days that are taken for independent, each weekday with a mean and a variance of its own. Its
    -- error: that of the days, and that of the means that stand in for them.
    select
        month_start,
        month_end,
        known_to,
        is_present,
        scenario_order,
        sum(so_far_usd) as so_far_usd,
        sum(days_told_count)::bigint as days_told_count,
        sum(known_count)::bigint as history_day_count,
        sum(unpriced_call_count)::bigint as unpriced_call_count,
        case
            when known_to = month_end then 'told'
            when count(*) filter (where known_count > 0) = 7 then 'weekday means'
            when history_day_count > 0 then 'daily mean'
        end as method,
        case method
            when 'told' then 0
            when 'weekday means' then list_sum(list(left_count * mean_usd order by weekday))
            when 'daily mean' then (month_end - known_to) * sum(sum_usd)::double / history_day_count
        end as expected_rest_usd,
        case method
            when 'told' then true
            when 'weekday means' then bool_and(left_count = 0 or known_count > 1)
            else false
        end as has_interval,
        list(left_count * variance * (1 + left_count / known_count) order by weekday) filter (where left_count > 0) as variances,
        list_sum(variances) as rest_variance,
        -- Degrees of freedom of a sum of variances (F. E. Satterthwaite, Biometrics Bulletin 2, 1946).
        rest_variance ** 2
        / list_sum(list(
            (left_count * variance * (1 + left_count / known_count)) ** 2 / (known_count - 1)
            order by weekday
        ) filter (where left_count > 0 and known_count > 1)) as freedom,
        case
            when not has_interval then null
            when method = 'told' or rest_variance = 0 then 0
            else t95(freedom) * sqrt(rest_variance)
        end as half_width,
    from weekdays
    group by month_start, month_end, known_to, is_present, scenario_order
),

forecasts as (
    select
        *,
        so_far_usd::double + expected_rest_usd as month_end_usd,
        case when half_width is not null then greatest(so_far_usd::double, month_end_usd - half_width) end as low_usd,
        month_end_usd + half_width as high_usd,
    from rests
),

ended_months as (
    select
        forecasts.scenario_order,
        forecasts.month_start,
        forecasts.month_end_usd,
        forecasts.half_width,
        sum(costs.cost_usd)::double as came_to_usd,
    from forecasts
    inner join costs
        on forecasts.scenario_order = costs.scenario_order
        and costs.day between forecasts.month_start and forecasts.month_end
    where not forecasts.is_present
    group by all
    having forecasts.month_end_usd is not null and came_to_usd is not null
),

errors as (
    select
        scenario_order,
        count(*) as past_forecast_count,
        list_sum(list(abs(month_end_usd - came_to_usd) order by month_start)) as error_usd,
        list_sum(list(month_end_usd - came_to_usd order by month_start)) as bias_usd,
        list_sum(list(came_to_usd order by month_start)) as came_to_usd,
        count(half_width) as past_interval_count,
        -- An interval without width holds what it hits, but for how doubles are rounded.
        count(*) filter (where abs(month_end_usd - came_to_usd) <= half_width + came_to_usd * 1e-9) as past_held_count,
    from ended_months
    group by scenario_order
)

select
    scenarios.scenario,
    scenarios.scenario_order,
    forecasts.month_start,
    forecasts.known_to as as_of,
    span.last_called_at,
    forecasts.days_told_count,
    forecasts.month_end - forecasts.known_to as days_left_count,
    forecasts.so_far_usd,
    forecasts.expected_rest_usd,
    forecasts.month_end_usd,
    forecasts.low_usd,
    forecasts.high_usd,
    forecasts.method,
    forecasts.history_day_count,
    coalesce(errors.past_forecast_count, 0) as past_forecast_count,
    errors.error_usd / nullif(errors.came_to_usd, 0) as past_error_share,
    errors.bias_usd / nullif(errors.came_to_usd, 0) as past_bias_share,
    coalesce(errors.past_interval_count, 0) as past_interval_count,
    coalesce(errors.past_held_count, 0) as past_held_count,
    forecasts.unpriced_call_count,
    (select coalesce(sum(call_count), 0)::bigint from usage_cube where day is null) as undated_call_count,
from forecasts
inner join scenarios
    on forecasts.scenario_order = scenarios.scenario_order
cross join span
left join errors
    on forecasts.scenario_order = errors.scenario_order
where forecasts.is_present

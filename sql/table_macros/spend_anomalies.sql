-- one row per dimension (all, feature, user, customer, model) and name with calls on a day, or with a usual cost of its weekday: how far from usual its cost is
-- spend_anomalies(as_of := null)
-- dimension | all, feature, user, customer or model
-- name | the feature, user, ... or unattributed; provider/model; all
-- day | as given; else the last day of the log that is over: its calls go on until 23:00 UTC or later, else the day before
-- cost_usd | cost of tokens and fees of the day's priced calls; 0: the name has no call on the day; null: none is priced
-- usual_usd | median cost of the same weekday in the 8 weeks before; 0: on most of them the name cost nothing; null: it is known of none
-- spread_usd | 1.4826 x the median of how far these costs are from usual_usd; where that is 0, 1.2533 x the mean of it
-- score | cost_usd less usual_usd, over spread_usd: beyond 3.5 is out of the usual; null: the spread is 0, or not known
-- impact_usd | cost_usd less usual_usd
-- weekday_count | of these weekdays, those that the log spans and whose cost is known, 0 to 8; one without calls of the name costs nothing, one without any priced is unknown
-- is_anomaly | whether impact_usd, up or down, is more than 3.5 spreads, than 30 % of usual_usd, and than 1 % of what the whole log usually costs; null: fewer than 4 such weekdays, or one of these is unknown
-- unpriced_call_count | the name's calls of the day without a cost, missing in cost_usd
--
-- The bound of 3.5 is that of the modified z-score (B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers,
-- 1993). 1.4826 makes the median absolute deviation (MAD) a standard deviation where costs are normal (P. J. Rousseeuw
-- and C. Croux, Journal of the American Statistical Association 88, 1993), 1.2533, the root of pi/2, the mean one. That
-- stands in where most weekdays cost the same: by a MAD of 0 a name that comes every third week would be an anomaly
-- whenever it comes. Where nothing varies any cent is beyond a spread of nothing: hence the 30 %. And eight weekdays do not
-- tell a spread well: of usual days 6 in 100 are beyond both bounds where costs vary by 30 % (lognormal; of four weekdays
-- 12), 1 in 100 where they vary by 10 %. Of ten thousand users that is some hundred a night: hence the hundredth of the whole.
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
        coalesce(as_of::date, last_day_over(first_day, final_day, last_called_at)) as known_to,
    from span
    where known_to between first_day and final_day
),

weekdays as (
    select
        known_to,
        known_to - 7 * weeks.range::integer as day,
        -- Of the weekdays before, those that the log spans.
        count(*) over () - 1 as spanned_count,
    from asked
    cross join range(9) as weeks
    where known_to - 7 * weeks.range::integer >= first_day
),

dimensions as (
    select unnest(['all', 'feature', 'user', 'customer', 'model']) as dimension
),

days as (
    select
        dimensions.dimension,
        name_in(dimensions.dimension, cells) as name,
        weekdays.known_to,
        weekdays.spanned_count,
        weekdays.day = weekdays.known_to as is_asked,
        sum(cells.cost_pico) as cost_pico,
        coalesce(sum(cells.call_count) filter (where cells.cost_pico is null), 0)::bigint as unpriced_call_count,
    from usage_cube as cells
    inner join weekdays
        on cells.day = weekdays.day
    cross join dimensions
    group by dimensions.dimension, name, weekdays.known_to, weekdays.spanned_count, weekdays.day
),

names as (
    select
        dimension,
        name,
        known_to,
        coalesce(bool_or(is_asked), false) as has_calls,
        case when has_calls then sum(cost_pico) filter (where is_asked) else 0 end as cost_pico,
        coalesce(sum(unpriced_call_count) filter (where is_asked), 0)::bigint as unpriced_call_count,
        list_concat(
            coalesce(list(cost_pico) filter (where not is_asked and cost_pico is not null), []),
            -- A weekday without any call of the name costs nothing, which is known.
            list_resize([]::hugeint[], spanned_count - count(*) filter (where not is_asked), 0::hugeint)
        ) as costs,
    from days
    group by dimension, name, known_to, spanned_count
),

medians as (
    select
        *,
        integer_median(costs) as usual_pico,
    from names
),

deviations as (
    select
        *,
        list_transform(costs, lambda cost: abs(cost - usual_pico)) as deviations,
    from medians
),

spreads as (
    select
        *,
        integer_median(deviations) as deviation_pico,
        list_sum(deviations) as deviation_sum_pico,
    from deviations
),

judged_names as (
    select
        *,
        case
            when deviation_pico > 0 then divide_half_even(14826 * deviation_pico, 10000)
            else divide_half_even(12533 * deviation_sum_pico, 10000 * len(costs))
        end as spread_pico,
        cost_pico - usual_pico as impact_pico,
        max(usual_pico) filter (where dimension = 'all') over () as whole_usual_pico,
    from spreads
)

select
    dimension,
    name,
    known_to as day,
    usd_from_pico(cost_pico) as cost_usd,
    usd_from_pico(usual_pico) as usual_usd,
    usd_from_pico(spread_pico) as spread_usd,
    impact_pico / nullif(spread_pico, 0) as score,
    usd_from_pico(impact_pico) as impact_usd,
    len(costs) as weekday_count,
    case
        when len(costs) >= 4
            then 2 * abs(impact_pico) > 7 * spread_pico
            and 10 * abs(impact_pico) > 3 * usual_pico
            and 100 * abs(impact_pico) > whole_usual_pico
    end as is_anomaly,
    unpriced_call_count,
from judged_names
where has_calls or usual_pico > 0

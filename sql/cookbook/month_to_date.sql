-- How is this month going, beside the last one?
-- Read: this month is that of the log's last day, told up to that day; beside it the same days of the month before, and the whole of it. `from forecast()` tells what the month comes to.
-- Unknown: calls without a price are counted and in no cost; a span that the log covers in part says so in logged_day_count; null: no call, or none is priced. An action that goes on after midnight counts on both days.
with this_month as (
    from log_days('this month')
),

last_month as (
    from log_days('last month')
),

spans as (
    select
        1 as span_order,
        'this month' as span,
        first_day,
        last_day,
    from this_month
    union all
    select
        2,
        'last month, the same days',
        last_month.first_day,
        least(last_month.first_day + (this_month.last_day - this_month.first_day)::integer, last_month.last_day),
    from last_month
    cross join this_month
    union all
    select
        3,
        'last month',
        first_day,
        last_day,
    from last_month
),

days as (
    select
        try_cast(name as date) as day,
        * exclude (dimension, name),
    from unit_economics
    where dimension = 'day'
)

select
    spans.span,
    spans.first_day,
    spans.last_day,
    count(days.day) as logged_day_count,
    coalesce(sum(days.action_count), 0) as action_count,
    coalesce(sum(days.call_count), 0) as call_count,
    sum(days.cost_usd) as cost_usd,
    usd_per(sum(days.cost_usd), sum(days.action_count)) as cost_per_action_usd,
    usd_per(sum(days.labelled_cost_usd), sum(days.success_count)) as cost_per_outcome_usd,
    coalesce(sum(days.unpriced_call_count), 0) as unpriced_call_count,
from spans
left join days
    on days.day between spans.first_day and spans.last_day
group by spans.span_order, spans.span, spans.first_day, spans.last_day
order by spans.span_order

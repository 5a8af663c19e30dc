-- one row per amount of revenue, as given
-- period_start | first day (UTC, inclusive); null: the whole log
-- period_end | day after the last one; null: the whole log
-- feature | feature that it is earned with; null: not restricted to one
-- user_id | user who pays it; null: not restricted to one
-- customer_id | customer who pays it; null: not restricted to one
-- outcome | outcome that it is earned with; null: not restricted to one
-- revenue_usd | revenue of the period; null in a row per success
-- revenue_per_success_usd | revenue of each success; null in a row per period
-- revenue_pico | revenue_usd in integer pico-USD, for exact arithmetic
-- revenue_per_success_pico | revenue_per_success_usd in integer pico-USD, for exact arithmetic
-- is_counted | whether it counts in any figure
-- reason | why it counts in none: outside the log's days, or a feature, user, customer or outcome that nothing has
with log_period as (
    select
        min(day) as first_day,
        max(day) as last_day,
    from usage_cube
),

reasons as (
    select
        revenue.*,
        case
            when
                revenue.period_start is not null
                and coalesce(revenue.period_start > log_period.last_day, true) then 'outside the log''s days'
            when
                revenue.period_end is not null
                and coalesce(revenue.period_end <= log_period.first_day, true) then 'outside the log''s days'
            when
                revenue.feature not in (select coalesce(feature, 'unattributed') from usage_cube)
                then 'for a feature that no call has'
            when
                revenue.user_id not in (select coalesce(user_id, 'unattributed') from usage_cube)
                then 'for a user that no call has'
            when
                revenue.customer_id not in (select coalesce(customer_id, 'unattributed') from usage_cube)
                then 'for a customer that no call has'
            when
                revenue.revenue_per_success_pico is not null
                and revenue.outcome not in (
                    select outcome from outcomes where action_id is not null and outcome is not null
                )
                then 'for an outcome that no action has'
        end as reason,
    from source.revenue as revenue
    cross join log_period
)

select
    period_start,
    period_end,
    feature,
    user_id,
    customer_id,
    outcome,
    usd_from_pico(revenue_pico) as revenue_usd,
    usd_from_pico(revenue_per_success_pico) as revenue_per_success_usd,
    revenue_pico,
    revenue_per_success_pico,
    reason is null as is_counted,
    reason,
from reasons

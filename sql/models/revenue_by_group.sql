-- one row per feature and user, feature, user, customer, and one for all, to which an amount of revenue applies
-- feature | product feature, or unattributed; null: all
-- user_id | who acted, or unattributed; null: all
-- customer_id | who pays, or unattributed; null: all
-- revenue_usd | amounts given for exactly this or a finer group, plus what its successes earned
-- revenue_pico | revenue_usd in integer pico-USD
with period_revenue as (
    -- An amount counts whole when its period overlaps the log's. It cannot be split finer than it was given.
    select
        revenue.feature,
        revenue.user_id,
        revenue.customer_id,
        sum(revenue.revenue_pico) as revenue_pico,
    from revenue
    where revenue.is_counted and revenue.revenue_pico is not null
    group by grouping sets (
        (revenue.feature, revenue.user_id), (revenue.feature), (revenue.user_id), (revenue.customer_id), ()
    )
    having
        count(*) > 0
        and (grouping(revenue.feature) = 1 or revenue.feature is not null)
        and (grouping(revenue.user_id) = 1 or revenue.user_id is not null)
        and (grouping(revenue.customer_id) = 1 or revenue.customer_id is not null)
),

success_rates as (
    select
        row_number() over () as revenue_row,
        *,
    from revenue
    where is_counted and revenue_per_success_pico is not null
),

earnings as (
    -- A failure earns nothing, which is known; an action without the outcome earns we know not what.
    select
        success_rates.revenue_row,
        actions.action_id,
        coalesce(actions.feature, 'unattributed') as feature,
        coalesce(actions.user_id, 'unattributed') as user_id,
        coalesce(actions.customer_id, 'unattributed') as customer_id,
        case when outcomes.is_success then success_rates.revenue_per_success_pico else 0 end as revenue_pico,
    from outcomes
    inner join actions
        on outcomes.action_id = actions.action_id
    inner join success_rates
        on (
            success_rates.outcome = outcomes.outcome
            or (success_rates.outcome is null and outcomes.is_latest)
        )
        and (success_rates.feature is null or success_rates.feature = actions.feature)
        and (success_rates.user_id is null or success_rates.user_id = actions.user_id)
        and (success_rates.customer_id is null or success_rates.customer_id = actions.customer_id)
        and (success_rates.period_start is null or success_rates.period_start <= actions.day)
        and (success_rates.period_end is null or success_rates.period_end > actions.day)
    where outcomes.is_success is not null
),

action_earnings as (
    -- A success is earned once at every level, however many features its action spans.
    select
        feature,
        user_id,
        customer_id,
        max(revenue_pico) as revenue_pico,
    from earnings
    group by grouping sets (
        (revenue_row, action_id, feature, user_id),
        (revenue_row, action_id, feature),
        (revenue_row, action_id, user_id),
        (revenue_row, action_id, customer_id),
        (revenue_row, action_id)
    )
),

amounts as (
    select * from period_revenue
    union all by name
    select * from action_earnings
),

totals as (
    select
        feature,
        user_id,
        customer_id,
        sum(revenue_pico) as revenue_pico,
    from amounts
    group by feature, user_id, customer_id
)

select
    feature,
    user_id,
    customer_id,
    usd_from_pico(revenue_pico) as revenue_usd,
    revenue_pico,
from totals

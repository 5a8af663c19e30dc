-- one row per scenario that changes who acts (and actual), and feature and user, feature, user, customer, and all, to which an amount of revenue applies
-- scenario_order | 0: actual, and every scenario that leaves who acts as it is
-- feature | product feature, or unattributed; null: all
-- user_id | who acted, or unattributed; null: all
-- customer_id | who pays, or unattributed; null: all
-- revenue_usd | amounts given for exactly this or a finer group, plus what its successes earned; null: an amount is given for some whose activity changes and some whose does not
-- revenue_pico | revenue_usd in integer pico-USD
with scenario_orders as (
    select scenario_order
    from source.scenarios
    where has_activity or scenario_order = 0
),

amounts_given as (
    select
        row_number() over () as revenue_row,
        *,
    from revenue
    where is_counted and revenue_pico is not null
),

period_amounts as (
    -- Who acts more or less pays as much more or less, where it is told who pays.
    select
        scenario_orders.scenario_order,
        given.revenue_row,
        any_value(given.feature) as feature,
        any_value(given.user_id) as user_id,
        any_value(given.customer_id) as customer_id,
        case
            when count(activity.activity_millionths) = 0 then any_value(given.revenue_pico)
            when min(activity.activity_millionths) = max(activity.activity_millionths)
                then divide_half_even(
                    any_value(given.revenue_pico)::hugeint * min(activity.activity_millionths), 1000000
                )
        end as revenue_pico,
    from amounts_given as given
    cross join scenario_orders
    left join scenario_activity as activity
        on scenario_orders.scenario_order = activity.scenario_order
        and (given.feature is null or given.feature = activity.feature)
        and (given.user_id is null or given.user_id = activity.user_id)
        and (given.customer_id is null or given.customer_id = activity.customer_id)
    group by scenario_orders.scenario_order, given.revenue_row
),

period_revenue as (
    -- An amount counts whole when its period overlaps the log's. It cannot be split finer than it was given.
    select
        scenario_order,
        feature,
        user_id,
        customer_id,
        sum(revenue_pico) as revenue_pico,
        bool_or(revenue_pico is null) as is_unknown,
    from period_amounts
    group by grouping sets (
        (scenario_order, feature, user_id),
        (scenario_order, feature),
        (scenario_order, user_id),
        (scenario_order, customer_id),
        (scenario_order)
    )
    having
        count(*) > 0
        and (grouping(feature) = 1 or feature is not null)
        and (grouping(user_id) = 1 or user_id is not null)
        and (grouping(customer_id) = 1 or customer_id is not null)
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
        scenario_orders.scenario_order,
        success_rates.revenue_row,
        actions.action_id,
        coalesce(actions.feature, 'unattributed') as feature,
        coalesce(actions.user_id, 'unattributed') as user_id,
        coalesce(actions.customer_id, 'unattributed') as customer_id,
        case
            when not outcomes.is_success then 0
            when activity.activity_millionths is null then success_rates.revenue_per_success_pico
            else divide_half_even(
                success_rates.revenue_per_success_pico::hugeint * activity.activity_millionths, 1000000
            )
        end as revenue_pico,
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
    cross join scenario_orders
    left join scenario_activity as activity
        on scenario_orders.scenario_order = activity.scenario_order
        and coalesce(actions.feature, 'unattributed') = activity.feature
        and coalesce(actions.user_id, 'unattributed') = activity.user_id
        and coalesce(actions.customer_id, 'unattributed') = activity.customer_id
    where outcomes.is_success is not null
),

action_earnings as (
    -- A success is earned once at every level, however many features its action spans.
    select
        scenario_order,
        feature,
        user_id,
        customer_id,
        max(revenue_pico) as revenue_pico,
        false as is_unknown,
    from earnings
    group by grouping sets (
        (scenario_order, revenue_row, action_id, feature, user_id),
        (scenario_order, revenue_row, action_id, feature),
        (scenario_order, revenue_row, action_id, user_id),
        (scenario_order, revenue_row, action_id, customer_id),
        (scenario_order, revenue_row, action_id)
    )
),

amounts as (
    select * from period_revenue
    union all by name
    select * from action_earnings
),

totals as (
    select
        scenario_order,
        feature,
        user_id,
        customer_id,
        case when not bool_or(is_unknown) then sum(revenue_pico) end as revenue_pico,
    from amounts
    group by scenario_order, feature, user_id, customer_id
)

select
    scenario_order,
    feature,
    user_id,
    customer_id,
    usd_from_pico(revenue_pico) as revenue_usd,
    revenue_pico,
from totals

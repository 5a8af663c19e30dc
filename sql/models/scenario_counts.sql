-- one row per scenario that changes who acts, and group: actions and successes in it; for the length of a build
-- scenario_order | order of the scenario
-- dimension | all, feature, user, customer, model or day; pair: a feature and a user
-- name | as in unit_economics; null: a pair
-- feature | the feature of a pair
-- user_id | the user of a pair
-- action_millionths | actions, in millionths
-- success_millionths | actions whose latest outcome is a success, in millionths
with latest_outcomes as (
    select
        action_id,
        is_success,
    from outcomes
    where is_latest and action_id is not null
),

named_calls as (
    select
        coalesce(calls.feature, 'unattributed') as feature,
        coalesce(calls.user_id, 'unattributed') as user_id,
        coalesce(calls.customer_id, 'unattributed') as customer_id,
        concat_ws('/', calls.provider, coalesce(calls.model, 'unknown')) as model,
        coalesce(calls.day::varchar, 'unknown') as day,
        calls.action_id,
        latest_outcomes.is_success,
    -- The ledger is the calls: nothing here is of their price.
    from source.ledger as calls
    left join latest_outcomes
        on calls.action_id = latest_outcomes.action_id
    where exists (from scenario_activity)
),

actions_by_group as (
    -- An action counts once in every group, as much as the most active of those whom it spans.
    select
        activity.scenario_order,
        grouping(calls.feature, calls.user_id, calls.customer_id, calls.model, calls.day) as dimension_number,
        calls.feature,
        calls.user_id,
        calls.customer_id,
        calls.model,
        calls.day,
        calls.action_id,
        calls.is_success,
        max(activity.activity_millionths) as activity_millionths,
    from named_calls as calls
    inner join scenario_activity as activity
        on calls.feature = activity.feature
        and calls.user_id = activity.user_id
        and calls.customer_id = activity.customer_id
    group by grouping sets (
        (activity.scenario_order, calls.action_id, calls.is_success, calls.feature, calls.user_id),
        (activity.scenario_order, calls.action_id, calls.is_success, calls.feature),
        (activity.scenario_order, calls.action_id, calls.is_success, calls.user_id),
        (activity.scenario_order, calls.action_id, calls.is_success, calls.customer_id),
        (activity.scenario_order, calls.action_id, calls.is_success, calls.model),
        (activity.scenario_order, calls.action_id, calls.is_success, calls.day),
        (activity.scenario_order, calls.action_id, calls.is_success)
    )
)

select
    scenario_order,
    case when dimension_number = 7 then 'pair' else dimension_of(dimension_number) end as dimension,
    case when dimension_number <> 7 then coalesce(feature, user_id, customer_id, model, day, 'all') end as name,
    case when dimension_number = 7 then feature end as feature,
    case when dimension_number = 7 then user_id end as user_id,
    sum(activity_millionths) as action_millionths,
    coalesce(sum(activity_millionths) filter (where is_success), 0)::hugeint as success_millionths,
from actions_by_group
group by all

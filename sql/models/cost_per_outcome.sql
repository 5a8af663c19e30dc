-- one row per feature, user and outcome; null in feature or user: all; null in outcome: each action's latest outcome
-- feature | product feature, or unattributed; null: all in which this outcome is ever told
-- user_id | who acted, or unattributed; null: all
-- outcome | name of the outcome; null: whatever the latest outcome of an action is
-- cost_usd | cost of all actions of the group, labelled or not, failed ones included; null: none is priced
-- action_count | actions of the group
-- labelled_count | of these, actions with this outcome, success or not
-- unlabelled_count | actions without it (it may still come)
-- success_count | labelled actions that succeeded
-- success_share | successes over labelled actions
-- labelled_cost_usd | cost of the labelled actions, success or not
-- unlabelled_cost_usd | cost of the unlabelled actions
-- failed_cost_usd | cost of the labelled actions that failed
-- cost_per_outcome_usd | labelled_cost_usd over success_count: failures are part of it; null: no success
-- unpriced_call_count | calls without a cost, missing in every cost of the row
with attributed_actions as (
    select
        action_id,
        coalesce(feature, 'unattributed') as feature,
        coalesce(user_id, 'unattributed') as user_id,
        is_success,
        cost_pico,
        unpriced_call_count,
    from actions
),

named_outcomes as (
    select
        action_id,
        coalesce(outcome, 'unnamed') as outcome,
        bool_or(is_success) as is_success,
    from outcomes
    where action_id is not null
    group by all
),

features_by_outcome as (
    select distinct
        named_outcomes.outcome,
        attributed_actions.feature,
    from named_outcomes
    inner join attributed_actions
        on named_outcomes.action_id = attributed_actions.action_id
),

labelled_actions as (
    select
        null as outcome,
        attributed_actions.*,
    from attributed_actions
    union all by name
    select
        features_by_outcome.outcome,
        attributed_actions.* replace (named_outcomes.is_success as is_success),
    from attributed_actions
    inner join features_by_outcome
        on attributed_actions.feature = features_by_outcome.feature
    left join named_outcomes
        on attributed_actions.action_id = named_outcomes.action_id
        and features_by_outcome.outcome = named_outcomes.outcome
),

success_groups as (
    -- Distinct at every level: an action over two features counts once in their total. Success belongs to the action.
    select
        outcome,
        feature,
        user_id,
        is_success,
        count(distinct action_id) as action_count,
        sum(cost_pico) as cost_pico,
        sum(unpriced_call_count) as unpriced_call_count,
    from labelled_actions
    group by grouping sets (
        (outcome, is_success, feature, user_id),
        (outcome, is_success, feature),
        (outcome, is_success, user_id),
        (outcome, is_success)
    )
),

totals as (
    select
        outcome,
        feature,
        user_id,
        sum(cost_pico) as cost_pico,
        sum(action_count)::bigint as action_count,
        -- No group of a kind is a known zero: these count rows that were seen.
        coalesce(sum(action_count) filter (where is_success is not null), 0)::bigint as labelled_count,
        coalesce(sum(action_count) filter (where is_success), 0)::bigint as success_count,
        sum(cost_pico) filter (where is_success is not null) as labelled_cost_pico,
        sum(cost_pico) filter (where is_success is null) as unlabelled_cost_pico,
        sum(cost_pico) filter (where not is_success) as failed_cost_pico,
        sum(unpriced_call_count)::bigint as unpriced_call_count,
    from success_groups
    group by outcome, feature, user_id
)

select
    feature,
    user_id,
    outcome,
    usd_from_pico(cost_pico) as cost_usd,
    action_count,
    labelled_count,
    action_count - labelled_count as unlabelled_count,
    success_count,
    success_count / nullif(labelled_count, 0) as success_share,
    usd_from_pico(labelled_cost_pico) as labelled_cost_usd,
    usd_from_pico(unlabelled_cost_pico) as unlabelled_cost_usd,
    usd_from_pico(failed_cost_pico) as failed_cost_usd,
    usd_from_pico(divide_half_even(labelled_cost_pico, success_count)) as cost_per_outcome_usd,
    unpriced_call_count,
from totals

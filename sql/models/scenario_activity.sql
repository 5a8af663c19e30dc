-- one row per scenario that changes who acts, and feature, user and customer: how much of what they did is done; for the length of a build
-- scenario_order | order of the scenario
-- feature | product feature, or unattributed
-- user_id | who acted, or unattributed
-- customer_id | who pays, or unattributed
-- activity_millionths | so much of it is done; 1000000: all
with groups as (
    select distinct
        feature,
        user_id,
        customer_id,
    from usage_cube
),

masked_groups as (
    select
        scenarios.scenario_order,
        groups.*,
        case when scenarios.by_feature then groups.feature end as masked_feature,
        case when scenarios.by_user_id then groups.user_id end as masked_user_id,
        case when scenarios.by_customer_id then groups.customer_id end as masked_customer_id,
    from groups
    inner join source.scenarios as scenarios
        on scenarios.has_activity
),

scopes as (
    select
        scenario_order,
        feature,
        user_id,
        customer_id,
        max(activity_nano) as activity_nano,
    from source.scenario_scopes
    group by scenario_order, feature, user_id, customer_id
)

select
    groups.scenario_order,
    coalesce(groups.feature, 'unattributed') as feature,
    coalesce(groups.user_id, 'unattributed') as user_id,
    coalesce(groups.customer_id, 'unattributed') as customer_id,
    divide_half_even(scopes.activity_nano, 1000) as activity_millionths,
from masked_groups as groups
inner join scopes
    on groups.scenario_order = scopes.scenario_order
    and groups.masked_feature is not distinct from scopes.feature
    and groups.masked_user_id is not distinct from scopes.user_id
    and groups.masked_customer_id is not distinct from scopes.customer_id

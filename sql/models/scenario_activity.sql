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

scopes as (
    select distinct
        scopes.scenario_order,
        scenarios.by_feature,
        scenarios.by_user_id,
        scenarios.by_customer_id,
        scopes.feature,
        scopes.user_id,
        scopes.customer_id,
        scopes.activity_nano,
    from source.scenario_scopes as scopes
    inner join source.scenarios as scenarios
        on scopes.scenario_order = scenarios.scenario_order
    where scenarios.has_activity
)

select
    scopes.scenario_order,
    coalesce(groups.feature, 'unattributed') as feature,
    coalesce(groups.user_id, 'unattributed') as user_id,
    coalesce(groups.customer_id, 'unattributed') as customer_id,
    max(divide_half_even(scopes.activity_nano, 1000)) as activity_millionths,
from groups
inner join scopes
    on (not scopes.by_feature or groups.feature is not distinct from scopes.feature)
    and (not scopes.by_user_id or groups.user_id is not distinct from scopes.user_id)
    and (not scopes.by_customer_id or groups.customer_id is not distinct from scopes.customer_id)
group by all

-- one row per dimension (all, feature, user, customer, model, day) and name in it: what a move of all prices does to its margin
-- dimension | all, feature, user, customer, model or day
-- name | the feature, user, ... or unattributed; provider/model; the UTC date, or unknown; all
-- action_count | actions with a call in the row
-- success_count | actions whose latest outcome is a success
-- cost_usd | cost of tokens and fees today (scenario actual); null: none is priced
-- cost_apart_usd | what they cost beside tokens and fees, see costs_apart; null: nothing
-- one_percent_usd | what the cost changes by when all prices rise or fall by one percent; what stands apart stays
-- revenue_usd | revenue that can be told for exactly this group; null: none given, or not to be split so
-- margin_usd | revenue_usd less cost_usd and cost_apart_usd; at most this when calls are unpriced
-- margin_share | margin_usd over revenue_usd; at most this when calls are unpriced
-- break_even_change_share | how far all prices may rise until the margin is zero (0.5: by half; -1 and below: not even free tokens would do); at most this when calls are unpriced
-- target_margin_share | the margin to keep, of the revenue, as set; 0: none is set
-- target_buffer_usd | what the cost may rise by until no more than the target is left; below zero: the target is missed; at most this when calls are unpriced
-- target_change_share | how far all prices may rise until no more than the target is left; at most this when calls are unpriced
-- worst_scenario | scenario in which cost (at its upper bound) and cost apart are greatest, of those that leave who acts as it is; of equal ones the first; null: none is priced
-- worst_cost_usd | cost of tokens and fees in it
-- worst_margin_usd | margin in it; at most this when calls are unpriced
-- required_revenue_usd | least revenue that keeps the target in the worst scenario, rounded up to a pico-USD; at least this when calls are unpriced
-- required_revenue_per_action_usd | the same for each action, rounded up
-- required_revenue_per_outcome_usd | the same for each success told so far, rounded up: these pay for failures and for what has no outcome yet, too; null: no success
-- required_price_change_share | how far the revenue must rise to be required_revenue_usd (-0.1: it may fall by a tenth); null: no revenue told
-- verdict | holds in all, holds in some or holds in none of the scenarios, actual among them; null: not known, which some is as soon as one holds and one fails
-- holding_scenarios | scenarios that the margin survives, comma-separated in their order; null: none is known to
-- failing_scenarios | scenarios in which the margin is below zero, comma-separated in their order; null: none is known to
-- unpriced_call_count | calls without a cost, missing in cost_usd
-- most_unpriced_call_count | the most calls without a cost in any one scenario: above zero, another one may be the worst
with target as (
    -- In millionths, which is as fine as it can be set.
    select (coalesce(max(value)::decimal(7, 6), 0) * 1000000::decimal(7, 0))::hugeint as target_micro
    from source.settings
    where key = 'target_margin_share'
),

scenarios as (
    select
        costs.*,
        -- What an action costs tells the worst; how many there are does not.
        case
            when not scenarios.has_activity
                then coalesce(costs.cost_high_usd, costs.cost_usd) + coalesce(costs.cost_apart_usd, 0)
        end as total_usd,
    from scenario_by_dimension as costs
    inner join source.scenarios as scenarios
        on costs.scenario_order = scenarios.scenario_order
),

summed as (
    select
        dimension,
        name,
        max(action_count) filter (where scenario_order = 0) as action_count,
        max(success_count) filter (where scenario_order = 0) as success_count,
        max(cost_usd) filter (where scenario_order = 0) as cost_usd,
        max(cost_apart_usd) filter (where scenario_order = 0) as cost_apart_usd,
        max(revenue_usd) filter (where scenario_order = 0) as revenue_usd,
        max(margin_usd) filter (where scenario_order = 0) as margin_usd,
        max(margin_share) filter (where scenario_order = 0) as margin_share,
        max(break_even_change_share) filter (where scenario_order = 0) as break_even_change_share,
        arg_max(scenario, (total_usd, -scenario_order)) filter (where total_usd is not null) as worst_scenario,
        arg_max(cost_usd, (total_usd, -scenario_order)) filter (where total_usd is not null) as worst_cost_usd,
        max(total_usd) as worst_total_usd,
        arg_max(margin_usd, (total_usd, -scenario_order)) filter (where total_usd is not null) as worst_margin_usd,
        count(*) as scenario_count,
        count(*) filter (where survives) as holding_count,
        count(*) filter (where not survives) as failing_count,
        string_agg(scenario, ', ' order by scenario_order) filter (where survives) as holding_scenarios,
        string_agg(scenario, ', ' order by scenario_order) filter (where not survives) as failing_scenarios,
        max(unpriced_call_count) filter (where scenario_order = 0) as unpriced_call_count,
        max(unpriced_call_count) as most_unpriced_call_count,
    from scenarios
    group by dimension, name
),

in_atto as (
    select
        summed.*,
        target.target_micro,
        -- Of each million of revenue, what may be spent.
        1000000 - target.target_micro as spent_micro,
        atto_from_usd(summed.cost_usd) as cost_atto,
        atto_from_usd(coalesce(summed.cost_apart_usd, 0)) as cost_apart_atto,
        -- Revenue is whole in pico-USD, so this is exact.
        atto_from_usd(summed.revenue_usd) // 1000000 * (1000000 - target.target_micro) as spendable_atto,
        atto_from_usd(summed.worst_total_usd) as worst_total_atto,
    from summed
    cross join target
)

select
    dimension,
    name,
    action_count,
    success_count,
    cost_usd,
    cost_apart_usd,
    usd_from_atto(divide_half_even(cost_atto, 100)) as one_percent_usd,
    revenue_usd,
    margin_usd,
    margin_share,
    break_even_change_share,
    target_micro / 1000000 as target_margin_share,
    usd_from_atto(spendable_atto - cost_apart_atto - cost_atto) as target_buffer_usd,
    (spendable_atto - cost_apart_atto - cost_atto) / nullif(cost_atto, 0) as target_change_share,
    worst_scenario,
    worst_cost_usd,
    worst_margin_usd,
    -- An atto-USD over a millionth is a pico-USD.
    usd_from_pico(divide_up(worst_total_atto, spent_micro)) as required_revenue_usd,
    usd_from_pico(divide_up(worst_total_atto, spent_micro * action_count)) as required_revenue_per_action_usd,
    usd_from_pico(divide_up(worst_total_atto, spent_micro * success_count)) as required_revenue_per_outcome_usd,
    (worst_total_atto - spendable_atto) / nullif(spendable_atto, 0) as required_price_change_share,
    case
        when holding_count = scenario_count then 'holds in all'
        when failing_count = scenario_count then 'holds in none'
        when holding_count > 0 and failing_count > 0 then 'holds in some'
    end as verdict,
    holding_scenarios,
    failing_scenarios,
    unpriced_call_count,
    most_unpriced_call_count,
from in_atto

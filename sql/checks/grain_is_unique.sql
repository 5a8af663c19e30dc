-- No table has two rows of its grain.
with grains as (
    select 'outcomes' as table_name, count(*) as row_count
    from outcomes
    where action_id is not null
    group by action_id, outcome
    union all
    select 'actions', count(*) from actions group by action_id, feature, user_id, customer_id
    union all
    select 'tokens_per_action', count(*) from tokens_per_action group by feature, user_id
    union all
    select 'cost_per_outcome', count(*) from cost_per_outcome group by feature, user_id, outcome
    union all
    select 'unit_economics', count(*) from unit_economics group by dimension, name
    union all
    select 'revenue_by_group', count(*) from revenue_by_group group by scenario_order, feature, user_id, customer_id
    union all
    select 'scenario_comparison', count(*) from scenario_comparison group by feature, user_id, scenario
    union all
    select 'scenario_by_dimension', count(*) from scenario_by_dimension group by dimension, name, scenario
    union all
    select 'unpriced', count(*) from unpriced group by provider, model, price_status, token_class
    union all
    select 'recorded_cost', count(*) from recorded_cost group by content_id, provider, model, day
    union all
    select 'recorded_cost_differences', count(*) from recorded_cost_differences group by call_id
    union all
    select 'recorded_cost_causes', count(*)
    from recorded_cost_causes
    group by content_id, provider, model, likely_cause
    union all
    select 'costs_apart', count(*)
    from costs_apart
    group by scenario_order, kind, is_allocated, day, provider, model, feature, user_id, customer_id
    union all
    select 'cost_by_class', count(*)
    from cost_by_class
    group by day, provider, model, service_tier, region, is_batch, token_class
    union all
    select 'price_certainty', count(*) from price_certainty group by provider, model, price_status
    union all
    select 'price_book_revision', count(*) from price_book_revision group by provider, model, change
    union all
    select 'contract_spend', count(*) from contract_spend group by scenario_order, term_id, period_start, group_number
    union all
    select 'contract_terms', count(*) from contract_terms group by scenario_order, term_id, period_start
    union all
    select 'allocated_costs', count(*)
    from allocated_costs
    group by
        scenario_order, term_id, period_start, day, provider, model, priced_model, feature, user_id, customer_id
    union all
    select 'hours', count(*) from hours group by hour_at, provider, model
    union all
    select 'rate_cards', count(*) from rate_cards group by card_id
    union all
    select 'files', count(*) from files group by content_id
)

select *
from grains
where row_count > 1

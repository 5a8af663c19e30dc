-- one row per contract term that a call is under, with what its group of calls bears of it at actual prices
-- $call_id | the call
-- term_id, kind, note, period_start, period_end | see contract_terms; without a period for a call without a day
-- call_count | calls of the group, which are alike in all of day to customer_id
-- allocated_pico | its part of the term's adjustment_usd, in pico-USD; null: nothing is allocated to it
select
    spend.term_id,
    spend.kind,
    contract_terms.note,
    spend.period_start,
    spend.period_end,
    spend.call_count,
    allocated.allocated_pico,
from calls
inner join contract_spend as spend
    on calls.day is not distinct from spend.day
    and calls.provider is not distinct from spend.provider
    and calls.model is not distinct from spend.model
    and coalesce(calls.model, calls.model_requested) is not distinct from spend.priced_model
    and calls.feature is not distinct from spend.feature
    and calls.user_id is not distinct from spend.user_id
    and calls.customer_id is not distinct from spend.customer_id
inner join contract_terms
    on spend.scenario_order = contract_terms.scenario_order
    and spend.term_id = contract_terms.term_id
    and spend.period_start is not distinct from contract_terms.period_start
left join allocated_costs as allocated
    on spend.scenario_order = allocated.scenario_order
    and spend.term_id = allocated.term_id
    and spend.period_start = allocated.period_start
    and spend.day = allocated.day
    and spend.provider is not distinct from allocated.provider
    and spend.model is not distinct from allocated.model
    and spend.priced_model is not distinct from allocated.priced_model
    and spend.feature is not distinct from allocated.feature
    and spend.user_id is not distinct from allocated.user_id
    and spend.customer_id is not distinct from allocated.customer_id
where
    calls.call_id = $call_id
    and calls.price_status <> 'not_billed'
    and spend.scenario_order = 0
    -- the row of a period without calls has no group
    and spend.group_number is not null
order by spend.term_id, spend.period_start

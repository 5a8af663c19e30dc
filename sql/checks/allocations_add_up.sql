-- What a term comes to is allocated or shown as unallocated, to the last digit, and no part has the wrong sign.
with allocated as (
    select
        scenario_order,
        term_id,
        period_start,
        sum(allocated_pico) as allocated_pico,
        min(allocated_pico) as least_pico,
        max(allocated_pico) as most_pico,
    from allocated_costs
    group by scenario_order, term_id, period_start
)

select
    contract_terms.scenario,
    contract_terms.term_id,
    contract_terms.period_start,
    contract_terms.adjustment_pico,
    contract_terms.unallocated_pico,
    allocated.allocated_pico,
from contract_terms
left join allocated
    on contract_terms.scenario_order = allocated.scenario_order
    and contract_terms.term_id = allocated.term_id
    and contract_terms.period_start = allocated.period_start
where
    -- No row is allocated where nothing is.
    contract_terms.adjustment_pico
        <> contract_terms.unallocated_pico + coalesce(allocated.allocated_pico, 0)
    -- What is not reckoned is not allocated.
    or (contract_terms.adjustment_pico is null and allocated.allocated_pico is not null)
    or (contract_terms.adjustment_pico >= 0 and allocated.least_pico < 0)
    or (contract_terms.adjustment_pico <= 0 and allocated.most_pico > 0)

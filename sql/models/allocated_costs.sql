-- one row per scenario, contract term, period and group of calls that are alike in all of day to customer_id: its part of what the term comes to
-- scenario | actual, or the change of prices by its name
-- scenario_order | order of the scenarios; 0: actual
-- term_id | term of the price file, see contract_terms
-- kind | volume_tier, commitment or time
-- period_start | first UTC day of the month, or of the time that is billed
-- day | UTC date
-- provider | who served the calls
-- model | model as served; null: not told
-- priced_model | model that the price was looked up for: as served, else as asked for
-- feature | product feature; null: unattributed
-- user_id | who acted; null: unattributed
-- customer_id | who pays; null: unattributed
-- call_count | calls of the group
-- allocated_usd | its part of the term's adjustment_usd, never part of cost_usd; a discount is negative
-- allocated_pico | allocated_usd in integer pico-USD, for exact arithmetic
with weighted as (
    select
        *,
        sum(weight) over (partition by scenario_order, term_id, period_start) as whole_weight,
    from contract_spend
    where weight > 0
),

parts as (
    select
        weighted.*,
        largest_remainder(
            contract_terms.adjustment_pico, weighted.weight, weighted.whole_weight,
            (weighted.scenario_order, weighted.term_id, weighted.period_start),
            weighted.group_number
        ) as allocated_pico,
    from weighted
    inner join contract_terms
        on weighted.scenario_order = contract_terms.scenario_order
        and weighted.term_id = contract_terms.term_id
        and weighted.period_start = contract_terms.period_start
    where contract_terms.adjustment_pico <> 0
)

select
    scenario,
    scenario_order,
    term_id,
    kind,
    period_start,
    day,
    provider,
    model,
    priced_model,
    feature,
    user_id,
    customer_id,
    call_count,
    usd_from_pico(allocated_pico) as allocated_usd,
    allocated_pico,
from parts

-- one row per scenario, contract term, period and group of calls that are alike in all of day to customer_id: its part of what the term comes to
-- scenario | actual, or the change of prices by its name; a bill for time is in actual alone, since no scenario moves it
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
with adjusted as (
    select
        scenario_order,
        term_id,
        period_start,
        adjustment_pico,
        row_number() over () as whole_number,
    from contract_terms
    where adjustment_pico <> 0
),

weights as (
    select
        scenario_order,
        term_id,
        period_start,
        sum(weight) as whole_weight,
    from contract_spend
    where weight > 0
    group by scenario_order, term_id, period_start
),

-- Numbers alone: names of users would be sorted along.
shares as (
    select
        adjusted.whole_number,
        adjusted.adjustment_pico,
        contract_spend.group_number,
        share_quotient(abs(adjusted.adjustment_pico), contract_spend.weight, weights.whole_weight) as quotient,
        share_remainder(abs(adjusted.adjustment_pico), contract_spend.weight, weights.whole_weight) as remainder,
    from contract_spend
    inner join adjusted
        on contract_spend.scenario_order = adjusted.scenario_order
        and contract_spend.term_id = adjusted.term_id
        and contract_spend.period_start = adjusted.period_start
    inner join weights
        on contract_spend.scenario_order = weights.scenario_order
        and contract_spend.term_id = weights.term_id
        and contract_spend.period_start = weights.period_start
    where contract_spend.weight > 0
),

parts as (
    select
        whole_number,
        group_number,
        largest_remainder(adjustment_pico, quotient, remainder, whole_number, group_number) as allocated_pico,
    from shares
)

select
    contract_spend.scenario,
    contract_spend.scenario_order,
    contract_spend.term_id,
    contract_spend.kind,
    contract_spend.period_start,
    contract_spend.day,
    contract_spend.provider,
    contract_spend.model,
    contract_spend.priced_model,
    contract_spend.feature,
    contract_spend.user_id,
    contract_spend.customer_id,
    contract_spend.call_count,
    usd_from_pico(parts.allocated_pico) as allocated_usd,
    parts.allocated_pico,
from contract_spend
inner join adjusted
    on contract_spend.scenario_order = adjusted.scenario_order
    and contract_spend.term_id = adjusted.term_id
    and contract_spend.period_start = adjusted.period_start
inner join parts
    on adjusted.whole_number = parts.whole_number
    and contract_spend.group_number = parts.group_number

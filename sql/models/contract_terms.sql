-- one row per scenario, contract term and period: what the price file agrees beside prices per unit, and what it comes to
-- scenario | actual, or the change of prices by its name; a bill for time is in actual alone, since no scenario moves it
-- scenario_order | order of the scenarios; 0: actual
-- term_id | term of the price file, from 1; the tiers of one provider and model are one term
-- kind | volume_tier (graduated monthly tiers), commitment (due each month, used or not) or time (a bill for time)
-- provider | whose calls it is about; null: any
-- model | which models, `*` is any text
-- allocate_by | what a bill for time is allocated by: busy (time) or tokens; null: not a bill for time
-- note | as the price file has it, of the term's first line
-- source_url | link to the agreement, as the price file has it, of the term's first line
-- line_number | first line of the price file that states it
-- period_start | first UTC day of the month, or of the time that is billed; null: the calls without a day, which are in no period
-- period_end | first UTC day after it
-- logged_day_count | days of the period of which the log has a call of any model; of the others the spend is not known
-- call_count | calls that the term is about, in the period
-- unpriced_call_count | of these, without any cost; missing in spend_usd
-- unweighted_call_count | of these, without what the term is allocated by (cost, busy time or tokens): nothing is allocated to them
-- spend_usd | cost of these calls at the scenario's rates, compute time included; null: none is priced, or no call and no day of the period is logged
-- volume_discount_usd | what the volume tiers change in it (a discount is negative); null: not a commitment
-- agreed_usd | committed for the month, or billed for the period; null: a volume_tier
-- adjustment_usd | what the term adds to cost: a volume discount (negative), a commitment's shortfall, the bill; null: no period, or a commitment's month that the log does not span
-- adjustment_pico | adjustment_usd in integer pico-USD, for exact arithmetic
-- unallocated_usd | of this, what no call can bear: none in the period tells what it is allocated by
-- unallocated_pico | unallocated_usd in integer pico-USD
with logged_days as (
    select distinct day
    from usage_cube
    where day is not null
),

-- A day without a call is a day without spend only from the log's first day to its last.
periods as (
    select
        periods.period_start,
        periods.period_end,
        count(logged_days.day) as logged_day_count,
        coalesce(periods.period_start >= span.first_day and periods.period_end - 1 <= span.last_day, false) as is_spanned,
    from (select distinct period_start, period_end from contract_spend where period_start is not null) as periods
    cross join (select min(day) as first_day, max(day) as last_day from logged_days) as span
    left join logged_days
        on logged_days.day >= periods.period_start and logged_days.day < periods.period_end
    group by all
),

terms as (
    select
        term_id,
        min(provider) as provider,
        min(model) as model,
        min(allocate_by) as allocate_by,
        arg_min(note, line_number) as note,
        arg_min(source_url, line_number) as source_url,
        min(line_number) as line_number,
        max(amount_pico) as agreed_pico,
    from source.contract_terms
    group by term_id
),

totals as (
    select
        scenario,
        scenario_order,
        term_id,
        kind,
        period_start,
        period_end,
        sum(call_count)::bigint as call_count,
        sum(unpriced_call_count)::bigint as unpriced_call_count,
        sum(unweighted_call_count)::bigint as unweighted_call_count,
        sum(token_count) as token_count,
        sum(spend_atto) as spend_atto,
        sum(weight) as weight,
    from contract_spend
    group by all
),

bands as (
    select
        totals.scenario_order,
        totals.term_id,
        totals.period_start,
        totals.token_count,
        totals.spend_atto,
        tiers.above_tokens is not null as is_by_tokens,
        tiers.multiplier_nano - 1000000000 as change_nano,
        if(tiers.above_tokens is not null, totals.token_count, totals.spend_atto) as used,
        coalesce(tiers.above_tokens::hugeint, tiers.above_pico * 1000000) as above,
        lead(above) over (
            partition by totals.scenario_order, totals.term_id, totals.period_start
            order by above
        ) as next_above,
    from totals
    inner join source.contract_terms as tiers
        on totals.term_id = tiers.term_id
        and totals.period_start >= coalesce(tiers.valid_from, totals.period_start)
        and (tiers.valid_to is null or totals.period_start < tiers.valid_to)
    where totals.kind = 'volume_tier'
),

changes as (
    -- What lies within each band times its multiplier less one, in 1e-9 of an atto-USD, or of a token.
    select
        scenario_order,
        term_id,
        period_start,
        any_value(is_by_tokens) as is_by_tokens,
        any_value(token_count) as token_count,
        any_value(spend_atto) as spend_atto,
        sum(greatest(least(used, coalesce(next_above, used)) - above, 0) * change_nano) as change_nano,
    from bands
    -- least() would pass over what is not known.
    where used is not null
    group by scenario_order, term_id, period_start
),

discounts as (
    -- Tiers in tokens hold for the same share of the spend. The one rounding of a month's total.
    select
        scenario_order,
        term_id,
        period_start,
        case
            when is_by_tokens then
                sign(change_nano)::hugeint * share_half_even(
                    spend_atto, abs(change_nano), nullif(token_count, 0) * 1000000000000000::hugeint
                )
            else divide_half_even(change_nano, 1000000000000000)
        end as discount_pico,
    from changes
),

numbered_discounts as (
    select
        discounts.*,
        totals.weight,
        row_number() over () as whole_number,
    from discounts
    inner join totals
        on discounts.scenario_order = totals.scenario_order
        and discounts.term_id = totals.term_id
        and discounts.period_start = totals.period_start
    -- Only a commitment asks what part of a discount is of its calls.
    where exists (from source.contract_terms where kind = 'commitment')
),

discount_shares as (
    select
        contract_spend.scenario_order,
        contract_spend.group_number,
        discounts.whole_number,
        discounts.discount_pico,
        share_quotient(abs(discounts.discount_pico), contract_spend.weight, discounts.weight) as quotient,
        share_remainder(abs(discounts.discount_pico), contract_spend.weight, discounts.weight) as remainder,
    from contract_spend
    inner join numbered_discounts as discounts
        on contract_spend.scenario_order = discounts.scenario_order
        and contract_spend.term_id = discounts.term_id
        and contract_spend.period_start = discounts.period_start
    where contract_spend.weight > 0
),

discounted_groups as (
    select
        scenario_order,
        group_number,
        largest_remainder(discount_pico, quotient, remainder, whole_number, group_number) as discount_pico,
    from discount_shares
),

commitments as (
    select
        contract_spend.scenario_order,
        contract_spend.term_id,
        contract_spend.period_start,
        -- No schedule is about these calls: there is no discount.
        coalesce(sum(discounted_groups.discount_pico), 0) as discount_pico,
    from contract_spend
    left join discounted_groups
        on contract_spend.scenario_order = discounted_groups.scenario_order
        and contract_spend.group_number = discounted_groups.group_number
    where contract_spend.kind = 'commitment'
    group by contract_spend.scenario_order, contract_spend.term_id, contract_spend.period_start
),

adjusted as (
    select
        totals.*,
        periods.logged_day_count,
        case
            when totals.call_count = 0 and (periods.is_spanned or periods.logged_day_count > 0) then 0::hugeint
            else totals.spend_atto
        end as told_spend_atto,
        terms.* exclude (term_id, agreed_pico),
        case when totals.period_start is not null then terms.agreed_pico end as agreed_pico,
        commitments.discount_pico as volume_discount_pico,
        case
            when totals.period_start is null then null
            when totals.kind = 'time' then terms.agreed_pico
            when totals.kind = 'commitment' and not periods.is_spanned then null
            -- What is not priced is not known to be spent: unpriced_call_count tells of it.
            when totals.kind = 'commitment' then greatest(0::hugeint, divide_half_even(
                (terms.agreed_pico - commitments.discount_pico) * 1000000 - coalesce(totals.spend_atto, 0), 1000000
            ))
            -- Nothing known is used: none of it is known to be cheaper.
            else coalesce(discounts.discount_pico, 0::hugeint)
        end as adjustment_pico,
    from totals
    inner join terms
        on totals.term_id = terms.term_id
    left join periods
        on totals.period_start = periods.period_start
        and totals.period_end = periods.period_end
    left join discounts
        on totals.scenario_order = discounts.scenario_order
        and totals.term_id = discounts.term_id
        and totals.period_start = discounts.period_start
    left join commitments
        on totals.scenario_order = commitments.scenario_order
        and totals.term_id = commitments.term_id
        and totals.period_start = commitments.period_start
),

borne as (
    select
        *,
        case
            when weight > 0 and adjustment_pico is not null then 0::hugeint
            else adjustment_pico
        end as unallocated_pico,
    from adjusted
)

select
    scenario,
    scenario_order,
    term_id,
    kind,
    provider,
    model,
    allocate_by,
    note,
    source_url,
    line_number,
    period_start,
    period_end,
    logged_day_count,
    call_count,
    unpriced_call_count,
    unweighted_call_count,
    usd_from_atto(told_spend_atto) as spend_usd,
    usd_from_pico(volume_discount_pico) as volume_discount_usd,
    usd_from_pico(agreed_pico) as agreed_usd,
    usd_from_pico(adjustment_pico) as adjustment_usd,
    adjustment_pico,
    usd_from_pico(unallocated_pico) as unallocated_usd,
    unallocated_pico,
from borne

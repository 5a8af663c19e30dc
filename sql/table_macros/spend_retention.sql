-- one row per cohort (names of a dimension that first spent in the same month) and month from then on: what is left of their spend
-- spend_retention(dimension)
-- dimension | as asked for: user, customer, feature or model
-- cohort_month | first day of the month (UTC) in which these names first cost something
-- month | first day of the month that the row is about
-- month_number | months since cohort_month; 0: itself
-- name_count | names in the cohort; unattributed calls are no name
-- active_count | of these, names with a cost in the month, or with calls of unknown cost
-- active_share | active_count over name_count
-- base_spend_usd | cost of the cohort in cohort_month
-- spend_usd | cost of the cohort in the month
-- kept_spend_usd | of each name at most its cost in cohort_month
-- gross_retention_share | kept_spend_usd over base_spend_usd
-- net_retention_share | spend_usd over base_spend_usd
-- expansion_usd | what names cost above their cohort_month
-- contraction_usd | what active names cost below their cohort_month
-- churned_usd | cost in cohort_month of the names that are not active; base + expansion - contraction - churned = spend_usd
-- unpriced_call_count | calls of the cohort in the month without a cost: spend_usd is at least this
-- is_partial | whether the log does not span the whole month
-- is_base_partial | whether the log does not span the whole cohort_month: then retention comes out too high
with log_days as (
    select
        min(day) as first_day,
        max(day) as last_day,
    from usage_cube
),

months as (
    select
        first_day,
        last_day,
        unnest(generate_series(
            date_trunc('month', first_day)::timestamp, last_day::timestamp, interval 1 month
        ))::date as month,
    from log_days
),

spans as (
    select
        month,
        month < first_day or (month + interval 1 month)::date > last_day + 1 as is_partial,
    from months
),

named_cells as (
    select
        known_name_in(dimension, usage_cube) as name,
        date_trunc('month', day)::date as month,
        call_count,
        cost_pico,
    from usage_cube
    where day is not null
),

name_months as (
    select
        name,
        month,
        coalesce(sum(cost_pico), 0) as spend_pico,
        coalesce(sum(call_count) filter (where cost_pico is null), 0) as unpriced_call_count,
    from named_cells
    where name is not null
    group by name, month
),

cohorts as (
    select
        name,
        min(month) as cohort_month,
        arg_min(spend_pico, month) as base_pico,
    from name_months
    where spend_pico > 0
    group by name
),

followed as (
    -- A month without a call costs a known zero; one with unpriced calls is not over.
    select
        cohorts.cohort_month,
        cohorts.base_pico,
        spans.month,
        spans.is_partial,
        coalesce(name_months.spend_pico, 0) as spend_pico,
        coalesce(name_months.unpriced_call_count, 0) as unpriced_call_count,
        coalesce(name_months.spend_pico > 0 or name_months.unpriced_call_count > 0, false) as is_active,
    from cohorts
    inner join spans
        on cohorts.cohort_month <= spans.month
    left join name_months
        on cohorts.name = name_months.name
        and spans.month = name_months.month
),

totals as (
    select
        cohort_month,
        month,
        is_partial,
        count(*) as name_count,
        count(*) filter (where is_active) as active_count,
        sum(base_pico) as base_pico,
        sum(spend_pico) as spend_pico,
        sum(least(spend_pico, base_pico)) as kept_pico,
        sum(greatest(spend_pico - base_pico, 0)) as expansion_pico,
        sum(case when is_active then greatest(base_pico - spend_pico, 0) else 0 end) as contraction_pico,
        sum(case when is_active then 0 else base_pico end) as churned_pico,
        sum(unpriced_call_count)::bigint as unpriced_call_count,
    from followed
    group by cohort_month, month, is_partial
)

select
    dimension as dimension,
    totals.cohort_month,
    totals.month,
    datediff('month', totals.cohort_month, totals.month) as month_number,
    totals.name_count,
    totals.active_count,
    totals.active_count / totals.name_count as active_share,
    usd_from_pico(totals.base_pico) as base_spend_usd,
    usd_from_pico(totals.spend_pico) as spend_usd,
    usd_from_pico(totals.kept_pico) as kept_spend_usd,
    totals.kept_pico / totals.base_pico as gross_retention_share,
    totals.spend_pico / totals.base_pico as net_retention_share,
    usd_from_pico(totals.expansion_pico) as expansion_usd,
    usd_from_pico(totals.contraction_pico) as contraction_usd,
    usd_from_pico(totals.churned_pico) as churned_usd,
    totals.unpriced_call_count,
    totals.is_partial,
    cohort_spans.is_partial as is_base_partial,
from totals
inner join spans as cohort_spans
    on totals.cohort_month = cohort_spans.month
order by totals.cohort_month, totals.month

-- What is spent on what fails?
-- Read: failed_cost_usd is of whole actions whose outcome was no success, error_cost_usd of single calls that failed; the two overlap, so never add them up. One row for each name, and one for all.
-- Unknown: actions without an outcome yet are in neither; a failed call mostly tells no usage, and so has no cost (see error_call_count).
with params as (
    select
        'feature'::varchar as dimension, -- feature, user, customer or model; null: all alone
)

select
    unit_economics.dimension,
    unit_economics.name,
    unit_economics.action_count,
    unit_economics.labelled_count,
    unit_economics.labelled_count - unit_economics.success_count as failed_count,
    unit_economics.failed_cost_usd,
    unit_economics.failed_cost_usd / nullif(unit_economics.labelled_cost_usd, 0) as failed_cost_share,
    unit_economics.cost_per_outcome_usd,
    unit_economics.p50_cost_per_success_usd,
    unit_economics.error_call_count,
    unit_economics.error_cost_usd,
    unit_economics.unpriced_call_count,
from unit_economics
cross join params
where unit_economics.dimension in (one_of(params.dimension, ['feature', 'user', 'customer', 'model']), 'all')
order by unit_economics.dimension = 'all', unit_economics.failed_cost_usd desc nulls last, unit_economics.name

-- What do retries cost?
-- Read: a retry is a call right after one with status error or refused, in the same action and of the same model; one row for each name, and one for all.
-- Unknown: retries without a price are in retry_call_count and in no cost; an action that the log does not name has no retries.
with params as (
    select
        'feature'::varchar as dimension, -- feature, user, customer or model; null: all alone
)

select
    unit_economics.dimension,
    unit_economics.name,
    unit_economics.call_count,
    unit_economics.error_call_count,
    unit_economics.retry_call_count,
    unit_economics.retry_call_count / unit_economics.call_count as retry_share,
    unit_economics.retry_cost_usd,
    unit_economics.retry_cost_usd / nullif(unit_economics.cost_usd, 0) as retry_cost_share,
    unit_economics.cost_usd,
    unit_economics.unpriced_call_count,
from unit_economics
cross join params
where unit_economics.dimension in (one_of(params.dimension, ['feature', 'user', 'customer', 'model']), 'all')
order by unit_economics.dimension = 'all', unit_economics.retry_cost_usd desc nulls last, unit_economics.name

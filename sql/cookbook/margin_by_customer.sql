-- What does each customer cost, and what is left of what they pay?
-- Read: one row for each customer, the thinnest margin first; break_even_change_share is how far all prices may rise until nothing is left.
-- Unknown: a customer without revenue in --revenue has no margin; with unpriced calls the margin is at most what is shown; calls without a customer are the row unattributed.
with params as (
    select
        'customer'::varchar as dimension, -- customer, feature or user
)

select
    sensitivity.name as customer,
    sensitivity.action_count,
    sensitivity.cost_usd,
    sensitivity.cost_apart_usd,
    sensitivity.revenue_usd,
    sensitivity.margin_usd,
    sensitivity.margin_share,
    sensitivity.break_even_change_share,
    sensitivity.verdict,
    sensitivity.unpriced_call_count,
from sensitivity
cross join params
where sensitivity.dimension = one_of(params.dimension, ['customer', 'feature', 'user'])
order by sensitivity.margin_usd nulls last, sensitivity.cost_usd desc nulls last, sensitivity.name

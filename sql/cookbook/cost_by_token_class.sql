-- Which token classes make up the cost: is output the dear part?
-- Read: one row for each model and class, the dearest model first; the shares are of the model's own tokens and cost. What one percent on a class costs is in exposure.
-- Unknown: unpriced_quantity is what has no cost, for want of a rate; quantities of null are not told. Searches and requests are counted, not tokens.
with params as (
    select
        null::varchar as model, -- one model; null: all
),

summed as (
    select
        cost_by_class.provider,
        cost_by_class.model,
        cost_by_class.token_class,
        sum(cost_by_class.quantity) as quantity,
        sum(cost_by_class.cost_pico) as cost_pico,
        sum(cost_by_class.unpriced_quantity) as unpriced_quantity,
    from cost_by_class
    cross join params
    where params.model is null or cost_by_class.model = params.model
    group by all
)

select
    provider,
    model,
    token_class,
    quantity,
    quantity / nullif(sum(quantity) over (partition by provider, model), 0) as quantity_share,
    usd_from_pico(cost_pico) as cost_usd,
    cost_pico / nullif(sum(cost_pico) over (partition by provider, model), 0) as cost_share,
    unpriced_quantity,
from summed
order by sum(cost_pico) over (partition by provider, model) desc nulls last, provider, model, cost_pico desc nulls last, token_class

-- Which token classes make up the cost: is output the dear part?
-- Read: one row for each model and class, the dearest model first; the shares are of the model's own tokens and cost. What one percent on a class costs is in exposure.
-- Unknown: unpriced_quantity is what has no cost, for want of a rate; quantities of null are not told. Searches, sessions and requests are counted and no tokens: they have no share of them.
with params as (
    select
        null::varchar as model, -- one model; null: all
),

summed as (
    select
        cost_by_class.provider,
        cost_by_class.model,
        cost_by_class.token_class,
        cost_by_class.token_class not in ('request', 'web_search', 'file_search', 'code_session') as is_token,
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
    case
        when is_token
            then quantity / nullif(sum(quantity) filter (where is_token) over (partition by provider, model), 0)
    end as quantity_share,
    usd_from_pico(cost_pico) as cost_usd,
    cost_pico / nullif(sum(cost_pico) over (partition by provider, model), 0) as cost_share,
    unpriced_quantity,
from summed
order by sum(cost_pico) over (partition by provider, model) desc nulls last, provider, model, cost_pico desc nulls last, token_class

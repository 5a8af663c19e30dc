-- one row per day, provider, model, service tier, region, batch and token class: what was used, and what it cost; without calls whose parts exceed the whole
-- day | UTC date; null: the log does not say
-- provider | who served the calls
-- model | model as served; null: not told
-- service_tier | service tier as served
-- region | region as served
-- is_batch | made through a batch API; null: not told
-- token_class | class of tokens or fees; a part (audio, images, reasoning) where it has a rate of its own, else in its main class
-- call_count | billed calls of these dimensions, whatever classes they used
-- quantity | tokens, requests, searches or sessions; null: unknown
-- cost_usd | cost of them; null: none of it is priced
-- cost_pico | cost_usd in integer pico-USD
-- unpriced_quantity | of the quantity, what has no cost; null: all is priced
with cells as (
    select
        cells.day,
        cells.provider,
        cells.model,
        cells.service_tier,
        cells.region,
        cells.is_batch,
        is_priced(cells.price_status) as is_priced,
        unnest(class_costs(cells, rate_cards), recursive := true),
    from usage_cube as cells
    left join source.rate_cards as rate_cards
        on cells.card_id = rate_cards.card_id
    -- Of a call whose parts exceed the whole no class is known.
    where cells.price_status not in ('not_billed', 'billed_by_time', 'time_unknown', 'inconsistent_usage')
),

billed_calls as (
    select
        day,
        provider,
        model,
        service_tier,
        region,
        is_batch,
        sum(call_count)::bigint as call_count,
    from usage_cube
    where price_status not in ('not_billed', 'billed_by_time', 'time_unknown', 'inconsistent_usage')
    group by all
)

select
    cells.day,
    cells.provider,
    cells.model,
    cells.service_tier,
    cells.region,
    cells.is_batch,
    cells.token_class,
    any_value(billed_calls.call_count) as call_count,
    sum(cells.quantity) as quantity,
    usd_from_pico(sum(cells.cost) filter (where cells.is_priced)) as cost_usd,
    sum(cells.cost) filter (where cells.is_priced) as cost_pico,
    sum(cells.quantity) filter (where not cells.is_priced) as unpriced_quantity,
from cells
inner join billed_calls
    on cells.day is not distinct from billed_calls.day
    and cells.provider is not distinct from billed_calls.provider
    and cells.model is not distinct from billed_calls.model
    and cells.service_tier is not distinct from billed_calls.service_tier
    and cells.region is not distinct from billed_calls.region
    and cells.is_batch is not distinct from billed_calls.is_batch
where cells.quantity <> 0
group by all

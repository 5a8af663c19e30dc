-- What do calls with a long context cost?
-- Read: one row for each model and context band: the greatest bound of any price below the call's input (0: below all). Where a model's own price has a bound there, its calls above it cost more.
-- Unknown: calls that tell no input stand under a band of null; calls without a price are counted and in no cost.
with params as (
    select
        null::varchar as feature, -- one feature, or unattributed; null: all
),

bands as (
    select
        usage_cube.provider,
        usage_cube.model,
        usage_cube.context_band,
        sum(usage_cube.call_count) as call_count,
        max(usage_cube.most_input_tokens) as most_input_tokens,
        sum(usage_cube.input_tokens + usage_cube.output_tokens)
            filter (where usage_cube.cost_pico is not null and usage_cube.card_id is not null) as billed_tokens,
        sum(usage_cube.cost_pico) filter (where usage_cube.card_id is not null) as billed_cost_pico,
        sum(usage_cube.cost_pico) as cost_pico,
        coalesce(sum(usage_cube.call_count) filter (where usage_cube.cost_pico is null), 0) as unpriced_call_count,
    from usage_cube
    cross join params
    where params.feature is null or coalesce(usage_cube.feature, 'unattributed') = params.feature
    group by all
)

select
    provider,
    model,
    context_band as input_above_tokens,
    call_count,
    most_input_tokens,
    usd_from_pico(cost_pico) as cost_usd,
    cost_pico / nullif(sum(cost_pico) over (partition by provider, model), 0) as cost_share,
    usd_from_pico(divide_half_even(billed_cost_pico * 1000000, billed_tokens)) as cost_per_million_tokens_usd,
    unpriced_call_count,
from bands
order by context_band desc nulls last, cost_pico desc nulls last, provider, model

-- What does each model cost, week by week?
-- Read: one row for each ISO week (from Monday, UTC) and model, the dearest model first; the log may begin and end within a week. Compute time that is paid by the second is included.
-- Unknown: calls without a price are counted and in no cost; calls without a day stand under a week_start of null.
with params as (
    select
        null::varchar as provider, -- one provider; null: all
)

select
    date_trunc('week', usage_cube.day)::date as week_start,
    usage_cube.provider,
    usage_cube.model,
    sum(usage_cube.call_count) as call_count,
    sum(usage_cube.input_tokens) as input_tokens,
    sum(usage_cube.output_tokens) as output_tokens,
    -- Most models have no price of time.
    usd_from_pico(sum(usage_cube.cost_pico + coalesce(usage_cube.time_cost_pico, 0))) as cost_usd,
    coalesce(sum(usage_cube.call_count) filter (where usage_cube.cost_pico is null), 0) as unpriced_call_count,
from usage_cube
cross join params
where params.provider is null or usage_cube.provider = params.provider
group by all
order by week_start, cost_usd desc nulls last, provider, model

-- one row per hour (UTC), provider and model: what was called in it, and what it cost
-- hour_at | start of the hour (UTC); null: the log does not say
-- provider | who served the calls
-- model | model as served; null: not told
-- call_count | calls
-- error_call_count | of these, with status error or refused
-- input_tokens | input of the calls that tell it, cached included; null: none does
-- output_tokens | output of the calls that tell it; null: none does
-- cost_usd | cost of the priced calls; null: none is priced
-- cost_pico | cost_usd in integer pico-USD
-- unpriced_call_count | calls without a cost
select
    date_trunc('hour', called_at) as hour_at,
    provider,
    model,
    count(*) as call_count,
    count(*) filter (where status in ('error', 'refused')) as error_call_count,
    sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens,
    usd_from_pico(sum(cost_pico)) as cost_usd,
    sum(cost_pico) as cost_pico,
    count(*) filter (where cost_pico is null) as unpriced_call_count,
from calls
group by all

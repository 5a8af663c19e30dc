-- Which calls have no cost, why, and how much money may that be?
-- Read: one row for each model and reason. least_usd and most_usd bound their cost where that can be told, recorded_cost_usd is what the log says; `tokenspread prices why CALL` tells more of one call.
-- Unknown: this whole table is; a failed call without usage (usage_unknown) is mostly not billed.
select
    provider,
    model,
    price_status,
    call_count,
    call_count / (select sum(call_count) from price_certainty) as call_share,
    input_tokens,
    output_tokens,
    least_usd,
    most_usd,
    recorded_cost_usd,
from price_certainty
where cost_usd is null
order by most_usd desc nulls last, coalesce(input_tokens, 0) + coalesce(output_tokens, 0) desc, call_count desc, provider, model, price_status

-- one row for each model: its calls from the day $since on (null: of all days), and those of them without a cost
-- provider, model | who served the calls, and as what
-- call_count, unpriced_call_count | calls, and those without a cost
select
    provider,
    model,
    sum(call_count)::bigint as call_count,
    coalesce(sum(call_count) filter (where cost_pico is null), 0)::bigint as unpriced_call_count,
from usage_cube
where day is null or $since is null or day >= $since
group by all

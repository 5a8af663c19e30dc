-- one row per difference, source of the published rate, published rate and other source: what the difference is worth
-- difference_id | see PRICE_DIFFERENCES
-- call_count | calls with a quantity in it
-- quantity | what the ledger has of the class in it
-- published_source | source of the published rate, without its version, and the multiplier on it; null: none is published
-- published_pico | published rate in pico-USD; null: none
-- source | the other source, without its version
-- rate_pico | its rate
-- worth_pico | what the other rate would add to the cost, exact, in pico-USD; null: nothing is published
with lines as (
{class_lines}
),

differing as (
    select
        *,
        case when week_second_from = 0 and week_second_to = 604800 then -1 else week_second_from end as from_second,
        coalesce(context_up_to, 9223372036854775807) as context_limit,
    from differences
)

select
    differing.difference_id,
    count(*) as call_count,
    sum(lines.quantity) as quantity,
    -- a rate that a multiplier made is not the source's own
    nullif(
        concat_ws(' ', regexp_extract(lines.source, '^\S+'), nullif(regexp_extract(lines.note, 'x [0-9.]+ by \w+'), '')),
        ''
    ) as published_source,
    lines.rate_pico::bigint as published_pico,
    differing.source,
    differing.rate_pico,
    sum(lines.quantity * (differing.rate_pico::hugeint - lines.rate_pico::hugeint)) as worth_pico,
from differing
inner join lines
    on differing.provider is not distinct from lines.provider
    and differing.model is not distinct from lines.model
    and differing.service_tier is not distinct from lines.service_tier
    and differing.region is not distinct from lines.region
    and differing.is_batch is not distinct from lines.is_batch
    and differing.token_class = lines.token_class
    and lines.called_at >= differing.valid_from
    and lines.called_at < differing.valid_to
    and lines.lookup_second >= differing.from_second
    and lines.lookup_second < differing.week_second_to
    and lines.lookup_tokens > differing.context_above
    and lines.lookup_tokens <= differing.context_limit
-- of a call whose usage does not add up nothing is priced; time is not counted in the unit of its rate
where lines.price_status not in ('usage_unknown', 'inconsistent_usage') and lines.token_class <> 'compute_second'
group by all

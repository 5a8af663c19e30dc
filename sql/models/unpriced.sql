-- one row per provider, model, reason and token class of calls without a cost; null in token_class: all of these calls
-- provider | who served the calls
-- model | model that the price was looked up for: as served, else as asked for
-- price_status | why they have no cost, as in calls
-- token_class | a class that they used and that has no rate; null: the calls as a whole
-- call_count | calls
-- error_call_count | of these, with status error: a call without an answer tells no usage
-- quantity | tokens (or searches) of the class; for the calls as a whole their input plus output; null: unknown
-- first_day | UTC date of the first of them; null: the log does not say
with unpriced_calls as (
    select * replace (coalesce(model, model_requested) as model)
    from calls
    where cost_pico is null
),

class_calls as (
    select
        *,
        unnest(string_split(unpriced_classes, ',')) as token_class,
    from unpriced_calls
    where unpriced_classes is not null
)

select
    provider,
    model,
    price_status,
    null::varchar as token_class,
    count(*) as call_count,
    count(*) filter (where status = 'error') as error_call_count,
    sum(input_tokens::hugeint + output_tokens) as quantity,
    min(day) as first_day,
from unpriced_calls
group by all
union all by name
select
    provider,
    model,
    price_status,
    token_class,
    count(*) as call_count,
    count(*) filter (where status = 'error') as error_call_count,
    sum(case token_class
        when 'input' then uncached_input_tokens
        when 'cache_read' then cache_read_tokens
        when 'cache_write_5m' then cache_write_5m_tokens
        when 'cache_write_1h' then cache_write_1h_tokens
        when 'cache_write_other' then cache_write_other_tokens
        when 'output' then output_tokens
        when 'web_search' then web_search_count
        when 'file_search' then file_search_count
        when 'code_session' then code_session_count
    end) as quantity,
    min(day) as first_day,
from class_calls
group by all

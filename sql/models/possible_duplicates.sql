-- one row per set of calls that may be one call in two log files: same instant, user, model and tokens, no common id
-- called_at | instant that they share (UTC)
-- model | model as served
-- user_id | who acted; null: unattributed
-- input_tokens | input of each
-- output_tokens | output of each
-- call_count | calls in the set
-- file_count | log files that they are from
-- call_ids | their call_id
with told as (
    -- Two calls with ids of their provider are two calls. These formats have ids of their own only.
    select
        *,
        response_id is null or shape in (
            'apim_llm', 'azure_openai_requests', 'cloudflare_gateway', 'helicone', 'kong', 'langfuse', 'langsmith',
            'phoenix', 'portkey'
        ) as is_without_id,
    from source.ledger
    where input_tokens > 0
),

calls_without_id as (
    select distinct called_at
    from told
    where is_without_id and called_at is not null
)

select
    called_at,
    model,
    user_id,
    input_tokens,
    output_tokens,
    count(*) as call_count,
    count(distinct content_id) as file_count,
    list(format('{:016x}{:016x}', key_hi, key_lo) order by key_hi, key_lo) as call_ids,
from told
semi join calls_without_id
    on told.called_at = calls_without_id.called_at
group by called_at, model, user_id, input_tokens, output_tokens
having count(distinct content_id) > 1 and bool_or(is_without_id)

-- one row per set of calls that may be one call in two log files: same instant, user, model and tokens, no common id
-- called_at | instant that they share (UTC)
-- model | model as served
-- user_id | who acted; null: unattributed
-- input_tokens | input of each
-- output_tokens | output of each
-- call_count | calls in the set
-- file_count | log files that they are from
-- call_ids | their call_id, the first hundred of them
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
),

candidates as (
    select told.*
    from told
    semi join calls_without_id
        on told.called_at = calls_without_id.called_at
),

suspects as (
    -- Found before files are counted and calls listed, which cannot leave the memory: of all calls few are suspect.
    select
        called_at,
        model,
        user_id,
        input_tokens,
        output_tokens,
    from candidates
    group by all
    having min(content_id) <> max(content_id) and bool_or(is_without_id)
)

select
    candidates.called_at,
    candidates.model,
    candidates.user_id,
    candidates.input_tokens,
    candidates.output_tokens,
    count(*) as call_count,
    count(distinct candidates.content_id) as file_count,
    min(format('{:016x}{:016x}', key_hi, key_lo), 100) as call_ids,  -- all of them might not fit the memory
from candidates
semi join suspects
    on candidates.called_at = suspects.called_at
    and candidates.model is not distinct from suspects.model
    and candidates.user_id is not distinct from suspects.user_id
    and candidates.input_tokens = suspects.input_tokens
    and candidates.output_tokens is not distinct from suspects.output_tokens
group by all

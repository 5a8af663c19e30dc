-- one row per set of calls that may be one call in two log files: same instant, user, model and tokens, no id to tell
-- called_at | instant that they share (UTC)
-- model | model as served
-- user_id | who acted; null: unattributed
-- input_tokens | input of each
-- output_tokens | output of each
-- call_count | calls in the set
-- file_count | log files that they are from
-- call_ids | their call_id
with calls_without_id as (
    -- Two calls with ids of their provider are two calls.
    select distinct called_at
    from source.ledger
    where response_id is null and called_at is not null and input_tokens > 0
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
from source.ledger as ledger
semi join calls_without_id
    on ledger.called_at = calls_without_id.called_at
where ledger.input_tokens > 0
group by called_at, model, user_id, input_tokens, output_tokens
having count(distinct content_id) > 1 and count(*) > count(response_id)

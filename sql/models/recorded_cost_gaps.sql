-- one row per call whose recorded cost differs from ours, of the 1000 that differ most
-- call_id | identity of the call, see calls
-- provider | who served the call
-- model | model as served
-- recorded_cost_usd | cost as the log has it
-- cost_usd | our cost
-- gap_usd | recorded_cost_usd less cost_usd
-- likely_cause | what makes the recorded cost of the same tokens, as in recorded_cost_differences; null: unknown
-- price_status | how sure the price is, as in calls
-- content_id | log file, see files
-- source_file | path of that log file
-- line_number | line of that file, from 1
select
    call_id,
    provider,
    model,
    recorded_cost_usd,
    cost_usd,
    gap_usd,
    likely_cause,
    price_status,
    content_id,
    source_file,
    line_number,
from recorded_cost_differences
order by abs(gap_usd) desc, call_id
limit 1000

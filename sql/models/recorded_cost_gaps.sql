-- one row per call whose recorded cost differs from ours, of the 1000 that differ most
-- call_id | identity of the call, see calls
-- provider | who served the call
-- model | model as served
-- recorded_cost_usd | cost as the log has it
-- cost_usd | our cost
-- gap_usd | recorded_cost_usd less cost_usd
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
    recorded_cost_usd - cost_usd as gap_usd,
    price_status,
    content_id,
    source_file,
    line_number,
from calls
where costs_differ(recorded_cost_usd, cost_usd)
order by abs(gap_usd) desc, call_id
limit 1000

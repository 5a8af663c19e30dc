-- Calls whose recorded cost is not ours, the widest gap first.
select
    call_id,
    model,
    cost_usd,
    recorded_cost_usd,
    recorded_cost_usd - cost_usd as gap_usd,
    source_file,
    line_number,
from calls
where recorded_cost_usd <> cost_usd
order by abs(gap_usd) desc
limit 100

-- Models by how far their recorded costs are from ours, over all log files.
select
    provider,
    model,
    sum(compared_call_count) as compared_call_count,
    sum(equal_call_count) as equal_call_count,
    sum(recorded_cost_usd) as recorded_cost_usd,
    sum(cost_usd) as cost_usd,
    max(largest_gap_usd) as largest_gap_usd,
from recorded_cost
group by all
order by largest_gap_usd desc nulls last

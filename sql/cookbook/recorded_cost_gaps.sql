-- Models by how far their recorded costs are from ours, over all log files.
select
    provider,
    model,
    sum(compared_call_count) as compared_call_count,
    sum(equal_call_count) as equal_call_count,
    sum(differing_call_count) as differing_call_count,
    sum(equal_recorded_cost_usd) as equal_recorded_cost_usd,
    max(largest_gap_usd) as largest_gap_usd,
from recorded_cost
group by all
order by largest_gap_usd desc nulls last

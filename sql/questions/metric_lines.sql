-- Lines of all log files by what became of them.
with summed as (
    select
        sum(kept_line_count)::bigint as kept,
        sum(duplicate_count)::bigint as duplicate,
        sum(quarantined_count)::bigint as quarantined,
        sum(other_count)::bigint as other,
        sum(blank_count)::bigint as blank,
        sum(pruned_count)::bigint as pruned,
    from files
)

select
    fate,
    line_count,
from (unpivot summed on * into name fate value line_count) as fates
order by fate

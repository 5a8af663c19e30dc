-- Every call of the ledger is in calls once, and in the usage cube: overlapping rate cards would multiply it, and its
-- cost.
with counts as (
    select
        (select count(*) from calls) as call_count,
        (select coalesce(sum(call_count), 0) from usage_cube) as cube_call_count,
        (select count(*) from source.ledger) as ledger_count,
)

select *
from counts
where call_count <> ledger_count or cube_call_count <> ledger_count

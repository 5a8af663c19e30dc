-- Every call without a cost is in unpriced, with a reason.
with counts as (
    select
        (select coalesce(sum(call_count), 0) from usage_cube where cost_pico is null) as call_count,
        (
            select coalesce(sum(call_count), 0)
            from unpriced
            where token_class is null and price_status is not null
        ) as listed_count,
)

select *
from counts
where call_count <> listed_count

-- one row for each day that has calls, in order; null: calls without a time
select
    try_cast(name as date) as day,
    call_count,
from unit_economics
where dimension = 'day'
order by day nulls last

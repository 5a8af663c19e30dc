-- Calls by how sure their price is, or why they have none.
select
    price_status,
    sum(call_count)::bigint as call_count,
    not is_priced(price_status) as is_unpriced,
from usage_cube
group by price_status
order by price_status

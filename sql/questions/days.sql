-- one row: the days of the ledger
-- first_day, last_day | UTC dates of the first and the last call; null: no call has one
-- undated_call_count | calls without an instant
select
    min(day) as first_day,
    max(day) as last_day,
    count(*) filter (where called_at is null) as undated_call_count,
from source.ledger

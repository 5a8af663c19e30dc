-- No call is in the ledger twice.
select
    key_hi,
    key_lo,
    count(*) as call_count,
from source.ledger
group by key_hi, key_lo
having count(*) > 1

-- one row per price ref of the ledger (PRICE_REFS)
select distinct
    provider,
    coalesce(model, model_requested) as model,
    service_tier,
    region,
    is_batch,
from source.ledger
order by all

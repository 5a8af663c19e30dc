-- one row per rate of the user's price file that speaks of no call in the ledger: not in use, or a name is mistyped
-- provider | provider that the line names; null: any
-- model | model that it names; * stands for any text
-- service_tier | service tier that it names; null: any
-- region | region that it names; null: any
-- is_batch | whether it names calls through a batch API; null: any
-- token_class | token class of the rate
-- context_above | input tokens above which it holds
-- valid_from | instant from which it holds (UTC); null: ever since
select
    provider,
    model,
    service_tier,
    region,
    is_batch,
    token_class,
    context_above,
    valid_from,
from source.unmatched_rates

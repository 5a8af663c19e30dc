-- one row per rate: every price that was ever believed, with who said so and when it was learned
-- provider | who serves the model; null in a user's row: any
-- model | model as served; null in a user's row: any
-- service_tier | service tier; null: none told, in a user's row any
-- region | region; null: none told, in a user's row any
-- is_batch | batch API; null: not told, in a user's row any
-- token_class | class of tokens that the rate is for
-- context_above | the rate holds for calls with more input tokens than this
-- day_second_from | start of its time-of-day window in UTC seconds (inclusive)
-- day_second_to | end of that window (exclusive); 86400: end of the day
-- valid_from | first instant that it holds (UTC); null: always held
-- valid_to | first instant that it holds no more (UTC); null: still holds
-- recorded_at | when it was learned (UTC)
-- superseded_at | when a better rate was learned (UTC); null: still believed
-- rate_usd | USD for one token (or search); null: known to have no rate
-- usd_per_million | USD for a million of them
-- price_status | exact, prefix_match, fallback_provider or free
-- source | who said so
-- source_url | where it is written
select
    provider,
    model,
    service_tier,
    region,
    is_batch,
    token_class,
    context_above,
    day_second_from,
    day_second_to,
    valid_from,
    valid_to,
    recorded_at,
    superseded_at,
    usd_from_pico(rate_pico) as rate_usd,
    usd_from_pico(rate_pico::hugeint * 1000000) as usd_per_million,
    price_status,
    source,
    source_url,
from source.price_book

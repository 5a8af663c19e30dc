-- one row per rate: every price that was ever believed, with who said so and when it was learned
-- provider | who serves the model
-- model | model as served
-- service_tier | service tier; null: none told
-- region | region; null: none told
-- is_batch | batch API; null: not told
-- token_class | class of tokens that the rate is for
-- context_above | the rate holds for calls with more input tokens than this
-- week_second_from | start of its time window, in seconds of the UTC week from Monday 00:00 (inclusive)
-- week_second_to | end of that window (exclusive); 604800: end of the week
-- valid_from | first instant that it holds (UTC); null: always held
-- valid_to | first instant that it holds no more (UTC); null: still holds
-- recorded_at | when it was learned (UTC)
-- superseded_at | when a better rate was learned (UTC); null: still believed
-- rate_usd | USD for one token (request, search, session, second of compute time); null: known to have no rate
-- usd_per_million | USD for a million of them
-- price_status | exact, prefix_match, fallback_provider, context_unmatched or free
-- source | who said so
-- source_url | where it is written
-- note | what must be known of it: rounded, priced as another class, times a multiplier; null: nothing
select
    provider,
    model,
    service_tier,
    region,
    is_batch,
    token_class,
    context_above,
    week_second_from,
    week_second_to,
    valid_from,
    valid_to,
    recorded_at,
    superseded_at,
    usd_from_pico(rate_pico) as rate_usd,
    usd_from_pico(rate_pico::hugeint * 1000000) as usd_per_million,
    price_status,
    source,
    source_url,
    note,
from source.price_book

-- What more than one model needs. Money is counted in integers: pico-USD (1e-12 USD) in a HUGEINT, atto-USD (1e-18 USD)
-- for scenarios. DuckDB divides decimals as floating point, so every quotient of money goes through divide_half_even.

-- Integer pico-USD as USD. Whole dollars and the rest are cast apart: one product would overflow on absurd counts.
create or replace macro usd_from_pico(pico) as
    (pico::hugeint // 1000000000000::hugeint)::decimal(38, 12)
    + (pico::hugeint % 1000000000000::hugeint)::decimal(12, 0) * 0.000000000001::decimal(12, 12);

-- Integer atto-USD as USD, exact to its last digit, so that every grouping of a scenario adds up.
create or replace macro usd_from_atto(atto) as
    (atto::hugeint // 1000000000000000000::hugeint)::decimal(38, 18)
    + (atto::hugeint % 1000000000000000000::hugeint)::decimal(18, 0) * 0.000000000000000001::decimal(18, 18);

-- The integer nearest to amount / divisor, a half going to the even neighbour; null for a divisor of 0. Divisor >= 0.
create or replace macro divide_half_even(amount, divisor) as
    amount::hugeint // nullif(divisor::hugeint, 0)
    + case
        when 2 * abs(amount::hugeint % nullif(divisor::hugeint, 0)) > divisor::hugeint then sign(amount::hugeint)::hugeint
        when
            2 * abs(amount::hugeint % nullif(divisor::hugeint, 0)) = divisor::hugeint
            and (amount::hugeint // nullif(divisor::hugeint, 0)) % 2 <> 0
            then sign(amount::hugeint)::hugeint
        else 0::hugeint
    end;

-- Input that was neither read from a cache nor written to one. A part that is null was not told of and counts as none:
-- its tokens, if any, are priced as plain input. Null when the input is unknown, negative when the parts exceed it.
create or replace macro uncached_input(
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_write_other_tokens
) as
    input_tokens::hugeint
    - coalesce(cache_read_tokens, 0)::hugeint
    - coalesce(cache_write_5m_tokens, 0)::hugeint
    - coalesce(cache_write_1h_tokens, 0)::hugeint
    - coalesce(cache_write_other_tokens, 0)::hugeint;

-- A class that was not used costs nothing even where it has no rate; a used class without a rate has an unknown cost.
create or replace macro class_cost(quantity, rate) as
    case when coalesce(quantity, 0) = 0 then 0::hugeint else quantity::hugeint * rate::hugeint end;

-- THE cost formula: disjoint classes times their rates, in the rates' unit (pico or atto); null when a part is unknown.
create or replace macro cost_of(
    uncached_input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_write_other_tokens,
    output_tokens, web_search_count,
    input_rate, cache_read_rate, cache_write_5m_rate, cache_write_1h_rate, cache_write_other_rate,
    output_rate, web_search_rate
) as
    class_cost(uncached_input_tokens, input_rate)
    + class_cost(cache_read_tokens, cache_read_rate)
    + class_cost(cache_write_5m_tokens, cache_write_5m_rate)
    + class_cost(cache_write_1h_tokens, cache_write_1h_rate)
    + class_cost(cache_write_other_tokens, cache_write_other_rate)
    + class_cost(output_tokens, output_rate)
    + class_cost(web_search_count, web_search_rate);

-- Second of the UTC day of an instant, 0 to 86399, whatever the session's time zone; also right before 1970.
create or replace macro utc_day_second(instant) as
    ((epoch_us(instant) // 1000000) % 86400 + 86400) % 86400;

-- Whether two costs in USD are different: by more than a millionth of the larger and of a dollar; null: one is unknown.
create or replace macro costs_differ(one_usd, other_usd) as
    abs(one_usd - other_usd) > 0.000001
    and abs(one_usd - other_usd) > greatest(abs(one_usd), abs(other_usd)) * 0.000001;

-- Whether a margin is above water. Unpriced calls can only lower it: below zero it stays, above it may not stay.
create or replace macro margin_survives(margin, unpriced_call_count) as
    case
        when margin < 0 then false
        when margin >= 0 and unpriced_call_count = 0 then true
    end;

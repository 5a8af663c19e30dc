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

-- USD of at most 18 decimals as integer atto-USD, without the way over text; null stays null.
create or replace macro atto_from_usd(usd) as
    trunc(usd)::hugeint * 1000000000000000000::hugeint
    + ((usd - trunc(usd))::decimal(19, 18) * 1000000000000000000::decimal(19, 0))::hugeint;

-- The integer nearest to amount / divisor, a half going to the even neighbour; null for a divisor of 0. Divisor >= 0.
-- (Of a half twice the rest is the divisor: the one more of an odd quotient tips it over.)
create or replace macro divide_half_even(amount, divisor) as
    amount::hugeint // nullif(divisor::hugeint, 0)
    + case
        when
            2 * abs(amount::hugeint % nullif(divisor::hugeint, 0))
            + abs(amount::hugeint // nullif(divisor::hugeint, 0)) % 2
            > divisor::hugeint
            then sign(amount::hugeint)::hugeint
        else 0::hugeint
    end;

-- What each of so many costs: USD of at most 18 decimals over a count, half-even to 12 decimals; null for a count of 0.
create or replace macro usd_per(usd, divisor) as
    usd_from_pico(divide_half_even(atto_from_usd(usd), divisor::hugeint * 1000000));

-- Median of a list of integers, the mean of the two in the middle rounded half-even; null: the list is empty.
create or replace macro integer_median(amounts) as
    divide_half_even(
        list_sort(amounts)[(len(amounts) + 1) // 2]::hugeint + list_sort(amounts)[len(amounts) // 2 + 1]::hugeint, 2
    );

-- The dimension that a grouping set is of, from `grouping(feature, user, customer, model, day)`.
create or replace macro dimension_of(grouping_number) as
    case grouping_number
        when 15 then 'feature'
        when 23 then 'user'
        when 27 then 'customer'
        when 29 then 'model'
        when 30 then 'day'
        when 31 then 'all'
    end;

-- Whether of `total` values so many are the percentile of `share` or below it (or more): the least value for which this
-- holds of the count up to it is the percentile, as quantile_disc has it, but from counts that may leave the memory.
create or replace macro reaches(share, total, count_so_far) as
    count_so_far >= total - floor(total - share::double * total);

-- The least integer that is not below amount / divisor; null for a divisor of 0. Divisor >= 0. (`//` cuts towards zero.)
create or replace macro divide_up(amount, divisor) as
    amount::hugeint // nullif(divisor::hugeint, 0)
    + case when amount::hugeint % nullif(divisor::hugeint, 0) > 0 then 1::hugeint else 0::hugeint end;

-- Input that was neither read from a cache nor written to one. A part that is null was not told of and counts as none:
-- its tokens, if any, are priced as plain input. Null when the input is unknown, negative when the parts exceed it.
create or replace macro uncached_input(call) as
    call.input_tokens::hugeint
    - coalesce(call.cache_read_tokens, 0)::hugeint
    - coalesce(call.cache_write_5m_tokens, 0)::hugeint
    - coalesce(call.cache_write_1h_tokens, 0)::hugeint
    - coalesce(call.cache_write_other_tokens, 0)::hugeint;

-- A class that was not used costs nothing even where it has no rate; a used class without a rate has an unknown cost.
create or replace macro class_cost(quantity, rate) as
    case when coalesce(quantity, 0) = 0 then 0::hugeint else quantity::hugeint * rate::hugeint end;

-- What a part costs above the main class that it is counted in: nothing where it has no rate of its own.
create or replace macro part_cost(quantity, rate, main_rate) as
    case
        when coalesce(quantity, 0) = 0 or rate is null then 0::hugeint
        else quantity::hugeint * (rate::hugeint - main_rate::hugeint)
    end;

-- What the parts and the fee for each request cost above the main classes.
create or replace macro parts_cost(used, rates) as
    part_cost(used.uncached_audio_tokens, rates.input_audio_rate, rates.input_rate)
    + part_cost(used.uncached_image_tokens, rates.input_image_rate, rates.input_rate)
    + part_cost(used.uncached_video_tokens, rates.input_video_rate, rates.input_rate)
    + part_cost(used.cache_read_audio_tokens, rates.cache_read_audio_rate, rates.cache_read_rate)
    + part_cost(used.output_audio_tokens, rates.output_audio_rate, rates.output_rate)
    + part_cost(used.output_image_tokens, rates.output_image_rate, rates.output_rate)
    + part_cost(used.reasoning_tokens, rates.reasoning_rate, rates.output_rate)
    + part_cost(used.call_count, rates.request_rate, 0);

-- THE cost formula: quantities of calls (or sums of them) times rates, in the rates' unit (pico or atto); both are rows,
-- given by the name of their table. Null when a part is unknown.
create or replace macro cost_of(used, rates) as
    class_cost(used.uncached_input_tokens, rates.input_rate)
    + class_cost(used.cache_read_tokens, rates.cache_read_rate)
    + class_cost(used.cache_write_5m_tokens, rates.cache_write_5m_rate)
    + class_cost(used.cache_write_1h_tokens, rates.cache_write_1h_rate)
    + class_cost(used.cache_write_other_tokens, rates.cache_write_other_rate)
    + class_cost(used.output_tokens, rates.output_rate)
    + class_cost(used.web_search_count, rates.web_search_rate)
    + class_cost(used.file_search_count, rates.file_search_rate)
    + class_cost(used.code_session_count, rates.code_session_rate)
    -- Most models have none of these rates, and most of the time would be spent on asking for each.
    + case when coalesce(
        rates.input_audio_rate, rates.input_image_rate, rates.input_video_rate, rates.cache_read_audio_rate,
        rates.output_audio_rate, rates.output_image_rate, rates.reasoning_rate, rates.request_rate
    ) is null then 0::hugeint else parts_cost(used, rates) end;

-- A part counts in its own class only where that has a rate.
create or replace macro priced_part(quantity, rate) as
    case when rate is null then 0::hugeint else coalesce(quantity, 0)::hugeint end;

-- Whether any part has a rate of its own.
create or replace macro has_part_rates(rates) as
    coalesce(
        rates.input_audio_rate, rates.input_image_rate, rates.input_video_rate, rates.cache_read_audio_rate,
        rates.output_audio_rate, rates.output_image_rate, rates.reasoning_rate
    ) is not null;

-- Whether the parts that have rates of their own exceed what they are parts of: then no sum of classes is right.
create or replace macro parts_exceed(used, rates) as
    has_part_rates(rates)
    and (
        used.uncached_input_tokens
        < priced_part(used.uncached_audio_tokens, rates.input_audio_rate)
        + priced_part(used.uncached_image_tokens, rates.input_image_rate)
        + priced_part(used.uncached_video_tokens, rates.input_video_rate)
        or coalesce(used.cache_read_tokens, 0) < priced_part(used.cache_read_audio_tokens, rates.cache_read_audio_rate)
        or used.output_tokens
        < priced_part(used.output_audio_tokens, rates.output_audio_rate)
        + priced_part(used.output_image_tokens, rates.output_image_rate)
        + priced_part(used.reasoning_tokens, rates.reasoning_rate)
    );

-- Whether no part exceeds what it is part of, whatever has a rate; a call that tells no whole tells no excess.
create or replace macro parts_are_within(used) as
    not coalesce(
        used.uncached_input_tokens < coalesce(used.uncached_audio_tokens, 0)
        + coalesce(used.uncached_image_tokens, 0)
        + coalesce(used.uncached_video_tokens, 0)
        or coalesce(used.cache_read_tokens, 0) < coalesce(used.cache_read_audio_tokens, 0)
        or used.output_tokens < coalesce(used.output_audio_tokens, 0)
        + coalesce(used.output_image_tokens, 0)
        + coalesce(used.reasoning_tokens, 0),
        false
    );

-- Which classes a call uses, a bit for each: calls alike in this are priced, or not, together, whatever the rates.
create or replace macro used_classes_of(used) as (
    case when used.uncached_input_tokens <> 0 then 1 else 0 end
    + case when used.cache_read_tokens <> 0 then 2 else 0 end
    + case when used.cache_write_5m_tokens <> 0 then 4 else 0 end
    + case when used.cache_write_1h_tokens <> 0 then 8 else 0 end
    + case when used.cache_write_other_tokens <> 0 then 16 else 0 end
    + case when used.output_tokens <> 0 then 32 else 0 end
    + case when used.web_search_count <> 0 then 64 else 0 end
    + case when used.file_search_count <> 0 then 128 else 0 end
    + case when used.code_session_count <> 0 then 256 else 0 end
)::smallint;

-- What a cell of scenario_cells costs at a scenario's rates; null: it has no price there. No sum of classes is right where
-- parts exceed the whole and have rates that they were not judged by.
create or replace macro scenario_cost_of(cells, rates) as
    case
        when not cells.is_priced then null
        when cells.card_id is null then 0::hugeint
        when not cells.is_parts_within and case when cells.is_moved then has_part_rates(rates) else rates.adds_parts end
            then null
        else cost_of(cells, rates)
    end;

-- The classes of cost_of one by one, {token_class, quantity, rate, cost}, disjoint: their costs add up to cost_of.
create or replace macro class_costs(used, rates) as
    list_transform(
        [
            {
                'token_class': 'input',
                'quantity': used.uncached_input_tokens::hugeint
                - priced_part(used.uncached_audio_tokens, rates.input_audio_rate)
                - priced_part(used.uncached_image_tokens, rates.input_image_rate)
                - priced_part(used.uncached_video_tokens, rates.input_video_rate),
                'rate': rates.input_rate::hugeint
            },
            {
                'token_class': 'cache_read',
                'quantity': used.cache_read_tokens::hugeint
                - priced_part(used.cache_read_audio_tokens, rates.cache_read_audio_rate),
                'rate': rates.cache_read_rate::hugeint
            },
            {
                'token_class': 'cache_write_5m',
                'quantity': used.cache_write_5m_tokens::hugeint,
                'rate': rates.cache_write_5m_rate::hugeint
            },
            {
                'token_class': 'cache_write_1h',
                'quantity': used.cache_write_1h_tokens::hugeint,
                'rate': rates.cache_write_1h_rate::hugeint
            },
            {
                'token_class': 'cache_write_other',
                'quantity': used.cache_write_other_tokens::hugeint,
                'rate': rates.cache_write_other_rate::hugeint
            },
            {
                'token_class': 'output',
                'quantity': used.output_tokens::hugeint
                - priced_part(used.output_audio_tokens, rates.output_audio_rate)
                - priced_part(used.output_image_tokens, rates.output_image_rate)
                - priced_part(used.reasoning_tokens, rates.reasoning_rate),
                'rate': rates.output_rate::hugeint
            },
            {
                'token_class': 'input_audio',
                'quantity': priced_part(used.uncached_audio_tokens, rates.input_audio_rate),
                'rate': rates.input_audio_rate::hugeint
            },
            {
                'token_class': 'input_image',
                'quantity': priced_part(used.uncached_image_tokens, rates.input_image_rate),
                'rate': rates.input_image_rate::hugeint
            },
            {
                'token_class': 'input_video',
                'quantity': priced_part(used.uncached_video_tokens, rates.input_video_rate),
                'rate': rates.input_video_rate::hugeint
            },
            {
                'token_class': 'cache_read_audio',
                'quantity': priced_part(used.cache_read_audio_tokens, rates.cache_read_audio_rate),
                'rate': rates.cache_read_audio_rate::hugeint
            },
            {
                'token_class': 'output_audio',
                'quantity': priced_part(used.output_audio_tokens, rates.output_audio_rate),
                'rate': rates.output_audio_rate::hugeint
            },
            {
                'token_class': 'output_image',
                'quantity': priced_part(used.output_image_tokens, rates.output_image_rate),
                'rate': rates.output_image_rate::hugeint
            },
            {
                'token_class': 'reasoning',
                'quantity': priced_part(used.reasoning_tokens, rates.reasoning_rate),
                'rate': rates.reasoning_rate::hugeint
            },
            {
                'token_class': 'request',
                'quantity': priced_part(used.call_count, rates.request_rate),
                'rate': rates.request_rate::hugeint
            },
            {
                'token_class': 'web_search',
                'quantity': used.web_search_count::hugeint,
                'rate': rates.web_search_rate::hugeint
            },
            {
                'token_class': 'file_search',
                'quantity': used.file_search_count::hugeint,
                'rate': rates.file_search_rate::hugeint
            },
            {
                'token_class': 'code_session',
                'quantity': used.code_session_count::hugeint,
                'rate': rates.code_session_rate::hugeint
            }
        ],
        lambda part: {
            'token_class': part.token_class,
            'quantity': part.quantity,
            'rate': part.rate,
            'cost': class_cost(part.quantity, part.rate)
        }
    );

-- How sure the cost of a call is that rates of this status price, or why it has none; `cost` is cost_of the two.
create or replace macro judged(call, rates, rates_status, cost) as
    case
        when call.status in ('cache_hit', 'refused') then 'not_billed'
        when rates_status = 'billed_by_time' and rates.compute_second_rate is not null and call.compute_microseconds is null
            then 'time_unknown'
        when rates_status = 'billed_by_time' then 'billed_by_time'
        when call.input_tokens is null or call.output_tokens is null then 'usage_unknown'
        when call.uncached_input_tokens < 0 or coalesce(parts_exceed(call, rates), false) then 'inconsistent_usage'
        when rates_status is null then 'unknown_model'
        when cost is null then 'class_unpriced'
        else rates_status
    end;

-- Whether a call of this price_status has a cost.
create or replace macro is_priced(price_status) as
    price_status not in ('usage_unknown', 'time_unknown', 'inconsistent_usage', 'unknown_model', 'class_unpriced');

-- The cost of a call that was judged so; `cost` is what its rates come to.
create or replace macro judged_cost(price_status, cost) as
    case
        when price_status in ('not_billed', 'billed_by_time') then 0::hugeint
        when is_priced(price_status) then cost
    end;

-- What its compute time costs, in the rate's unit; the one rounding of a call.
create or replace macro time_cost_of(call, rates) as
    case
        when call.status not in ('cache_hit', 'refused')
            then divide_half_even(call.compute_microseconds::hugeint * rates.compute_second_rate, 1000000)
    end;

-- Second of the UTC week of an instant, from Monday 00:00 (1970 began on a Thursday); also right before 1970.
create or replace macro utc_week_second(instant) as
    ((epoch_us(instant) // 1000000 + 259200) % 604800 + 604800) % 604800;

-- The last of the log's days that is over. A log that ends at ten in the morning does not tell that day: as a whole it
-- would be taken for a cheap one.
create or replace macro last_day_over(first_day, final_day, last_called_at) as
    case
        when (epoch_us(last_called_at) // 3600000000) % 24 = 23 then final_day
        else greatest(first_day, final_day - 1)
    end;

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

-- The same where the margin is told by its bounds.
create or replace macro bounded_survives(least_margin, most_margin, unpriced_call_count) as
    case
        when most_margin < 0 then false
        when least_margin >= 0 and unpriced_call_count = 0 then true
    end;

-- What a recorded cost may be instead of ours; sql/models/recorded_cost_differences.sql tries these one by one.

-- USD as integer pico-USD: its digits without the point, since a product of decimals would overflow.
create or replace macro pico_from_usd(usd) as
    replace(usd::decimal(38, 12)::varchar, '.', '')::hugeint;

-- Whether a cost is what was recorded, all in pico-USD: alike as costs_differ has it, and a thousand times nearer than
-- ours is, since on a call of a hundredth of a cent the tolerance alone would let many a cost pass by chance.
create or replace macro explains(candidate, recorded, ours) as
    abs(candidate - recorded) <= greatest(1000000, greatest(candidate, recorded) // 1000000)
    and abs(candidate - recorded) * 1000 <= abs(ours - recorded);

-- What is added when one-hour writes are billed as five-minute ones; 0 for a call without any.
create or replace macro short_writes_cost(used, rates) as
    class_cost(used.cache_write_1h_tokens, rates.cache_write_5m_rate)
    - class_cost(used.cache_write_1h_tokens, rates.cache_write_1h_rate);

-- What reads from and writes to a cache cost.
create or replace macro cache_cost(used, rates) as
    class_cost(used.cache_read_tokens, rates.cache_read_rate)
    + class_cost(used.cache_write_5m_tokens, rates.cache_write_5m_rate)
    + class_cost(used.cache_write_1h_tokens, rates.cache_write_1h_rate)
    + class_cost(used.cache_write_other_tokens, rates.cache_write_other_rate);

-- Costs of a call by known mistakes, {cause, cost}, the most specific first; `cost` is cost_of the same two.
create or replace macro mistaken_costs(used, rates, cost) as
    [
        {
            'cause': 'no batch or flex discount',
            'cost': case when used.is_batch or lower(used.service_tier) in ('batch', 'flex') then cost * 2 end
        },
        {'cause': '1-hour writes at the 5-minute rate', 'cost': cost + short_writes_cost(used, rates)},
        {
            'cause': 'cache reads at full price',
            'cost': cost
            + class_cost(used.cache_read_tokens, rates.input_rate)
            - class_cost(used.cache_read_tokens, rates.cache_read_rate)
        },
        {'cause': 'cache reads and writes left out', 'cost': cost - cache_cost(used, rates)},
        {
            'cause': 'cached tokens counted twice',
            'cost': cost + (used.input_tokens - used.uncached_input_tokens) * rates.input_rate::hugeint
        },
        {
            'cause': 'reasoning left out',
            'cost': cost - class_cost(used.reasoning_tokens, coalesce(rates.reasoning_rate, rates.output_rate))
        },
        {'cause': 'output only', 'cost': class_cost(used.output_tokens, rates.output_rate)},
        {
            'cause': 'input at the output rate',
            'cost': class_cost(used.input_tokens, rates.output_rate) + class_cost(used.output_tokens, rates.output_rate)
        }
    ];

-- Costs that are ours times a plain factor, {cause, cost}: another unit, a discount or a surcharge.
create or replace macro multiplied_costs(cost) as
    list_transform(
        [
            {'cause': 'cents, read as dollars', 'percent': 10000},
            {'cause': 'dollars, read as cents', 'percent': 1},
            {'cause': '10 times ours', 'percent': 1000},
            {'cause': '2 times ours', 'percent': 200},
            {'cause': '1.5 times ours', 'percent': 150},
            {'cause': '1.25 times ours', 'percent': 125},
            {'cause': '1.1 times ours', 'percent': 110},
            {'cause': '0.9 times ours', 'percent': 90},
            {'cause': '0.8 times ours', 'percent': 80},
            {'cause': '0.75 times ours', 'percent': 75},
            {'cause': '0.5 times ours', 'percent': 50},
            {'cause': '0.1 times ours', 'percent': 10}
        ],
        lambda factor: {'cause': factor.cause, 'cost': divide_half_even(cost * factor.percent, 100)}
    );

-- The first of {cause, cost} that explains a recorded cost; null: none does.
create or replace macro first_explaining(costs, recorded, ours) as
    list_filter(costs, lambda entry: explains(entry.cost, recorded, ours))[1].cause;

-- A call's (or cell's) name in a dimension; null: unattributed. It ends the query where there is no such dimension.
create or replace macro known_name_in(dimension, used) as
    case dimension
        when 'feature' then used.feature
        when 'user' then used.user_id
        when 'customer' then used.customer_id
        when 'model' then case when used.model is not null then concat_ws('/', used.provider, used.model) end
        else error('no such dimension: ask for feature, user, customer or model')
    end;

-- The word that was asked for, or null for none; it ends the query where the word is none of those that are known.
create or replace macro one_of(word, known) as
    case
        when word is null or list_contains(known, word) then word
        else error(word || ' is not known here: write ' || array_to_string(known, ', '))
    end;

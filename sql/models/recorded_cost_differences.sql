-- one row per call whose recorded cost differs from ours, with what makes the difference where that can be told
-- call_id | identity of the call, see calls
-- day | UTC date of the call; null: the log does not say
-- provider | who served the call
-- model | model as served
-- recorded_cost_usd | cost as the log has it
-- cost_usd | our cost
-- gap_usd | recorded_cost_usd less cost_usd
-- likely_cause | what makes the recorded cost of the same tokens; null: unknown
-- short_writes_gap_usd | part of gap_usd by 1-hour writes at the 5-minute rate, where that comes beside another cause; null: it does not
-- price_status | how sure the price is, as in calls
-- content_id | log file, see files
-- source_file | path of that log file
-- line_number | line of that file, from 1
with recorded as (
    select
        *,
        1 as call_count,
        coalesce(model, model_requested) as priced_model,
        coalesce(epoch_us(called_at), 9223372036854775806) as lookup_us,
        coalesce(utc_week_second(called_at), -1) as lookup_second,
        greatest(input_tokens, 1) as lookup_tokens,
        pico_from_usd(recorded_cost_usd) as recorded_pico,
        recorded_pico - lag(recorded_pico) over (
            partition by content_id, action_id
            order by called_at, line_number, part
        ) as added_pico,
    from calls
    where recorded_cost_usd is not null
),

cards as (
    select
        *,
        dense_rank() over (order by provider, model, service_tier, region, is_batch) as ref_id,
        coalesce(epoch_us(valid_from), -9223372036854775807) as from_us,
        coalesce(epoch_us(valid_to), 9223372036854775807) as to_us,
        -- As in calls: a call without an instant takes no card of some hours only.
        case when week_second_from = 0 and week_second_to = 604800 then -1 else week_second_from end as from_second,
        coalesce(context_up_to, 9223372036854775807) as context_limit,
    from source.rate_cards
),

-- The causes that the call and its own card tell.
tried as (
    select
        calls.*,
        cards.ref_id,
        cards.from_us,
        short_writes_cost(calls, cards) as short_writes_pico,
        case
            when calls.price_status = 'not_billed' then 'a call that is not billed'
            when calls.price_status = 'billed_by_time' then 'billed by time'
            when calls.recorded_cost_usd = 0 then 'nothing recorded for a call that costs'
            else coalesce(
                first_explaining(mistaken_costs(calls, cards, calls.cost_pico), calls.recorded_pico, calls.cost_pico),
                case when explains(calls.cost_pico, calls.added_pico, calls.recorded_pico) then 'a running total' end
            )
        end as own_cause,
        -- Where the log tells of no cache: all input read from one, or all written, or read and billed as input too.
        calls.input_tokens = calls.uncached_input_tokens
        and cards.cache_read_rate < cards.input_rate
        and calls.recorded_pico - calls.cost_pico between
        calls.input_tokens * (cards.cache_read_rate - cards.input_rate)::hugeint
        and calls.input_tokens * greatest(
            cards.cache_read_rate,
            cards.cache_write_5m_rate - cards.input_rate,
            cards.cache_write_1h_rate - cards.input_rate,
            cards.cache_write_other_rate - cards.input_rate
        )::hugeint as may_be_cached,
    from recorded as calls
    left join cards
        on calls.card_id = cards.card_id
    where costs_differ(calls.recorded_cost_usd, calls.cost_usd)
),

-- Every other card is tried on some calls of each ref: the largest gaps, and, as those may all be outliers, the first by
-- id, which is by chance. What explains one of these is tried on all calls of the ref.
sampled as (
    select *
    from tried
    where own_cause is null and ref_id is not null
    qualify
        row_number() over (partition by ref_id order by abs(recorded_cost_usd - cost_usd) desc, call_id) <= 20
        or row_number() over (partition by ref_id order by call_id) <= 20
),

-- What the other cards come to is named before it is compared: a macro repeats what it is given, and each is planned.
sampled_costs as (
    select
        calls.ref_id,
        cards.ref_id as other_ref_id,
        calls.recorded_pico,
        calls.cost_pico,
        cost_of(calls, cards) as other_pico,
        short_writes_cost(calls, cards) as other_short_pico,
    from sampled as calls
    inner join cards
        on calls.lookup_tokens > cards.context_above
        and calls.lookup_tokens <= cards.context_limit
        and (
            calls.ref_id = cards.ref_id
            or (
                calls.lookup_us >= cards.from_us
                and calls.lookup_us < cards.to_us
                and calls.lookup_second >= cards.from_second
                and calls.lookup_second < cards.week_second_to
            )
        )
),

suspects as (
    select distinct
        ref_id,
        other_ref_id,
    from sampled_costs
    where
        explains(other_pico, recorded_pico, cost_pico)
        or explains(other_pico + other_short_pico, recorded_pico, cost_pico)
),

other_costs as (
    select
        calls.call_id,
        calls.recorded_pico,
        calls.cost_pico,
        calls.ref_id = cards.ref_id as is_same_ref,
        calls.provider is not distinct from cards.provider as is_same_provider,
        calls.priced_model = cards.model as is_same_model,
        calls.from_us = cards.from_us as is_same_start,
        cards.provider as other_provider,
        cards.model as other_model,
        cards.ref_id as other_ref_id,
        cards.card_id as other_card_id,
        cost_of(calls, cards) as other_pico,
        short_writes_cost(calls, cards) as other_short_pico,
    from tried as calls
    inner join suspects
        on calls.ref_id = suspects.ref_id
    inner join cards
        on suspects.other_ref_id = cards.ref_id
        and calls.lookup_tokens > cards.context_above
        and calls.lookup_tokens <= cards.context_limit
        and (
            calls.ref_id = cards.ref_id
            or (
                calls.lookup_us >= cards.from_us
                and calls.lookup_us < cards.to_us
                and calls.lookup_second >= cards.from_second
                and calls.lookup_second < cards.week_second_to
            )
        )
    where calls.own_cause is null
),

judged_costs as (
    select
        *,
        explains(other_pico, recorded_pico, cost_pico) as is_whole,
        explains(other_pico + other_short_pico, recorded_pico, cost_pico) as is_with_short_writes,
    from other_costs
),

compared as (
    select
        call_id,
        case
            when is_same_ref and is_same_start then 'price of another hour'
            when is_same_ref then 'price of another date'
            when is_same_provider and is_same_model then 'rates of another tier or region'
            when is_same_provider then 'rates of ' || other_model
            else 'rates of ' || concat_ws('/', other_provider, other_model)
        end as cause,
        is_whole,
        -- The same ref, then the same provider; of several with these rates the first by name.
        row_number() over (
            partition by call_id
            order by
                not is_same_ref,
                not is_same_provider,
                is_whole desc,
                other_model,
                other_ref_id,
                other_card_id
        ) as place,
    from judged_costs
    where is_whole or is_with_short_writes
)

select
    tried.call_id,
    tried.day,
    tried.provider,
    tried.model,
    tried.recorded_cost_usd,
    tried.cost_usd,
    tried.recorded_cost_usd - tried.cost_usd as gap_usd,
    coalesce(
        tried.own_cause,
        compared.cause || case when compared.is_whole then '' else ', 1-hour writes at the 5-minute rate' end,
        first_explaining(multiplied_costs(tried.cost_pico), tried.recorded_pico, tried.cost_pico),
        case when tried.recorded_cost_usd > 1 and tried.recorded_cost_usd > 100 * tried.cost_usd then 'an outlier' end,
        case when tried.may_be_cached then 'perhaps cached tokens that the log does not tell' end
    ) as likely_cause,
    case when not compared.is_whole then usd_from_pico(tried.short_writes_pico) end as short_writes_gap_usd,
    tried.price_status,
    tried.content_id,
    tried.source_file,
    tried.line_number,
from tried
left join compared
    on tried.call_id = compared.call_id
    and compared.place = 1
